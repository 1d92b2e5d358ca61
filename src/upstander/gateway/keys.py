"""API keys: made once, shown once, kept only as hashes, scoped to a platform and to what they may do."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec


class Scope(StrEnum):
    """What a key may do on its platform."""

    EVENTS_WRITE = "events:write"
    DECISIONS_READ = "decisions:read"
    BROADCASTS_READ = "broadcasts:read"
    ORDERS_WRITE = "orders:write"
    LIVE_READ = "live:read"
    METRICS_READ = "metrics:read"
    NUDGES_WRITE = "nudges:write"
    CASES_READ = "cases:read"
    CASES_WRITE = "cases:write"


class Key(msgspec.Struct, frozen=True, gc=False):
    """A key without its secret. Times are epoch milliseconds; ``revoked_at`` 0 means in force."""

    id: str
    platform: str
    scopes: frozenset[Scope]
    note: str
    created_at: int
    revoked_at: int


class KeyStoreError(ValueError):
    """A key cannot be made, found or revoked; the message says why and what to do."""


_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
  id TEXT PRIMARY KEY, platform TEXT NOT NULL, scopes TEXT NOT NULL, note TEXT NOT NULL,
  hash BLOB NOT NULL, created_at INTEGER NOT NULL, revoked_at INTEGER NOT NULL
) STRICT;
"""
_FORM = re.compile(r"ups_([0-9a-f]{12})_([0-9A-Za-z_-]{43})")


class KeyStore:
    """The keys' file. Reads see at once what another process (the command line) wrote."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made with its mode, so that SQLite gives its side files (-wal, -shm) the same one.
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._connection.execute("PRAGMA busy_timeout = 5000")
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(_SCHEMA)
        path.chmod(0o600)
        self._version = -1
        self._known: dict[str, tuple[bytes, Key]] = {}

    def create(self, platform: str, scopes: Iterable[Scope], note: str = "") -> tuple[str, Key]:
        """A new key: its text, which is never shown again, and its record."""
        if not re.fullmatch("[a-z0-9_-]{1,64}", platform):
            raise KeyStoreError(f"{platform!r} is no platform name. Use lower case letters, digits, - and _.")
        allowed = frozenset(scopes)
        if not allowed:
            raise KeyStoreError(f"a key needs at least one scope. Use some of: {', '.join(Scope)}.")
        identifier, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        key = Key(identifier, platform, allowed, note, time.time_ns() // 1_000_000, 0)
        row = (key.id, platform, " ".join(sorted(allowed)), note, _digest(secret), key.created_at, 0)
        self._connection.execute("INSERT INTO keys VALUES (?,?,?,?,?,?,?)", row)
        return f"ups_{identifier}_{secret}", key

    def revoke(self, identifier: str) -> None:
        """Take a key out of force, at once and for good."""
        now = time.time_ns() // 1_000_000
        sql = "UPDATE keys SET revoked_at = ? WHERE id = ? AND revoked_at = 0"
        if self._connection.execute(sql, (now, identifier)).rowcount == 0:
            raise KeyStoreError(f"no key in force has the id {identifier!r}. See `upstander keys list`.")

    def entries(self) -> list[Key]:
        """All keys, revoked ones included, oldest first."""
        self._refresh()
        return sorted((key for _, key in self._known.values()), key=lambda key: (key.created_at, key.id))

    def check(self, text: str) -> Key | None:
        """The key that this text is, when it is one in force."""
        form = _FORM.fullmatch(text)
        if form is None:
            return None
        self._refresh()
        known = self._known.get(form.group(1))
        # The secret has 256 random bits, so a plain hash cannot be guessed back; compared in constant time.
        if known is None or not hmac.compare_digest(known[0], _digest(form.group(2))):
            return None
        return None if known[1].revoked_at else known[1]

    def find(self, identifier: str) -> Key | None:
        """The key with this id, when it is one in force."""
        self._refresh()
        known = self._known.get(identifier)
        return None if known is None or known[1].revoked_at else known[1]

    def in_force(self, identifier: str) -> bool:
        """Whether the key with this id is (still) in force."""
        return self.find(identifier) is not None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _refresh(self) -> None:
        changes = self._connection.total_changes
        version = self._connection.execute("PRAGMA data_version").fetchone()[0] * 1_000_003 + changes
        if version == self._version:
            return
        self._version = version
        self._known = {
            row[0]: (row[4], Key(row[0], row[1], frozenset(map(Scope, row[2].split())), row[3], row[5], row[6]))
            for row in self._connection.execute("SELECT * FROM keys")
        }


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
