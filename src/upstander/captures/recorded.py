"""Fingerprints of this installation's own broadcasts: one append-only file, and the index over it.

Fed from `frame` events of the journal (see ``follow``). The file is what counts: the index is made from it and catches
up with it whenever it is opened. No picture, no host's name: who hosted a broadcast stands in the journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures.bits import Words, from_bytes
from upstander.captures.errors import CaptureError
from upstander.captures.index import Index
from upstander.journal.transactions import transaction

SCHEMA_VERSION = 1
#: A key of the index: the broadcast's number, then the offset in ms in so many bits (two years).
OFFSET_BITS = 36
CATCH_UP = 200_000
_SCHEMA = """
CREATE TABLE broadcasts (
  no INTEGER PRIMARY KEY, platform TEXT NOT NULL, broadcast TEXT NOT NULL, first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL, UNIQUE (platform, broadcast)
) STRICT;
CREATE TABLE frames (
  seq INTEGER PRIMARY KEY AUTOINCREMENT, no INTEGER NOT NULL, offset_ms INTEGER NOT NULL, at INTEGER NOT NULL,
  quality INTEGER NOT NULL, pdq BLOB NOT NULL, UNIQUE (no, offset_ms)
) STRICT;
CREATE TRIGGER frames_keep BEFORE UPDATE ON frames BEGIN SELECT RAISE(ABORT, 'fingerprints are only added'); END;
CREATE TABLE common (pdq BLOB PRIMARY KEY, broadcasts INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE looked (no INTEGER PRIMARY KEY) STRICT;
CREATE TABLE matches (
  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, platform TEXT NOT NULL, body BLOB NOT NULL,
  sent INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE positions (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One sampled frame: ``offset_ms`` from the broadcast's start, ``at`` epoch ms, PDQ of 32 bytes, quality 0-100."""

    platform: str
    broadcast: str
    offset_ms: int
    at: int
    quality: int
    pdq: bytes


class Known(msgspec.Struct, frozen=True, gc=False):
    """A broadcast whose fingerprints are kept; times are epoch ms of its first and last frame."""

    no: int
    platform: str
    broadcast: str
    first_at: int
    last_at: int


class Recording(msgspec.Struct, frozen=True, gc=False):
    """A broadcast's fingerprints in order of time: offsets in ms (n,), words (n, 4), qualities (n,)."""

    offsets: NDArray[np.int64]
    words: Words
    quality: NDArray[np.int64]


def key_of(no: int, offset_ms: int) -> int:
    """The index's key of a frame."""
    return (no << OFFSET_BITS) | offset_ms


class Recorded:
    """The fingerprints in a folder. One process may write (the service); others read with ``readonly``.

    Raises ``CaptureError`` when the file cannot be opened or is of another release.
    """

    def __init__(self, folder: Path, *, readonly: bool = False) -> None:
        self.folder, self._readonly = folder, readonly
        path = folder / "broadcasts.sqlite3"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL"):
                self.connection.execute(f"PRAGMA {pragma}")
            with self.transaction():
                version = self.connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    _make(self.connection)
        except (sqlite3.Error, OSError) as error:
            reason = f"the fingerprints {path} cannot be opened ({error})"
            raise CaptureError(f"{reason}. Check the path, disk and rights.") from None
        if version not in (0, SCHEMA_VERSION):
            self.connection.close()
            raise CaptureError(f"{path} has schema {version}; this release reads {SCHEMA_VERSION}. Use the newer one.")
        self._index: Index | None = None

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of it is durable, or none; no other process writes meanwhile. Within another one: part of it."""
        return transaction(self.connection)

    # -- adding and keeping --------------------------------------------------------------------------------------

    def add(self, frames: Iterable[Frame]) -> int:
        """Add frames within a transaction; how many were new. A second one at the same offset is the same frame."""
        numbers: dict[tuple[str, str], int] = {}
        last: dict[int, int] = {}
        rows = []
        for frame in frames:
            place = frame.platform, frame.broadcast
            if place not in numbers:
                numbers[place] = self._number(frame)
            no = numbers[place]
            last[no] = max(frame.at, last.get(no, 0))
            rows.append((no, frame.offset_ms, frame.at, frame.quality, frame.pdq))
        sql = "INSERT OR IGNORE INTO frames (no, offset_ms, at, quality, pdq) VALUES (?, ?, ?, ?, ?)"
        new = self.connection.executemany(sql, rows).rowcount
        sql = "UPDATE broadcasts SET last_at = max(last_at, ?) WHERE no = ?"
        self.connection.executemany(sql, [(at, no) for no, at in last.items()])
        return max(new, 0)

    def _number(self, frame: Frame) -> int:
        sql = "SELECT no FROM broadcasts WHERE platform = ? AND broadcast = ?"
        row = self.connection.execute(sql, (frame.platform, frame.broadcast)).fetchone()
        if row is None:
            sql = "INSERT INTO broadcasts (platform, broadcast, first_at, last_at) VALUES (?, ?, ?, ?)"
            values = (frame.platform, frame.broadcast, frame.at, frame.at)
            return int(self.connection.execute(sql, values).lastrowid or 0)
        return int(row[0])

    def expire(self, before: int) -> int:
        """Delete the fingerprints of broadcasts that ended before a time (epoch ms); how many broadcasts that was."""
        rows = self.connection.execute("SELECT no FROM broadcasts WHERE last_at < ?", (before,)).fetchall()
        index = self.index() if rows else None
        for (no,) in rows:
            # The index first: should this stop in between, the file still says what is left to do.
            assert index is not None
            index.remove_range(key_of(no, 0), key_of(no + 1, 0))
            with self.transaction():
                for table in ("frames", "looked", "broadcasts"):
                    self.connection.execute(f"DELETE FROM {table} WHERE no = ?", (no,))  # noqa: S608
        return len(rows)

    # -- reading -------------------------------------------------------------------------------------------------

    def known(self, no: int) -> Known | None:
        """The broadcast of a number."""
        row = self.connection.execute("SELECT * FROM broadcasts WHERE no = ?", (no,)).fetchone()
        return Known(*row) if row else None

    def find(self, platform: str, broadcast: str) -> Known | None:
        """The broadcast of a name."""
        sql = "SELECT * FROM broadcasts WHERE platform = ? AND broadcast = ?"
        row = self.connection.execute(sql, (platform, broadcast)).fetchone()
        return Known(*row) if row else None

    def recording(self, no: int, start_ms: int = 0, end_ms: int = 1 << OFFSET_BITS) -> Recording:
        """A broadcast's fingerprints between two offsets."""
        sql = "SELECT offset_ms, pdq, quality FROM frames WHERE no = ? AND offset_ms BETWEEN ? AND ? ORDER BY offset_ms"
        rows = self.connection.execute(sql, (no, start_ms, end_ms)).fetchall()
        words = from_bytes(b"".join(row[1] for row in rows))
        offsets = np.array([row[0] for row in rows], np.int64)
        return Recording(offsets, words, np.array([row[2] for row in rows], np.int64))

    def stretches(self, no: int, spans: Iterable[tuple[float, float]]) -> Recording:
        """A broadcast's fingerprints within any of these spans of offsets (ms), each once, in order of time."""
        apart: list[list[int]] = []
        for start, end in sorted((max(0, int(start)), int(end)) for start, end in spans):
            if apart and start <= apart[-1][1] + 1:
                apart[-1][1] = max(end, apart[-1][1])
            else:
                apart.append([start, end])
        parts = [self.recording(no, start, end) for start, end in apart]
        return Recording(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in Recording.__struct_fields__)
        )

    def at_of(self, no: int, offset_ms: int) -> int:
        """The time (epoch ms) of an offset into a broadcast: the nearest frame's, and what lies between."""
        sql = "SELECT at, offset_ms FROM frames WHERE no = ? ORDER BY abs(offset_ms - ?) LIMIT 1"
        row = self.connection.execute(sql, (no, offset_ms)).fetchone()
        return int(row[0] + offset_ms - row[1]) if row else 0

    def counts(self) -> tuple[int, int]:
        """How many broadcasts and frames there are."""
        sql = "SELECT (SELECT count(*) FROM broadcasts), (SELECT count(*) FROM frames)"
        broadcasts, frames = self.connection.execute(sql).fetchone()
        return int(broadcasts), int(frames)

    # -- the index -----------------------------------------------------------------------------------------------

    def index(self) -> Index:
        """The index over all fingerprints of quality, up to the last one that was added."""
        if self._index is None:
            self._index = Index(self.folder / "index", readonly=self._readonly)
            self._mark = self._index.mark
        sql = "SELECT seq, no, offset_ms, pdq FROM frames WHERE seq > ? AND quality >= 50 ORDER BY seq LIMIT ?"
        while rows := self.connection.execute(sql, (self._mark, CATCH_UP)).fetchall():
            words = from_bytes(b"".join(row[3] for row in rows))
            self._index.add(words, np.array([key_of(row[1], row[2]) for row in rows], np.uint64))
            self._mark = rows[-1][0]
            if len(rows) == CATCH_UP and not self._readonly:
                self._index.flush(self._mark)
        return self._index

    def save_index(self) -> None:
        """Write what the index has to its folder: opening it anew is quick then."""
        self.index().flush(self._mark)


def _make(connection: sqlite3.Connection) -> None:
    statement = ""
    for line in _SCHEMA.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
