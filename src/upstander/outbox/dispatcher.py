"""Carries actions from the outbox to adapters: in order within a broadcast, retried, never forgotten."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from upstander.adapters.base import Adapter, Outcome
from upstander.journal.aio import AsyncJournal
from upstander.journal.store import JournalError
from upstander.nudge.book import with_card
from upstander.outbox import actions
from upstander.outbox.actions import Row, State

log = logging.getLogger(__name__)

MAX_LANES = 32
MAX_ATTEMPTS = 12
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 60.0
POLL_S = 1.0

#: An adapter's name and a lane of a broadcast (one for the stream itself, one for all else).
Lane = tuple[str, str]


def retry_delay_s(attempts: int) -> float:
    """Exponential back-off: 0.5 s, 1 s, 2 s, … at most a minute."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts, 10))


class Dispatcher:
    """Sends what is due. One lane a broadcast for the stream itself (pause, resume, end), so that
    they never overtake each other nor wait behind anything else, and one for the rest.

    An action is marked ``sent`` (durably) before it is handed to its adapter. If the process dies before the answer
    is noted, or the answer cannot be noted because the disk is full, it is handed over again under the same id, which
    the receiver must treat as one.
    """

    def __init__(self, journal: AsyncJournal, adapters: Mapping[str, Adapter]) -> None:
        self._journal = journal
        self._adapters = adapters
        self._wake = asyncio.Event()
        self._lanes: dict[Lane, asyncio.Task[None]] = {}
        #: lanes whose first action waits for its next attempt: later ones stay behind it
        self._waiting: dict[Lane, Row] = {}
        self._task: asyncio.Task[None] | None = None
        self._stopping = False
        self._cut_short = "cut short by a restart"
        #: while the journal cannot be written there is no point in trying (epoch milliseconds)
        self._quiet_until = 0
        self.delivered = self.retried = self.given_up = 0

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def start(self) -> None:
        """Start sending."""
        self._task = asyncio.create_task(self._run(), name="outbox")

    async def stop(self) -> None:
        """Finish what is being sent, and send no more."""
        self._stopping = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._lanes:
            await asyncio.wait(list(self._lanes.values()), timeout=15)

    async def _run(self) -> None:
        # Not ``while True``: ``wait_for`` may swallow the cancellation when it is woken at the same moment.
        while not self._stopping:
            self._wake.clear()
            try:
                if _now() >= self._quiet_until:
                    if self._cut_short:
                        await self._recover()
                    self._open_lanes()
            except (JournalError, sqlite3.Error) as error:
                self._rest(error)
            try:
                await asyncio.wait_for(self._wake.wait(), POLL_S)
            except TimeoutError:
                continue

    def _rest(self, error: Exception) -> None:
        log.warning("the outbox waits until the journal can be used again: %s", error)
        self._quiet_until = _now() + int(POLL_S * 1000)

    async def _recover(self) -> None:
        """Take up what was left half done.

        Nobody knows whether actions that were cut short arrived, so they go out again under the same id; lanes whose
        first action waits for its next attempt go on waiting.
        """
        why, self._cut_short = self._cut_short, ""
        try:
            for row in actions.open_actions(self._journal.reader, 1_000_000):
                lane = _lane(row)
                if lane in self._lanes:
                    continue
                if row.action.adapter not in self._adapters:
                    await self._give_up(row, f"the adapter `{row.action.adapter}` is no longer configured")
                elif row.state is State.SENT:
                    await self._move(row, State.SENT, State.PENDING, f"{why}: sent again under the same id")
                elif row.attempts:
                    self._waiting.setdefault(lane, row)
        except JournalError:
            self._cut_short = why
            raise

    def _open_lanes(self) -> None:
        now = _now()
        for name in self._adapters:
            # Each adapter has its own lanes: one that answers slowly, or never, must not keep the others waiting.
            taken = {lane for adapter, lane in self._lanes if adapter == name}
            free = MAX_LANES - len(taken)
            if free <= 0:
                continue
            due: dict[str, list[Row]] = defaultdict(list)
            waiting = [(lane, row) for (adapter, lane), row in self._waiting.items() if adapter == name]
            for lane, row in waiting:
                if row.next_at <= now:
                    due[lane].append(row)
            passing_over = [*taken, *(lane for lane, _ in waiting)]
            for row in actions.due_actions(self._journal.reader, name, now, passing_over):
                due[row.lane].append(row)
            for lane in list(due)[:free]:
                key = (name, lane)
                self._waiting.pop(key, None)
                self._lanes[key] = task = asyncio.create_task(self._serve(due[lane]), name=f"outbox {name}")
                task.add_done_callback(lambda _, key=key: self._closed(key))  # type: ignore[misc]

    def _closed(self, lane: Lane) -> None:
        task = self._lanes.pop(lane)
        if not task.cancelled() and (error := task.exception()) is not None:
            # What it marked as sent has to be taken up again.
            self._cut_short = self._cut_short or "its outcome could not be noted"
            if isinstance(error, JournalError):
                self._rest(error)
            else:
                log.error("outbox lane %s stopped: %s", lane[0], error)
        self._wake.set()

    async def _serve(self, rows: list[Row]) -> None:
        for row in rows:
            if self._stopping or not await self._send(row):
                return

    async def _send(self, row: Row) -> bool:
        """Send one action. False when the lane must wait (it will be retried)."""
        action, now = row.action, _now()
        if action.expires_at <= now:
            self.given_up += 1
            await self._move(row, State.PENDING, State.EXPIRED, row.note or "not delivered in time")
            return True
        adapter = self._adapters[action.adapter]
        await self._move(row, State.PENDING, State.SENT, "", attempt=True)
        if actions.state_of(self._journal.reader, action.id) is not State.SENT:
            return True  # taken back meanwhile
        try:
            outcome = await adapter.perform(with_card(self._journal.reader, action))
        except Exception as error:
            log.exception("adapter %s failed", adapter.name)
            outcome = Outcome(False, retry=True, note=f"the adapter failed ({type(error).__name__})")
        if outcome.done:
            self.delivered += 1
            await self._move(row, State.SENT, State.ACKNOWLEDGED, outcome.note)
            return True
        attempts = row.attempts + 1
        if not outcome.retry or attempts >= MAX_ATTEMPTS:
            self.given_up += 1
            await self._move(row, State.SENT, State.FAILED, outcome.note)
            return True
        self.retried += 1
        delay = max(retry_delay_s(row.attempts), min(outcome.retry_after_s, LONGEST_RETRY_S))
        next_at = _now() + int(delay * 1000)
        await self._move(row, State.SENT, State.PENDING, outcome.note, next_at=next_at)
        self._waiting[_lane(row)] = msgspec.structs.replace(row, attempts=attempts, next_at=next_at, note=outcome.note)
        return False

    async def _give_up(self, row: Row, note: str) -> None:
        self.given_up += 1
        await self._move(row, row.state, State.FAILED, note)

    async def _move(
        self, row: Row, before: State, after: State, note: str, next_at: int = 0, attempt: bool = False
    ) -> None:
        sql = actions.transition(row.action.id, before, after, _now(), note[:500], next_at, attempt)
        await self._journal.append(statements=sql)


def _lane(row: Row) -> Lane:
    return row.action.adapter, row.lane


def _now() -> int:
    return time.time_ns() // 1_000_000
