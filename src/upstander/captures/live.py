"""Rolling matching: frames of broadcasts that are on air, against banks, one after the other.

A single frame that matches is a hint for review (`known_capture`, once an entry and broadcast). `rebroadcast` needs
several frames that differ from each other and agree on one capture and one offset into it for some seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

import msgspec
import numpy as np

from upstander.captures.bits import QUALITY, Words, distances, from_bytes
from upstander.captures.index import Index
from upstander.captures.matching import Match
from upstander.captures.recorded import Frame

#: Frames that differ in fewer bits are one picture: it proves a capture no better for being shown for long.
APART = 8
#: Frames agree when their offsets into the capture lie so near (ms) to where the first ones say, at up to 5% of speed.
SLACK_MS = 1_600
SPEED = 0.06
#: What is forgotten: hits this old (ms of the broadcast), and the broadcasts that were quiet for longest.
MEMORY_MS = 60_000
MAX_BROADCASTS = 4_096
MAX_HITS = 400
#: A frame this near to a common one is ignored.
COMMON = 20


class Searching(Protocol):
    """What frames are searched in: a matcher, or a stand-in for one."""

    def frames(self, words: Words) -> list[list[Match]]:
        """What each frame matches."""


class Finding(msgspec.Struct, frozen=True, gc=False):
    """What was recognised in a broadcast, as it goes into the journal (event type `capture`)."""

    platform: str
    broadcast: str
    what: str
    bank: str
    entry: str
    at: int
    offset_ms: int
    capture_offset_ms: int
    frames: int
    seconds: float


class _Hit(msgspec.Struct, frozen=True, gc=False):
    offset_ms: int
    capture_ms: int
    words: Any


class _Watched(msgspec.Struct, gc=False):
    """One broadcast: hits by entry, and what was said of which entry already."""

    hits: dict[str, list[_Hit]] = {}
    said: set[tuple[str, str]] = set()


class Rolling:
    """The state of matching. Frames of a broadcast must come in order. ``frames`` and ``seconds``: so many distinct,
    consistent frames over so many seconds make a `rebroadcast`."""

    def __init__(self, matcher: Searching, frames: int = 3, seconds: float = 2.0, common: Words | None = None) -> None:
        self.matcher, self._frames, self._seconds = matcher, frames, seconds
        self._broadcasts: OrderedDict[tuple[str, str], _Watched] = OrderedDict()
        self.set_common(common if common is not None else np.empty((0, 4), np.uint64))

    def set_common(self, words: Words) -> None:
        """Frames that broadcasts have in common (black, logos, waiting screens) and that are ignored."""
        self._common = Index()
        if len(words):
            self._common.add(words, np.arange(len(words), dtype=np.uint64))
            self._common.flush()

    def observe(self, frames: list[Frame]) -> list[Finding]:
        """Look at frames, in order; what is new in them."""
        usable = [frame for frame in frames if frame.quality >= QUALITY]
        if not usable:
            return []
        words = from_bytes(b"".join(frame.pdq for frame in usable))
        ignored = set(self._common.query(words, COMMON).query.tolist())
        found: list[Finding] = []
        for number, matches in enumerate(self.matcher.frames(words)):
            if matches and number not in ignored:
                found += self._matched(usable[number], words[number], matches)
        return found

    def _matched(self, frame: Frame, words: Words, matches: list[Match]) -> list[Finding]:
        watched = self._of(frame)
        found = []
        for entry in dict.fromkeys(match.entry for match in matches):
            own = [match for match in matches if match.entry == entry]
            kept = [hit for hit in watched.hits.get(entry, ()) if frame.offset_ms - hit.offset_ms <= MEMORY_MS]
            hits = kept + [_Hit(frame.offset_ms, match.offset_ms, words) for match in own]
            watched.hits[entry] = hits = hits[-MAX_HITS:]
            agreed = self._agreed(hits) if own[0].video else []
            if agreed and (entry, "rebroadcast") not in watched.said:
                watched.said.add((entry, "rebroadcast"))
                seconds = (agreed[-1].offset_ms - agreed[0].offset_ms) / 1000
                found.append(_finding(frame, "rebroadcast", own[0], agreed[-1].capture_ms, len(agreed), seconds))
            elif not watched.said & {(entry, "known_capture"), (entry, "rebroadcast")}:
                watched.said.add((entry, "known_capture"))
                found.append(_finding(frame, "known_capture", own[0], own[0].offset_ms, 1, 0.0))
        return found

    def _of(self, frame: Frame) -> _Watched:
        place = frame.platform, frame.broadcast
        watched = self._broadcasts.pop(place, None) or _Watched()
        self._broadcasts[place] = watched
        while len(self._broadcasts) > MAX_BROADCASTS:
            self._broadcasts.popitem(last=False)
        return watched

    def _agreed(self, hits: list[_Hit]) -> list[_Hit]:
        """Distinct frames that agree with the last one on an offset, when they are enough; else none."""
        now = hits[-1].offset_ms
        for last in [hit for hit in hits if hit.offset_ms == now]:
            chosen: list[_Hit] = [last]
            for hit in reversed(hits):
                elapsed = now - hit.offset_ms
                played = last.capture_ms - hit.capture_ms
                if elapsed <= 0 or abs(played - elapsed) > SLACK_MS + SPEED * elapsed:
                    continue
                if played > 0 and all(int(distances(hit.words, other.words)) >= APART for other in chosen):
                    chosen.append(hit)
            chosen.reverse()
            if len(chosen) >= self._frames and now - chosen[0].offset_ms >= self._seconds * 1000:
                return chosen
        return []


def _finding(frame: Frame, what: str, match: Match, capture_ms: int, frames: int, seconds: float) -> Finding:
    return Finding(
        frame.platform, frame.broadcast, what, match.bank, match.entry, frame.at, frame.offset_ms, capture_ms, frames,
        seconds,
    )  # fmt: skip
