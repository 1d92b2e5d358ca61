"""The journal's SQLite file: schema, reading, and the writing of one batch. Who writes when is in ``writer``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from upstander.journal.entries import GENESIS, Entry, Kind, Placed, chain

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE entries (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, platform TEXT NOT NULL, broadcast TEXT NOT NULL,
  ref INTEGER, at INTEGER NOT NULL, body BLOB NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX entries_ref ON entries(ref) WHERE ref IS NOT NULL;
CREATE INDEX entries_decisions ON entries(platform, seq) WHERE kind = 'decision';
CREATE INDEX entries_by_broadcast ON entries(platform, broadcast, seq) WHERE kind = 'decision';
CREATE INDEX entries_configs ON entries(seq) WHERE kind = 'config';
CREATE TRIGGER entries_keep_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TRIGGER entries_keep_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END;
CREATE TABLE outbox (
  id TEXT PRIMARY KEY, platform TEXT NOT NULL, broadcast TEXT NOT NULL, lane TEXT NOT NULL, event TEXT NOT NULL,
  asked TEXT NOT NULL, doing TEXT NOT NULL, target TEXT NOT NULL, adapter TEXT NOT NULL, level TEXT NOT NULL,
  state TEXT NOT NULL, attempts INTEGER NOT NULL, created_at INTEGER NOT NULL, next_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_open ON outbox(next_at) WHERE state IN ('pending', 'sent');
CREATE INDEX outbox_by_broadcast ON outbox(platform, broadcast);
CREATE TABLE outbox_counts (state TEXT PRIMARY KEY, actions INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER outbox_counts_new AFTER INSERT ON outbox BEGIN
  INSERT INTO outbox_counts VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET actions = actions + 1;
END;
CREATE TRIGGER outbox_counts_moved AFTER UPDATE OF state ON outbox BEGIN
  UPDATE outbox_counts SET actions = actions - 1 WHERE state = OLD.state;
  INSERT INTO outbox_counts VALUES (NEW.state, 1) ON CONFLICT (state) DO UPDATE SET actions = actions + 1;
END;
CREATE TABLE outbox_history (
  action TEXT NOT NULL, at INTEGER NOT NULL, state TEXT NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE INDEX outbox_history_action ON outbox_history(action);
CREATE TABLE stream_state (
  platform TEXT NOT NULL, broadcast TEXT NOT NULL, state TEXT NOT NULL, since INTEGER NOT NULL,
  PRIMARY KEY (platform, broadcast)
) STRICT, WITHOUT ROWID;
"""
_COLUMNS = "seq, kind, platform, broadcast, ref, at, body, hash"
#: Rows inserted by one statement. sqlite3 gives the interpreter lock away at every statement it steps through, so
#: a row a statement would hand it back and forth with the event loop for every event.
_CHUNKS = (64, 16, 4, 1)
_INSERTS = {n: f"INSERT INTO entries ({_COLUMNS}) VALUES {', '.join(['(?,?,?,?,?,?,?,?)'] * n)}" for n in _CHUNKS}  # noqa: S608

Statement = tuple[str, tuple[object, ...]]


class JournalError(RuntimeError):
    """The journal cannot be opened or written; the message says why and what to do."""


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection in WAL mode that fsyncs at every commit. One thread at a time may use it."""
    if readonly:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, check_same_thread=False, isolation_level=None)
        connection.execute("PRAGMA busy_timeout = 5000")
        return connection
    connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=256)
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    return connection


def open_store(path: Path) -> sqlite3.Connection:
    """Open the journal for writing, creating it when it is not there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made with its mode, so that SQLite gives its side files (-wal, -shm), which hold chat too, the same one.
        path.touch(mode=0o600)
        connection = connect(path)
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            reason = f"the journal {path} has schema {version}; this release reads {SCHEMA_VERSION}"
            raise JournalError(f"{reason}. Use the release that wrote it, or another data folder.")
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"the journal {path} cannot be opened ({error}). Check the path, disk and rights.") from None
    return connection


def head(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """The last sequence number (0: empty) and hash."""
    row = connection.execute("SELECT seq, hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    return (row[0], row[1]) if row else (0, GENESIS)


def write(
    connection: sqlite3.Connection,
    previous: tuple[int, bytes],
    entries: Sequence[Entry],
    statements: Sequence[Statement],
) -> list[bytes]:
    """Append entries and run statements in one transaction. All of it is durable, or none.

    ``previous`` is the head so far; returns the hash of each new entry.
    """
    seq, digest = previous
    rows: list[object] = []
    hashes: list[bytes] = []
    for entry in entries:
        seq += 1
        digest = chain(digest, seq, entry)
        hashes.append(digest)
        rows += (seq, entry.kind, entry.platform, entry.broadcast, entry.ref, entry.at, entry.body, digest)
    connection.execute("BEGIN IMMEDIATE")
    try:
        done = 0
        for chunk in _CHUNKS:
            while len(entries) - done >= chunk:
                connection.execute(_INSERTS[chunk], rows[done * 8 : (done + chunk) * 8])
                done += chunk
        for sql, parameters in statements:
            connection.execute(sql, parameters)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return hashes


def read(
    connection: sqlite3.Connection, after: int = 0, where: str = "", parameters: tuple[object, ...] = ()
) -> Iterator[Placed]:
    """Entries with a sequence number above ``after``, in order. ``where`` narrows it (SQL of this package only)."""
    condition = f" AND {where}" if where else ""
    # S608: the condition is written in this package, values are bound.
    sql = f"SELECT {_COLUMNS} FROM entries WHERE seq > ?{condition} ORDER BY seq"  # noqa: S608
    for row in connection.execute(sql, (after, *parameters)):
        yield placed(row)


def placed(row: tuple[int, str, str, str, int | None, int, bytes, bytes]) -> Placed:
    """A row of ``entries`` as a type."""
    seq, kind, platform, broadcast, ref, at, body, digest = row
    return Placed(seq, Entry(Kind(kind), body, at, platform, broadcast, ref), digest)


def find(connection: sqlite3.Connection, references: Sequence[int]) -> dict[int, list[Placed]]:
    """Events and decisions by the key of their event."""
    found: dict[int, list[Placed]] = {}
    for start in range(0, len(references), 500):
        part = references[start : start + 500]
        marks = ",".join("?" * len(part))
        sql = f"SELECT {_COLUMNS} FROM entries WHERE ref IN ({marks}) ORDER BY seq"  # noqa: S608
        for row in connection.execute(sql, part):
            found.setdefault(row[4], []).append(placed(row))
    return found


def last_configuration(connection: sqlite3.Connection, up_to: int) -> Placed | None:
    """The configuration in force at a sequence number."""
    sql = f"SELECT {_COLUMNS} FROM entries WHERE kind = 'config' AND seq <= ? ORDER BY seq DESC LIMIT 1"  # noqa: S608
    row = connection.execute(sql, (up_to,)).fetchone()
    return placed(row) if row else None
