"""Synapse with Upstander's module, Upstander, and people with plain clients: what reaches whom, and what is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from nginx_support import free_port
from synapse_support import SERVER, Account, Content, Synapse, synapse

from support import Served, asynchronous, bearer, make_key, revoke, serve, until
from upstander.adapters.base import Adapter, Capability
from upstander.adapters.conformance import assert_conforms
from upstander.adapters.matrix.adapter import MatrixAdapter
from upstander.cli import doctor
from upstander.settings import load

PRESS = "add me on snap, dont tell your mom"


@dataclass
class Site:
    """The servers and who is there. ``mod`` is the platform's account: it makes the rooms and acts in them."""

    folder: Path
    synapse: Synapse
    port: int
    key: str
    toml: str
    mod: Account
    host: Account
    other: Account
    moderators_room: str
    served: Served | None = None
    numbers: list[int] = field(default_factory=list)

    def viewer(self) -> Account:
        """Somebody of whom Upstander holds nothing."""
        self.numbers.append(1)
        return self.synapse.register(f"viewer{len(self.numbers)}")

    def viewer_in(self, room: str) -> Account:
        viewer = self.viewer()
        viewer.join(room)
        return viewer

    def broadcast(self, *viewers: Account, band: str = "10_12", **content: Any) -> str:
        """A room that is a broadcast of the host, with everybody in it."""
        state = {"host": self.host.user, "host_age_band": band, "age_source": "declared"} | content
        room = self.mod.room([{"type": "io.upstander.broadcast", "state_key": "", "content": state}])
        for account in (self.host, self.other, *viewers):
            account.join(room)
        return room

    def held(self, room: str) -> Content:
        """What Upstander holds about the room."""
        path = f"http://127.0.0.1:{self.port}/v1/broadcasts/{quote(room, safe='')}"
        answer = httpx.get(path, headers=bearer(self.key), trust_env=False)
        return answer.json() if answer.is_success else {}

    def order(self, room: str, do: str, target: str = "") -> None:
        body = {"id": f"o{time.monotonic_ns()}", "do": do, "target": target, "by": "A. Moderator", "reason": "a test"}
        path = f"http://127.0.0.1:{self.port}/v1/broadcasts/{quote(room, safe='')}/orders"
        answer = httpx.post(path, json=body, headers=bearer(self.key), trust_env=False)
        assert answer.status_code == 200, answer.text

    def done(self, room: str, asked: str) -> Content:
        """The latest action of this kind, once it is final."""

        def final() -> Content | None:
            actions = [action for action in self.held(room).get("actions", []) if action["asked"] == asked]
            return actions[0] if actions and actions[0]["state"] not in ("pending", "sent") else None

        return until(final, f"{asked} done")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    synapse()
    folder = tmp_path_factory.mktemp("matrix")
    port, key = free_port(), make_key(folder / "data", platform="matrix")
    for name in ("key", "token"):
        (folder / name).touch(mode=0o600)
    (folder / "key").write_text(key)
    config = {
        "url": f"http://127.0.0.1:{port}",
        "key_file": str(folder / "key"),
        "trusted": [f"@mod:{SERVER}"],
        # Not about speed here: a busy machine must not turn an ordinary message into one that came too late.
        "deadline_ms": 10_000,
    }
    server = Synapse(folder / "synapse", config)
    try:
        mod, host, other = (server.register(name) for name in ("mod", "host", "other"))
        (folder / "token").write_text(mod.token)
        moderators_room = mod.room(preset="private_chat")
        toml = (
            f'[[adapters]]\nname = "chat"\nplatform = "matrix"\nkind = "matrix"\nurl = "{server.url}"\n'
            f'secret_file = "token"\nmoderators_room = "{moderators_room}"\n'
        )
        site = Site(folder, server, port, key, toml, mod, host, other, moderators_room)
        with serve(folder, toml, port=port) as served:
            site.served = served
            yield site
        assert "Traceback" not in served.log, served.log
        assert mod.token not in served.log and key not in served.log
        text = server.log.read_text()
        assert "Traceback" not in text and "synapse.logging.context" not in text, text[-5_000:]
        assert key not in text and PRESS not in text
    finally:
        server.stop()


