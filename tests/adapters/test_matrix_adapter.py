"""What the Matrix adapter does in a room, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from homeserver import HOST, LEVELS, MODERATOR, SERVER, TOKEN, VIEWER, Homeserver, Room

from support import asynchronous
from upstander.adapters.base import Action, Capability, Outcome
from upstander.adapters.matrix import adapter as module
from upstander.adapters.matrix.adapter import CAPABILITIES, NUDGE, WARNING, MatrixAdapter
from upstander.adapters.matrix.words import BEFORE, CHAT
from upstander.gateway.service import adapter_of
from upstander.nudge.payload import Card, Do, Headings, Offer, Place
from upstander.settings import AdapterSettings, SettingsError


@pytest.fixture
def homeserver() -> Iterator[Homeserver]:
    with Homeserver() as running:
        yield running


def action(doing: str, target: str = "", broadcast: str = f"!broadcast:{SERVER}", identifier: str = "") -> Action:
    at = time.time_ns() // 1_000_000
    name = identifier or f"{doing}-{at}"
    return Action(name, "chat", broadcast, "$e", doing, doing, target, "chat", "urgent", at, at + 600_000)


def adapter(homeserver: Homeserver, **fields: object) -> MatrixAdapter:
    room = f"!moderators:{SERVER}"
    return MatrixAdapter("chat", "chat", homeserver.url, TOKEN, **({"moderators_room": room} | fields))  # type: ignore[arg-type]


async def perform(homeserver: Homeserver, *actions: Action, **fields: object) -> list[Outcome]:
    made = adapter(homeserver, **fields)
    try:
        return [await made.perform(each) for each in actions]
    finally:
        await made.close()


def told(homeserver: Homeserver, user: str) -> list[str]:
    """What the moderation account wrote into its room with this user."""
    rooms = [room for room in homeserver.rooms.values() if room.id.startswith("!made") and user in room.members]
    return [event["content"]["body"] for room in rooms for event in room.events.values()]


@asynchronous
async def test_a_message_is_redacted_once(homeserver: Homeserver) -> None:
    event = homeserver.write(homeserver.broadcast, VIEWER, "add me on the other app")
    delete = action("delete_comment", event)
    assert await perform(homeserver, delete, delete) == [Outcome(True, note="message redacted")] * 2
    assert homeserver.broadcast.events[event]["content"] == {}
    redactions = [e for e in homeserver.broadcast.events.values() if e["type"] == "m.room.redaction"]
    assert len(redactions) == 1
    (outcome,) = await perform(homeserver, action("delete_comment", "$nowhere"))
    assert not outcome.done and not outcome.retry and "no such event" in outcome.note


@asynchronous
async def test_a_muted_viewer_cannot_write_until_unmuted(homeserver: Homeserver) -> None:
    room = homeserver.broadcast
    muted = await perform(homeserver, action("mute_viewer", VIEWER), action("mute_viewer", VIEWER))
    assert [outcome.done for outcome in muted] == [True, True]
    assert muted[1].note.endswith("(it was so already)")
    assert not room.may_send(VIEWER, "m.room.message") and not room.may_send(VIEWER, "m.reaction")
    assert room.may_send(HOST, "m.room.message")
    await perform(homeserver, action("unmute_viewer", VIEWER))
    assert room.levels == LEVELS


@asynchronous
async def test_who_stands_as_high_as_the_account_cannot_be_muted(homeserver: Homeserver) -> None:
    homeserver.broadcast.levels["users"][VIEWER] = 100
    (outcome,) = await perform(homeserver, action("mute_viewer", VIEWER))
    assert not outcome.done and not outcome.retry
    assert outcome.note.startswith("the homeserver answered 403 M_FORBIDDEN: the moderation account must be in the")


@asynchronous
async def test_pause_closes_the_chat_for_all_but_moderators(homeserver: Homeserver) -> None:
    room = homeserver.broadcast
    await perform(homeserver, action("pause"), action("pause"))
    assert not room.may_send(VIEWER, "m.room.message") and not room.may_send(VIEWER, "m.reaction")
    assert room.may_send(HOST, "m.room.message")  # at level 50
    assert room.may_send(VIEWER, "m.room.redaction")
    await perform(homeserver, action("resume"))
    assert room.levels == LEVELS


@asynchronous
async def test_the_two_lanes_of_a_broadcast_do_not_lose_each_other_s_change(homeserver: Homeserver) -> None:
    made = adapter(homeserver)
    await asyncio.gather(*(made.perform(action(do, VIEWER)) for do in ("pause", "mute_viewer", "slow_mode")))
    await made.close()
    assert homeserver.broadcast.levels[BEFORE].keys() == {"chat", "users"}
    assert homeserver.broadcast.state[CHAT, ""] == {"slow_mode_s": 30}


@asynchronous
async def test_a_chat_that_is_closed_for_two_reasons_opens_when_neither_is_left(homeserver: Homeserver) -> None:
    room = homeserver.broadcast
    await perform(homeserver, action("pause"), action("disable_comments"), action("resume"))
    assert not room.may_send(VIEWER, "m.room.message")
    await perform(homeserver, action("enable_comments"))
    assert room.levels == LEVELS


@asynchronous
async def test_who_is_removed_may_come_back_once_readmitted(homeserver: Homeserver) -> None:
    room = homeserver.broadcast
    removed = await perform(homeserver, action("remove_viewer", VIEWER), action("remove_viewer", VIEWER))
    assert [outcome.done for outcome in removed] == [True, True] and room.members[VIEWER] == "ban"
    readmitted = await perform(homeserver, action("readmit_viewer", VIEWER), action("readmit_viewer", VIEWER))
    assert [outcome.done for outcome in readmitted] == [True, True] and room.members[VIEWER] == "leave"


CARD = Card(
    "c" * 32, "off_platform", "10_12", "en", "ltr", False, "A quick note", "Someone asked you to change apps.",
    Headings("You can", "Talk to"), (Offer(Do.DISMISS, "OK"),),
    (Place("Helpline", "talk", "116 111", "https://h.example"),), 1,
)  # fmt: skip


@asynchronous
async def test_a_card_is_said_in_words_and_goes_along_as_it_is(homeserver: Homeserver) -> None:
    await perform(homeserver, msgspec.structs.replace(action("nudge_host"), card=CARD))
    (made,) = [room for room in homeserver.rooms.values() if room.id.startswith("!made")]
    (event,) = made.events.values()
    words = "A quick note\nSomeone asked you to change apps.\n\nHelpline: 116 111 https://h.example"
    assert event["content"]["body"] == words
    assert msgspec.convert(event["content"]["io.upstander.card"], Card) == CARD


@asynchronous
async def test_slow_mode_leaves_what_else_stands_there(homeserver: Homeserver) -> None:
    homeserver.broadcast.state[CHAT, ""] = {"theme": "dark"}
    await perform(homeserver, action("slow_mode"))
    assert homeserver.broadcast.state[CHAT, ""] == {"theme": "dark", "slow_mode_s": 30}
    await perform(homeserver, action("slow_mode_off"))
    assert homeserver.broadcast.state[CHAT, ""] == {"theme": "dark", "slow_mode_s": 0}


@asynchronous
async def test_the_host_is_written_to_in_a_room_of_two(homeserver: Homeserver) -> None:
    nudge = action("nudge_host", identifier="n1")
    await perform(homeserver, nudge)
    await perform(homeserver, nudge, action("nudge_host", identifier="n2"))  # by an adapter made anew
    assert told(homeserver, HOST) == [NUDGE, NUDGE]
    assert len(homeserver.aliases) == 1
    (alias,) = homeserver.aliases
    assert "host" not in alias  # nobody can ask which hosts were written to
    (made,) = [room for room in homeserver.rooms.values() if room.id.startswith("!made")]
    assert made.members == {MODERATOR: "join", HOST: "invite"}

    made.members[HOST] = "leave"
    await perform(homeserver, action("nudge_host", identifier="n3"))
    assert made.members[HOST] == "invite"


@asynchronous
async def test_words_of_one_s_own(homeserver: Homeserver) -> None:
    await perform(homeserver, action("nudge_host"), action("warn_viewer", VIEWER), nudge="Alles gut?")
    assert told(homeserver, HOST) == ["Alles gut?"]
    assert told(homeserver, VIEWER) == [WARNING]


@pytest.mark.parametrize("content", [None, {}, {"host": 7}, {"host": "ada"}])
@asynchronous
async def test_without_a_host_nobody_is_written_to(homeserver: Homeserver, content: dict[str, object] | None) -> None:
    homeserver.broadcast.state.pop(("io.upstander.broadcast", ""))
    if content is not None:
        homeserver.broadcast.state["io.upstander.broadcast", ""] = content
    (outcome,) = await perform(homeserver, action("nudge_host"))
    assert not outcome.done and not outcome.retry and "names no host" in outcome.note


@asynchronous
async def test_moderators_are_called_without_a_word_about_who(homeserver: Homeserver) -> None:
    await perform(homeserver, action("call_moderator"))
    ((_, event),) = homeserver.moderators.events.items()
    assert event["content"]["m.mentions"] == {"room": True}
    assert "urgent" in event["content"]["body"] and homeserver.broadcast.id in event["content"]["body"]
    assert HOST not in event["content"]["body"] and VIEWER not in event["content"]["body"]


def test_capabilities_are_those_it_has_at_most(homeserver: Homeserver) -> None:
    assert adapter(homeserver).capabilities == CAPABILITIES
    assert adapter(homeserver, moderators_room="").capabilities == CAPABILITIES - {Capability.CALL_MODERATOR}
    some = frozenset({Capability.MUTE_VIEWER, Capability.DISABLE_GIFTS})
    assert adapter(homeserver, capabilities=some).capabilities == {Capability.MUTE_VIEWER}


@asynchronous
async def test_what_was_taken_from_it_it_does_not_do(homeserver: Homeserver) -> None:
    (outcome,) = await perform(homeserver, action("pause"), capabilities=frozenset({Capability.MUTE_VIEWER}))
    assert not outcome.done and not outcome.retry
    assert homeserver.requests == []


@pytest.mark.parametrize(
    ("answer", "retry", "after_s", "note"),
    [
        ((401, {"errcode": "M_UNKNOWN_TOKEN", "error": TOKEN}), False, 0.0, "M_UNKNOWN_TOKEN: put a valid access"),
        ((429, {"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 2_500}), True, 2.5, "429 M_LIMIT_EXCEEDED"),
        ((502, {}), True, 0.0, "answered 502"),
        ((404, {"errcode": "M_UNRECOGNIZED"}), False, 0.0, "is `url` the homeserver's address?"),
        ((400, {"errcode": ["no"]}), False, 0.0, "answered 400: check `url`"),
        ((200, ["no object"]), False, 0.0, "not a homeserver's"),
    ],
)
@asynchronous
async def test_answers(
    homeserver: Homeserver, answer: tuple[int, dict[str, object]], retry: bool, after_s: float, note: str
) -> None:
    homeserver.answers = [answer]
    (outcome,) = await perform(homeserver, action("call_moderator"))
    assert (outcome.done, outcome.retry, outcome.retry_after_s) == (False, retry, after_s)
    assert note in outcome.note and TOKEN not in outcome.note


@pytest.mark.parametrize(
    "levels", [{"events": {"m.room.name": "50"}}, {BEFORE: 7}, {BEFORE: {"chat": 7}}, {BEFORE: {"chat": {}}}]
)
@asynchronous
async def test_power_levels_that_are_not_in_order_are_left_alone(
    homeserver: Homeserver, levels: dict[str, object]
) -> None:
    homeserver.broadcast.state["m.room.power_levels", ""] = levels
    for doing in ("mute_viewer", "unmute_viewer", "pause", "resume"):
        (outcome,) = await perform(homeserver, action(doing, VIEWER))
        assert not outcome.retry
    assert homeserver.broadcast.levels == levels


@asynchronous
async def test_an_action_is_over_in_time_however_many_calls_it_takes(
    homeserver: Homeserver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.2)
    made = adapter(homeserver)

    async def slow(*_: object, **__: object) -> dict[str, object]:
        await asyncio.sleep(0.15)
        return {"host": HOST}

    monkeypatch.setattr(made._client, "call", slow)
    outcome = await made.perform(action("nudge_host"))
    await made.close()
    assert outcome == Outcome(False, retry=True, note="no answer (TimeoutError)")


def test_settings_make_one(tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.touch(mode=0o600)
    secret.write_text(TOKEN)
    settings = AdapterSettings("chat", "chat", "matrix", str(secret), url="http://h", moderators_room="!m:h")
    made = adapter_of(settings)
    assert isinstance(made, MatrixAdapter) and made.capabilities == CAPABILITIES
    fewer = adapter_of(msgspec.structs.replace(settings, capabilities=(Capability.PAUSE,)))
    assert fewer.capabilities == {Capability.PAUSE}
    secret.write_text("töken")
    with pytest.raises(SettingsError, match="adapter `chat`"):
        adapter_of(settings)


@asynchronous
async def test_the_fake_homeserver_is_as_strict_as_a_real_one(homeserver: Homeserver) -> None:
    """No token, no answer; and a transaction is one only on its own path."""
    async with httpx.AsyncClient(base_url=f"{homeserver.url}/_matrix/client/v3") as http:
        assert (await http.get("/account/whoami")).json()["errcode"] == "M_UNKNOWN_TOKEN"
    first, second = homeserver.broadcast, homeserver.add("!other", {MODERATOR: "join"})
    made = adapter(homeserver)
    for room in (first, second, first):
        assert isinstance(room, Room)
        await made._client.send(room.id, {"body": "x"}, "t1")
    await made.close()
    assert (len(first.events), len(second.events)) == (1, 1)
