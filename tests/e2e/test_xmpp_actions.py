"""Prosody with Upstander's module, Upstander, and people with plain clients: what is done in a room, and who may."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, tostring

import pytest
from prosody_support import FASTEN, MODERATOR, PASSWORD, ROOMS, SERVER, Person, people, stanza_id, words
from xmpp_site import PLATFORM, PRESS, Site, running

from support import asynchronous, entries, eventually
from upstander.adapters import xmpp_link
from upstander.adapters.base import Adapter, Capability
from upstander.adapters.conformance import assert_conforms
from upstander.adapters.xmpp import XmppAdapter


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("xmpp")) as site:
        yield site


# -- what is done in a room --------------------------------------------------------------------------------------


@asynchronous
async def test_a_message_that_was_shown_is_retracted(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "other", "v1", "v2") as (mod, host, other, viewer, late):
        room = await mod.make_room(host.jid, "10_12")
        for person in (host, other, viewer):
            await person.join(room)
        await viewer.told(room, "first")
        # Its sender does not want it kept: then it could not be retracted.
        shown = await viewer.told(room, "what a view", '<no-store xmlns="urn:xmpp:hints"/>')
        await viewer.told(room, "last")
        event = stanza_id(shown, ROOMS)
        action = await site.ordered(room, "delete_comment", event)
        assert (action["state"], action["did"]) == ("acknowledged", "message retracted")
        for person in (host, other, viewer):
            await eventually(lambda p=person: _retractions(p, room))
            [retraction] = _retractions(person, room)
            assert retraction.get("id") == stanza_id(shown, room)
            moderated = retraction[0]
            assert moderated.tag == "{urn:xmpp:message-moderate:0}moderated"
            assert moderated.get("by") == f"{room}/Upstander"
            assert moderated.find("{urn:xmpp:message-retract:0}retract") is not None
        assert (await site.ordered(room, "delete_comment", event))["state"] == "acknowledged"
        await host.told(room, "hello")
        assert len(_retractions(host, room)) == 1
        await late.join(room)
        await eventually(lambda: "hello" in late.read(room))
        assert late.read(room) == ["first", "last", "hello"]
        action = await site.ordered(room, "delete_comment", "1795567262894-nothing")
        assert action["state"] == "failed" and "no such message" in action["did"]


def _retractions(person: Person, room: str) -> list[Element]:
    return [found for each in person.got(room) if each.get("from") == room for found in each.iter(FASTEN)]


@asynchronous
async def test_who_is_muted_is_a_visitor_until_they_are_unmuted(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1", "v2") as (mod, host, viewer, absent):
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        await viewer.join(room)
        for _ in range(2):
            assert (await site.ordered(room, "mute_viewer", viewer.jid))["state"] == "acknowledged"
            await eventually(lambda: host.role_of(f"{room}/v1") == "visitor")
        assert await viewer.refused(room, "hello", says="You do not currently have permission") == "forbidden"
        await viewer.leave(room)
        await viewer.join(room, "newcomer")
        await eventually(lambda: host.role_of(f"{room}/newcomer") == "visitor")
        await viewer.refused(room, "hello again", says="You do not currently have permission")

        # Who writes and goes at once does not come back with a voice.
        assert "when they come back" in (await site.ordered(room, "mute_viewer", absent.jid))["did"]
        await absent.join(room)
        await eventually(lambda: host.role_of(f"{room}/v2") == "visitor")

        assert (await site.ordered(room, "unmute_viewer", viewer.jid))["state"] == "acknowledged"
        await eventually(lambda: host.role_of(f"{room}/newcomer") == "participant")
        await viewer.told(room, "sorry")


@asynchronous
async def test_a_pause_leaves_the_host_alone_with_those_who_look_after_the_chat(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1", "v2", "v3") as (mod, host, viewer, muted, late):
        room = await mod.make_room(host.jid, "10_12")
        for person in (host, viewer, muted):
            await person.join(room)
        await site.ordered(room, "mute_viewer", muted.jid)
        assert (await site.ordered(room, "pause"))["state"] == "acknowledged"
        await eventually(lambda: host.role_of(f"{room}/v1") == "visitor")
        await viewer.refused(room, "hello", says="You do not currently have permission")
        await late.join(room)
        await late.refused(room, "hello", says="You do not currently have permission")
        await host.told(room, "back in a minute")
        assert await _is_moderated(mod, room)
        assert (await site.ordered(room, "pause"))["did"] == "the chat was closed already"

        assert (await site.ordered(room, "resume"))["state"] == "acknowledged"
        await eventually(lambda: host.role_of(f"{room}/v3") == host.role_of(f"{room}/v1") == "participant")
        assert not await _is_moderated(mod, room)
        await viewer.told(room, "welcome back")
        await late.told(room, "hello")
        assert host.role_of(f"{room}/v2") == "visitor"
        assert (await site.ordered(room, "end"))["doing"] == "pause"  # the nearest there is
        await viewer.refused(room, "hello", says="You do not currently have permission")


async def _is_moderated(person: Person, room: str) -> bool:
    info = await person.ask(room, Element("{http://jabber.org/protocol/disco#info}query"), "get")
    return any(each.get("var") == "muc_moderated" for each in info.iter())


@asynchronous
async def test_a_chat_opens_when_no_reason_is_left_to_keep_it_closed(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        room = await mod.make_room(host.jid, "10_12", **{"muc#roomconfig_moderatedroom": "1"})
        await host.join(room)
        await viewer.join(room)
        # A room that was moderated before stays so, and who had no voice gets none.
        for do in ("disable_comments", "pause", "enable_comments"):
            assert (await site.ordered(room, do))["state"] == "acknowledged"
        await host.told(room, "hello")
        assert (await site.ordered(room, "resume"))["did"] == "viewers may write again"
        assert await _is_moderated(mod, room)
        await viewer.refused(room, "hello", says="You do not currently have permission")


@asynchronous
async def test_who_is_removed_does_not_come_back_until_they_are_readmitted(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        await viewer.join(room)
        for _ in range(2):
            assert (await site.ordered(room, "remove_viewer", viewer.jid))["state"] == "acknowledged"
        await eventually(lambda: host.role_of(f"{room}/v1") == "none")
        assert not await viewer.may_enter(room)
        assert (await site.ordered(room, "readmit_viewer", viewer.jid))["state"] == "acknowledged"
        assert await viewer.may_enter(room)
        await viewer.told(room, "sorry")


@asynchronous
async def test_slow_mode_holds_for_viewers(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        await viewer.join(room)
        assert "mod_upstander" in (await site.ordered(room, "slow_mode"))["did"]
        await viewer.told(room, "one")
        assert await viewer.refused(room, "two", says="This chat is in slow mode") == "policy-violation"
        await host.told(room, "one")
        await host.told(room, "two")
        await site.ordered(room, "slow_mode_off")
        await viewer.told(room, "three")


@asynchronous
async def test_words_reach_the_one_they_are_for(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "other", "v1") as (mod, host, other, viewer):
        room = await mod.make_room(host.jid, "10_12")
        await viewer.join(room)
        action = await site.ordered(room, "nudge_host")
        assert action["state"] == "failed" and "not in the room" in action["did"]
        await host.join(room)
        assert (await site.ordered(room, "nudge_host"))["state"] == "acknowledged"
        await eventually(lambda: host.got(room, "chat"))
        [nudge] = host.got(room, "chat")
        assert words(nudge) and nudge.get("from") == f"{room}/Upstander"
        assert (await site.ordered(room, "warn_viewer", viewer.jid))["state"] == "acknowledged"
        await eventually(lambda: viewer.got(room, "chat"))
        assert "Please keep to" in words(viewer.got(room, "chat")[0])
        assert (await site.ordered(room, "call_moderator"))["state"] == "acknowledged"
        await eventually(lambda: other.got(room, "normal"))
        [call] = other.got(room, "normal")
        invitation = call.find("{http://jabber.org/protocol/muc#user}x/{http://jabber.org/protocol/muc#user}invite")
        assert invitation is not None and "A moderator is needed" in words(call)
        await other.join(room)
        assert not mod.got(room, "chat") and not other.got(room, "chat")


# -- who may do what ---------------------------------------------------------------------------------------------


@asynchronous
async def test_only_the_platform_says_what_a_room_is_and_acts_in_it(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        # A host makes a room of their own: it is theirs, and they are one who may be a child.
        room = f"own{time.monotonic_ns()}@{ROOMS}"
        await host.join(room)
        await host.describe(room, **{"upstander#host_age_band": "adult", "upstander#host": viewer.jid})
        await viewer.join(room)
        await viewer.refused(room, PRESS)
        assert site.held(room)["host_age_band"] == "unknown"
        mute = Element("{upstander:room:0}do", what="mute_viewer", jid=host.jid, id="a1")
        with pytest.raises(Exception, match="not-allowed"):
            await mod.ask(room, mute)  # not even the platform takes the host's voice
        ask = Element("{upstander:room:0}do", what="pause", id="a2")
        for person in (host, viewer):
            with pytest.raises(Exception, match="forbidden"):
                await person.ask(room, ask)
        with pytest.raises(Exception, match="conflict"):
            await viewer.join(room, "upSTANDer")


@asynchronous
async def test_there_are_no_private_messages_in_a_young_persons_chat(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "other", "v1") as (mod, host, other, viewer):
        for band, passes in (("10_12", False), ("adult", True)):
            room = await mod.make_room(host.jid, band)
            for person in (host, other, viewer):
                await person.join(room)
            for receiver in (host, other):
                viewer.write(
                    f'<message to="{room}/{receiver.name}" type="chat" id="p-{receiver.name}"><body>hi</body></message>'
                )
            if passes:
                await eventually(lambda room=room: host.got(room, "chat") and other.got(room, "chat"))
                continue
            await eventually(lambda room=room: len(viewer.got(room, "error")) == 2)
            assert not host.got(room, "chat") and not other.got(room, "chat")
            assert {each.get("from") for each in viewer.got(room, "error")} == {f"{room}/host", f"{room}/other"}


@asynchronous
async def test_words_in_a_presence_stay_behind(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        await viewer.join(room, inside=f"<status>{PRESS}</status><show>away</show>")
        viewer.write(f'<presence to="{room}/v1" type="unavailable"><status>{PRESS}</status></presence>')
        await eventually(lambda: host.role_of(f"{room}/v1") == "none")
        seen = "".join(tostring(each, encoding="unicode") for each in host.stanzas)
        assert PRESS not in seen and "away" in seen


@asynchronous
async def test_words_in_an_invitation_stay_behind(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        room = await mod.make_room(host.jid, "10_12", **{"muc#roomconfig_roomname": "ü" * 600})
        await viewer.join(room)
        for kind in ("invite", "decline"):
            viewer.write(
                f'<message to="{room}"><body>{PRESS}</body><x xmlns="http://jabber.org/protocol/muc#user">'
                f'<{kind} to="{host.jid}"><reason>{PRESS}</reason></{kind}></x></message>'
            )
        await eventually(lambda: len(host.got(room, "normal")) == 2)
        assert PRESS not in "".join(tostring(each, encoding="unicode") for each in host.stanzas)
        # The room has a long name, which is cut between two letters; Upstander knows the room all the same.
        await viewer.told(room, "hello")
        assert site.held(room)["host_age_band"] == "10_12"


@asynchronous
async def test_who_comes_and_goes_is_told(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1", "v2") as (mod, host, one, two):
        room = await mod.make_room(host.jid, "10_12")
        for person in (host, one, two):
            await person.join(room)
        await eventually(lambda: site.held(room).get("viewers_present") == 2, "two viewers present")
        await one.leave(room)
        await eventually(lambda: site.held(room).get("viewers_present") == 1, "one viewer present")
        destroy = Element("{http://jabber.org/protocol/muc#owner}query")
        destroy.append(Element("{http://jabber.org/protocol/muc#owner}destroy"))
        await mod.ask(room, destroy)
        assert site.served is not None
        journal = site.served.journal
        await eventually(lambda: f'"{room}"' in "".join(_ends(journal)), "the end")


def _ends(journal: Path) -> list[str]:
    bodies = (placed.entry.body.decode() for placed in entries(journal, "event"))
    return [body for body in bodies if "broadcast_ended" in body]


# -- the adapter's contract --------------------------------------------------------------------------------------


class ProsodyBench:
    """The conformance kit's bench, around a real server."""

    http, undoes, limit_s, secrets = False, True, 15.0, (PASSWORD,)

    def __init__(self, site: Site, room: str, mod: Person, here: list[Person]) -> None:
        self.site, self.broadcast, self.mod, self.here = site, room, mod, here
        self.viewer = here[-1].jid

    def adapter(self, address: tuple[str, int] | None = None, wrong_secret: bool = False) -> Adapter:
        url = f"xmpp://{address[0]}:{address[1]}" if address else self.site.prosody.url
        password = "wrong" if wrong_secret else PASSWORD
        everything = frozenset(Capability)
        return XmppAdapter("chat", PLATFORM, MODERATOR, password, url, everything, self.here[1].jid)

    async def comment(self) -> str:
        return stanza_id(await self.here[0].told(self.broadcast, "nice game"), ROOMS)

    async def state(self) -> object:
        info = await self.mod.ask(self.broadcast, Element("{http://jabber.org/protocol/disco#info}query"), "get")
        await self._all_came()
        if self.here[0].role_of(f"{self.broadcast}/{self.here[-1].name}") == "none":
            await self.here[-1].may_enter(self.broadcast)  # who was removed comes back as soon as they may
            await self._all_came()
        said = []
        for person in self.here:
            said += [(each.get("type"), words(each)) for each in person.stanzas if each.tag.endswith("}message")]
            said += [tostring(each) for each in _retractions(person, self.broadcast)]
        # Clients are told that the room's configuration changed: not a change of its own.
        said = [each for each in said if each != ("groupchat", "")]
        roles = [self.here[0].role_of(f"{self.broadcast}/{person.name}") for person in self.here]
        return sorted(each.get("var", "") for each in info.iter()), roles, said

    async def _all_came(self) -> None:
        """What was sent before has come: a server answers a client in order."""
        for person in self.here:
            await person.ask(SERVER, Element("{urn:xmpp:ping}ping"), "get")


@asynchronous
async def test_the_adapter_keeps_the_contract_on_a_real_server(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xmpp_link, "TIMEOUT_S", 2.0)
    async with people(site.prosody, "platform", "host", "other", "v1") as (mod, *here):
        room = await mod.make_room(here[0].jid, "10_12")
        for person in here:
            await person.join(room)
        await assert_conforms(ProsodyBench(site, room, mod, here))
