"""The dispatcher: in order, again after failures, and nobody waits for another's adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support import Recorder, asynchronous, eventually, outbox
from upstander.adapters.base import Adapter, Outcome
from upstander.journal.aio import AsyncJournal
from upstander.model.decision import Asked
from upstander.model.vocabulary import Intervention
from upstander.outbox import actions, dispatcher
from upstander.outbox.actions import State
from upstander.outbox.dispatcher import Dispatcher, retry_delay_s

I = Intervention  # noqa: E741


@dataclass
class Outbox:
    """A journal and a dispatcher on it."""

    journal: AsyncJournal
    path: Path
    dispatcher: Dispatcher
    adapters: dict[str, Adapter]
    count: int = 0

    async def ask(self, do: Intervention = I.NUDGE_HOST, broadcast: str = "b1", platform: str = "mysite") -> str:
        """Ask for one intervention; returns the action's id."""
        self.count += 1
        event, asked = f"e{self.count}", Asked(do)
        serving = {platform: [adapter for adapter in self.adapters.values() if adapter.platform == platform]}
        sql = actions.statements(serving, platform, broadcast, event, "urgent", [asked], now())
        await self.journal.append(statements=sql)
        self.dispatcher.wake()
        return actions.action_id(platform, broadcast, event, asked)

    def states(self) -> list[str]:
        return [row["state"] for row in outbox(self.path)]

    def notes(self) -> list[str]:
        return [row["note"] for row in outbox(self.path)]

    async def settled(self, *states: str) -> None:
        await eventually(lambda: self.states() == list(states), f"{states}, not {self.states()}")


def now() -> int:
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def running(folder: Path, *adapters: Adapter, start: bool = True) -> AsyncIterator[Outbox]:
    path = folder / "journal.sqlite"
    journal = AsyncJournal(path, 0.0)
    journal.start()
    named = {adapter.name: adapter for adapter in adapters}
    made = Outbox(journal, path, Dispatcher(journal, named), named)
    if start:
        made.dispatcher.start()
    try:
        yield made
    finally:
        await made.dispatcher.stop()
        await journal.close()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_RETRY_S", 0.01)
    monkeypatch.setattr(dispatcher, "POLL_S", 0.02)


