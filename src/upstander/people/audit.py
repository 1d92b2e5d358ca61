"""The ledger of what people looked at and did, ``audit.sqlite3``: it only grows, and its entries are hash-chained.

Anyone who may write the file can rewrite all of it; the anchors in the journal (see ``anchors``) show that.
"""

from __future__ import annotations

import hashlib
import logging
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec

from upstander.people.store import now_ms

log = logging.getLogger(__name__)

GENESIS = bytes(32)
HOUR_MS = 3_600_000
FINDINGS = 20
_SCHEMA = """
CREATE TABLE IF NOT EXISTS ledger (
  seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, platform TEXT NOT NULL,
  broadcast TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS ledger_who ON ledger(who, what, at);
CREATE INDEX IF NOT EXISTS ledger_broadcast ON ledger(broadcast) WHERE broadcast != '';
CREATE INDEX IF NOT EXISTS ledger_subject ON ledger(subject) WHERE subject != '';
CREATE TRIGGER IF NOT EXISTS ledger_keep_update BEFORE UPDATE ON ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
CREATE TRIGGER IF NOT EXISTS ledger_keep_delete BEFORE DELETE ON ledger
  BEGIN SELECT RAISE(ABORT, 'the ledger only grows'); END;
"""
_COLUMNS = "seq, at, who, what, platform, broadcast, subject, detail, hash"


class Act(StrEnum):
    """What an entry says was done."""

    SIGN_IN = "sign in"
    SIGN_IN_REFUSED = "sign in refused"
    SIGN_OUT = "sign out"
    WALL_VIEW = "wall viewed"
    WALL_SHOWN = "shown on the wall"
    BROADCAST_VIEW = "broadcast viewed"
    ORDER = "order given"
    CASES_VIEW = "queue viewed"
    CASE_VIEW = "case viewed"
    CASE_UNVEILED = "words of a case unveiled"
    CASE_ACT = "case acted on"
    BULK_SHOWN = "bulk action previewed"
    BULK_DONE = "bulk action done"
    BULK_UNDONE = "bulk action undone"
    EVIDENCE_LIST = "evidence listed"
    EVIDENCE_VIEW = "evidence viewed"
    EVIDENCE_UNVEILED = "evidence unveiled"
    EVIDENCE_HOLD = "legal hold set"
    EVIDENCE_RELEASE = "legal hold ended"
    EVIDENCE_EXPORT = "evidence exported"
    REPORTS_VIEW = "reports listed"
    REPORT_VIEW = "report viewed"
    REPORT_UNVEILED = "words of a report unveiled"
    REPORT_ACT = "report acted on"
    UNVEIL_REFUSED = "unveiling refused"
    UNVEIL_ASKED = "more unveiling asked for"
    UNVEIL_ALLOWED = "more unveiling allowed"
    UNVEIL_DECLINED = "more unveiling declined"
    REVIEW_SHOWN = "case shown for a second review"
    REVIEWED = "second review given"
    POLICY_VIEW = "policy viewed"
    STATISTICS_VIEW = "statistics viewed"
    HEALTH_VIEW = "health viewed"
    KEYS_VIEW = "API keys viewed"
    KEY_MADE = "API key made"
    KEY_REVOKED = "API key revoked"
    PEOPLE_VIEW = "people viewed"
    PERSON_ADDED = "person added"
    PERSON_ROLES = "roles changed"
    PERSON_RESET = "person reset"
    PERSON_DISABLED = "person disabled"
    PERSON_ENABLED = "person enabled"
    OWN_PASSWORD = "own password changed"  # noqa: S105 (no password)
    OWN_FACTOR = "own second factor set up"
    OWN_RECOVERY = "own recovery codes made"
    OWN_RECOVERY_USED = "own recovery code used"
    OWN_PASSKEY = "own passkeys changed"
    OWN_SESSIONS = "own other sessions ended"
    BANK_READ = "bank read"
    BANK_CHANGE = "bank changed"
    CAPTURE_TRACED = "capture traced"
    AUDIENCE_VIEW = "audience viewed"
    AUDIT_VIEW = "ledger searched"
    AUDIT_CHECK = "ledger checked"
    FORBIDDEN = "refused: not permitted"
    ALERT_MANY = "alert: looked at unusually many broadcasts"
    ALERT_CASES = "alert: looked at unusually many cases"
    ALERT_GUESSES = "alert: many wrong passwords or codes"


