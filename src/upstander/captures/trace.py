"""Tracing: which broadcast of this installation a file was recorded from, and where in it.

A clip is hashed in many variants (see ``variants``). A few of its pictures are looked up; what is near votes for a
broadcast and an offset (``votes``); the best are then compared with all pictures of the clip (``placing``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures import pictures as files
from upstander.captures.bits import QUALITY, RADIUS, Words, mirrored
from upstander.captures.index import Found, Index
from upstander.captures.pictures import Picture, pdq_of
from upstander.captures.placing import MEAN, Placed, Stretch, placed, slack_of
from upstander.captures.recorded import Known, Recorded
from upstander.captures.variants import CROPS, Box, boxes, padded
from upstander.captures.votes import Candidate, Hits, candidates

#: Clips are traced in windows of so many seconds.
WINDOW_S = 40.0
#: So many pictures of a window are looked up, and up to so many bits away is near enough to vote.
PROBES = 3
NEAR = 88
#: They are chosen to lie so far apart within a second (ms), that one of them is near a frame of the broadcast in time.
PHASE = 250
#: So many (variant, broadcast, offset) are compared in full.
COMPARED = 12
#: From so small a mean on nothing further is tried: after the index, and after what is near without a crop.
SURE, GOOD = 30.0, 52.0


class Variant(msgspec.Struct, frozen=True, gc=False):
    """What was undone: the part of the picture that was kept, the crop made up for, whether it was mirrored."""

    box: Box
    crop: tuple[float, float]
    mirror: bool

    @property
    def words(self) -> str:
        """As a person reads it."""
        parts = [] if self.box.whole else ["borders"]
        parts += ["cropped"] if any(self.crop) else []
        parts += ["mirrored"] if self.mirror else []
        return ", ".join(parts) or "as it was"


class Clip(msgspec.Struct, frozen=True, gc=False):
    """A window of a file, hashed: offsets in ms (n,), and for each variant fingerprints (n, 4) and qualities (n,).

    Variants come in pairs: after each that is not mirrored the same mirrored, whose fingerprints follow from its own.
    """

    offsets: NDArray[np.int64]
    variants: tuple[Variant, ...]
    words: NDArray[np.uint64]
    quality: NDArray[np.int64]


class Trace(msgspec.Struct, frozen=True, gc=False):
    """Where a part of a file comes from. Offsets in ms: ``start_ms`` to ``end_ms`` of the file are the broadcast from
    ``offset_ms`` on, played at ``speed``. ``confidence``: 0 to 1. ``how``: what had been done to it."""

    platform: str
    broadcast: str
    no: int
    offset_ms: int
    start_ms: int
    end_ms: int
    speed: float
    confidence: float
    how: str
    pictures: int
    at: int = 0


def hashed(shown: Sequence[tuple[int, Picture]]) -> Clip:
    """Fingerprints of a window's pictures (offset in ms, picture) in all variants."""
    parts = boxes([picture for _, picture in shown])
    plain = [(box, crop) for box in parts for crop in CROPS]
    variants = [Variant(box, crop, mirror) for box, crop in plain for mirror in (False, True)]
    words = np.empty((len(variants), len(shown), 4), np.uint64)
    quality = np.empty((len(variants), len(shown)), np.int64)
    for number, (box, crop) in enumerate(plain):
        for at, (_, picture) in enumerate(shown):
            one, quality[2 * number : 2 * number + 2, at] = pdq_of(padded(box.of(picture), crop))
            words[2 * number, at], words[2 * number + 1, at] = one, mirrored(one)
    return Clip(np.array([offset for offset, _ in shown], np.int64), tuple(variants), words, quality)


def windows(path: Path) -> Iterable[Clip]:
    """A file's windows, hashed. Short files are looked at more closely."""
    seconds = files.duration_ms(path) / 1000
    rate = 3.0 if seconds <= WINDOW_S else 1.5
    window: list[tuple[int, Picture]] = []
    for offset, picture in files.pictures(path, rate, files.SMALL):
        if window and offset - window[0][0] >= WINDOW_S * 1000:
            yield hashed(window)
            window = []
        window.append((offset, picture))
    if window:
        yield hashed(window)


def trace_file(recorded: Recorded, path: Path) -> list[Trace]:
    """The broadcasts that a file was taken from, in the order of the file. Raises ``CaptureError`` (unreadable)."""
    found: list[Trace] = []
    for clip in windows(path):
        one = trace_clip(recorded, clip)
        if one is None:
            continue
        if found and _goes_on(found[-1], one):
            last = found.pop()
            together = last.pictures + one.pictures
            confidence = 1 - (1 - last.confidence) * (1 - one.confidence)
            one = msgspec.structs.replace(
                last, end_ms=one.end_ms, pictures=together, confidence=round(confidence, 4)
            )  # fmt: skip
        found.append(one)
    return [msgspec.structs.replace(one, at=recorded.at_of(one.no, one.offset_ms)) for one in found]


def _goes_on(last: Trace, one: Trace) -> bool:
    expected = last.offset_ms + (one.start_ms - last.start_ms) * last.speed
    return last.no == one.no and abs(one.offset_ms - expected) < 3000 + 0.02 * (one.start_ms - last.start_ms)


