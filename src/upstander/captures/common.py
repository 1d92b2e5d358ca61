"""Frames that many broadcasts have in common: black, logos, waiting screens. Learned from what was broadcast here.

A frame is common when so many different broadcasts showed it. What a bank knows is never learned as common: a capture
that is broadcast again and again must not become invisible by it.
"""

from __future__ import annotations

import numpy as np

from upstander.captures.bits import QUALITY, Words, from_bytes, stacked, to_bytes
from upstander.captures.live import COMMON, Searching
from upstander.captures.recorded import OFFSET_BITS, Recorded

#: So many frames of a broadcast are looked at, spread over all of it.
SAMPLED = 60
#: Frames this near are the same screen.
NEAR = 12
#: At most so many common frames are kept, those that most broadcasts share.
MOST = 5_000


def learn(
    recorded: Recorded, matcher: Searching | None, now_ms: int, broadcasts: int = 5, quiet_ms: int = 600_000
) -> int:
    """Look at broadcasts that have been quiet for a while and were not looked at yet; how many frames were learned."""
    sql = "SELECT no FROM broadcasts WHERE last_at < ? AND no NOT IN (SELECT no FROM looked) ORDER BY no LIMIT 200"
    learned = 0
    for (no,) in recorded.connection.execute(sql, (now_ms - quiet_ms,)).fetchall():
        recording = recorded.recording(no)
        good = np.flatnonzero(recording.quality >= QUALITY)
        chosen = good[np.linspace(0, len(good) - 1, min(SAMPLED, len(good))).astype(int)] if len(good) else good
        words = recording.words[chosen]
        shared = _shared(recorded, words) if len(words) else np.empty(0, np.int64)
        known = matcher.frames(words) if matcher is not None and len(words) else [[] for _ in words]
        with recorded.transaction():
            for word, count, matches in zip(words, shared.tolist(), known, strict=True):
                if count < broadcasts or matches or _is_kept(recorded, word):
                    continue
                values = (to_bytes(word), count, now_ms)
                recorded.connection.execute("INSERT OR REPLACE INTO common VALUES (?, ?, ?)", values)
                learned += 1
            recorded.connection.execute("INSERT OR IGNORE INTO looked VALUES (?)", (no,))
    return learned


def _shared(recorded: Recorded, words: Words) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """In how many broadcasts each frame was shown."""
    found = recorded.index().query(words, NEAR)
    pairs = np.unique(np.stack([found.query, (found.key >> np.uint64(OFFSET_BITS)).astype(np.int64)]), axis=1)
    return np.bincount(pairs[0], minlength=len(words))


def _is_kept(recorded: Recorded, word: Words) -> bool:
    kept = common(recorded)
    return bool(len(kept)) and bool((np.bitwise_count(kept ^ word).sum(axis=1) <= COMMON // 2).any())


def common(recorded: Recorded) -> Words:
    """The common frames (n, 4)."""
    sql = "SELECT pdq FROM common ORDER BY broadcasts DESC, pdq LIMIT ?"
    return stacked([from_bytes(row[0]) for row in recorded.connection.execute(sql, (MOST,))])