#: Alert -> the looks that are counted, what tells one from another, and what to call them.
_LOOKS: dict[Act, tuple[tuple[Act, ...], str, str]] = {
    Act.ALERT_MANY: ((Act.BROADCAST_VIEW,), "platform || ' ' || broadcast", "broadcasts"),
    Act.ALERT_CASES: (
        (Act.CASE_VIEW, Act.EVIDENCE_VIEW, Act.EVIDENCE_LIST, Act.REPORT_VIEW),
        "subject",
        "cases and pieces of evidence",
    ),
}


class Note(msgspec.Struct, frozen=True, gc=False):
    """What an entry will say. ``who``: an account, ``key ID`` or ``command line USER``; ``subject``: the account or key
    that something was done to."""

    who: str
    what: Act
    platform: str = ""
    broadcast: str = ""
    subject: str = ""
    detail: str = ""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """An entry in its place. ``at``: epoch milliseconds; ``hash``: 64 hexadecimal digits."""

    seq: int
    at: int
    who: str
    what: str
    platform: str
    broadcast: str
    subject: str
    detail: str
    hash: str


class Checked(msgspec.Struct):
    """What a check found: how many entries and anchors were looked at, the last hash, and what is wrong."""

    entries: int = 0
    anchors: int = 0
    head: str = GENESIS.hex()
    findings: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