def bodies(events: list[Content]) -> list[str]:
    return [event["content"]["body"] for event in events if "body" in event["content"]]


def assert_refused(answer: httpx.Response, says: str = "This message was not sent.") -> None:
    assert answer.status_code == 403, answer.text
    assert answer.json()["errcode"] == "M_FORBIDDEN"
    assert answer.json()["error"].startswith(says)


def test_what_asks_a_child_to_move_to_another_app_reaches_nobody(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer)
    first = viewer.sent(room, "nice game")
    assert "nice game" in bodies(site.other.arrivals(room, first))
    assert_refused(viewer.send(room, PRESS))
    last = site.host.sent(room, "next level now")
    for member in (site.other, site.host):
        assert PRESS not in bodies(member.arrivals(room, last))
    held = site.held(room)
    assert held["host_age_band"] == "10_12" and held["pairs"][0]["viewer"] == viewer.user
    assert {"off_platform", "secrecy"} <= set(held["decisions"][0]["tactics"])
    # What is on record is that very event; nobody can fetch it from the homeserver.
    event = quote(held["decisions"][0]["event"])
    assert viewer.call("GET", f"/rooms/{quote(room)}/event/{event}").status_code == 404


def test_what_was_decided_is_done_in_the_room(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer)
    site.mod.sync()
    assert_refused(viewer.send(room, PRESS))
    assert site.done(room, "mute_viewer")["state"] == "acknowledged"
    answer = viewer.send(room, "hello again")
    assert answer.status_code == 403 and site.mod.state(room, "m.room.power_levels")["users"][viewer.user] == -1
    assert site.done(room, "nudge_host")["did"] == "the host was written to"
    assert len(list(site.host.invitations())) == 1
    assert site.done(room, "call_moderator")["state"] == "acknowledged"
    called = site.mod.sync()["rooms"]["join"][site.moderators_room]["timeline"]["events"]
    assert "urgent" in bodies(called)[0]
    assert site.done(room, "disable_gifts")["state"] == "failed"  # there are none on Matrix, and so it says

    site.order(room, "unmute_viewer", viewer.user)
    assert site.done(room, "unmute_viewer")["state"] == "acknowledged"
    assert viewer.user not in site.mod.state(room, "m.room.power_levels")["users"]
    viewer.sent(room, "sorry")


def test_a_person_s_orders_are_done_in_the_room(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer)
    event = viewer.sent(room, "what a view")
    site.order(room, "delete_comment", event)
    assert site.done(room, "delete_comment")["did"] == "message redacted"
    assert site.other.event(room, event)["content"] == {}

    site.order(room, "pause")
    assert site.done(room, "pause")["state"] == "acknowledged"
    assert viewer.send(room, "hello").status_code == 403
    site.mod.sent(room, "back in a minute")
    site.order(room, "resume")
    assert site.done(room, "resume")["state"] == "acknowledged"
    viewer.sent(room, "welcome back")

    site.order(room, "remove_viewer", viewer.user)
    assert site.done(room, "remove_viewer")["state"] == "acknowledged"
    assert viewer.call("POST", f"/join/{quote(room)}", {}).status_code == 403
    site.order(room, "readmit_viewer", viewer.user)
    assert site.done(room, "readmit_viewer")["state"] == "acknowledged"
    viewer.join(room)

    site.order(room, "slow_mode")
    assert site.done(room, "slow_mode")["state"] == "acknowledged"
    viewer.sent(room, "one")
    answer = viewer.send(room, "two")
    assert answer.status_code == 403 and answer.json()["errcode"] == "M_LIMIT_EXCEEDED"
    site.host.sent(room, "one")
    site.host.sent(room, "two")
    site.order(room, "slow_mode_off")
    site.done(room, "slow_mode_off")
    viewer.sent(room, "three")

    site.order(room, "end")
    assert site.done(room, "end")["doing"] == "pause"  # the nearest there is
    assert viewer.send(room, "hello").status_code == 403


