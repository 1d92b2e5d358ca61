"""What matches a bank: opened entries in memory, an index over their PDQs, and the rules that go before any match.

Callers learn the bank and the entry, and whether it is the same file or a like picture; never how near: distances
let others rebuild pictures from hashes. Nothing here writes values anywhere.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from upstander.captures.banks import ACTIVE, QUARANTINED, Banks
from upstander.captures.bits import QUALITY, Words, from_bytes, mirrored, words_of
from upstander.captures.errors import CaptureError
from upstander.captures.index import Index
from upstander.captures.values import Kind, features
from upstander.people.audit import Act

HOUR_MS = 3_600_000
_EXACT = (Kind.MD5, Kind.SHA1, Kind.SHA256)


class Match(msgspec.Struct, frozen=True, gc=False):
    """Something matched. ``how``: ``exact`` (the same file) or ``near`` (a like picture). ``offset_ms``: of the picture
    within the entry's sequence, where it is one; ``video``: whether it is."""

    bank: str
    entry: str
    how: str
    offset_ms: int = 0
    video: bool = False


class _Place(msgspec.Struct, frozen=True, gc=False):
    entry: int
    offset_ms: int


class Matcher:
    """Searches all banks. ``refresh`` takes up what changed since; it is cheap when nothing did.

    ``quarantine``: an entry that matches more than so many different files or broadcasts within an hour is taken for
    a mistake (a logo, a blank page): it is quarantined until a person has looked at it.
    """

    def __init__(self, banks: Banks, quarantine: int = 50) -> None:
        self.banks, self._limit = banks, quarantine
        self._changes = -1
        self.refresh()

    def refresh(self) -> None:
        """Open the banks anew when an entry came, went or changed its state."""
        if self.banks.changes == self._changes:
            return
        self._changes = self.banks.changes
        self._entries: list[tuple[str, str, bool]] = []
        self._distance: list[int] = []
        self._digests: dict[str, list[int]] = defaultdict(list)
        self._places: list[_Place] = []
        self._index = Index()
        self._negative = {bank.name for bank in self.banks.all() if bank.negative}
        words: list[str] = []
        for bank in self.banks.all():
            for entry in self.banks.opened(bank.name):
                number = len(self._entries)
                if entry.kind in _EXACT:
                    self._digests[entry.value].append(number)
                elif entry.kind is Kind.PDQ:
                    words.append(entry.value)
                    self._places.append(_Place(number, 0))
                elif entry.kind is Kind.VPDQ:
                    for one in features(entry.value):
                        if one.quality >= QUALITY:
                            words.append(one.pdq)
                            self._places.append(_Place(number, round(one.seconds * 1000)))
                self._entries.append((bank.name, entry.id, entry.kind is Kind.VPDQ))
                self._distance.append(bank.distance)
        if words:
            self._index.add(words_of(words), np.arange(len(words), dtype=np.uint64))
            self._index.flush()

    def __len__(self) -> int:
        return len(self._entries)

    def digests(self, values: Iterable[str]) -> list[Match]:
        """What a file's digests match. A negative bank's say is final: then nothing matches."""
        return self._allowed({number: Match(*self._entries[number][:2], "exact") for value in values
                              for number in self._digests.get(value, ())})  # fmt: skip

    def frames(self, words: Words) -> list[list[Match]]:
        """What each picture (n, 4) matches, as it is or mirrored. One match an entry and offset, each at most once."""
        count = len(words)
        found: list[dict[tuple[int, int], Match]] = [{} for _ in range(count)]
        if not count or not self._places:
            return [[] for _ in range(count)]
        hits = self._index.query(np.concatenate([words, mirrored(words)]))
        for query, key, apart in zip(hits.query.tolist(), hits.key.tolist(), hits.distance.tolist(), strict=True):
            place = self._places[key]
            if apart <= self._distance[place.entry]:
                bank, entry, video = self._entries[place.entry]
                match = Match(bank, entry, "near", place.offset_ms, video)
                found[query % count][place.entry, place.offset_ms] = match
        return [self._allowed(one) for one in found]

    def _allowed(self, found: Mapping[Any, Match]) -> list[Match]:
        if any(match.bank in self._negative for match in found.values()):
            return []
        return sorted(found.values(), key=lambda match: (match.bank, match.entry, match.offset_ms))

    def seen(self, entries: Iterable[str], place: str, now_ms: int) -> list[str]:
        """Note that entries matched a file or broadcast (``place``); the entries that this put into quarantine."""
        hour, stopped = now_ms // HOUR_MS, []
        for entry in sorted(set(entries)):
            with self.banks.transaction():
                execute = self.banks.connection.execute
                execute("DELETE FROM hits WHERE hour < ?", (hour - 1,))
                execute("INSERT OR IGNORE INTO hits VALUES (?, ?, ?)", (entry, hour, place))
                sql = "SELECT count(DISTINCT place) FROM hits WHERE entry = ?"
                matched = execute(sql, (entry,)).fetchone()[0]
            state = self.banks.connection.execute("SELECT state FROM entries WHERE id = ?", (entry,)).fetchone()
            if matched > self._limit and state and state[0] == ACTIVE:
                self.banks.set_state(entry, QUARANTINED, "upstander", f"matched {matched} places within two hours")
                stopped.append(entry)
        if stopped:
            self.refresh()
        return stopped


class Limiter:
    """How often one caller may ask in a minute; counted in the banks' file, so that a new process does not begin anew.

    Published attacks rebuild pictures from what a hash service answers; all of them need very many questions.
    """

    def __init__(self, banks: Banks, per_minute: int) -> None:
        self._banks, self._limit = banks, per_minute

    def ask(self, who: str, questions: int = 1, now_s: float | None = None) -> None:
        """Count questions. Raises ``CaptureError`` when they are too many for this minute: none was answered then."""
        minute = int(time.time() if now_s is None else now_s) // 60
        with self._banks.transaction():
            execute = self._banks.connection.execute
            execute("DELETE FROM asked WHERE minute < ?", (minute - 1,))
            row = execute("SELECT n FROM asked WHERE who = ? AND minute = ?", (who, minute)).fetchone()
            asked = (row[0] if row else 0) + questions
            if asked > self._limit:
                fix = "Wait a minute, or raise `queries_per_minute` under [captures]."
                raise CaptureError(f"{who} asked the banks more than {self._limit:,} times in this minute. {fix}")
            sql = "INSERT INTO asked VALUES (?, ?, ?) ON CONFLICT (who, minute) DO UPDATE SET n = excluded.n"
            execute(sql, (who, minute, asked))

    def wait(self, who: str, questions: int = 1) -> None:
        """The same, but waits for the minute in which there is room: for work that nobody waits for."""
        while True:
            try:
                return self.ask(who, questions)
            except CaptureError:
                if questions > self._limit:
                    raise
                time.sleep(60 - time.time() % 60 + 0.05)


def asked_by_hash(matcher: Matcher, limiter: Limiter, who: str, kind: Kind, value: str) -> list[Match]:
    """What one value matches, for a caller who has no file: limited, and kept in the ledger."""
    limiter.ask(who)
    matcher.banks.note(Act.BANK_READ, who, "all", f"asked about one {kind} value")
    if kind is Kind.PDQ:
        return matcher.frames(from_bytes(bytes.fromhex(value)))[0]
    return matcher.digests([value])
