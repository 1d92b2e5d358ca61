"""A real Prosody on loopback, and people who use it with a plain client. Every process is stopped by its own handle."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from nginx_support import Process, free_port, listening, needed, until

from support import eventually

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "src/upstander/adapters/prosody"
SERVER = "loopback.test"
#: The chat with the module, one that asks a script, one without the module, and a component that brings people along.
ROOMS, SCRIPTED, UNGUARDED, BRIDGE = (f"{name}.{SERVER}" for name in ("rooms", "scripted", "plain", "bridge"))
PASSWORD = "a pass word"
MODERATOR, PLATFORM_ACCOUNT = f"upstander@{SERVER}", f"platform@{SERVER}"

MUC = "http://jabber.org/protocol/muc"
FORM = "jabber:x:data"
SID = "{urn:xmpp:sid:0}stanza-id"
FASTEN = "{urn:xmpp:fasten:0}apply-to"
_NUMBERS = itertools.count(1)


def prosody() -> str:
    """Prosody's command; skips (or fails, in CI) when it or its modules are not installed."""
    how = "scripts/apt.sh prosody prosody-modules"
    modules = Path("/usr/lib/prosody/modules/mod_muc_moderation")
    needed("mod_muc_moderation", str(modules) if modules.exists() else None, how)
    return needed("prosody", shutil.which("prosody"), how)


class Prosody(Process):
    """A server in ``folder``; ``options`` are lines of Lua for the chat with the module, ``scripted`` for a second."""

    def __init__(
        self, folder: Path, accounts: list[str], options: str, scripted: str = "", level: str = "debug"
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.port, self.component_port = free_port(), free_port()
        self.url = f"xmpp://127.0.0.1:{self.port}"
        self.folder = folder
        self.config = folder / "prosody.cfg.lua"
        self._configure(options, scripted, level)
        stored = folder / "data" / SERVER.replace(".", "%2e") / "accounts"
        stored.mkdir(parents=True, exist_ok=True)
        for account in ("upstander", "platform", *accounts):
            (stored / f"{account}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}"; }};')
        command = [prosody(), "-F", "--config", str(self.config)]
        super().__init__(command, folder / "output")
        until(lambda: listening(self.port) or not self.running, 20, "Prosody listening")
        assert self.running, self.log.read_text()[-5_000:]

    def _configure(self, options: str, scripted: str, level: str) -> None:
        # No TLS: nothing here leaves the machine.
        root = "run_as_root = true" if os.geteuid() == 0 else ""
        self.config.write_text(
            f"""
            {root}
            plugin_paths = {{ "{MODULES}" }}
            data_path = "{self.folder}/data"
            pidfile = "{self.folder}/prosody.pid"
            log = {{ {level} = "*console" }}
            interfaces = {{ "127.0.0.1" }}
            c2s_ports = {{ {self.port} }}
            component_ports = {{ {self.component_port} }}
            modules_enabled = {{ "roster", "saslauth", "disco", "ping" }}
            modules_disabled = {{ "s2s", "tls" }}
            authentication = "internal_plain"
            c2s_require_encryption = false
            allow_unencrypted_plain_auth = true

            VirtualHost "{SERVER}"

            Component "{ROOMS}" "muc"
                modules_enabled = {{ "muc_mam", "muc_moderation", "upstander" }}
                upstander_trusted = {{ "{MODERATOR}", "{PLATFORM_ACCOUNT}" }}
                {options}

            Component "{SCRIPTED}" "muc"
                modules_enabled = {{ "muc_mam", "muc_moderation", "upstander" }}
                upstander_trusted = {{ "{MODERATOR}", "{PLATFORM_ACCOUNT}" }}
                {scripted or options}

            Component "{UNGUARDED}" "muc"
                modules_enabled = {{ "muc_mam", "muc_moderation" }}

            Component "{BRIDGE}"
                component_secret = "{PASSWORD}"
            """
        )

    @property
    def text(self) -> str:
        """All that it logged."""
        return self.log.read_text(errors="replace")


def words(stanza: Element) -> str:
    """The body of a message."""
    return next((each.text or "" for each in stanza if each.tag.endswith("}body")), "")


def stanza_id(message: Element, by: str) -> str:
    """The id that an entity gave a message."""
    found = [each.get("id", "") for each in message.iter(SID) if each.get("by") == by]
    assert len(found) == 1, tostring(message)
    return found[0]