def trace_clip(recorded: Recorded, clip: Clip) -> Trace | None:
    """Where one window comes from; ``None`` when that is not clear.

    What is not cropped is mostly found by the index, or near it; only when it is not, every crop is looked for.
    """
    best: _Best = None
    for enough, hits in _searches(recorded.index(), clip):
        best = _better(recorded, clip, candidates(hits, clip.offsets, COMPARED), best)
        if best is not None and best[0].mean <= enough:
            break
    if best is None:
        return None
    place, candidate, known = best
    return _told(clip, candidate.variant, known, place)


def _searches(index: Index, clip: Clip) -> Iterator[tuple[float, Hits]]:
    """What is near the clip's pictures, search after search, each with the mean that makes further ones needless."""
    order = _probes(clip)
    if not len(order):
        return
    # Only those as they are: the mirrored ones lie beside them.
    crops = [variant.crop for variant in clip.variants[::2]]
    plain = [2 * at for at, (rows, columns) in enumerate(crops) if rows == columns == 0]
    evenly = [2 * at for at, (rows, columns) in enumerate(crops) if rows == columns != 0]
    unevenly = [2 * at for at, (rows, columns) in enumerate(crops) if rows != columns]
    asked = _asked(plain, order)
    found = index.query(np.stack([clip.words[*asked.T], mirrored(clip.words[*asked.T])], axis=1), RADIUS)
    yield SURE, _hits(asked, found)
    yield GOOD, _hits(asked, index.scan(clip.words[*asked.T], NEAR, both=True))
    # All is looked through once for both, but what is cropped evenly is tried first.
    asked = _asked(evenly + unevenly, order)
    hits = _hits(asked, index.scan(clip.words[*asked.T], NEAR, both=True))
    for chosen in (evenly, unevenly):
        among = np.isin(hits.variant // 2 * 2, chosen)
        yield MEAN, Hits(hits.variant[among], hits.picture[among], hits.key[among], hits.distance[among])


def _asked(variants: Sequence[int], order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Each of the variants with each of the pictures: (n, 2)."""
    return np.array([(variant, picture) for variant in variants for picture in order], np.int64).reshape(-1, 2)


def _hits(asked: NDArray[np.int64], found: Found) -> Hits:
    """What was found of (variant, picture), and of the variant after it, which is its mirrored one."""
    pair, mirror = found.query // 2, found.query % 2
    return Hits(asked[pair, 0] + mirror, asked[pair, 1], found.key, found.distance)


_Best = tuple[Placed, Candidate, Known] | None


def _better(recorded: Recorded, clip: Clip, some: Sequence[Candidate], best: _Best) -> _Best:
    """The candidate that fits best when every picture is compared, if it fits better than the best so far."""
    for candidate in some:
        good = clip.quality[candidate.variant] >= QUALITY
        if good.sum() < 2:
            continue
        own = Stretch(clip.offsets[good] - clip.offsets[0], clip.words[candidate.variant][good])
        starts = [start + float(clip.offsets[0]) for start in candidate.starts]
        reach = 4000 + slack_of(own.at)
        spans = [(start - reach, start + float(own.at[-1]) * 1.06 + reach) for start in starts]
        recording = recorded.stretches(candidate.no, spans)
        one = placed(own, Stretch(recording.offsets, recording.words), starts, best[0].mean if best else np.inf)
        known = recorded.known(candidate.no) if one else None
        if one is not None and known is not None:
            best = one, candidate, known
    return best


def _probes(clip: Clip) -> NDArray[np.int64]:
    """Pictures to look up: of quality, at different parts of a second, as different from each other as there are."""
    good = [int(at) for at in np.flatnonzero(clip.quality[0] >= QUALITY)]
    chosen = good[:1]
    while good and len(chosen) < PROBES:
        apart = {at: min(_bits(clip.words[0, at], clip.words[0, other]) for other in chosen) for at in good}
        spread = [at for at in good if all(_phase(clip.offsets[at] - clip.offsets[other]) >= PHASE for other in chosen)]
        # What is the same as one before tells nothing new, wherever in a second it lies.
        most = max(spread, key=apart.__getitem__, default=good[0])
        if not apart[most]:
            most = max(good, key=apart.__getitem__)
        if not apart[most]:
            break
        chosen.append(most)
    return np.array(sorted(chosen), np.int64)


def _phase(between_ms: np.int64) -> int:
    """How far two times are from being whole seconds apart (ms)."""
    return min(int(between_ms) % 1000, int(-between_ms) % 1000)


def _bits(left: Words, right: Words) -> int:
    return int(np.bitwise_count(left ^ right).sum())


def _told(clip: Clip, variant: int, known: Known, placed: Placed) -> Trace:
    first, last = int(clip.offsets[0]), int(clip.offsets[-1])
    # What lies a step of the broadcast's frames from the window's ends is not known not to be of it.
    start, end = max(first, round(first + placed.first - 1000)), min(last, round(first + placed.last + 1000))
    offset = placed.offset + (start - first) * placed.speed
    confidence = 1 / (1 + np.exp((placed.mean - MEAN - 2) / 5))
    how = clip.variants[variant].words
    return Trace(
        known.platform, known.broadcast, known.no, max(0, round(offset)), start, end, round(placed.speed, 4),
        round(float(confidence), 4), how, placed.count,
    )  # fmt: skip
