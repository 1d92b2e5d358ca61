"""Tracing: which broadcast of this installation a file was recorded from, and where in it.

A clip is hashed in many variants (see ``variants``). A few of its pictures are looked up; what is near votes for a
broadcast and an offset; the best are then compared with all pictures of the clip, at any speed within five percent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures import pictures as files
from upstander.captures.bits import QUALITY, RADIUS, Words, distinct, mirrored
from upstander.captures.index import Found
from upstander.captures.pictures import Picture, pdq_of
from upstander.captures.recorded import OFFSET_BITS, Known, Recorded
from upstander.captures.variants import CROPS, Box, boxes, padded

#: Clips are traced in windows of so many seconds.
WINDOW_S = 40.0
#: So many pictures of a window are looked up, and up to so many bits away is near enough to vote.
PROBES = 5
NEAR = 88
#: So many (variant, broadcast, offset) are compared in full.
COMPARED = 12
#: Of so many nearest fingerprints each votes; and so many offsets of each are tried, in these steps (ms).
MOST_VOTES = 20_000
OFFSETS = 6
STEPS = np.arange(-3000, 3001, 125)
#: Speeds that are tried.
SPEEDS = (1.0, *(round(1 + sign * step / 400, 4) for step in range(1, 21) for sign in (-1, 1)))
#: The few that are tried first; when none of them is within so many bits of a trace, no other speed would be one.
COARSE, HOPELESS = (1.0, 0.95, 0.975, 1.025, 1.05), 24.0
#: At least so many frames of the broadcast are expected in a window; fewer count against it.
MIN_FRAMES = 4
#: A trace: mean distance at most this, and so many pictures that differ from each other by APART bits.
MEAN = 76.0
DISTINCT = 3
APART = 16
#: From so small a mean on nothing further is tried: after the index, and after what is near without a crop.
SURE, GOOD = 30.0, 52.0
#: What looks the same all the time proves little: then the pictures must be the same in nearly all bits.
STILL_MEAN = 26.0


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
    """A window of a file, hashed: offsets in ms (n,), and for each variant fingerprints (n, 4) and qualities (n,)."""

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
    order = _probes(clip)
    if not len(order):
        return None
    index = recorded.index()
    crops = [variant.crop for variant in clip.variants]
    plain = np.array([at for at, (rows, columns) in enumerate(crops) if rows == columns == 0], np.int64)
    evenly = np.array([at for at, (rows, columns) in enumerate(crops) if rows == columns != 0], np.int64)
    unevenly = np.array([at for at, (rows, columns) in enumerate(crops) if rows != columns], np.int64)
    best: tuple[float, Trace] | None = None
    # The more variants there are to look for, the fewer pictures of each: all is looked through for every one.
    for chosen, radius, enough, probes in (
        (plain, RADIUS, SURE, PROBES), (plain, NEAR, GOOD, PROBES), (evenly, NEAR, MEAN, 4), (unevenly, NEAR, MEAN, 3),
    ):  # fmt: skip
        some = order[np.linspace(0, len(order) - 1, min(probes, len(order))).astype(int)]
        queries = clip.words[np.ix_(chosen, some)].reshape(-1, 4)
        found = index.query(queries, radius) if radius <= RADIUS else index.scan(queries, radius)
        one = _best(recorded, clip, _votes(clip, chosen, some, found))
        if one is not None and (best is None or one[0] < best[0]):
            best = one
        if best is not None and best[0] <= enough:
            break
    return best[1] if best else None


def _best(
    recorded: Recorded, clip: Clip, candidates: list[tuple[tuple[int, int], list[float]]]
) -> tuple[float, Trace] | None:
    """The candidate that fits best when every picture is compared, and its mean distance."""
    best: tuple[float, Trace] | None = None
    span = int(clip.offsets[-1] - clip.offsets[0])
    for (variant, no), deltas in candidates[:COMPARED]:
        start = min(deltas) + clip.offsets[0] - 4000
        end = max(deltas) + clip.offsets[0] + span * 1.06 + 4000
        recording = recorded.recording(no, max(0, int(start)), int(end))
        placed = _placed(clip, variant, recording.offsets, recording.words, deltas)
        if placed is None or (best is not None and placed.mean >= best[0]):
            continue
        known = recorded.known(no)
        if known is not None:
            best = placed.mean, _told(clip, variant, known, placed)
    return best


class _Placed(msgspec.Struct, frozen=True):
    """A place that fits: the mean distance, the offset of the window's first picture, the speed, how many frames of
    the broadcast were compared, and where in the window the first and the last of them lie (ms)."""

    mean: float
    offset: float
    speed: float
    count: int
    first: float
    last: float


def _votes(
    clip: Clip, chosen: NDArray[np.int64], order: NDArray[np.int64], found: Found
) -> list[tuple[tuple[int, int], list[float]]]:
    """(variant, broadcast) with the offsets of the window's start that were voted for, best first.

    Pictures that agree on an offset within some seconds add up, the nearer the more.
    """
    cells: dict[tuple[int, int, int], dict[int, int]] = defaultdict(dict)
    for at in np.argsort(found.distance, kind="stable")[:MOST_VOTES]:
        number, probe = divmod(int(found.query[at]), len(order))
        key = int(found.key[at])
        no, offset = key >> OFFSET_BITS, key & ((1 << OFFSET_BITS) - 1)
        delta = offset - int(clip.offsets[order[probe]])
        cells[int(chosen[number]), no, round(delta / 2000)].setdefault(probe, int(found.distance[at]))
    weights: dict[tuple[int, int], list[tuple[float, int]]] = defaultdict(list)
    for (variant, no, cell), probes in cells.items():
        both = dict(cells.get((variant, no, cell + 1), {}))
        for probe, bits in probes.items():
            both[probe] = min(bits, both.get(probe, bits))
        weights[variant, no].append((sum(128.0 - bits for bits in both.values()), cell))
    ranked = []
    for place, votes in weights.items():
        votes.sort(reverse=True)
        ranked.append((-votes[0][0], place, [2000.0 * cell + 1000 for _, cell in votes[:OFFSETS]]))
    ranked.sort()
    return [(place, deltas) for _, place, deltas in ranked]


def _probes(clip: Clip) -> NDArray[np.int64]:
    """Pictures to look up: of quality, and as different from each other as there are."""
    good = [int(at) for at in np.flatnonzero(clip.quality[0] >= QUALITY)]
    chosen = good[:1]
    while len(chosen) < min(PROBES, len(good)):
        apart = [min(_bits(clip.words[0, at], clip.words[0, other]) for other in chosen) for at in good]
        if max(apart) == 0:
            break
        chosen.append(good[int(np.argmax(apart))])
    return np.array(sorted(chosen), np.int64)


def _bits(left: Words, right: Words) -> int:
    return int(np.bitwise_count(left ^ right).sum())


def _placed(
    clip: Clip, variant: int, offsets: NDArray[np.int64], words: Words, deltas: Sequence[float]
) -> _Placed | None:
    """The best place and speed near these offsets: each frame of the broadcast is compared with the window's picture
    that should be the same; ``None`` when none fits."""
    good = clip.quality[variant] >= QUALITY
    if not len(offsets) or good.sum() < 2:
        return None
    own, at = clip.words[variant][good], clip.offsets[good] - clip.offsets[0]
    matrix = np.bitwise_count(own[:, None, :] ^ words[None]).sum(axis=2)
    columns = np.arange(len(offsets))
    gap = float(np.median(np.diff(at))) if len(at) > 1 else 1000.0
    slack = max(gap * 0.75, 250.0)
    starts = np.concatenate([delta + clip.offsets[0] + STEPS for delta in deltas])
    best: tuple[float, float, float, NDArray[np.int64], NDArray[np.bool_]] | None = None
    for round_of in (COARSE, SPEEDS) if at[-1] > 4000 else ((1.0,),):
        if best is not None and best[0] > MEAN + HOPELESS:
            return None
        for speed in round_of:
            # Where in the window each frame of the broadcast should be seen: starts x frames.
            wanted = (offsets[None] - starts[:, None]) / speed
            right = np.clip(np.searchsorted(at, wanted), 0, len(at) - 1)
            left = np.maximum(right - 1, 0)
            near = np.where(np.abs(at[right] - wanted) <= np.abs(at[left] - wanted), right, left)
            lies = np.abs(at[near] - wanted) <= slack
            count = lies.sum(axis=1)
            bits = np.where(lies, matrix[near, columns[None]], 0).sum(axis=1)
            # Frames that should be there and are not count as unlike; of two as good, the usual speed is likelier.
            needed = np.maximum(count, MIN_FRAMES)
            mean = (bits + (needed - count) * 128) / needed + abs(speed - 1) * 30
            step = int(np.argmin(mean))
            if best is None or mean[step] < best[0]:
                best = float(mean[step]), float(starts[step]), float(speed), near[step], lies[step]
    if best is None or not best[4].any():
        return None
    mean, start, speed, near, lies = best
    seen = at[near[lies]]
    differing = distinct(words[lies], APART)
    if mean <= (MEAN if differing >= DISTINCT else STILL_MEAN):
        return _Placed(mean, start, speed, int(lies.sum()), float(seen.min()), float(seen.max()))
    return None


def _told(clip: Clip, variant: int, known: Known, placed: _Placed) -> Trace:
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
