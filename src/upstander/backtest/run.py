"""Two processes, one policy each, over the same events; what they decide is compared as it comes, never kept."""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from upstander.backtest.sharing import Sharing
from upstander.journal import store
from upstander.journal.entries import Kind, reference
from upstander.model.events import AnyEvent
from upstander.model.order import Order, decode_order
from upstander.model.wire import MAX_EVENT_BYTES, WireError, decode_event
from upstander.policy.compare import HOUR_MS, Comparison, Outcome, outcome_of
from upstander.runtime import Configuration, Runtime, decode_configuration

#: Events after which both processes report.
BATCH = 2_000
#: A silence longer than this is no part of a broadcast's hours: nobody knows whether it went on.
SILENCE_MS = 600_000
#: Broadcasts whose hours are followed at a time, and events of wire files remembered (at least) to drop repeats.
MAX_OPEN = 200_000
MAX_REMEMBERED = 100_000
#: How a SQLite file begins.
MAGIC = b"SQLite format 3\0"


class BacktestError(RuntimeError):
    """A back-test that cannot be done; the message says why and what to do."""


class Source(msgspec.Struct, frozen=True):
    """A journal (the entries after ``begin``, up to ``end``) or a wire file (up to the byte ``end``)."""

    path: str
    journal: bool
    end: int
    begin: int = 0


class Totals(msgspec.Struct):
    """What was read, the same for both. ``hours``: broadcast-hours; ``clock_hours``: hours of the clock with events."""

    events: int = 0
    orders: int = 0
    refused: int = 0
    duplicates: int = 0
    broadcasts: int = 0
    hours: float = 0.0
    clock_hours: int = 0
    failures: int = 0
    first_at: int = 0
    last_at: int = 0


class _Job(msgspec.Struct, frozen=True):
    configuration: bytes
    sources: list[Source]
    limit: int
    texts: bool
    first: bool = True


class _Report(msgspec.Struct, array_like=True):
    """A stretch of events: how far the sources are read (0 to 1), what was decided; totals with the last one."""

    done: float
    outcomes: list[Outcome]
    totals: Totals | None = None
    error: str = ""


def source(path: Path) -> Source:
    """A file as a source: a journal or a wire file, by how it begins. Raises ``BacktestError``."""
    try:
        with path.open("rb") as stream:
            journal = stream.read(len(MAGIC)) == MAGIC
        if not journal:
            return Source(str(path), False, path.stat().st_size)
        connection = store.connect(path, readonly=True)
        try:
            return Source(str(path), True, store.head(connection)[0])
        finally:
            connection.close()
    except (OSError, sqlite3.Error) as error:
        raise BacktestError(f"{path} cannot be read ({error}). Name a journal or a wire file.") from None


def run(
    old: Configuration,
    new: Configuration,
    sources: Sequence[Source],
    *,
    limit: int = 0,
    examples: int = 10,
    texts: bool = False,
    progress: Callable[[float], None] = lambda done: None,
) -> tuple[Comparison, Totals]:
    """Both configurations on the same events (at most ``limit``; 0: all). Raises ``BacktestError``."""
    context = multiprocessing.get_context("spawn")
    comparison, totals = Comparison(examples), Totals()
    workers, pipes = [], []
    between = context.Pipe() if _read_alike(old, new) else (None, None)
    for configuration, other, first in zip((old, new), between, (True, False), strict=True):
        job = msgspec.msgpack.encode(_Job(configuration.encode(), list(sources), limit, texts, first))
        mine, theirs = context.Pipe(duplex=False)
        worker = context.Process(target=_work, args=(job, theirs, other), daemon=True)
        worker.start()
        theirs.close()
        if other is not None:
            other.close()
        workers.append(worker)
        pipes.append(mine)
    try:
        last = False
        while not last:
            a, b = _receive(pipes[0]), _receive(pipes[1])
            comparison.take(a.outcomes, b.outcomes)
            progress(a.done)
            if a.totals is not None and b.totals is not None:
                totals, last = a.totals, True
                totals.failures = max(a.totals.failures, b.totals.failures)
    finally:
        for worker, pipe in zip(workers, pipes, strict=True):
            pipe.close()
            worker.join(5 if last else 0)
            if worker.is_alive():
                worker.terminate()
                worker.join()
    return comparison, totals


def _read_alike(a: Configuration, b: Configuration) -> bool:
    """Whether both find the same in every text."""
    return (a.engine, a.packs, a.paraphrase, a.classifier) == (b.engine, b.packs, b.paraphrase, b.classifier)


_DECODER = msgspec.msgpack.Decoder(_Report)


def _receive(pipe: Connection) -> _Report:
    try:
        report = _DECODER.decode(pipe.recv_bytes())
    except EOFError:
        reason = "a process of the back-test ended before it was done"
        raise BacktestError(f"{reason}. Is there memory left? Use --limit to try fewer events.") from None
    if report.error:
        raise BacktestError(report.error)
    return report


# -- in a process of its own -------------------------------------------------------------------------------------------