HIDDEN: dict[str, tuple[str, Content]] = {
    "an edit": ("m.room.message", {"msgtype": "m.text", "body": "* hi", "m.new_content": {"body": PRESS},
                                   "m.relates_to": {"rel_type": "m.replace"}}),
    "a formatted body": ("m.room.message", {"msgtype": "m.text", "body": "hi", "format": "org.matrix.custom.html",
                                            "formatted_body": "<b>add me</b> on snap, dont tell your mom"}),
    "an emote": ("m.room.message", {"msgtype": "m.emote", "body": PRESS}),
    "a notice": ("m.room.message", {"msgtype": "m.notice", "body": PRESS}),
    "a caption": ("m.room.message", {"msgtype": "m.image", "body": PRESS, "filename": "a.png", "url": "mxc://h/x"}),
    "a reaction": ("m.reaction", {"m.relates_to": {"rel_type": "m.annotation", "key": PRESS}}),
    "a poll": ("m.poll.start", {"m.poll.start": {"question": {"m.text": [{"body": PRESS}]}, "answers": []}}),
    "a type of its own": ("com.example.chat", {"words": [{"deep": [PRESS]}]}),
}  # fmt: skip


def test_no_other_form_of_a_message_goes_around(site: Site) -> None:
    viewers = {name: site.viewer() for name in HIDDEN}
    room = site.broadcast(*viewers.values())
    real = site.host.sent(room, "welcome")  # Synapse itself refuses what relates to nothing
    for name, (kind, content) in HIDDEN.items():
        relation = content.get("m.relates_to")
        related = {"m.relates_to": relation | {"event_id": real}} if relation else {}
        answer = viewers[name].send(room, content | related, kind)
        assert answer.status_code == 403, name
        assert_refused(answer)
    assert_refused(site.other.send(room, "a " * 2_001), "This message was not sent: in this chat")
    assert_refused(site.other.send(room, {"algorithm": "x"}, "m.room.encrypted"), "This message was not sent: this")
    levels = site.mod.state(room, "m.room.power_levels")
    levels["users"][site.host.user] = 100
    assert site.mod.set_state(room, "m.room.power_levels", levels).status_code == 200
    encryption = site.host.set_state(room, "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"})
    assert_refused(encryption, "This message was not sent: this chat is looked after")


def test_what_is_harmless_in_those_forms_arrives(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer)
    event = viewer.sent(room, "nice game")
    relation = {"m.relates_to": {"rel_type": "m.annotation", "event_id": event, "key": "👍"}}
    viewer.sent(room, relation, "m.reaction")
    edit = {"msgtype": "m.text", "body": "* great game", "m.new_content": {"msgtype": "m.text", "body": "great game"}}
    viewer.sent(room, edit | {"m.relates_to": {"rel_type": "m.replace", "event_id": event}})
    viewer.sent(room, {"msgtype": "m.image", "body": "castle.png", "url": "mxc://loopback.test/x"})
    last = viewer.sent(room, "")
    assert len(site.other.arrivals(room, last)) >= 5


def test_who_comes_and_goes_is_told(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer)
    until(lambda: site.held(room).get("viewers_present") == 2, "two viewers present")
    viewer.leave(room)
    until(lambda: site.held(room).get("viewers_present") == 1, "one viewer present")
    site.mod.set_state(room, "io.upstander.broadcast", {})
    until(lambda: site.held(room)["last_event"].endswith("~ended"), "the end")
    site.other.sent(room, PRESS)  # a room like any other from now on


def test_only_the_platform_says_what_is_a_broadcast(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer)
    levels = site.mod.state(room, "m.room.power_levels")
    levels["users"][viewer.user] = 90
    assert site.mod.set_state(room, "m.room.power_levels", levels).status_code == 200
    for kind in ("io.upstander.broadcast", "io.upstander.chat"):
        assert_refused(viewer.set_state(room, kind, {}), "Only the platform")
    assert_refused(viewer.send(room, PRESS))
    # Somebody's own room, made with such a state from the start, is no broadcast.
    state = {"host": viewer.user, "host_age_band": "adult"}
    own = viewer.room([{"type": "io.upstander.broadcast", "state_key": "", "content": state}])
    viewer.sent(own, PRESS)
    assert site.held(own) == {}


def test_rooms_that_are_no_broadcasts_are_left_alone(site: Site) -> None:
    viewer = site.viewer()
    room = viewer.room()
    viewer.sent(room, PRESS)
    assert site.held(room) == {}


