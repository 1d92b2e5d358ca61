"""Banks of fingerprints: encrypted entries, who gave them, votes, withdrawal. How one is searched: ``matching``.

Each bank has a data key, wrapped by the vault's key-encryption key. What the file says in clear are names of banks and
sources, counts, states and times; values only in the encrypted body of an entry. Reading values is audited.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from upstander.captures.errors import CaptureError
from upstander.captures.values import Kind, checked
from upstander.journal.transactions import transaction
from upstander.people.audit import Act, Audit, Note
from upstander.vault.keys import KEY_BYTES, NONCE_BYTES, KeyEncryption

SCHEMA_VERSION = 1
#: The source of what a person of this installation adds.
OWN = "own"
_SCHEMA = """
CREATE TABLE banks (
  name TEXT PRIMARY KEY, negative INTEGER NOT NULL, distance INTEGER NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
  id TEXT PRIMARY KEY, bank TEXT NOT NULL, kind TEXT NOT NULL, tag BLOB NOT NULL, body BLOB, state TEXT NOT NULL,
  at INTEGER NOT NULL, why TEXT NOT NULL DEFAULT '', UNIQUE (bank, tag)
) STRICT, WITHOUT ROWID;
CREATE TABLE origins (
  bank TEXT NOT NULL, source TEXT NOT NULL, reference TEXT NOT NULL, tag BLOB NOT NULL, at INTEGER NOT NULL,
  withdrawn INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (bank, source, reference, tag)
) STRICT, WITHOUT ROWID;
CREATE INDEX origins_tag ON origins(bank, tag);
CREATE TABLE votes (
  id INTEGER PRIMARY KEY, entry TEXT NOT NULL, confirm INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE TABLE sent (vote INTEGER NOT NULL, exchange TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (vote, exchange))
  STRICT, WITHOUT ROWID;
CREATE TABLE checkpoints (exchange TEXT PRIMARY KEY, bank TEXT NOT NULL, body BLOB NOT NULL, at INTEGER NOT NULL)
  STRICT, WITHOUT ROWID;
CREATE TABLE hits (entry TEXT NOT NULL, hour INTEGER NOT NULL, place TEXT NOT NULL, PRIMARY KEY (entry, hour, place))
  STRICT, WITHOUT ROWID;
CREATE TABLE asked (who TEXT NOT NULL, minute INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (who, minute))
  STRICT, WITHOUT ROWID;
CREATE TABLE changes (n INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES (0);
"""
ACTIVE, QUARANTINED, WITHDRAWN = "active", "quarantined", "withdrawn"


class Bank(msgspec.Struct, frozen=True):
    """A bank. ``negative``: what is in it never matches, whatever other banks say. ``distance``: in bits, up to which
    a PDQ counts as near (at most 31). ``active``, ``quarantined``, ``withdrawn``: how many entries."""

    name: str
    negative: bool
    distance: int
    at: int
    active: int = 0
    quarantined: int = 0
    withdrawn: int = 0


class Value(msgspec.Struct, frozen=True):
    """A fingerprint as it is taken in: ``reference`` is the source's own name for it (empty: the value itself)."""

    kind: Kind
    value: str
    reference: str = ""
    labels: tuple[str, ...] = ()


class Entry(msgspec.Struct, frozen=True):
    """An entry, opened. ``id`` says nothing about the value; ``sources``: those that stand by it."""

    id: str
    bank: str
    kind: Kind
    value: str
    labels: tuple[str, ...]
    state: str
    sources: tuple[str, ...]
    at: int


class Banks:
    """The banks in a file. Raises ``CaptureError`` when it cannot be opened, ``VaultError`` when the key is not there.

    One thread at a time may use it; several processes may. ``place``: what stands before a person's name in the ledger
    (empty where the person signed in).
    """

    def __init__(self, path: Path, key: KeyEncryption, audit: Audit, place: str = "command line") -> None:
        self._key, self._audit, self._place = key, audit, place
        self._ciphers: dict[str, tuple[AESGCM, bytes]] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            # `secure_delete`: what is withdrawn is overwritten, not left in free pages.
            for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            with self.transaction():
                version = self.connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        self.connection.execute(statement)
                    self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except (sqlite3.Error, OSError) as error:
            raise CaptureError(f"the banks {path} cannot be opened ({error}). Check the path, disk, rights.") from None
        if version not in (0, SCHEMA_VERSION):
            self.connection.close()
            raise CaptureError(f"{path} has schema {version}; this release reads {SCHEMA_VERSION}. Use the newer one.")

    def close(self) -> None:
        """Close the file and the ledger."""
        self.connection.close()
        self._audit.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of it is durable, or none; no other process writes meanwhile. Within another one: part of it."""
        return transaction(self.connection)

    def note(self, act: Act, by: str, bank: str, detail: str = "") -> None:
        """An entry of the ledger of what people looked at and did."""
        self._audit.append(Note(f"{self._place} {by}".strip(), act, subject=f"bank {bank}", detail=detail))

    # -- banks ---------------------------------------------------------------------------------------------------

    def make(self, name: str, by: str, *, negative: bool = False, distance: int = 31) -> Bank:
        """A new, empty bank."""
        if not name or len(name) > 64 or not all(c.isascii() and (c.isalnum() or c in "_-") for c in name):
            raise CaptureError(f"{name!r} cannot be a bank's name. Use letters, digits, - and _, at most 64.")
        if self.connection.execute("SELECT 1 FROM banks WHERE name = ?", (name,)).fetchone():
            raise CaptureError(f"there is a bank {name} already. Choose another name.")
        key = self._key.wrap(secrets.token_bytes(KEY_BYTES), _context(name))
        with self.transaction():
            values = (name, int(negative), distance, key, _now())
            self.connection.execute("INSERT INTO banks VALUES (?, ?, ?, ?, ?)", values)
        self.note(Act.BANK_CHANGE, by, name, "made" + (", negative" if negative else ""))
        return self.bank(name)

    def bank(self, name: str) -> Bank:
        """A bank by its name. Raises ``CaptureError`` when there is none."""
        row = self.connection.execute(
            "SELECT name, negative, distance, at FROM banks WHERE name = ?", (name,)
        ).fetchone()
        if row is None:
            raise CaptureError(f"there is no bank {name}. See `upstander bank list`; make one with `bank new`.")
        sql = "SELECT state, count(*) FROM entries WHERE bank = ? GROUP BY state"
        counts = dict(self.connection.execute(sql, (name,)).fetchall())
        return Bank(row[0], bool(row[1]), row[2], row[3], *(counts.get(s, 0) for s in (ACTIVE, QUARANTINED, WITHDRAWN)))

    def all(self) -> list[Bank]:
        """Every bank, by name."""
        return [self.bank(row[0]) for row in self.connection.execute("SELECT name FROM banks ORDER BY name").fetchall()]

    def remove(self, name: str, by: str, why: str) -> None:
        """Delete a bank and its key: whatever copy of its entries is left cannot be read by anybody."""
        self.bank(name)
        with self.transaction():
            ours = "SELECT id FROM entries WHERE bank = ?"
            chosen = f"SELECT id FROM votes WHERE entry IN ({ours})"  # noqa: S608
            self.connection.execute(f"DELETE FROM sent WHERE vote IN ({chosen})", (name,))  # noqa: S608
            for table in ("votes", "hits"):
                self.connection.execute(f"DELETE FROM {table} WHERE entry IN ({ours})", (name,))  # noqa: S608
            for table in ("entries", "origins", "checkpoints"):
                self.connection.execute(f"DELETE FROM {table} WHERE bank = ?", (name,))  # noqa: S608
            self.connection.execute("DELETE FROM banks WHERE name = ?", (name,))
            self._changed()
        self._ciphers.pop(name, None)
        self.note(Act.BANK_CHANGE, by, name, f"deleted: {why}")

    def _cipher(self, bank: str) -> tuple[AESGCM, bytes]:
        if bank not in self._ciphers:
            row = self.connection.execute("SELECT key FROM banks WHERE name = ?", (bank,)).fetchone()
            if row is None:
                self.bank(bank)
            key = self._key.unwrap(row[0], _context(bank))
            self._ciphers[bank] = AESGCM(key), hmac.digest(key, b"tag", "sha256")
        return self._ciphers[bank]

    @property
    def changes(self) -> int:
        """Grows whenever what matches may have changed."""
        return int(self.connection.execute("SELECT n FROM changes").fetchone()[0])

    def _changed(self) -> None:
        self.connection.execute("UPDATE changes SET n = n + 1")

    # -- entries -------------------------------------------------------------------------------------------------

    def take_in(self, bank: str, values: Sequence[Value], source: str) -> int:
        """Take in what a source stands by; how many entries are new. Within one transaction; twice is once.

        What this installation withdrew itself (source ``own``) does not come back through another source.
        """
        cipher, secret = self._cipher(bank)
        new, now = 0, _now()
        with self.transaction():
            for given in values:
                value = checked(given.kind, given.value)
                tag = _tag(secret, given.kind, value)
                reference = given.reference or tag.hex()
                sql = (
                    "INSERT INTO origins VALUES (?, ?, ?, ?, ?, 0) "
                    "ON CONFLICT (bank, source, reference, tag) DO UPDATE SET withdrawn = 0"
                )
                self.connection.execute(sql, (bank, source, reference, tag, now))
                row = self.connection.execute(
                    "SELECT id, state, why FROM entries WHERE bank = ? AND tag = ?", (bank, tag)
                )
                known = row.fetchone()
                if known is not None and (known[1] != WITHDRAWN or (known[2] == OWN and source != OWN)):
                    continue
                identifier = known[0] if known else secrets.token_hex(8)
                body = msgspec.json.encode({"value": value, "labels": given.labels})
                sealed = _sealed(cipher, body, bank, identifier)
                sql = "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, '')"
                self.connection.execute(sql, (identifier, bank, str(given.kind), tag, sealed, ACTIVE, now))
                new += 1
            if new:
                self._changed()
        return new

    def give_up(self, bank: str, source: str, reference: str, keep: Sequence[Value] = ()) -> int:
        """A source no longer stands by what it called ``reference`` (but for ``keep``); how many entries nobody stands
        by any more: their values are purged, a tombstone stays."""
        _, secret = self._cipher(bank)
        kept = {_tag(secret, one.kind, checked(one.kind, one.value)) for one in keep}
        purged = 0
        with self.transaction():
            sql = "SELECT tag FROM origins WHERE bank = ? AND source = ? AND reference = ? AND withdrawn = 0"
            for (tag,) in self.connection.execute(sql, (bank, source, reference)).fetchall():
                if tag in kept:
                    continue
                sql = "UPDATE origins SET withdrawn = ? WHERE bank = ? AND source = ? AND reference = ? AND tag = ?"
                self.connection.execute(sql, (_now(), bank, source, reference, tag))
                left = "SELECT 1 FROM origins WHERE bank = ? AND tag = ? AND withdrawn = 0"
                if self.connection.execute(left, (bank, tag)).fetchone() is None:
                    purged += self._purge(bank, tag, source)
            if purged:
                self._changed()
        return purged

    def leave_only(self, bank: str, source: str, values: Sequence[Value]) -> int:
        """A source stands by these values and no others; how many entries nobody stands by any more."""
        sql = "SELECT DISTINCT reference FROM origins WHERE bank = ? AND source = ? AND withdrawn = 0"
        with self.transaction():
            known = [row[0] for row in self.connection.execute(sql, (bank, source)).fetchall()]
            return sum(self.give_up(bank, source, reference, values) for reference in known)

    def _purge(self, bank: str, tag: bytes, source: str) -> int:
        sql = "UPDATE entries SET body = NULL, state = ?, why = ?, at = ? WHERE bank = ? AND tag = ? AND state <> ?"
        return self.connection.execute(sql, (WITHDRAWN, source, _now(), bank, tag, WITHDRAWN)).rowcount

    def withdraw(self, identifier: str, by: str, why: str) -> None:
        """This installation withdraws an entry, whoever stands by it: its value is purged and it does not come back."""
        bank, tag, _ = self._row(identifier)
        with self.transaction():
            sql = "UPDATE origins SET withdrawn = ? WHERE bank = ? AND tag = ? AND withdrawn = 0"
            self.connection.execute(sql, (_now(), bank, tag))
            self._purge(bank, tag, OWN)
            self._changed()
        self.note(Act.BANK_CHANGE, by, bank, f"entry {identifier} withdrawn: {why}")

    def set_state(self, identifier: str, state: str, by: str, why: str) -> None:
        """Quarantine an entry (it matches nothing), or release it."""
        bank, _, now = self._row(identifier)
        if now == WITHDRAWN:
            raise CaptureError(f"entry {identifier} was withdrawn: there is nothing left to match. Import it again.")
        with self.transaction():
            self.connection.execute("UPDATE entries SET state = ?, why = ? WHERE id = ?", (state, why, identifier))
            self.connection.execute("DELETE FROM hits WHERE entry = ?", (identifier,))
            self._changed()
        self.note(Act.BANK_CHANGE, by, bank, f"entry {identifier} is {state}: {why}")

    def _row(self, identifier: str) -> tuple[str, bytes, str]:
        sql = "SELECT bank, tag, state FROM entries WHERE id = ?"
        row = self.connection.execute(sql, (identifier,)).fetchone()
        if row is None:
            raise CaptureError(f"there is no entry {identifier}. Give the whole id, as `match` or `bank show` says it.")
        return row[0], row[1], row[2]

    def vote(self, identifier: str, by: str, why: str, *, confirm: bool) -> int:
        """Confirm that an entry is right, or that it is not; sent to its exchanges with the next `exchange votes`."""
        bank, _, _ = self._row(identifier)
        with self.transaction():
            sql = "INSERT INTO votes (entry, confirm, by, why, at) VALUES (?, ?, ?, ?, ?)"
            number = self.connection.execute(sql, (identifier, int(confirm), by, why, _now())).lastrowid
        self.note(Act.BANK_CHANGE, by, bank, f"entry {identifier} {'confirmed' if confirm else 'disputed'}: {why}")
        return int(number or 0)

    def opened(self, bank: str, states: tuple[str, ...] = (ACTIVE,)) -> Iterator[Entry]:
        """Entries with their values, for matching and exchanging in this process. For a person: ``read``."""
        cipher, _ = self._cipher(bank)
        marks = ", ".join("?" * len(states))
        sql = f"SELECT id, kind, tag, body, state, at FROM entries WHERE bank = ? AND state IN ({marks}) ORDER BY id"  # noqa: S608
        for identifier, kind, tag, body, state, at in self.connection.execute(sql, (bank, *states)).fetchall():
            told: dict[str, Any] = msgspec.json.decode(_unsealed(cipher, body, bank, identifier))
            standing = (
                "SELECT DISTINCT source FROM origins WHERE bank = ? AND tag = ? AND withdrawn = 0 ORDER BY source"
            )
            sources = tuple(row[0] for row in self.connection.execute(standing, (bank, tag)))
            yield Entry(identifier, bank, Kind(kind), told["value"], tuple(told["labels"]), state, sources, at)

    def read(self, bank: str, by: str, why: str) -> list[Entry]:
        """Entries with their values, for a person: audited before anything is shown."""
        if not why.strip():
            raise CaptureError("reading a bank's values needs a reason: the ledger keeps it.")
        self.bank(bank)
        self.note(Act.BANK_READ, by, bank, why)
        return list(self.opened(bank, (ACTIVE, QUARANTINED)))

    def reference_of(self, bank: str, kind: Kind, value: str) -> str:
        """What a value is called whose source has no name for it: nothing that tells the value."""
        return _tag(self._cipher(bank)[1], kind, checked(kind, value)).hex()

    def references(self, identifier: str, source: str) -> list[str]:
        """What a source calls an entry."""
        bank, tag, _ = self._row(identifier)
        sql = "SELECT reference FROM origins WHERE bank = ? AND tag = ? AND source = ? AND withdrawn = 0 ORDER BY 1"
        return [row[0] for row in self.connection.execute(sql, (bank, tag, source))]

    # -- how far an exchange has come ----------------------------------------------------------------------------

    def checkpoint(self, exchange: str) -> bytes:
        """Where an exchange stands; empty before its first page."""
        row = self.connection.execute("SELECT body FROM checkpoints WHERE exchange = ?", (exchange,)).fetchone()
        return bytes(row[0]) if row else b""

    def stand(self, exchange: str, bank: str, body: bytes) -> None:
        """Note where an exchange stands, within the transaction that takes in what came before it."""
        sql = "INSERT OR REPLACE INTO checkpoints VALUES (?, ?, ?, ?)"
        self.connection.execute(sql, (exchange, bank, body, _now()))


def _context(bank: str) -> bytes:
    return b"upstander bank " + bank.encode()


def _tag(secret: bytes, kind: Kind, value: str) -> bytes:
    """Stands for a value: the same for the same value of the same bank, and nothing to who has no key."""
    return hmac.digest(secret, f"{kind} {value}".encode(), hashlib.sha256)


def _sealed(cipher: AESGCM, body: bytes, bank: str, identifier: str) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, body, f"{bank} {identifier}".encode())


def _unsealed(cipher: AESGCM, body: bytes, bank: str, identifier: str) -> bytes:
    try:
        return cipher.decrypt(body[:NONCE_BYTES], body[NONCE_BYTES:], f"{bank} {identifier}".encode())
    except InvalidTag:
        reason = f"entry {identifier} of bank {bank} does not open: it was changed, or put in another's place"
        raise CaptureError(f"{reason}. Put the file back from a copy.") from None


def _now() -> int:
    return int(time.time() * 1000)
