"""Audio fingerprints of a broadcast (Chromaprint), kept for a set time so that a capture can be traced to it later.

A fingerprint is of the sound as a whole, as one of music is: it does not tell one voice from another. Matching them is
not done here.
"""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path
from typing import Any

import msgspec

from upstander.watch.errors import WatchError
from upstander.watch.messages import RATE

#: A fingerprint for each piece of this length.
PIECE_S = 30
DAY_MS = 86_400_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS prints (
    at INTEGER NOT NULL, platform TEXT NOT NULL, broadcast TEXT NOT NULL, offset_ms INTEGER NOT NULL,
    print TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS prints_by_broadcast ON prints (platform, broadcast, offset_ms);
CREATE INDEX IF NOT EXISTS prints_by_time ON prints (at);
"""


class Print(msgspec.Struct, frozen=True):
    """One fingerprint: Chromaprint's own text (Base64), of the 30 s from ``offset_ms`` on."""

    offset_ms: int
    text: str


def library() -> Any:
    """The module that speaks to libchromaprint. Raises ``WatchError`` when it or the library is not there."""
    try:
        import chromaprint
    except ImportError:
        how = "pip install 'upstander[fingerprint]', and on Debian apt-get install libchromaprint1"
        raise WatchError(f"audio fingerprints need packages that are not installed. Run: {how}") from None
    return chromaprint


class Printer:
    """One track: pieces of sound in, a fingerprint out whenever 30 s are full."""

    def __init__(self) -> None:
        self._chromaprint = library()
        self._fed, self._began = 0, 0
        self._printer: Any = None

    def hear(self, pcm: bytes, offset_ms: int) -> Print | None:
        """Take in a piece (16-bit, 16 kHz, mono)."""
        if self._printer is None:
            self._printer = self._chromaprint.Fingerprinter()
            self._printer.start(RATE, 1)
            self._fed, self._began = 0, offset_ms
        self._printer.feed(pcm)
        self._fed += len(pcm) // 2
        return self.end() if self._fed >= PIECE_S * RATE else None

    def end(self) -> Print | None:
        """The fingerprint of what came so far, if that is enough for one."""
        printer, self._printer = self._printer, None
        if printer is None or self._fed < PIECE_S * RATE // 2:
            return None
        return Print(self._began, printer.finish().decode("ascii"))


class Prints:
    """The file they are kept in, of mode 600. Threads of this process take turns."""

    def __init__(self, path: Path, days: int) -> None:
        self._days = days
        self._lock = threading.Lock()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript("PRAGMA journal_mode=DELETE; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL;")
        self._connection.executescript(_SCHEMA)

    def add(self, platform: str, broadcast: str, at: int, made: Print) -> None:
        """Keep one; ``at``: epoch ms, when it was made."""
        values = (at, platform, broadcast, made.offset_ms, made.text)
        with self._lock:
            self._connection.execute("INSERT INTO prints VALUES (?, ?, ?, ?, ?)", values)

    def of(self, platform: str, broadcast: str) -> list[Print]:
        """Those of a broadcast, in order."""
        sql = "SELECT offset_ms, print FROM prints WHERE platform = ? AND broadcast = ? ORDER BY offset_ms"
        with self._lock:
            return [Print(*row) for row in self._connection.execute(sql, (platform, broadcast))]

    def expire(self, now: int) -> int:
        """Delete what is older than the set time; how many."""
        with self._lock:
            return self._connection.execute("DELETE FROM prints WHERE at <= ?", (now - self._days * DAY_MS,)).rowcount

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
