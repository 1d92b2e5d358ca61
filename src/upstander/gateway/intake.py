"""The path of an event: told apart from its repeats, observed, made durable, and only then answered and published."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from upstander.adapters.base import Adapter
from upstander.detect.text import TextDetector
from upstander.engine.engine import GRACE_MS
from upstander.engine.state import Broadcast
from upstander.gateway import repeats
from upstander.gateway.hub import Hub, Published
from upstander.gateway.repeats import Accepted, Flight
from upstander.journal import recovery, snapshots, store
from upstander.journal.aio import AsyncJournal
from upstander.journal.entries import Entry, Kind, reference
from upstander.journal.store import Statement
from upstander.journal.writer import Batch
from upstander.model.decision import Asked, Decision, encode_decision
from upstander.model.events import AnyEvent, BroadcastStarted, Verdict
from upstander.model.order import Order, decode_order
from upstander.model.vocabulary import Intervention
from upstander.model.wire import WireError
from upstander.nudge.book import Book
from upstander.outbox import actions
from upstander.runtime import Configuration, Runtime
from upstander.settings import Settings

log = logging.getLogger(__name__)

#: One line of input: its number, its bytes, and the event or what is wrong with it.
Line = tuple[int, bytes, AnyEvent | WireError]


class Overloaded(RuntimeError):
    """More is waiting than the service takes on; nothing of this request was accepted."""

    retry_after_s = 1


class Unavailable(RuntimeError):
    """The journal cannot be written, so nothing can be accepted; nothing of this request was."""

    retry_after_s = 2


class Conflict(RuntimeError):
    """An order's id was used before, for another order; nothing was done."""


class _Observed(msgspec.Struct, gc=False):
    """An event that this batch carries: where its entry stands in the batch, and what was decided."""

    key: int
    index: int
    flight: Flight
    decision: Decision | None
    body: bytes


def now_ms() -> int:
    """This machine's clock, epoch milliseconds. The engine never sees it."""
    return time.time_ns() // 1_000_000


