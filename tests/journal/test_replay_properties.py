"""A journal replays to the same bytes, twice and across a snapshot, whatever happened in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import configuration, streams
from upstander import runtime
from upstander.journal import snapshots, store
from upstander.journal.entries import Entry, Kind, reference
from upstander.journal.recovery import recover, verify
from upstander.model.decision import encode_decision
from upstander.model.events import AnyEvent


@given(streams(40), st.integers(0, 39))
@settings(max_examples=25, deadline=None)
def test_twice_and_across_a_snapshot(events: list[AnyEvent], cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        connection = store.open_store(folder / "j.sqlite")
        watcher = runtime.Runtime(configuration())
        head = (0, bytes(32))
        batches: list[list[Entry]] = [[Entry(Kind.CONFIG, configuration().encode(), 0)]]
        for number, event in enumerate(events):
            decision = watcher.observe("p", event)
            key = reference("p", event.broadcast, event.id)
            batches.append([Entry(Kind.EVENT, msgspec.json.encode(event), 0, "p", event.broadcast, key)])
            if decision is not None:
                batches[-1].append(Entry(Kind.DECISION, encode_decision(decision), 0, "p", event.broadcast, key))
            if number == cut:
                middle = watcher.snapshot()
        for number, batch in enumerate(batches):
            hashes = store.write(connection, head, batch, ())
            head = (head[0] + len(batch), hashes[-1])
            if number == cut + 1:
                snapshots.save(folder / "snapshots", snapshots.Snapshot(*head, middle))
        first = verify(folder / "j.sqlite", configuration())
        second = verify(folder / "j.sqlite", configuration())
        assert first == second
        assert first.ok
        recovered, replayer = recover(connection, folder / "snapshots", configuration())
        connection.close()
        assert not replayer.differences
        assert recovered.snapshot() == watcher.snapshot()