class Person:
    """Somebody with a plain client, who keeps all that comes."""

    def __init__(self, client: Any, name: str, domain: str = SERVER) -> None:
        self.client, self.name, self.jid = client, name, f"{name}@{domain}"
        #: what a component must write on everything it sends
        self.sender = "" if domain == SERVER else f"{self.jid}/client"
        self.stanzas: list[Element] = []
        client.add_filter("in", self._keep)

    def _keep(self, stanza: Any) -> Any:
        xml = getattr(stanza, "xml", None)
        if xml is not None:
            self.stanzas.append(xml)
        return stanza

    def write(self, xml: Element | str) -> None:
        """Send a stanza as it is."""
        if self.sender:
            xml = fromstring(xml) if isinstance(xml, str) else xml
            xml.set("from", self.sender)
        self.client.send_raw(xml if isinstance(xml, str) else tostring(xml, encoding="unicode"))

    def got(self, room: str, kind: str = "groupchat") -> list[Element]:
        """The messages of a kind that came from a room or somebody in it."""
        return [
            each
            for each in self.stanzas
            if each.tag.endswith("}message")
            and (not self.sender or each.get("to") == self.sender)
            and each.get("from", "").split("/")[0] == room
            and each.get("type", "normal") == kind
        ]

    def read(self, room: str) -> list[str]:
        """What this person saw in a room."""
        return [words(each) for each in self.got(room) if words(each)]

    async def join(self, room: str, nick: str = "", inside: str = "") -> None:
        """Come in, and wait until everybody who is there was shown."""
        seen = len(self.stanzas)
        to = f"{room}/{nick or self.name}"
        self.write(f'<presence to="{to}"><x xmlns="{MUC}"/>{inside}</presence>')
        await eventually(lambda: self._entered(to, seen), f"{self.name} in {room}")

    def _entered(self, to: str, seen: int) -> bool:
        own = [each for each in self.stanzas[seen:] if each.tag.endswith("}presence") and each.get("from") == to]
        assert not [each for each in own if each.get("type") == "error"], [tostring(each) for each in own]
        return any(status.get("code") == "110" for each in own for status in each.iter(f"{{{MUC}#user}}status"))

    async def may_enter(self, room: str) -> bool:
        """Come in, or be turned away."""
        seen, to = len(self.stanzas), f"{room}/{self.name}"

        def turned_away() -> bool:
            return any(e.get("from") == to and e.get("type") == "error" for e in self.stanzas[seen:])

        self.write(f'<presence to="{to}"><x xmlns="{MUC}"><history maxstanzas="0"/></x></presence>')
        await eventually(lambda: turned_away() or self._entered(to, seen), f"{self.name} in {room} or not")
        return not turned_away()

    async def leave(self, room: str, nick: str = "") -> None:
        seen = len(self.stanzas)
        to = f"{room}/{nick or self.name}"
        self.write(f'<presence to="{to}" type="unavailable"/>')
        await eventually(
            lambda: any(e.get("from") == to and e.get("type") == "unavailable" for e in self.stanzas[seen:]), "gone"
        )

    def say(self, room: str, text: str, *inside: str) -> str:
        """Write in a room; the id that came with it. ``inside`` is further XML."""
        identifier = f"m{next(_NUMBERS)}"
        message = Element("message", {"to": room, "type": "groupchat", "id": identifier})
        if text:
            SubElement(message, "body").text = text
        for xml in inside:
            message.append(fromstring(xml))
        self.write(message)
        return identifier

    async def outcome(self, room: str, identifier: str) -> Element:
        """What became of a message: the message as the room shows it, or the error."""

        def found() -> Element | None:
            own = [*self.got(room), *self.got(room, "error")]
            return next((each for each in own if each.get("id") == identifier), None)

        message: Element | None = await eventually(found, f"an answer to {identifier}")
        assert message is not None
        return message

    async def told(self, room: str, text: str, *inside: str) -> Element:
        """Write what must arrive; the message as the room shows it."""
        message = await self.outcome(room, self.say(room, text, *inside))
        assert message.get("type") == "groupchat", tostring(message)
        return message

    async def refused(self, room: str, text: str, *inside: str, says: str = "This message was not sent. ") -> str:
        """Write what must not arrive; the condition of the error."""
        message = await self.outcome(room, self.say(room, text, *inside))
        assert message.get("type") == "error", tostring(message)
        error = next(each for each in message if each.tag.endswith("}error"))
        stanzas = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
        assert (error.findtext(f"{stanzas}text") or "").startswith(says), tostring(message)
        return next(each.tag.removeprefix(stanzas) for each in error if not each.tag.endswith("}text"))

    def role_of(self, occupant: str) -> str:
        """The role of somebody in a room, as this person was shown it last."""
        roles = [
            item.get("role", "")
            for each in self.stanzas
            if each.tag.endswith("}presence") and each.get("from") == occupant
            for item in each.iter(f"{{{MUC}#user}}item")
        ]
        return roles[-1] if roles else ""

    async def ask(self, to: str, question: Element, kind: str = "set") -> Element:
        """A question and its answer."""
        stanza = self.client.make_iq(ito=to, itype=kind)
        stanza.append(question)
        return (await stanza.send(timeout=20)).xml

    async def make_room(self, host: str, band: str, on: str = ROOMS, **fields: str) -> str:
        """A room that stays, described to the module when ``on`` has it."""
        room = f"b{next(_NUMBERS)}@{on}"
        await self.join(room, "platform")
        await self.describe(room, **{"upstander#host": host, "upstander#host_age_band": band} | fields)
        await self.leave(room, "platform")
        return room

    async def describe(self, room: str, **fields: str) -> None:
        """Submit the room's configuration form."""
        query = Element(f"{{{MUC}#owner}}query")
        form = SubElement(query, f"{{{FORM}}}x", type="submit")
        for name, value in {
            "FORM_TYPE": f"{MUC}#roomconfig",
            "muc#roomconfig_persistentroom": "1",
            "muc#roomconfig_changesubject": "1",
            **fields,
        }.items():
            SubElement(SubElement(form, f"{{{FORM}}}field", var=name), f"{{{FORM}}}value").text = value
        await self.ask(room, query)