class Intake:
    """Owns the runtime and the journal: everything that changes either goes through here, on the event loop."""

    def __init__(self, settings: Settings, configuration: Configuration, adapters: Sequence[Adapter]) -> None:
        self.settings = settings
        self.configuration = configuration
        self.hub = Hub()
        self.nudges = Book(settings.nudge)
        self.pending = 0
        self.accepted = self.duplicates = self.refused = self.overloads = 0
        self.by_platform: dict[str, list[Adapter]] = {}
        for adapter in adapters:
            self.by_platform.setdefault(adapter.platform, []).append(adapter)
        #: called when there may be something new in the outbox
        self.on_actions: Callable[[], None] = lambda: None
        self.journal: AsyncJournal
        self.runtime: Runtime
        self.recovered: recovery.Replayer
        self.available = False
        #: the journal's last entry whose batch was answered and published
        self.published = 0
        #: answers given before their decision was there: what has to be put right is still done before a stop
        self.late: set[asyncio.Task[None]] = set()
        self._flying: dict[int, Flight] = {}
        self._ordering: dict[int, tuple[Order, asyncio.Future[int]]] = {}
        self._since_snapshot = 0
        self._mender: asyncio.Task[None] | None = None
        self._saving: asyncio.Task[None] | None = None

    # -- life ----------------------------------------------------------------------------------------------------

    async def start(self, progress: recovery.Progress | None = None) -> None:
        """Open the journal, come back to where it ends, and note the configuration if it changed."""
        journal = self.settings.journal
        self.journal = AsyncJournal(self.settings.journal_path, journal.linger_ms, self._fail)
        self.journal.start()
        await self._recover(progress)
        self.published = self.journal.writer.head[0]
        self.available = True

    async def stop(self) -> None:
        """Take nothing more, finish what was taken, keep a snapshot, close."""
        self.available = False
        mending = self._mender is not None
        if self._mender is not None:
            self._mender.cancel()
            await asyncio.gather(self._mender, return_exceptions=True)
        waiting: set[asyncio.Future[Any]] = {flight.future for flight in self._flying.values()}
        waiting |= {future for _, future in self._ordering.values()}
        if waiting or self.late:
            await asyncio.wait(waiting | self.late, timeout=15)
        if self._saving is not None:
            await self._saving
        await self.journal.close()
        seq, head = self.journal.writer.head
        if seq and not mending:
            self._save(snapshots.Snapshot(seq, head, self.runtime.snapshot()))

    async def _recover(self, progress: recovery.Progress | None = None) -> None:
        arguments = (self.settings.journal_path, self.settings.snapshots_path, self.configuration, progress)
        self.runtime, self.recovered = await asyncio.to_thread(_recover, *arguments)
        if self.recovered.differences:
            seq, event = self.recovered.differences[0]
            log.error("entry %d (event %s) was decided otherwise before: run `upstander verify`", seq, event)
        last = store.last_configuration(self.journal.reader, store.head(self.journal.reader)[0])
        if last is None or last.entry.body != self.configuration.encode():
            self.runtime.configure(self.configuration)
            await self.journal.append([Entry(Kind.CONFIG, self.configuration.encode(), now_ms())])

    # -- events --------------------------------------------------------------------------------------------------

    def submit(
        self, platform: str, lines: Sequence[Line], *, inline: bool = False
    ) -> list[asyncio.Future[Accepted] | WireError]:
        """Take events of one platform. Each becomes a future (done when durable) or an error of its own.

        Raises ``Overloaded`` or ``Unavailable`` before anything is taken. ``inline``: the events are comments
        that the caller holds back until it has the answer.
        """
        if not self.available:
            raise Unavailable
        if self.pending + len(lines) > self.settings.limits.max_pending:
            self.overloads += 1
            raise Overloaded
        keys = [None if isinstance(e, WireError) else reference(platform, e.broadcast, e.id) for _, _, e in lines]
        known = store.find(self.journal.reader, [key for key in keys if key is not None])
        engine = self.runtime.engine(platform)
        loop = asyncio.get_running_loop()
        results: list[asyncio.Future[Accepted] | WireError] = []
        entries: list[Entry] = []
        statements: list[Statement] = []
        observed: list[_Observed] = []
        now = now_ms()
        limit = now + self.settings.limits.max_ahead_s * 1000
        for (line, raw, event), key in zip(lines, keys, strict=True):
            if isinstance(event, WireError):
                results.append(event)
                continue
            assert key is not None
            answer = repeats.find(event, self._flying.get(key), known.get(key, ()), line)
            answer = answer or _over(
                event, engine.status(event.broadcast), self.broadcast(platform, event.broadcast), line
            )
            answer = answer or _ahead(event, limit, line)
            if answer is not None:
                results.append(answer)
                continue
            decision = self.runtime.observe(platform, event)
            flight = self._flying[key] = Flight(event, loop.create_future())
            results.append(flight.future)
            entries.append(Entry(Kind.EVENT, raw, now, platform, event.broadcast, key))
            seen = _Observed(key, len(entries) - 1, flight, decision, b"")
            observed.append(seen)
            if decision is not None:
                seen.body = encode_decision(decision)
                entries.append(Entry(Kind.DECISION, seen.body, now, platform, event.broadcast, key))
                broadcast = self.broadcast(platform, event.broadcast)
                entries += self.nudges.of_decision(self.journal.reader, platform, decision, broadcast, now)
                if decision.interventions:
                    statements += actions.of_decision(self.by_platform, platform, decision, now, inline)
        self.refused += sum(isinstance(result, WireError) for result in results)
        self.duplicates += sum(not isinstance(result, WireError) for result in results) - len(observed)
        if observed:
            self.pending += len(observed)
            self._since_snapshot += len(observed)
            states = None
            if self._since_snapshot >= self.settings.journal.snapshot_every:
                # The state as of this batch's last entry; written down once the batch itself is durable.
                states, self._since_snapshot = self.runtime.snapshot(), 0
            self.journal.submit(entries, statements, lambda batch: self._durable(batch, platform, observed, states))
        return results

    async def observe(self, platform: str, lines: Sequence[Line]) -> list[Accepted | WireError]:
        """``submit``, and wait until all of it is durable."""
        results = self.submit(platform, lines)
        return [result if isinstance(result, WireError) else await asyncio.shield(result) for result in results]

    def _durable(self, batch: Batch, platform: str, observed: list[_Observed], states: dict[str, bytes] | None) -> None:
        """A batch was committed, or failed: answer, and publish."""
        self.pending -= len(observed)
        for seen in observed:
            self._flying.pop(seen.key, None)
            future = seen.flight.future
            if batch.error is not None:
                if not future.done():
                    future.set_exception(Unavailable(str(batch.error)))
                    future.exception()  # whoever waited may have gone: do not warn about that
                continue
            seq = batch.first + seen.index
            if not future.done():
                future.set_result(Accepted(seen.flight.event.id, seq, seen.decision))
            if seen.decision is not None:
                self.hub.publish(Published(seq + 1, platform, seen.decision, seen.body))
        if batch.error is not None:
            return
        self.published = batch.first + len(batch.entries) - 1
        self.accepted += len(observed)
        if batch.statements:
            self.on_actions()
        if states is not None:
            snapshot = snapshots.Snapshot(batch.first + len(batch.entries) - 1, batch.head, states)
            self._saving = asyncio.create_task(asyncio.to_thread(self._save, snapshot))

    # -- orders and the record of what was answered --------------------------------------------------------------

    async def order(self, platform: str, order: Order) -> tuple[int, bool]:
        """A person's order: recorded, told to the engine and put into the outbox. Returns (seq, was it new).

        Raises ``Conflict`` when its id was used for another order, ``Unavailable`` when it could not be recorded.
        """
        if not self.available:
            raise Unavailable
        key = reference(platform, order.broadcast, f"order\0{order.id}")
        flying = self._ordering.get(key)
        if flying is not None:
            _same(flying[0], order)
            return await asyncio.shield(flying[1]), False
        for placed in store.find(self.journal.reader, [key]).get(key, ()):
            # An event may have the same key: only an order answers for an order.
            if placed.entry.kind is Kind.ORDER:
                _same(decode_order(placed.entry.body), order)
                return placed.seq, False
        # The engine and the journal must take it in the same order as events: no ``await`` before it is submitted.
        self.runtime.order(platform, order)
        now = now_ms()
        entries = [Entry(Kind.ORDER, msgspec.json.encode(order), now, platform, order.broadcast, key)]
        broadcast = self.broadcast(platform, order.broadcast)
        entries += self.nudges.of_order(self.journal.reader, platform, order, broadcast, now)
        future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ordering[key] = (order, future)

        def done(batch: Batch) -> None:
            del self._ordering[key]
            if batch.error is None:
                future.set_result(batch.first)
                self.on_actions()
            else:
                future.set_exception(Unavailable(str(batch.error)))
                future.exception()  # whoever waited may have gone: do not warn about that

        self.journal.submit(entries, actions.of_order(self.by_platform, platform, order, now), done)
        return await asyncio.shield(future), True

    async def configure(self, configuration: Configuration, detector: TextDetector) -> None:
        """Go on under another configuration, whose detector was made beforehand, from the next event on.

        Raises ``Unavailable`` when it could not be recorded.
        """
        if not self.available:
            raise Unavailable
        # As with an order: engines and journal take it between the same two events, so no ``await`` between them.
        self.runtime.configure(configuration, detector)
        self.configuration = configuration
        await self._append([Entry(Kind.CONFIG, configuration.encode(), now_ms())], ())

    async def record(self, kind: Kind, platform: str, broadcast: str, body: object, ref: int | None = None) -> int:
        """Note something in the journal that moves no belief: an answer given late, a view. Its sequence number."""
        return await self._append([Entry(kind, msgspec.json.encode(body), now_ms(), platform, broadcast, ref)], ())

    async def _append(self, entries: Sequence[Entry], statements: Sequence[Statement]) -> int:
        try:
            return await self.journal.append(entries, statements)
        except store.JournalError as error:
            raise Unavailable(str(error)) from None

    async def ask(self, platform: str, decision: Decision, asked: Asked) -> None:
        """Put one more intervention about a decided event into the outbox, and note it in the journal."""
        now = now_ms()
        note = {"event": decision.event, "do": asked.do, "why": "the decision came after the deadline"}
        entry = Entry(Kind.ANSWER, msgspec.json.encode(note), now, platform, decision.broadcast)
        where = (platform, decision.broadcast, decision.event, decision.level)
        await self._append([entry], actions.statements(self.by_platform, *where, [asked], now))
        self.on_actions()

    def broadcast(self, platform: str, broadcast: str) -> Broadcast | None:
        """What the engine holds about a broadcast."""
        engine = self.runtime.engines.get(platform)
        return engine.state.broadcasts.get(broadcast) if engine else None

    # -- snapshots and mending -----------------------------------------------------------------------------------

    def _save(self, snapshot: snapshots.Snapshot) -> None:
        try:
            snapshots.save(self.settings.snapshots_path, snapshot)
        except OSError as error:
            # Without it recovery only takes longer.
            log.warning("no snapshot could be kept: %s", error)

    def _fail(self) -> None:
        """The journal could not be written: accept nothing until it can be, and the engines are back in step."""
        self.available = False
        if self._mender is None:
            log.error("nothing is accepted until the journal can be written again")
            self._mender = asyncio.create_task(self._mend(), name="mend")

    async def _mend(self) -> None:
        """The engines saw events that were not kept. Wait for the disk, then go back to what the journal holds."""
        while True:
            await asyncio.sleep(1.0)
            writer = self.journal.writer
            if self._flying or self._ordering or (writer.failed and not await asyncio.to_thread(writer.resume)):
                continue
            try:
                await self._recover()
            except (store.JournalError, OSError) as error:
                log.warning("recovery failed: %s", error)
                continue
            break
        log.warning("the journal can be written again: events are accepted")
        self._mender = None
        self.nudges.forget()
        self._since_snapshot = 0
        self.available = True
        self.on_actions()


