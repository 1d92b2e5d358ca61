"""What the XMPP adapter asks a room for, what it makes of answers, and which settings it takes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, tostring

import msgspec
import pytest
from click.testing import CliRunner

from support import asynchronous, free_port
from upstander.adapters.base import Action, Capability, Outcome, doings
from upstander.adapters.xmpp import CAPABILITIES, NUDGE, XmppAdapter
from upstander.adapters.xmpp_link import Failed, XmppLink, plain
from upstander.cli.doctor import command as doctor
from upstander.gateway.service import adapter_of
from upstander.nudge.payload import Card, Headings, Place
from upstander.settings import AdapterSettings, SettingsError, load

JID, ROOM, VIEWER = "upstander@chat.test", "b1@rooms.chat.test", "ada@chat.test"
DONE = Element("{upstander:room:0}done", note="did it")


def action(doing: str, target: str = "", broadcast: str = ROOM, **fields: str) -> Action:
    return Action("a1", "chat", broadcast, "e1", doing, doing, target, "chat", fields.get("level", "urgent"), 0, 0)


class Room:
    """Answers what it is told to, and keeps the questions."""

    def __init__(self, answer: Element | Exception | None = DONE) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Element]] = []

    def __call__(self, room: str, question: Element) -> Any:
        self.asked.append((room, question))
        future: asyncio.Future[Element | None] = asyncio.get_running_loop().create_future()
        if isinstance(self.answer, Exception):
            future.set_exception(self.answer)
        else:
            future.set_result(self.answer)
        return future


def made(room: Room, monkeypatch: pytest.MonkeyPatch, **fields: Any) -> XmppAdapter:
    adapter = XmppAdapter("chat", "chat", JID, "secret", "xmpp://127.0.0.1:1", moderators="mods@chat.test", **fields)
    monkeypatch.setattr(adapter._link, "ask", room)
    return adapter


@pytest.mark.parametrize(
    ("doing", "target", "jid", "says"),
    [
        ("mute_viewer", f"{VIEWER}/phone", VIEWER, "to look after the host"),
        ("unmute_viewer", VIEWER, VIEWER, ""),
        ("warn_viewer", VIEWER, VIEWER, "Please keep to what happens"),
        ("nudge_host", "", None, NUDGE),
        ("slow_mode", "", None, ""),
        ("slow_mode_off", "", None, ""),
        ("pause", "", None, "the chat is closed for now"),
        ("disable_comments", "", None, "the chat is closed for now"),
        ("remove_viewer", VIEWER, VIEWER, "to look after the host"),
        ("resume", "", None, ""),
        ("call_moderator", "", "mods@chat.test", "level urgent"),
    ],
)
@asynchronous
async def test_the_room_is_asked_for_it(
    doing: str, target: str, jid: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room()
    assert await made(room, monkeypatch).perform(action(doing, target)) == Outcome(True, note="did it")
    [(where, question)] = room.asked
    assert (where, question.tag) == (ROOM, "{upstander:room:0}do")
    assert question.get("what") == doing and question.get("id") == "a1" and question.get("jid") == jid
    assert says in (question.text or "")


@asynchronous
async def test_a_comment_is_retracted_by_its_event_id(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(None)
    assert (await made(room, monkeypatch).perform(action("delete_comment", "17-x"))).done
    question = tostring(room.asked[0][1], encoding="unicode")
    for part in ('id="17-x"', "urn:xmpp:fasten:0", "urn:xmpp:message-moderate:0", "urn:xmpp:message-retract:0"):
        assert part in question
    adapter = made(Room(Failed(Outcome(False, note="no"), "item-not-found")), monkeypatch)
    outcome = await adapter.perform(action("delete_comment", "17-x"))
    assert not outcome.done and not outcome.retry and "no such message" in outcome.note
    broken = Outcome(False, retry=True, note="gone")
    adapter = made(Room(Failed(broken)), monkeypatch)
    assert await adapter.perform(action("delete_comment", "17-x")) == broken


@pytest.mark.parametrize(
    ("doing", "target"), [("mute_viewer", ""), ("mute_viewer", "no address"), ("warn_viewer", "a@b@c"),
                          ("mute_viewer", "chat.test"), ("delete_comment", ""), ("delete_comment", "a\0b"),
                          ("delete_comment", "two words")]
)  # fmt: skip
@asynchronous
async def test_a_target_that_is_none_is_not_asked_about(
    doing: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = Room()
    outcome = await made(room, monkeypatch).perform(action(doing, target))
    assert not outcome.done and not outcome.retry and outcome.note
    assert room.asked == []


@asynchronous
async def test_an_answer_that_is_not_the_modules_is_not_taken_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for answer in (None, Element("{other}done", note="yes"), Element("{upstander:room:0}done")):
        outcome = await made(Room(answer), monkeypatch).perform(action("pause"))
        assert not outcome.done and "mod_upstander" in outcome.note


@asynchronous
async def test_words_of_ones_own_are_cleaned(monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room()
    adapter = made(room, monkeypatch, nudge="be\0 well \ud800", warning="\x1b")
    await adapter.perform(action("nudge_host"))
    await adapter.perform(action("warn_viewer", VIEWER))
    assert room.asked[0][1].text == "be well "
    assert "Please keep to" in (room.asked[1][1].text or "")
    assert plain("a\u2028b\n") == "a\u2028b\n"


@asynchronous
async def test_a_card_comes_as_words_and_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    help_at = (Place("A helpline", "children", "116 111", "https://example.org"),)
    card = Card(
        "a1", "secrecy", "10_12", "en", "ltr", False, "A secret?", "Someone asked.", Headings("", ""), (), help_at, 1
    )
    room = Room()
    asked = msgspec.structs.replace(action("nudge_host"), card=card)
    await made(room, monkeypatch).perform(asked)
    question = room.asked[0][1]
    assert question.text == "A secret?\nSomeone asked.\n\nA helpline: 116 111 https://example.org"
    assert msgspec.json.decode(question[0].text or "", type=Card) == card
    await made(room, monkeypatch, nudge="be well").perform(asked)
    assert room.asked[1][1].text == "be well" and len(room.asked[1][1]) == 1


def test_it_can_what_it_says() -> None:
    adapter = XmppAdapter("chat", "chat", JID, "secret")
    assert Capability.CALL_MODERATOR not in adapter.capabilities  # there is nobody to call
    assert doings(CAPABILITIES) >= {"delete_comment", "mute_viewer", "pause", "resume"}
    assert Capability.END not in CAPABILITIES and Capability.PLATFORM_HOLD not in CAPABILITIES


@asynchronous
async def test_only_a_connection_within_this_machine_may_go_without_tls() -> None:
    for url, plainly in (
        ("xmpp://127.0.0.1:5222", True),
        ("xmpp://localhost", True),
        ("xmpp://[::1]:5222", True),
        ("xmpp://chat.test:5222", False),
        ("xmpps://10.0.0.1:5223", False),
        ("", False),
    ):
        client = XmppLink(JID, "secret", url)._make()
        mechanisms = client.plugin["feature_mechanisms"]
        assert (mechanisms.unencrypted_plain, mechanisms.unencrypted_scram) == (plainly, plainly), url
        assert client.enable_starttls is not url.startswith("xmpps") and client.enable_plaintext is False


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("", "`jid` of adapter `chat` is missing"),
        ('jid = "chat.test"', "`jid` of adapter `chat` is 'chat.test'"),
        (f'jid = "{JID}"\nmoderators_jid = "mods"', "`moderators_jid` of adapter `chat` is 'mods'"),
        (f'jid = "{JID}"\nurl = "http://chat.test"', "Give `xmpp://host:port`"),
    ],
)
def test_settings_that_cannot_be_used_say_why(line: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "upstander.toml"
    path.write_text(f'[[adapters]]\nname = "chat"\nplatform = "chat"\nkind = "xmpp"\nsecret_file = "s"\n{line}\n')
    with pytest.raises(SettingsError) as error:
        load(path)
    assert says in str(error.value)


def settings(tmp_path: Path) -> AdapterSettings:
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text("secret\n")
    return AdapterSettings(
        name="chat", platform="chat", kind="xmpp", secret_file=str(tmp_path / "password"), jid=JID,
        url=f"xmpp://127.0.0.1:{free_port()}", nudge_text="be well",
    )  # fmt: skip


def test_the_service_makes_it_from_its_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = adapter_of(settings(tmp_path))
    assert isinstance(adapter, XmppAdapter) and adapter._nudge == "be well"
    monkeypatch.setitem(sys.modules, "slixmpp", None)
    with pytest.raises(SettingsError, match=r"pip install 'upstander\[xmpp\]'"):
        adapter_of(settings(tmp_path))


def test_doctor_says_when_the_account_cannot_log_in(tmp_path: Path) -> None:
    found = settings(tmp_path)
    config = tmp_path / "upstander.toml"
    config.write_text(
        f'data = "data"\n[[adapters]]\nname = "chat"\nplatform = "chat"\nkind = "xmpp"\nsecret_file = "password"\n'
        f'jid = "{JID}"\nurl = "{found.url}"\n'
    )
    result = CliRunner().invoke(doctor, ["--config", str(config), "--json"])
    [finding] = [each for each in json.loads(result.output) if each["what"] == "adapter chat"]
    assert finding["state"] == "problem" and "no connection to the server" in finding["found"]
    assert "secret" not in finding["found"]
