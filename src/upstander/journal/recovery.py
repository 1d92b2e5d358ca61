"""From the journal back to the engines' state, and the check that the journal is whole and replays the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import msgspec

from upstander.journal import snapshots, store
from upstander.journal.entries import GENESIS, Kind, Placed, chain
from upstander.model.decision import encode_decision
from upstander.model.order import decode_order
from upstander.model.wire import WireError, decode_event
from upstander.runtime import Configuration, Runtime, decode_configuration

#: Called now and then with how many entries were read.
Progress = Callable[[int], None]


class Replayer:
    """Feeds journal entries to a runtime and compares the decisions it makes with those that were recorded."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.events = self.decisions = 0
        #: decisions that came out otherwise: (sequence number of the event, its id)
        self.differences: list[tuple[int, str]] = []
        #: entries that this release cannot decide as they were decided then
        self.foreign = 0
        self._skipping = not runtime.configuration.runs_here
        #: events were observed under a configuration that does not run here: what the engine holds is not what it was
        self._apart = self._skipping
        self._expected: tuple[int, str, bytes | None] | None = None

    def feed(self, placed: Placed) -> None:
        """Take the next entry of the journal."""
        entry = placed.entry
        if entry.kind is Kind.DECISION:
            self.decisions += 1
            if self._skipping:
                return
            expected, self._expected = self._expected, None
            if expected is None or expected[2] != entry.body:
                self._differs(placed.seq - 1 if expected is None else expected[0], expected[1] if expected else "")
            return
        self.finish()
        if entry.kind is Kind.EVENT:
            self._event(placed)
        elif entry.kind is Kind.ORDER:
            self.runtime.order(entry.platform, decode_order(entry.body))
        elif entry.kind is Kind.CONFIG:
            configuration = decode_configuration(entry.body)
            self._skipping = not configuration.runs_here
            self._apart |= self._skipping
            if not self._skipping:
                self.runtime.configure(configuration)

    def finish(self) -> None:
        """A decision was due and none followed: that is a difference too."""
        if self._expected is not None:
            seq, event, body = self._expected
            self._expected = None
            if body is not None:
                self._differs(seq, event)

    def _event(self, placed: Placed) -> None:
        self.events += 1
        try:
            event = decode_event(placed.entry.body)
        except WireError:
            self._differs(placed.seq, "")
            return
        decision = self.runtime.observe(placed.entry.platform, event)
        if self._skipping:
            self.foreign += 1
            return
        self._expected = (placed.seq, event.id, None if decision is None else encode_decision(decision))

    def _differs(self, seq: int, event: str) -> None:
        if self._apart:
            self.foreign += 1  # it may well come from what was believed before, which cannot be known here
        else:
            self.differences.append((seq, event))


def recover(
    connection: sqlite3.Connection, folder: Path, fallback: Configuration, progress: Progress | None = None
) -> tuple[Runtime, Replayer]:
    """The runtime as it was after the journal's last entry: the latest snapshot, and what came after it.

    The runtime goes by the configuration that was last in force; ``fallback`` serves an empty journal.
    """
    snapshot = snapshots.latest(folder, connection)
    start = snapshot.seq if snapshot else 0
    recorded = store.last_configuration(connection, start) if start else None
    configuration = decode_configuration(recorded.entry.body) if recorded else fallback
    runtime = Runtime(configuration if configuration.runs_here else fallback)
    if snapshot:
        try:
            runtime.restore(snapshot.states)
        except msgspec.DecodeError:
            runtime, start = Runtime(fallback), 0  # a snapshot of another release: go back to the first entry
    replayer = Replayer(runtime)
    for count, placed in enumerate(store.read(connection, start), 1):
        replayer.feed(placed)
        if progress and count % 2_000 == 0:
            progress(count)
    replayer.finish()
    return runtime, replayer


class Verification(msgspec.Struct, frozen=True):
    """What ``verify`` found. ``broken_at`` is the first entry that does not fit the chain (0: none)."""

    entries: int
    events: int
    decisions: int
    head: str
    broken_at: int
    differences: list[tuple[int, str]]
    foreign: int
    engine_failures: int

    @property
    def ok(self) -> bool:
        """Whether the chain is whole and every decision came out the same."""
        return not self.broken_at and not self.differences


def verify(path: Path, fallback: Configuration, progress: Progress | None = None) -> Verification:
    """Check the hash chain of a journal, and that replaying it from the first entry gives the same decisions.

    Can run while the service writes: it reads one consistent state of the file.
    """
    connection = store.connect(path, readonly=True)
    try:
        connection.execute("BEGIN")
        replayer = Replayer(Runtime(fallback))
        previous, expected, broken = GENESIS, 1, 0
        for placed in store.read(connection):
            if placed.seq != expected or chain(previous, placed.seq, placed.entry) != placed.hash:
                broken = expected
                break
            replayer.feed(placed)
            previous, expected = placed.hash, expected + 1
            if progress and expected % 2_000 == 0:
                progress(expected)
        if not broken:
            replayer.finish()
    finally:
        connection.close()
    return Verification(
        entries=expected - 1,
        events=replayer.events,
        decisions=replayer.decisions,
        head=previous.hex(),
        broken_at=broken,
        differences=replayer.differences,
        foreign=replayer.foreign,
        engine_failures=replayer.runtime.failures,
    )