class Script:
    """What stands in for Upstander in the scripted chat: ``answer`` is asked for a verdict on every comment."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self.waiting = 0
        self.answer: Callable[[str], Awaitable[str]] = _allow

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
            sent = json.loads(await reader.readexactly(length))
            answer: dict[str, Any] = {"accepted": 1, "errors": []}
            if head.startswith(b"post /v1/hold"):
                self.asked.append(sent)
                self.waiting += 1
                answer = {"verdict": await self.answer(sent["text"]), "decided": True}
                self.waiting -= 1
            else:
                self.told += sent if isinstance(sent, list) else [sent]
            body = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _allow(text: str) -> str:
    return "allow"


@asynccontextmanager
async def script(port: int) -> AsyncIterator[Script]:
    """A script that listens where the scripted chat asks."""
    made = Script()
    server = await asyncio.start_server(made.serve, "127.0.0.1", port)
    try:
        yield made
    finally:
        server.close()


@asynccontextmanager
async def people(server: Prosody, *names: str) -> AsyncIterator[list[Person]]:
    """These people, logged in."""
    here = [_client(server, name) for name in names]
    try:
        await asyncio.gather(*(_log_in(server, person) for person in here))
        yield here
    finally:
        for person in here:
            _abort(person)
        await asyncio.sleep(0)


def _client(server: Prosody, name: str) -> Person:
    from slixmpp import ClientXMPP

    plain = {"feature_mechanisms": {"unencrypted_scram": True, "unencrypted_plain": True}}
    client = ClientXMPP(f"{name}@{SERVER}/client", PASSWORD, plugin_config=plain)
    client.enable_direct_tls = False
    return Person(client, name)


@asynccontextmanager
async def bridged(server: Prosody, name: str) -> AsyncIterator[Person]:
    """Somebody who comes through a component."""
    from slixmpp import ComponentXMPP

    person = Person(ComponentXMPP(BRIDGE, PASSWORD), name, BRIDGE)
    try:
        await _connect(person.client, server.component_port)
        yield person
    finally:
        _abort(person)
        await asyncio.sleep(0)


async def _log_in(server: Prosody, person: Person) -> None:
    await _connect(person.client, server.port)
    person.client.send_presence()


async def _connect(client: Any, port: int) -> None:
    started = asyncio.get_running_loop().create_future()
    client.add_event_handler("session_start", lambda _: started.done() or started.set_result(None))
    client.connect("127.0.0.1", port)
    await asyncio.wait_for(started, 20)


def _abort(person: Person) -> None:
    person.client.abort()
    person.client._run_out_filters.cancel()