def _work(data: bytes, pipe: Connection, other: Connection | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started this ends it
    try:
        for report in _reports(msgspec.msgpack.decode(data, type=_Job), other):
            pipe.send_bytes(msgspec.msgpack.encode(report))
    except BrokenPipeError:
        pass
    except Exception as error:
        reason = f"the back-test failed ({type(error).__name__}: {error})"
        fix = "Check the packs and the files, or run: upstander doctor"
        pipe.send_bytes(msgspec.msgpack.encode(_Report(0.0, [], None, f"{reason}. {fix}")))
    finally:
        pipe.close()


def _reports(job: _Job, other: Connection | None = None) -> Iterator[_Report]:
    runtime = Runtime(decode_configuration(job.configuration))
    reading = _Reading(job)
    happenings = reading.happenings()
    if other is not None:
        happenings = Sharing(runtime.detector, other, first=job.first).ahead(happenings)
    gc.collect()
    gc.freeze()
    outcomes: list[Outcome] = []
    n = 0
    for platform, happening in happenings:
        if isinstance(happening, Order):
            runtime.order(platform, happening)
            continue
        decision = runtime.observe(platform, happening)
        n += 1
        if decision is not None:
            text = str(getattr(happening, "text", "")) if job.texts else ""
            outcome = outcome_of(n, platform, decision, text)
            if outcome is not None:
                outcomes.append(outcome)
        if n % BATCH == 0:
            yield _Report(reading.done, outcomes)
            outcomes = []
    reading.close()
    reading.totals.failures = runtime.failures
    yield _Report(1.0, outcomes, reading.totals)


class _Reading:
    """The events and orders of all sources, counted. Both processes read the same, so their reports fit together."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self.totals = Totals()
        #: which source is read, how far
        self._number, self._place = 0, 0
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._clock: set[int] = set()
        #: keys of events, the latest and those before them
        self._seen: set[int] = set()
        self._seen_before: set[int] = set()

    def happenings(self) -> Iterator[tuple[str, AnyEvent | Order]]:
        """In the order of the sources, until the limit."""
        for number, one in enumerate(self._job.sources):
            self._number, self._place = number, 0
            for platform, happening in self._journal(one) if one.journal else self._wire(one):
                if isinstance(happening, Order):
                    self.totals.orders += 1
                else:
                    self._count(platform, happening)
                yield platform, happening
                if self._job.limit and self.totals.events >= self._job.limit:
                    return

    @property
    def done(self) -> float:
        """How much of the sources is read, from 0 to 1."""
        sources = self._job.sources
        return (self._number + self._place / max(1, sources[self._number].end)) / len(sources)

    def close(self) -> None:
        """Finish the totals."""
        self.totals.clock_hours = len(self._clock)

    def _count(self, platform: str, event: AnyEvent) -> None:
        totals, key, at = self.totals, (platform, event.broadcast), event.at_ms
        totals.events += 1
        totals.first_at = min(totals.first_at or at, at)
        totals.last_at = max(totals.last_at, at)
        self._clock.add(at // HOUR_MS)
        before = self._last.pop(key, None)
        if before is None:
            totals.broadcasts += 1
        elif 0 < at - before <= SILENCE_MS:
            totals.hours += (at - before) / HOUR_MS
        if len(self._last) >= MAX_OPEN:
            self._last.popitem(last=False)  # silent for longest
        self._last[key] = max(at, before or 0)

    def _journal(self, one: Source) -> Iterator[tuple[str, AnyEvent | Order]]:
        connection = store.connect(Path(one.path), readonly=True)
        try:
            where = "seq <= ? AND kind IN ('event', 'order')"
            for placed in store.read(connection, one.begin, where, (one.end,)):
                entry = placed.entry
                self._place = placed.seq
                if entry.kind is Kind.ORDER:
                    yield entry.platform, decode_order(entry.body)
                    continue
                try:
                    yield entry.platform, decode_event(entry.body)
                except WireError:
                    self.totals.refused += 1
        finally:
            connection.close()

    def _wire(self, one: Source) -> Iterator[tuple[str, AnyEvent]]:
        place = 0
        with Path(one.path).open("rb") as stream:
            while place < one.end and (line := stream.readline(MAX_EVENT_BYTES + 2)):
                whole = line.endswith(b"\n")
                while not whole and len(line) > MAX_EVENT_BYTES and (rest := stream.readline(MAX_EVENT_BYTES)):
                    place, whole = place + len(rest), rest.endswith(b"\n")  # of a line that is refused for its length
                place += len(line)
                self._place = place
                if not line.strip():
                    continue
                try:
                    event = decode_event(line)
                except WireError:
                    self.totals.refused += 1
                    continue
                key = reference("", event.broadcast, event.id)
                if key in self._seen or key in self._seen_before:
                    self.totals.duplicates += 1
                    continue
                self._seen.add(key)
                if len(self._seen) >= MAX_REMEMBERED:
                    self._seen, self._seen_before = set(), self._seen
                yield "", event
