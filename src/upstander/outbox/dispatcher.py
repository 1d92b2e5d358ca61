"""Carries actions from the outbox to adapters: in order within a broadcast, retried, never forgotten."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Mapping

from upstander.adapters.base import Adapter, Outcome
from upstander.journal.aio import AsyncJournal
from upstander.journal.store import JournalError
from upstander.outbox import actions
from upstander.outbox.actions import Row, State

log = logging.getLogger(__name__)

MAX_LANES = 32
MAX_ATTEMPTS = 12
FIRST_RETRY_S = 0.5
LONGEST_RETRY_S = 60.0
POLL_S = 1.0


def retry_delay_s(attempts: int) -> float:
    """Exponential back-off: 0.5 s, 1 s, 2 s, … at most a minute."""
    return min(LONGEST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(attempts, 10))


class Dispatcher:
    """Sends what is due. One lane a (adapter, broadcast), so that pause and resume never overtake each other.

    An action is marked ``sent`` (durably) before it is handed to its adapter. If the process dies before the answer
    is noted, it is handed over again after the restart under the same id, which the receiver must treat as one.
    """

    def __init__(self, journal: AsyncJournal, adapters: Mapping[str, Adapter]) -> None:
        self._journal = journal
        self._adapters = adapters
        self._wake = asyncio.Event()
        self._lanes: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._task: asyncio.Task[None] | None = None
        self.delivered = self.retried = self.given_up = 0

    def wake(self) -> None:
        """There may be something to send."""
        self._wake.set()

    def start(self) -> None:
        """Start sending."""
        self._task = asyncio.create_task(self._run(), name="outbox")

    async def stop(self) -> None:
        """Finish what is being sent, and send no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._lanes:
            await asyncio.wait(list(self._lanes.values()), timeout=15)

    async def _run(self) -> None:
        await self._recover()
        while True:
            self._wake.clear()
            self._open_lanes()
            try:
                await asyncio.wait_for(self._wake.wait(), POLL_S)
            except TimeoutError:
                continue

    async def _recover(self) -> None:
        """Actions cut short by a crash: nobody knows whether they arrived, so they go out again under the same id."""
        for row in actions.open_actions(self._journal.reader, 100_000):
            if row.state is State.SENT:
                note = "cut short by a restart: sent again under the same id"
                await self._move(row, State.SENT, State.PENDING, note)

    def _open_lanes(self) -> None:
        now = _now()
        due: dict[tuple[str, str], list[Row]] = defaultdict(list)
        blocked = set(self._lanes)
        for row in actions.open_actions(self._journal.reader):
            lane = (row.action.adapter, row.action.broadcast)
            if lane in blocked:
                continue
            if row.state is not State.PENDING or row.next_at > now:
                if row.attempts and row.action.expires_at > now:
                    blocked.add(lane)  # an earlier action waits for its retry: later ones stay behind it
                continue
            due[lane].append(row)
        for lane, rows in due.items():
            if len(self._lanes) >= MAX_LANES:
                break
            if lane in blocked:
                continue
            task = asyncio.create_task(self._serve(rows), name=f"outbox {lane[0]}")
            self._lanes[lane] = task
            task.add_done_callback(lambda _, lane=lane: self._closed(lane))  # type: ignore[misc]

    def _closed(self, lane: tuple[str, str]) -> None:
        task = self._lanes.pop(lane)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("outbox lane %s stopped: %s", lane[0], error)
        self._wake.set()

    async def _serve(self, rows: list[Row]) -> None:
        for row in sorted(rows, key=lambda row: row.action.created_at):
            try:
                if not await self._send(row):
                    return
            except JournalError:
                return  # the state stays what it is on disk; the next round reads it again

    async def _send(self, row: Row) -> bool:
        """Send one action. False when the lane must wait (it will be retried)."""
        action, now = row.action, _now()
        if action.expires_at <= now:
            self.given_up += 1
            await self._move(row, State.PENDING, State.EXPIRED, row.note or "not delivered in time")
            return True
        adapter = self._adapters.get(action.adapter)
        if adapter is None:
            self.given_up += 1
            note = f"the adapter `{action.adapter}` is no longer configured"
            await self._move(row, State.PENDING, State.FAILED, note)
            return True
        await self._move(row, State.PENDING, State.SENT, "", attempt=True)
        try:
            outcome = await adapter.perform(action)
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
        await self._move(row, State.SENT, State.PENDING, outcome.note, next_at=_now() + int(delay * 1000))
        return False

    async def _move(
        self, row: Row, before: State, after: State, note: str, next_at: int = 0, attempt: bool = False
    ) -> None:
        sql = actions.transition(row.action.id, before, after, _now(), note[:500], next_at, attempt)
        await self._journal.append(statements=sql)


def _now() -> int:
    return time.time_ns() // 1_000_000