def verdict_of(decision: Decision | None) -> str:
    """What a decision means for the comment it is about: ``allow``, ``hold`` or ``block``."""
    if decision is None:
        return "allow"
    asked = {intervention.do for intervention in decision.interventions}
    if Intervention.DELETE_COMMENT in asked:
        return "block"
    return "hold" if Intervention.HOLD_COMMENT in asked else "allow"


def _same(before: Order, order: Order) -> None:
    """Raises ``Conflict`` unless both are one order; when it came does not count."""
    if msgspec.structs.replace(before, at=order.at) != order:
        raise Conflict


def _over(event: AnyEvent, status: str, broadcast: Broadcast | None, line: int) -> WireError | None:
    """Refuses what comes after the end: the engine would not look at it, and it would seem to be watched.

    The engine's clock moves only with events, so the first one after a pause is judged by its own time. A moderator's
    verdict is about what was, and is taken at any time.
    """
    if isinstance(event, BroadcastStarted | Verdict):
        return None
    ended = broadcast.ended if broadcast is not None else 0
    if status != "ended" and not (ended and event.at_ms - ended > GRACE_MS):
        return None
    reason = f"the broadcast {event.broadcast!r} has ended"
    fix = "Send `broadcast_started` first if it is live again, or give the new broadcast an id of its own."
    return WireError("broadcast", reason, fix, line, event.id)


def _ahead(event: AnyEvent, limit: int, line: int) -> WireError | None:
    """Refuses what is further in the future than ``max_ahead_s`` allows."""
    if event.at_ms > limit:
        fix = "Check the sender's clock: times may be ahead of this machine's only by `max_ahead_s`."
        return WireError("at", f"the time {event.at_ms} lies in the future", fix, line, event.id)
    return None


def _recover(
    path: Path, folder: Path, configuration: Configuration, progress: recovery.Progress | None
) -> tuple[Runtime, recovery.Replayer]:
    connection = store.connect(path, readonly=True)
    try:
        return recovery.recover(connection, folder, configuration, progress)
    finally:
        connection.close()