class Audit:
    """The ledger. ``many``: beyond so many broadcasts (or cases) that one person opens in an hour there is an alert.

    Threads may share it, and processes the file. An entry is durable when ``append`` returns.
    """

    def __init__(self, path: Path, clock: Callable[[], int] = now_ms, many: int = 60) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(mode=0o600)
        path.chmod(0o600)
        self._clock, self._many, self._lock = clock, many, threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        for pragma in ("busy_timeout = 5000", "journal_mode = WAL", "synchronous = FULL"):
            self._connection.execute(f"PRAGMA {pragma}")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def append(self, *notes: Note) -> int:
        """Add entries, durably; the sequence number of the last. An alert that they call for comes right after them."""
        with self._writing():
            seq, previous = self._head()
            for note in notes:
                seq, previous = self._put(note, seq, previous)
            for alert_act, (looks, field, what) in _LOOKS.items():
                for who in sorted({note.who for note in notes if note.what in looks}):
                    alert = self._alert(who, alert_act, looks, field, what)
                    if alert is not None:
                        seq, previous = self._put(alert, seq, previous)
        return seq

    def _put(self, note: Note, seq: int, previous: bytes) -> tuple[int, bytes]:
        row = (seq + 1, self._clock(), note.who, str(note.what), *(_clean(getattr(note, name)) for name in _FREE))
        linked = link(previous, row)
        self._connection.execute(f"INSERT INTO ledger ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?)", (*row, linked))  # noqa: S608
        return seq + 1, linked

    def _alert(self, who: str, act: Act, looks: tuple[Act, ...], field: str, what: str) -> Note | None:
        """An alert when this person opened unusually many broadcasts, or cases, within an hour; one an hour of each."""
        since = self._clock() - HOUR_MS
        marks = ", ".join("?" * len(looks))
        # S608: the field is one of those in ``_LOOKS``, values are bound.
        count = f"SELECT count(DISTINCT {field}) FROM ledger WHERE who = ? AND what IN ({marks}) AND at > ?"  # noqa: S608
        opened: int = self._connection.execute(count, (who, *map(str, looks), since)).fetchone()[0]
        if opened <= self._many:
            return None
        told = "SELECT 1 FROM ledger WHERE what = ? AND subject = ? AND at > ?"
        if self._connection.execute(told, (str(act), who, since)).fetchone():
            return None
        log.warning("%s looked at %s %s within an hour", who, opened, what)
        return Note("upstander", act, subject=who, detail=f"{opened} within an hour, {self._many} are usual")

    def _head(self) -> tuple[int, bytes]:
        row = self._connection.execute("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], row[1]) if row else (0, GENESIS)

    def head(self) -> tuple[int, str]:
        """The last entry's number and hash; 0 and zeros before the first."""
        with self._lock:
            seq, digest = self._head()
        return seq, digest.hex()

    def search(
        self,
        *,
        who: str = "",
        what: str = "",
        broadcast: str = "",
        subject: str = "",
        after: int = 0,
        before: int = 0,
        below: int = 0,
        limit: int = 100,
    ) -> list[Entry]:
        """Entries that fit all that is named, latest first. ``after`` and ``before``: epoch milliseconds; ``below``:
        only entries with a smaller number (the way to the next page)."""
        named = {"who": who, "what": what, "broadcast": broadcast, "subject": subject}
        where = [f"{name} = ?" for name, value in named.items() if value]
        values: list[object] = [value for value in named.values() if value]
        for condition, value in (("at >= ?", after), ("at < ?", before), ("seq < ?", below)):
            if value:
                where.append(condition)
                values.append(value)
        # S608: conditions are those above, values are bound.
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        sql = f"SELECT {_COLUMNS} FROM ledger {condition} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        with self._lock:
            rows = self._connection.execute(sql, (*values, limit)).fetchall()
        return [Entry(*(*row, bytes(kept).hex())) for *row, kept in rows]

    def check(self, anchors: Iterable[tuple[int, str]] = ()) -> Checked:
        """Recompute every hash and name what does not fit. ``anchors``: number and hash of entries, kept elsewhere."""
        result, known = Checked(), dict(anchors)
        result.anchors = len(known)
        previous, expected = GENESIS, 1
        with self._lock:
            rows = self._connection.execute(f"SELECT {_COLUMNS} FROM ledger ORDER BY seq")  # noqa: S608
            for *row, kept in rows:
                seq = int(row[0])
                if seq != expected:
                    gone = f"entry {expected:,}" if seq == expected + 1 else f"entries {expected:,} to {seq - 1:,}"
                    _find(result, f"{gone}: missing")
                elif link(previous, tuple(row)) != kept:
                    _find(result, f"entry {seq:,}: it, or the hash it was linked to, was changed ({row[2]}: {row[3]})")
                if seq in known and known[seq] != bytes(kept).hex():
                    why = "the journal was told another hash: it, or one before it, was rewritten"
                    _find(result, f"entry {seq:,}: {why}")
                previous, expected, result.entries = kept, seq + 1, result.entries + 1
        result.head = bytes(previous).hex()
        for seq in sorted(known):
            if seq >= expected:
                _find(result, f"entry {seq:,}: the journal was told of it, and it is gone: the end was cut off")
        return result


_FREE = ("platform", "broadcast", "subject", "detail")


def link(previous: bytes, row: tuple[object, ...]) -> bytes:
    """SHA-256 over the previous hash and every field of an entry, each with its length."""
    digest = hashlib.sha256(bytes(previous))
    for value in row:
        part = str(value).encode("utf-8", "surrogatepass")
        digest.update(f"{len(part)}:".encode() + part)
    return digest.digest()


def _clean(text: str) -> str:
    """At most 1,000 characters, and none that SQLite cannot keep."""
    return text[:1_000].encode("utf-8", "replace").decode().replace("\0", "")


def _find(result: Checked, finding: str) -> None:
    if len(result.findings) < FINDINGS:
        result.findings.append(finding)
