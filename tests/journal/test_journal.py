"""The journal: chained, durable, whole or not at all; tampering shows."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import msgspec
import pytest

from upstander import runtime
from upstander.journal import snapshots, store
from upstander.journal.entries import Entry, Kind, chain, reference
from upstander.journal.recovery import recover, verify
from upstander.journal.store import JournalError
from upstander.journal.writer import Batch, Writer
from upstander.model.decision import encode_decision
from upstander.model.events import AnyEvent
from upstander.model.order import Order
from upstander.model.vocabulary import Intervention
from upstander.model.wire import decode_event

NOW = 1_770_000_000_000
CONFIGURATION = runtime.current()
TEXTS = ("hi", "how old are you", "are your parents home", "dont tell your mom", "gg", "add me on snap its private")


def comment(number: int, text: str, broadcast: str = "b") -> tuple[bytes, AnyEvent]:
    raw = msgspec.json.encode(
        {"type": "comment", "id": f"e{number}", "at": NOW + number, "broadcast": broadcast, "actor": "v", "text": text}
    )
    return raw, decode_event(raw)


def write_journal(path: Path, count: int = 40, snapshot_at: int = 0) -> None:
    """A journal as the service writes it, with an order in the middle and perhaps a snapshot."""
    connection = store.open_store(path)
    watcher = runtime.Runtime(CONFIGURATION)
    head = store.head(connection)

    def add(*entries: Entry) -> None:
        nonlocal head
        hashes = store.write(connection, head, entries, ())
        head = (head[0] + len(entries), hashes[-1])

    add(Entry(Kind.CONFIG, CONFIGURATION.encode(), NOW))
    for number in range(count):
        raw, event = comment(number, TEXTS[number % len(TEXTS)])
        decision = watcher.observe("p", event)
        key = reference("p", "b", event.id)
        entries = [Entry(Kind.EVENT, raw, NOW, "p", "b", key)]
        if decision is not None:
            entries.append(Entry(Kind.DECISION, encode_decision(decision), NOW, "p", "b", key))
        add(*entries)
        if number == count // 2:
            order = Order("o", NOW, "b", Intervention.UNMUTE_VIEWER, "a person", "a mistake", "v")
            watcher.order("p", order)
            add(Entry(Kind.ORDER, msgspec.json.encode(order), NOW, "p", "b"))
            add(Entry(Kind.AUDIT, b"{}", NOW, "p", "b"))
        if snapshot_at and number == snapshot_at:
            snapshots.save(path.parent / "snapshots", snapshots.Snapshot(*head, watcher.snapshot()))
    connection.close()


def test_a_whole_journal_verifies(tmp_path: Path) -> None:
    write_journal(tmp_path / "j.sqlite")
    result = verify(tmp_path / "j.sqlite", CONFIGURATION)
    assert result.ok
    assert result.events == 40
    assert result.decisions > 10
    assert result.foreign == 0


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE entries SET body = CAST(replace(CAST(body AS TEXT), 'e1', 'e9') AS BLOB) WHERE seq = 4",
        "UPDATE entries SET at = at + 1 WHERE seq = 5",
        "UPDATE entries SET platform = 'q' WHERE seq = 5",
        "DELETE FROM entries WHERE seq = 10",
        "UPDATE entries SET hash = zeroblob(32) WHERE seq = 12",
        "DELETE FROM entries WHERE seq = 1",
    ],
)
def test_any_change_inside_shows(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "j.sqlite"
    write_journal(path)
    connection = sqlite3.connect(path)
    with pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(damage)
    connection.executescript("DROP TRIGGER entries_keep_update; DROP TRIGGER entries_keep_delete;")
    connection.execute(damage)
    connection.commit()
    connection.close()
    assert verify(path, CONFIGURATION).broken_at > 0


def test_a_forged_decision_with_a_mended_chain_shows_in_the_replay(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    write_journal(path)
    connection = sqlite3.connect(path)
    connection.executescript("DROP TRIGGER entries_keep_update;")
    swap = "CAST(replace(CAST(body AS TEXT), 'age_probe', 'dare') AS BLOB)"
    forged = f"UPDATE entries SET body = {swap} WHERE kind = 'decision'"
    connection.execute(forged)
    previous = bytes(32)
    for placed in list(store.read(connection)):
        previous = chain(previous, placed.seq, placed.entry)
        connection.execute("UPDATE entries SET hash = ? WHERE seq = ?", (previous, placed.seq))
    connection.commit()
    connection.close()
    result = verify(path, CONFIGURATION)
    assert result.broken_at == 0
    assert result.differences
    assert not result.ok


def test_a_missing_decision_shows(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    connection = store.open_store(path)
    raw, event = comment(1, "are your parents home")
    entries = [Entry(Kind.CONFIG, CONFIGURATION.encode(), NOW), Entry(Kind.EVENT, raw, NOW, "p", "b", 1)]
    store.write(connection, store.head(connection), entries, ())
    connection.close()
    assert verify(path, CONFIGURATION).differences == [(2, event.id)]


def test_what_another_release_decided_is_said_to_be_foreign(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    connection = store.open_store(path)
    old = msgspec.structs.replace(CONFIGURATION, engine="0")
    raw, _ = comment(1, "are your parents home")
    entries = [Entry(Kind.CONFIG, old.encode(), NOW), Entry(Kind.EVENT, raw, NOW, "p", "b", 1)]
    store.write(connection, store.head(connection), entries, ())
    connection.close()
    result = verify(path, CONFIGURATION)
    assert result.ok
    assert result.foreign == 1


@pytest.mark.parametrize("snapshot_at", [0, 7, 39])
def test_recovery_is_the_same_with_and_without_a_snapshot(tmp_path: Path, snapshot_at: int) -> None:
    write_journal(tmp_path / "j.sqlite", snapshot_at=snapshot_at)
    connection = store.connect(tmp_path / "j.sqlite", readonly=True)
    recovered, replayer = recover(connection, tmp_path / "snapshots", CONFIGURATION)
    fresh, _ = recover(connection, tmp_path / "none", CONFIGURATION)
    connection.close()
    assert not replayer.differences
    assert recovered.snapshot() == fresh.snapshot()
    if snapshot_at:
        assert replayer.events == 39 - snapshot_at


def test_damaged_and_foreign_snapshots_are_passed_over(tmp_path: Path) -> None:
    write_journal(tmp_path / "j.sqlite", snapshot_at=7)
    folder = tmp_path / "snapshots"
    good = next(folder.glob("*.snapshot"))
    snapshots.save(folder, snapshots.Snapshot(20, b"x" * 32, {}))
    (folder / "99999999999999999999.snapshot").write_bytes(good.read_bytes()[:-3])
    connection = store.connect(tmp_path / "j.sqlite", readonly=True)
    found = snapshots.latest(folder, connection)
    connection.close()
    assert found is not None
    assert f"{found.seq:020d}.snapshot" == good.name


def test_a_batch_is_written_wholly_or_not_at_all(tmp_path: Path) -> None:
    connection = store.open_store(tmp_path / "j.sqlite")
    entry = Entry(Kind.AUDIT, b"{}", NOW)
    with pytest.raises(sqlite3.OperationalError):
        store.write(connection, store.head(connection), [entry] * 90, [("INSERT INTO nowhere VALUES (1)", ())])
    assert store.head(connection)[0] == 0
    store.write(connection, store.head(connection), [entry] * 90, [])
    assert store.head(connection)[0] == 90


class Settled:
    """Collects what a writer settles."""

    def __init__(self) -> None:
        self.batches: list[Batch] = []
        self.event = threading.Event()

    def __call__(self, batches: list[Batch]) -> None:
        self.batches += batches
        self.event.set()


def test_batches_are_numbered_in_the_order_they_were_submitted(tmp_path: Path) -> None:
    settled = Settled()
    writer = Writer(tmp_path / "j.sqlite", settled)
    writer.start()
    sizes = [1, 3, 200, 1, 64, 5]
    for size in sizes:
        writer.submit(Batch([Entry(Kind.AUDIT, b"{}", NOW)] * size))
    writer.stop()
    assert [len(batch.entries) for batch in settled.batches] == sizes
    expected = 1
    for batch in settled.batches:
        assert batch.first == expected
        expected += len(batch.entries)
    connection = store.connect(tmp_path / "j.sqlite", readonly=True)
    for batch in settled.batches:
        last = batch.first + len(batch.entries) - 1
        row = connection.execute("SELECT hash FROM entries WHERE seq = ?", (last,)).fetchone()
        assert row[0] == batch.head


def test_after_a_failed_commit_nothing_is_written_until_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled = Settled()
    writer = Writer(tmp_path / "j.sqlite", settled, linger_ms=0)
    writer.start()
    real = store.write

    def full(*arguments: object) -> list[bytes]:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store, "write", full)
    writer.submit(Batch([Entry(Kind.AUDIT, b"1", NOW)]))
    assert settled.event.wait(5)
    monkeypatch.setattr(store, "write", real)
    settled.event.clear()
    writer.submit(Batch([Entry(Kind.AUDIT, b"2", NOW)]))
    assert settled.event.wait(5)
    assert [type(batch.error) for batch in settled.batches] == [JournalError, JournalError]
    assert writer.resume()
    writer.submit(Batch([Entry(Kind.AUDIT, b"3", NOW)]))
    writer.stop()
    assert settled.batches[-1].error is None
    connection = store.connect(tmp_path / "j.sqlite", readonly=True)
    assert [placed.entry.body for placed in store.read(connection)] == [b"3"]


def test_a_journal_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "j.sqlite"
    store.open_store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JournalError, match="schema 99"):
        store.open_store(path)
    (tmp_path / "garbage.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(JournalError, match="cannot be opened"):
        store.open_store(tmp_path / "garbage.sqlite")