def test_the_wait_grows_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "FIRST_RETRY_S", 0.5)
    assert [retry_delay_s(n) for n in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert retry_delay_s(10_000) == 60


@asynchronous
async def test_what_is_done_is_acknowledged_with_what_was_done(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(True, note="put in the corner")]
    async with running(tmp_path, adapter) as o:
        identifier = await o.ask(I.MUTE_VIEWER)
        await o.settled("acknowledged")
        history = [(state, note) for _, state, note in actions.history(o.journal.reader, identifier)]
        assert history == [("pending", ""), ("sent", ""), ("acknowledged", "put in the corner")]
        assert [action.id for action in adapter.performed] == [identifier]
        assert o.dispatcher.delivered == 1


@asynchronous
async def test_it_is_sent_durably_before_it_is_handed_over(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.gate.clear()
    async with running(tmp_path, adapter) as o:
        await o.ask()
        await eventually(lambda: adapter.performed)
        assert o.states() == ["sent"]
        adapter.gate.set()
        await o.settled("acknowledged")


@asynchronous
async def test_a_failure_that_may_pass_is_tried_again(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [
        Outcome(False, True, "answered 500"),
        RuntimeError("a bug"),
        Outcome(False, True, "answered 503"),
    ]
    async with running(tmp_path, adapter) as o:
        identifier = await o.ask()
        await o.settled("acknowledged")
        states = [state for _, state, _ in actions.history(o.journal.reader, identifier)]
        assert states == ["pending", *["sent", "pending"] * 3, "sent", "acknowledged"]
        notes = [note for _, _, note in actions.history(o.journal.reader, identifier)]
        assert "RuntimeError" in notes[4] and "a bug" not in notes[4]
        assert outbox(o.path)[0]["attempts"] == 4
        assert {action.id for action in adapter.performed} == {identifier}


@asynchronous
async def test_retry_after_is_respected_and_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 429", 0.3)]
    async with running(tmp_path, adapter) as o:
        await o.ask()
        await eventually(lambda: o.states() == ["pending"] and o.notes() == ["answered 429"])
        asked_at = time.monotonic()
        await o.settled("acknowledged")
        assert time.monotonic() - asked_at > 0.2
    monkeypatch.setattr(dispatcher, "LONGEST_RETRY_S", 0.05)
    adapter.answers = [Outcome(False, True, "answered 429", 9_999)]
    async with running(tmp_path, adapter) as o:
        o.count = 10
        await o.ask()
        await o.settled("acknowledged", "acknowledged")


@asynchronous
async def test_a_failure_for_good_is_failed_and_later_ones_go_on(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(False, False, "answered 404")]
    async with running(tmp_path, adapter) as o:
        await o.ask()
        await o.ask()
        await o.settled("failed", "acknowledged")
        assert o.notes()[0] == "answered 404"
        assert o.dispatcher.given_up == 1


@asynchronous
async def test_it_is_given_up_after_so_many_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatcher, "MAX_ATTEMPTS", 3)
    monkeypatch.setattr(dispatcher, "LONGEST_RETRY_S", 0.01)
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 500")] * 5
    async with running(tmp_path, adapter) as o:
        await o.ask()
        await o.settled("failed")
        assert len(adapter.performed) == 3


@asynchronous
async def test_what_is_too_old_expires_unsent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "LIFETIME_MS", 0)
    adapter = Recorder()
    async with running(tmp_path, adapter) as o:
        await o.ask()
        await o.settled("expired")
        assert adapter.performed == [] and "in time" in o.notes()[0]


@asynchronous
async def test_what_keeps_failing_expires_and_frees_its_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "LIFETIME_MS", 150)
    monkeypatch.setattr(dispatcher, "LONGEST_RETRY_S", 0.02)
    monkeypatch.setattr(dispatcher, "MAX_ATTEMPTS", 10_000)
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 500")] * 10_000
    async with running(tmp_path, adapter) as o:
        await o.ask()
        await o.settled("expired")
        assert o.notes() == ["answered 500"]
        adapter.answers = []
        monkeypatch.setattr(actions, "LIFETIME_MS", 600_000)
        await o.ask()
        await o.settled("expired", "acknowledged")