def test_a_state_with_mistakes_is_a_child_s(site: Site) -> None:
    viewer = site.viewer()
    room = site.broadcast(viewer, band="adlut")
    assert_refused(viewer.send(room, PRESS))
    assert site.held(room)["host_age_band"] == "unknown"
    assert "`host_age_band` is not known" in site.synapse.log.read_text()


def test_the_doctor_looks_at_the_homeserver(site: Site) -> None:
    (adapter,) = load(site.folder / "upstander.toml").adapters
    (good,) = doctor._adapter(adapter)
    address = f"{site.synapse.url}/_matrix/client/v3/account/whoami"
    assert (good.state, good.found) == ("ok", f"matrix at {address} answers (200 to a plain GET)")
    (site.folder / "token").write_text("wrong")
    (bad,) = doctor._adapter(adapter)
    assert (bad.state, bad.found) == ("problem", f"{address} answered 401") and "access token" in bad.fix
    (site.folder / "token").write_text(site.mod.token)


class SynapseBench:
    """The conformance kit's bench, around a real homeserver."""

    http, undoes, limit_s = True, True, 15.0

    def __init__(self, site: Site) -> None:
        self.site, self.author = site, site.viewer()
        self.viewer = self.author.user
        self.broadcast = site.broadcast(self.author)
        self.secrets = [site.mod.token]

    def adapter(self, address: tuple[str, int] | None = None, wrong_secret: bool = False) -> Adapter:
        url = f"http://{address[0]}:{address[1]}" if address else self.site.synapse.url
        token = "syt_wrong" if wrong_secret else self.site.mod.token
        everything = frozenset(Capability)
        return MatrixAdapter("chat", "matrix", url, token, everything, self.site.moderators_room)

    async def comment(self) -> str:
        return self.site.other.sent(self.broadcast, "nice game")

    async def state(self) -> object:
        mod = self.site.mod
        levels = mod.state(self.broadcast, "m.room.power_levels")
        chat = mod.call("GET", f"/rooms/{quote(self.broadcast)}/state/io.upstander.chat/").json()
        rooms = mod.good("GET", "/joined_rooms")["joined_rooms"]
        said = [
            (event["type"], event["content"])
            for room in rooms
            for event in mod.good("GET", f"/rooms/{quote(room)}/messages", dir="b", limit=100)["chunk"]
            if event["type"] in ("m.room.message", "m.room.redaction")
        ]
        levels["users"] = {user: level for user, level in levels["users"].items() if user != self.site.other.user}
        member = mod.state(self.broadcast, "m.room.member", self.viewer)["membership"]
        return levels, chat.get("slow_mode_s", 0), said, member == "ban"


@asynchronous
async def test_the_adapter_keeps_the_contract_on_a_real_homeserver(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from upstander.adapters.matrix import adapter, client

    for module in (adapter, client):
        monkeypatch.setattr(module, "TIMEOUT_S", 3.0)
    await assert_conforms(SynapseBench(site))


def test_without_upstander_a_child_s_room_waits_and_an_adult_s_goes_on(site: Site) -> None:
    """Last, because it stops Upstander for a while."""
    viewer = site.viewer()
    child, adult = site.broadcast(viewer), site.broadcast(viewer, band="adult")
    strict = site.broadcast(viewer, band="adult", on_deadline="block")
    assert site.served is not None and site.served.stop() == 0
    assert_refused(viewer.send(child, "hello"), "This message could not be checked just now")
    assert_refused(viewer.send(strict, "hello"), "This message could not be checked just now")
    arrived = viewer.sent(adult, "hello")
    assert "hello" in bodies(site.other.arrivals(adult, arrived))
    site.viewer_in(child)
    with serve(site.folder, site.toml, port=site.port):
        viewer.sent(child, "hello again")
        assert_refused(viewer.send(child, PRESS))
        # Who came meanwhile is told as soon as that is possible.
        until(lambda: site.held(child).get("viewers_present") == 3, "the one who came meanwhile")
        revoke(site.folder / "data", site.key)
        assert_refused(site.viewer_in(child).send(child, "hello"), "This message could not be checked just now")
        until(lambda: "answered 401: no valid API key" in site.synapse.log.read_text(), "the log to say why")
