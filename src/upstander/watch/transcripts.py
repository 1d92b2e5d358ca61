"""What was heard and showed nothing: kept for a set time, then gone. What shows something is an event instead."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import msgspec

from upstander.detect.text import TextDetector

HOUR_MS = 3_600_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS heard (
    at INTEGER NOT NULL, platform TEXT NOT NULL, broadcast TEXT NOT NULL, speaker TEXT NOT NULL,
    language TEXT NOT NULL, confidence REAL NOT NULL, text TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS heard_by_broadcast ON heard (platform, broadcast, at);
CREATE INDEX IF NOT EXISTS heard_by_time ON heard (at);
"""


class Line(msgspec.Struct, frozen=True):
    """One utterance. ``at``: epoch ms."""

    at: int
    speaker: str
    language: str
    confidence: float
    text: str


def shows(detector: TextDetector, text: str) -> bool:
    """Whether words show a tactic or an exposure, whoever said them."""
    if detector.viewer(text, "", 1.0):
        return True
    found = detector.host(text, 1.0)
    return bool(found.signals) or found.band is not None


class Transcripts:
    """A file of mode 600 whose deleted rows are overwritten. Threads of this process take turns."""

    def __init__(self, path: Path, hours: int) -> None:
        """``hours`` 0: nothing is kept at all."""
        self._hours = hours
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        # No write-ahead log: what is deleted must not lie in another file.
        self._connection.executescript("PRAGMA journal_mode=DELETE; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL;")
        self._connection.executescript(_SCHEMA)

    def add(self, platform: str, broadcast: str, line: Line) -> None:
        """Keep one utterance."""
        if self._hours:
            values = (line.at, platform, broadcast, line.speaker, line.language, line.confidence, line.text)
            with self._lock:
                self._connection.execute("INSERT INTO heard VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def before(self, platform: str, broadcast: str, at: int, reach_ms: int) -> list[Line]:
        """What was heard in a broadcast in the time before ``at``, oldest first: for a case that is opened."""
        sql = (
            "SELECT at, speaker, language, confidence, text FROM heard "
            "WHERE platform = ? AND broadcast = ? AND at BETWEEN ? AND ? ORDER BY at"
        )
        with self._lock:
            rows = self._connection.execute(sql, (platform, broadcast, at - reach_ms, at)).fetchall()
        return [Line(*row) for row in rows]

    def expire(self, now: int) -> int:
        """Delete what is older than the set time; how many lines."""
        with self._lock:
            return self._connection.execute("DELETE FROM heard WHERE at <= ?", (now - self._hours * HOUR_MS,)).rowcount

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
