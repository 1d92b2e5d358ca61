"""The file of what people unveiled, ``care.sqlite3``. It serves to look after people: nothing in it rates anybody.

Entries older than a few shifts are deleted; who looked at what stays in the ledger, which is for auditors.
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from upstander.care.budget import MINUTE_MS, Standing, standing
from upstander.people.store import now_ms
from upstander.settings import CareSettings

#: What was unveiled is forgotten here after so long.
FORGET_MS = 3 * 24 * 3_600_000
#: An allowance beyond the budget holds for so long.
ALLOWED_MS = 60 * MINUTE_MS
_SCHEMA = """
CREATE TABLE IF NOT EXISTS unveiled (
  at INTEGER NOT NULL, person TEXT NOT NULL, what TEXT NOT NULL, counted INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS unveiled_person ON unveiled(person, at);
CREATE TABLE IF NOT EXISTS pauses (person TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asks (
  id TEXT PRIMARY KEY, person TEXT NOT NULL, what TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL,
  decided_by TEXT NOT NULL, decided_at INTEGER NOT NULL, until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS preferences (person TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS skips (
  person TEXT NOT NULL, case_id TEXT NOT NULL, until INTEGER NOT NULL, PRIMARY KEY (person, case_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS reviews (
  case_id TEXT NOT NULL, closed_at INTEGER NOT NULL, at INTEGER NOT NULL, first TEXT NOT NULL, second TEXT NOT NULL,
  PRIMARY KEY (case_id, closed_at)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""


class CareError(ValueError):
    """Something cannot be unveiled now; the message says why and what to do."""


class Preferences(msgspec.Struct, frozen=True):
    """What a person prefers. ``text_only``: no curve and nothing of frames; ``slow``: unveiled words stay blurred until
    each line is gone to; ``theme``: ``system``, ``dark`` or ``light``."""

    text_only: bool = False
    slow: bool = True
    theme: str = "system"


class Ask(msgspec.Struct, frozen=True):
    """A person asks to unveil something beyond the budget. ``until``: how long it is allowed (0: not, or not yet)."""

    id: str
    person: str
    what: str
    why: str
    at: int
    decided_by: str
    decided_at: int
    until: int


class Care:
    """The file. ``clock`` gives epoch milliseconds. Threads may share it."""

    def __init__(self, path: Path, settings: CareSettings, clock: Callable[[], int] = now_ms) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        self.settings, self.clock, self.lock = settings, clock, threading.RLock()
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.connection.executescript(_SCHEMA)
        self.connection.execute("INSERT OR IGNORE INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """All of it is durable, or none."""
        with self.lock:
            self.connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self.connection.execute("ROLLBACK")
                raise
            self.connection.execute("COMMIT")

    def secret(self) -> bytes:
        """What the sample of second reviews is drawn with: nobody can tell beforehand what will be in it."""
        with self.lock:
            value: bytes = self.connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()[0]
        return value

    # -- unveiling -----------------------------------------------------------------------------------------------

    def standing(self, person: str) -> Standing:
        """Where the person stands now."""
        with self.lock:
            return self._standing(person, self.clock())

    def _standing(self, person: str, now: int) -> Standing:
        sql = "SELECT at FROM unveiled WHERE person = ? AND at > ? AND counted = 1 ORDER BY at"
        since = now - self.settings.shift_hours * 3_600_000
        times = [row[0] for row in self.connection.execute(sql, (person, since))]
        row = self.connection.execute("SELECT until FROM pauses WHERE person = ?", (person,)).fetchone()
        return standing(times, now, self.settings, row[0] if row else 0)

    def is_open(self, person: str, what: str) -> bool:
        """Whether the person unveiled this a short while ago."""
        sql = "SELECT 1 FROM unveiled WHERE person = ? AND what = ? AND at > ? LIMIT 1"
        since = self.clock() - self.settings.veil_minutes * MINUTE_MS
        with self.lock:
            return self.connection.execute(sql, (person, what, since)).fetchone() is not None

    def unveil(self, person: str, what: str) -> Standing:
        """Count one unveiling. Raises ``CareError`` in a break, and beyond the budget unless it was allowed."""
        now = self.clock()
        with self.writing():
            if self.is_open(person, what):
                return self._standing(person, now)
            before = self._standing(person, now)
            if before.break_until:
                left = -(-(before.break_until - now) // MINUTE_MS)
                raise CareError(f"this is a break, for {left} more minutes. Everything but unveiling can be done.")
            if not before.left and not self._allowed(person, what, now):
                reason = f"the budget of a shift ({before.budget}) is used up"
                raise CareError(f"{reason}. Ask a second person to allow it, or hand the case over.")
            self.connection.execute("DELETE FROM unveiled WHERE at < ?", (now - FORGET_MS,))
            self.connection.execute("INSERT INTO unveiled VALUES (?, ?, ?, 1)", (now, person, what))
            return self._standing(person, now)

    def _allowed(self, person: str, what: str, now: int) -> bool:
        sql = "SELECT 1 FROM asks WHERE person = ? AND what = ? AND until > ?"
        return self.connection.execute(sql, (person, what, now)).fetchone() is not None

    def pause(self, person: str) -> int:
        """Take a break now; until when."""
        until = self.clock() + self.settings.break_minutes * MINUTE_MS
        with self.writing():
            self.connection.execute("INSERT OR REPLACE INTO pauses VALUES (?, ?)", (person, until))
        return until

    # -- beyond the budget ---------------------------------------------------------------------------------------

    def ask(self, person: str, what: str, why: str) -> Ask:
        """Ask to unveil something beyond the budget."""
        if not why.strip() or not what.strip():
            raise CareError("say what is to be unveiled, and why it cannot wait for somebody else.")
        made = Ask(secrets.token_hex(6), person, what, why, self.clock(), "", 0, 0)
        with self.writing():
            self.connection.execute("DELETE FROM asks WHERE at < ?", (made.at - FORGET_MS,))
            self.connection.execute("INSERT INTO asks VALUES (?,?,?,?,?,?,?,?)", msgspec.structs.astuple(made))
        return made

    def decide(self, identifier: str, by: str, *, allow: bool) -> Ask:
        """Allow what somebody else asked for, or decline it. Raises ``CareError`` when that cannot be done."""
        now = self.clock()
        with self.writing():
            row = self.connection.execute("SELECT * FROM asks WHERE id = ?", (identifier,)).fetchone()
            if row is None or row[6]:
                raise CareError("nobody waits for that any more. Load the page again.")
            ask = Ask(*row)
            if ask.person == by:
                raise CareError("a second person has to decide that.")
            ask = msgspec.structs.replace(ask, decided_by=by, decided_at=now, until=now + ALLOWED_MS if allow else 0)
            sql = "UPDATE asks SET decided_by = ?, decided_at = ?, until = ? WHERE id = ?"
            self.connection.execute(sql, (by, now, ask.until, identifier))
            return ask

    def asks(self) -> list[Ask]:
        """What waits for a second person, the oldest first."""
        since = self.clock() - self.settings.shift_hours * 3_600_000
        with self.lock:
            rows = self.connection.execute(
                "SELECT * FROM asks WHERE decided_at = 0 AND at > ? ORDER BY at", (since,)
            ).fetchall()
        return [Ask(*row) for row in rows]

    def asked(self, person: str) -> list[Ask]:
        """What the person asked for within the shift, the latest first."""
        since = self.clock() - self.settings.shift_hours * 3_600_000
        sql = "SELECT * FROM asks WHERE person = ? AND at > ? ORDER BY at DESC"
        with self.lock:
            return [Ask(*row) for row in self.connection.execute(sql, (person, since))]

    # -- preferences, skipping -----------------------------------------------------------------------------------

    def preferences(self, person: str) -> Preferences:
        """What the person prefers."""
        with self.lock:
            row = self.connection.execute("SELECT body FROM preferences WHERE person = ?", (person,)).fetchone()
        return msgspec.json.decode(row[0], type=Preferences) if row else Preferences()

    def prefer(self, person: str, preferences: Preferences) -> None:
        """Keep what the person prefers."""
        with self.writing():
            body = msgspec.json.encode(preferences)
            self.connection.execute("INSERT OR REPLACE INTO preferences VALUES (?, ?)", (person, body))

    def skip(self, person: str, case: str) -> None:
        """Do not show this case to this person for the rest of the shift. It is forgotten afterwards."""
        now = self.clock()
        with self.writing():
            self.connection.execute("DELETE FROM skips WHERE until < ?", (now,))
            until = now + self.settings.shift_hours * 3_600_000
            self.connection.execute("INSERT OR REPLACE INTO skips VALUES (?, ?, ?)", (person, case, until))

    def skipped(self, person: str) -> list[str]:
        """The cases that the person does not want to see in this shift."""
        sql = "SELECT case_id FROM skips WHERE person = ? AND until > ?"
        with self.lock:
            return [row[0] for row in self.connection.execute(sql, (person, self.clock()))]
