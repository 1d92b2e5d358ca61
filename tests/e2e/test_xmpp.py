"""Prosody with Upstander's module, Upstander, and people with plain clients: which messages reach whom."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, canonicalize, fromstring, tostring

import pytest
from prosody_support import ROOMS, SCRIPTED, SERVER, Prosody, bridged, people, prosody, script, stanza_id, words
from xmpp_site import PRESS, Site, running

from support import asynchronous, eventually, free_port, serve


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running(tmp_path_factory.mktemp("xmpp")) as site:
        yield site


# -- before a message is seen ------------------------------------------------------------------------------------


@asynchronous
async def test_what_asks_a_child_to_move_to_another_app_reaches_nobody(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "other", "v1") as (mod, host, other, viewer):
        room = await mod.make_room(host.jid, "10_12")
        for person in (host, other, viewer):
            await person.join(room)
        shown = await viewer.told(room, "nice game")
        assert await viewer.refused(room, PRESS) == "policy-violation"
        await host.told(room, "next level now")
        for person in (host, other, viewer):
            await eventually(lambda p=person: "next level now" in p.read(room))
            assert person.read(room) == ["nice game", "next level now"]
        held = site.held(room)
        assert held["host_age_band"] == "10_12" and held["pairs"][0]["viewer"] == viewer.jid
        assert {"off_platform", "secrecy"} <= set(held["decisions"][0]["tactics"])
        assert stanza_id(shown, ROOMS) != stanza_id(shown, room)


@asynchronous
async def test_a_message_goes_on_as_it_came(site: Site) -> None:
    rich = (
        '<html xmlns="http://jabber.org/protocol/xhtml-im"><body xmlns="http://www.w3.org/1999/xhtml">'
        "<p>hi <strong>all</strong></p></body></html>",
        '<origin-id xmlns="urn:xmpp:sid:0" id="mine"/>',
        '<x xmlns="jabber:x:oob"><url>https://example.org/castle.png</url></x>',
        '<reply xmlns="urn:xmpp:reply:0" to="a@b" id="x"/>',
    )
    async with people(site.prosody, "platform", "host", "v1") as (mod, host, viewer):
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        await viewer.join(room)
        stale = f'<stanza-id xmlns="urn:xmpp:sid:0" by="{ROOMS}" id="of-another"/>'
        message = await viewer.told(room, "hi all", *rich, stale)
        assert words(message) == "hi all"
        came = [canonicalize(tostring(each)) for each in message][1:5]
        assert came == [canonicalize(tostring(fromstring(each))) for each in rich]
        # Ids in the chat's own name are given by the chat alone.
        assert stanza_id(message, ROOMS) != "of-another"
        # Signs without words.
        await viewer.told(room, "", '<composing xmlns="http://jabber.org/protocol/chatstates"/>')
        await host.told(room, "", '<reactions xmlns="urn:xmpp:reactions:0" id="x"><reaction>👍</reaction></reactions>')


HIDDEN = {
    "a second body": ("hi", f'<body xmlns="jabber:client" xml:lang="de">{PRESS}</body>'),
    "a formatted body": (
        "hi",
        '<html xmlns="http://jabber.org/protocol/xhtml-im"><body xmlns="http://www.w3.org/1999/xhtml"><p>add me '
        "<b>on</b> snap, dont tell your mom</p></body></html>",
    ),
    "a picture's words": (
        "hi",
        '<html xmlns="http://jabber.org/protocol/xhtml-im"><body xmlns="http://www.w3.org/1999/xhtml">'
        f'<img src="cid:x" alt="{PRESS}"/></body></html>',
    ),
    "a correction": (PRESS, '<replace xmlns="urn:xmpp:message-correct:0" id="x"/>'),
    "a reaction": ("", f'<reactions xmlns="urn:xmpp:reactions:0" id="x"><reaction>{PRESS}</reaction></reactions>'),
    "a subject": ("", f'<subject xmlns="jabber:client">{PRESS}</subject>'),
    "a file's words": ("", f'<x xmlns="jabber:x:oob"><url>http://a/b</url><desc>{PRESS}</desc></x>'),
    "something of its own": ("", f'<a xmlns="example:1"><b><c>{PRESS}</c></b></a>'),
}


@asynchronous
async def test_no_other_form_of_a_message_goes_around(site: Site) -> None:
    names = [f"v{number}" for number in range(1, len(HIDDEN) + 1)]
    async with people(site.prosody, "platform", "host", *names) as (mod, host, *viewers):
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        for viewer, (name, (text, inside)) in zip(viewers, HIDDEN.items(), strict=True):
            await viewer.join(room)
            assert await viewer.refused(room, text, inside) == "policy-violation", name
        viewer = host  # of whom Upstander holds nothing
        omemo = '<encrypted xmlns="eu.siacs.conversations.axolotl"><header sid="1"/><payload>aGk=</payload></encrypted>'
        refusal = "This message was not sent: this chat is looked after"
        assert await viewer.refused(room, "I sent you an OMEMO message", omemo, says=refusal) == "not-acceptable"
        await viewer.refused(room, "a " * 2_001, says="This message was not sent: in this chat a message may have 4000")
        await viewer.refused(room, "", "<a>" * 60 + PRESS + "</a>" * 60, says="This message was not sent: in this")
        await host.told(room, "hello")
        assert host.read(room) == ["hello"]


@asynchronous
async def test_what_one_person_writes_keeps_its_order(site: Site) -> None:
    async with people(site.prosody, "platform", "host", "v1", "v2") as (mod, host, one, two):
        room = await mod.make_room(host.jid, "adult")
        for person in (host, one, two):
            await person.join(room)
        texts = {viewer: [f"{viewer.name} {number}" for number in range(60)] for viewer in (one, two)}
        for pair in zip(texts[one], texts[two], strict=True):
            one.say(room, pair[0])
            two.say(room, pair[1])
        await eventually(lambda: len(host.read(room)) == 120, "all messages")
        for viewer in (one, two):
            assert [text for text in host.read(room) if text.startswith(viewer.name)] == texts[viewer]


@asynchronous
async def test_people_who_come_through_a_component_are_asked_about_too(site: Site) -> None:
    async with people(site.prosody, "platform", "host") as (mod, host), bridged(site.prosody, "far") as far:
        room = await mod.make_room(host.jid, "10_12")
        await host.join(room)
        await far.join(room)
        for number in range(20):
            far.say(room, f"far {number}")
        await eventually(lambda: len(host.read(room)) == 20)
        assert host.read(room) == [f"far {number}" for number in range(20)]
        assert await far.refused(room, PRESS) == "policy-violation"
        await host.told(room, "hello")
        assert host.read(room)[-1] == "hello" and PRESS not in host.read(room)


@asynchronous
async def test_who_waits_keeps_nobody_else_waiting(site: Site) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        if text == "slow":
            await gate.wait()
        return "allow"

    async with (
        script(site.scripted) as asked,
        people(site.prosody, "platform", "host", "v1", "v2") as (mod, host, one, two),
    ):
        asked.answer = answer
        room = await mod.make_room(host.jid, "10_12", SCRIPTED)
        for person in (host, one, two):
            await person.join(room)
        one.say(room, "slow")
        one.say(room, "after it")
        await eventually(lambda: asked.waiting == 1)
        await two.told(room, "quick")
        assert host.read(room) == ["quick"]
        gate.set()
        await eventually(lambda: len(host.read(room)) == 3)
        assert host.read(room) == ["quick", "slow", "after it"]


@asynchronous
async def test_who_lost_their_voice_or_left_while_waiting_is_not_heard(site: Site) -> None:
    gate = asyncio.Event()

    async def answer(text: str) -> str:
        if text == "slow":
            await gate.wait()
        return "allow"

    async with (
        script(site.scripted) as asked,
        people(site.prosody, "platform", "upstander", "host", "v1", "v2") as (mod, moderator, host, one, two),
    ):
        asked.answer = answer
        room = await mod.make_room(host.jid, "10_12", SCRIPTED)
        for person in (host, one, two):
            await person.join(room)
        identifier = one.say(room, "slow")
        two.say(room, "slow")
        await eventually(lambda: asked.waiting == 2)
        await moderator.ask(room, Element("{upstander:room:0}do", what="mute_viewer", jid=one.jid, id="a1"))
        two.client.abort()
        await eventually(lambda: host.role_of(f"{room}/v2") == "none")
        gate.set()
        refusal = await one.outcome(room, identifier)
        assert refusal.get("type") == "error"
        await host.told(room, "hello")
        assert host.read(room) == ["hello"]


@asynchronous
async def test_without_an_answer_in_time_a_child_s_room_refuses_and_an_adult_s_allows(site: Site) -> None:
    async def never(text: str) -> str:
        await asyncio.sleep(5)
        return "allow"

    later = "This message could not be checked just now"
    async with (
        script(site.scripted) as asked,
        people(site.prosody, "platform", "host", "v1") as (mod, host, viewer),
    ):
        asked.answer = never
        rooms = {}
        for name, band, more in (
            ("child", "10_12", {}),
            ("unknown", "unknown", {}),
            ("adult", "adult", {}),
            ("strict", "adult", {"upstander#on_deadline": "block"}),
        ):
            rooms[name] = await mod.make_room(host.jid, band, SCRIPTED, **{"upstander#deadline_ms": "150"} | more)
            await viewer.join(rooms[name])
        for name in ("child", "unknown", "strict"):
            began = time.monotonic()
            assert await viewer.refused(rooms[name], "hello", says=later) == "resource-constraint"
            assert 0.1 < time.monotonic() - began < 3
        await viewer.told(rooms["adult"], "hello")


# -- settings ----------------------------------------------------------------------------------------------------


@asynchronous
async def test_settings_that_cannot_be_used_leave_a_child_s_chat_shut(tmp_path: Path) -> None:
    prosody()
    (tmp_path / "key").write_text("ups_0123456789ab_" + "x" * 43)
    (tmp_path / "key").chmod(0o644)
    options = f"""
        upstander_url = "http://127.0.0.1:{free_port()}"
        upstander_key_file = "{tmp_path}/key"
        upstander_default = false
        upstander_rooms = {{ stage = {{ host_age_band = "adlut", host = "host@{SERVER}" }}, lobby = false }}
    """
    server = Prosody(tmp_path / "prosody", ["host"], options)
    try:
        async with people(server, "platform", "host") as (mod, host):
            for name in ("stage", "lobby", "elsewhere"):
                await mod.join(f"{name}@{ROOMS}")
                await mod.describe(f"{name}@{ROOMS}")
                await host.join(f"{name}@{ROOMS}")
            await host.refused(f"stage@{ROOMS}", "hello", says="This message could not be checked just now")
            for name in ("lobby", "elsewhere"):
                await host.told(f"{name}@{ROOMS}", PRESS)
            described = await mod.make_room(host.jid, "10_12")
            await host.join(described)
            await host.refused(described, "hello", says="This message could not be checked just now")
            assert "can be read by others" in server.text and "no answer from" not in server.text
            # Mended, and read again: now there is a key, and still nobody who answers.
            (tmp_path / "key").chmod(0o600)
            server.popen.send_signal(signal.SIGHUP)
            await eventually(lambda: "config-reloaded" in server.text or "Reloading configuration" in server.text)
            await host.refused(described, "hello", says="This message could not be checked just now")
            await eventually(lambda: "no answer from http://127.0.0.1" in server.text)
        assert '`host_age_band` is "adlut": use one of under_10' in server.text
    finally:
        server.stop()


# -- without Upstander -------------------------------------------------------------------------------------------


@asynchronous
async def test_without_upstander_a_child_s_room_waits_and_an_adult_s_goes_on(site: Site) -> None:
    """Last, because it stops Upstander for a while."""
    later = "This message could not be checked just now"
    async with people(site.prosody, "platform", "host", "v1", "v2") as (mod, host, viewer, missed):
        child, adult = await mod.make_room(host.jid, "10_12"), await mod.make_room(host.jid, "adult")
        for person in (host, viewer):
            await person.join(child)
            await person.join(adult)
        assert site.served is not None and site.served.stop() == 0
        assert await viewer.refused(child, "hello", says=later) == "resource-constraint"
        await viewer.told(adult, "hello")
        await missed.join(child)
        # A room that was made meanwhile is announced before its first message is asked about.
        fresh = await mod.make_room(host.jid, "10_12")
        await viewer.join(fresh)
        with serve(site.folder, site.toml, port=site.port):
            await viewer.told(child, "hello again")
            await viewer.refused(fresh, PRESS)
            assert site.held(fresh)["host_age_band"] == "10_12"
            await eventually(lambda: site.held(child).get("viewers_present") == 2, "the one who came meanwhile")
