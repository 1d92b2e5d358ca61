"""The ledger's SQLite file: entries that only grow, the tree over them, and tables that follow from the entries.

Everything that changes together changes in one transaction. Who may do what is decided in ``vault``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from upstander.vault import merkle
from upstander.vault.entries import GENESIS, Entry, Head, decode, encode, link
from upstander.vault.errors import Damaged, VaultError
from upstander.vault.keys import Signer

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE entries (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, root BLOB NOT NULL, signature TEXT NOT NULL) STRICT;
CREATE TRIGGER entries_keep_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER entries_keep_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TABLE nodes (
  level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE items (
  address TEXT PRIMARY KEY, seq INTEGER NOT NULL, part TEXT NOT NULL, case_id TEXT NOT NULL,
  source TEXT NOT NULL UNIQUE, keep_until INTEGER NOT NULL, deleted INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX items_by_case ON items(case_id, seq);
CREATE INDEX items_by_time ON items(keep_until) WHERE deleted = 0;
CREATE TABLE wrapped (address TEXT PRIMARY KEY, key BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE holds (
  reference TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (address, reference)
) STRICT, WITHOUT ROWID;
CREATE TABLE about (address TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (address, seq)) STRICT, WITHOUT ROWID;
CREATE TABLE stamps (size INTEGER PRIMARY KEY, authority TEXT NOT NULL, token BLOB NOT NULL) STRICT;
"""


class Row(msgspec.Struct, frozen=True):
    """An item as it stands now: ``seq`` of the entry that sealed it, ``deleted`` of the one that deleted it (0: no)."""

    address: str
    seq: int
    part: str
    case: str
    source: str
    keep_until: int
    deleted: int


class Ledger:
    """One connection to the file. One thread at a time may use it; several processes may."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if path.exists() is create:
            fix = "It is ready to use." if create else "Make one with: upstander vault init"
            raise VaultError(f"there is {'a' if create else 'no'} vault at {path.parent}. {fix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Made with its mode, so that SQLite gives its side files (-wal, -shm) the same one.
            path.touch(mode=0o600)
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            if create:
                self.connection.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
            version = self.connection.execute("PRAGMA user_version").fetchone()[0]
        except (sqlite3.Error, OSError, UnicodeDecodeError) as error:
            raise VaultError(
                f"the ledger {path} cannot be opened ({error}). Check the path, disk and rights."
            ) from None
        if version != SCHEMA_VERSION:
            self.connection.close()
            reason = f"the ledger {path} has schema {version}; this release reads {SCHEMA_VERSION}"
            raise VaultError(f"{reason}. Use the release that wrote it.")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it is durable, or none; no other process writes meanwhile."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    # -- what is there -------------------------------------------------------------------------------------------

    def meta(self, name: str) -> bytes:
        """A value kept beside the entries: ``id``, ``public``, ``signing`` (wrapped)."""
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        if row is None:
            raise Damaged(f"the ledger's `{name}` is missing")
        return bytes(row[0])

    def size(self) -> int:
        """How many entries there are."""
        found: int = self.connection.execute("SELECT coalesce(max(seq), 0) FROM entries").fetchone()[0]
        return found

    def head(self, size: int = 0) -> Head:
        """The signed head of the tree of ``size`` entries (0: of all there are)."""
        size = size or self.size()
        row = self.connection.execute("SELECT root, signature FROM entries WHERE seq = ?", (size,)).fetchone()
        if row is None:
            raise VaultError(f"the ledger has no entry {size:,}. It has {self.size():,}.")
        return Head(self.meta("id").decode(), size, row[0].hex(), row[1])

    def bodies(self, after: int = 0) -> Iterator[tuple[int, bytes, bytes, str]]:
        """``(seq, body, root, signature)`` in order."""
        yield from self.connection.execute("SELECT * FROM entries WHERE seq > ? ORDER BY seq", (after,))

    def body(self, seq: int) -> bytes:
        """An entry's bytes."""
        row = self.connection.execute("SELECT body FROM entries WHERE seq = ?", (seq,)).fetchone()
        if row is None:
            raise Damaged(f"ledger entry {seq:,} is missing")
        return bytes(row[0])

    def entry(self, seq: int) -> Entry:
        """An entry."""
        try:
            return decode(self.body(seq))
        except (ValueError, msgspec.DecodeError):
            raise Damaged(f"ledger entry {seq:,} was changed") from None

    def about(self, address: str) -> list[Entry]:
        """All entries about an item, in order: its chain of custody."""
        rows = self.connection.execute("SELECT seq FROM about WHERE address = ? ORDER BY seq", (address,)).fetchall()
        return [self.entry(row[0]) for row in rows]

    def node(self, level: int, place: int) -> bytes:
        """A complete subtree's hash."""
        sql = "SELECT hash FROM nodes WHERE level = ? AND place = ?"
        row = self.connection.execute(sql, (level, place)).fetchone()
        if row is None:
            raise Damaged(f"tree node {level}/{place} is missing")
        return bytes(row[0])

    def items(self, where: str = "1", values: tuple[object, ...] = (), limit: int = -1) -> list[Row]:
        """Items, the latest first (SQL of this package only)."""
        # S608: the condition is written in this package, values are bound.
        sql = f"SELECT * FROM items WHERE {where} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        return [Row(*row) for row in self.connection.execute(sql, (*values, limit))]

    def holds(self, address: str) -> list[str]:
        """References of the holds on an item."""
        sql = "SELECT reference FROM holds WHERE address = ? ORDER BY reference"
        return [row[0] for row in self.connection.execute(sql, (address,))]

    # -- adding --------------------------------------------------------------------------------------------------

    def append(self, entry: Entry, signer: Signer) -> Entry:
        """Put an entry at the end, within a transaction; its ``seq`` and ``previous`` are set here."""
        size = self.size()
        previous = link(self.body(size)) if size else GENESIS
        entry = msgspec.structs.replace(entry, seq=size + 1, previous=previous)
        body = encode(entry)
        for level, place, digest in merkle.added(size, merkle.leaf_hash(body), self.node):
            self.connection.execute("INSERT INTO nodes VALUES (?, ?, ?)", (level, place, digest))
        root = merkle.root(size + 1, self.node)
        signature = signer.sign(Head(self.meta("id").decode(), size + 1, root.hex()).message)
        self.connection.execute("INSERT INTO entries VALUES (?, ?, ?, ?)", (entry.seq, body, root, signature))
        addresses = (entry.sealed.address,) if entry.sealed else entry.items
        self.connection.executemany("INSERT INTO about VALUES (?, ?)", [(each, entry.seq) for each in addresses])
        return entry

    def scrub(self) -> None:
        """Fold the write-ahead log into the file, so that a key that was taken away stands in neither."""
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