@asynchronous
async def test_order_within_a_broadcast_holds_while_an_earlier_action_waits(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 503", 0.2)]
    async with running(tmp_path, adapter) as o:
        await o.ask(I.SLOW_MODE)
        await eventually(lambda: o.notes() == ["answered 503"])
        for do in (I.CALL_MODERATOR, I.NUDGE_HOST, I.SLOW_MODE):
            await o.ask(do)
        await o.ask(I.SLOW_MODE, broadcast="b2")
        await eventually(lambda: len(adapter.performed) == 2)
        assert adapter.performed[1].broadcast == "b2", "another broadcast does not wait"
        await o.settled(*["acknowledged"] * 5)
        done = [action.asked for action in adapter.performed if action.broadcast == "b1"]
        assert done == ["slow_mode", "slow_mode", "call_moderator", "nudge_host", "slow_mode"]


@asynchronous
async def test_a_pause_does_not_wait_behind_a_nudge_that_cannot_be_delivered(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 503", 30.0)]
    async with running(tmp_path, adapter) as o:
        await o.ask(I.NUDGE_HOST)
        await eventually(lambda: o.notes() == ["answered 503"])
        await o.ask(I.PAUSE)
        await o.settled("pending", "acknowledged")


@asynchronous
async def test_a_resume_takes_back_a_pause_that_waits_to_be_tried_again(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 503", 0.2)]
    async with running(tmp_path, adapter) as o:
        await o.ask(I.PAUSE)
        await eventually(lambda: o.notes() == ["answered 503"])
        await o.ask(I.RESUME)
        await o.settled("expired", "acknowledged")
        await asyncio.sleep(0.3)
        assert [action.asked for action in adapter.performed] == ["pause", "resume"]


@asynchronous
async def test_order_holds_in_a_flood_larger_than_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The retried action is not among the first rows any more when its time comes."""
    due_actions = actions.due_actions
    monkeypatch.setattr(actions, "due_actions", lambda *arguments: due_actions(*arguments, 3))
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 503", 0.15)]
    async with running(tmp_path, adapter) as o:
        first = await o.ask()
        await eventually(lambda: o.notes() == ["answered 503"])
        others = [await o.ask() for _ in range(10)]
        elsewhere = await o.ask(broadcast="b2")
        await o.settled(*["acknowledged"] * 12)
        done = [action.id for action in adapter.performed]
        assert [each for each in done if each != elsewhere] == [first, first, *others]
        assert done.index(elsewhere) == 1, "what waits does not fill the first look"


@asynchronous
async def test_order_holds_over_a_restart(tmp_path: Path) -> None:
    adapter = Recorder()
    adapter.answers = [Outcome(False, True, "answered 503", 0.1)]
    async with running(tmp_path, adapter) as o:
        first = await o.ask(I.SLOW_MODE)
        await eventually(lambda: o.notes() == ["answered 503"])
        await o.dispatcher.stop()
        later = await o.ask(I.NUDGE_HOST)
    await asyncio.sleep(0.15)  # both are due now
    adapter.performed.clear()
    async with running(tmp_path, adapter) as o:
        await o.settled("acknowledged", "acknowledged")
        assert [action.id for action in adapter.performed] == [first, later]


@asynchronous
async def test_what_was_cut_short_goes_out_again_under_its_id(tmp_path: Path) -> None:
    adapter = Recorder()
    async with running(tmp_path, adapter, start=False) as o:
        identifier = await o.ask(I.PAUSE)
        sent = actions.transition(identifier, State.PENDING, State.SENT, now(), attempt=True)
        await o.journal.append(statements=sent)
        later = await o.ask(I.RESUME)
    async with running(tmp_path, adapter) as o:
        await o.settled("acknowledged", "acknowledged")
        assert [action.id for action in adapter.performed] == [identifier, later]
        history = actions.history(o.journal.reader, identifier)
        assert any("cut short by a restart" in note for _, _, note in history)


@asynchronous
async def test_an_adapter_that_is_gone_fails_its_actions(tmp_path: Path) -> None:
    async with running(tmp_path, Recorder("gone"), start=False) as o:
        await o.ask()
    async with running(tmp_path, Recorder("other")) as o:
        await o.settled("failed")
        assert "`gone` is no longer configured" in o.notes()[0]


@asynchronous
async def test_an_adapter_that_never_answers_keeps_no_other_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "MAX_LANES", 4)
    stuck, quick = Recorder("stuck", platform="stuck"), Recorder("quick")
    stuck.gate.clear()
    async with running(tmp_path, stuck, quick) as o:
        for n in range(20):
            await o.ask(broadcast=f"s{n}", platform="stuck")
        await eventually(lambda: len(stuck.performed) == 4)
        await o.ask()
        await eventually(lambda: quick.performed)
        assert len(stuck.performed) == 4, "and no more lanes than allowed"
        stuck.gate.set()
        await o.settled(*["acknowledged"] * 21)


@asynchronous
async def test_a_stop_finishes_what_is_being_sent_and_sends_no_more(tmp_path: Path) -> None:
    adapter = Recorder()
    async with running(tmp_path, adapter, start=False) as o:
        for _ in range(3):
            await o.ask()
        adapter.gate.clear()
        o.dispatcher.start()
        await eventually(lambda: adapter.performed)
        stopping = asyncio.create_task(o.dispatcher.stop())
        await asyncio.sleep(0.02)
        assert not stopping.done()
        adapter.gate.set()
        await stopping
        assert o.states() == ["acknowledged", "pending", "pending"]


@asynchronous
async def test_a_stop_ends_also_when_it_comes_with_a_wake(tmp_path: Path) -> None:
    async with running(tmp_path, Recorder()) as o:
        await asyncio.sleep(0.01)
        o.dispatcher.wake()
        async with asyncio.timeout(5):
            await o.dispatcher.stop()
