"""Placing a clip: all its pictures compared with a stretch of a broadcast, at any speed within five percent.

Arrays go in, the best place comes out; which stretches are worth it is for ``votes``, what it means for ``trace``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures.bits import Words, distinct
from upstander.captures.kernels import best_place

#: Offsets around one that was voted for that are tried (ms).
STEPS = np.arange(-3000, 3001, 125)
#: Speeds that are tried.
SPEEDS = np.array([1.0, *(round(1 + sign * step / 400, 4) for step in range(1, 21) for sign in (-1, 1))])
#: The few that are tried first; when none of them is within so many bits of a trace, no other speed would be one.
COARSE, HOPELESS = np.array([1.0, 0.95, 0.975, 1.025, 1.05]), 24.0
#: At least so many frames of the broadcast are expected in a window; fewer count against it.
MIN_FRAMES = 4
#: A trace: mean distance at most this, and so many pictures that differ from each other by APART bits.
MEAN = 76.0
DISTINCT = 3
APART = 16
#: What looks the same all the time proves little: then the pictures must be the same in nearly all bits.
STILL_MEAN = 26.0
#: What a frame counts that should be there and is not: as unlike as two pictures are.
MISSING = 128
#: Another speed than the usual one costs so many bits: of two places as good, the usual speed is likelier.
SPEED_COST = 30.0


class Placed(msgspec.Struct, frozen=True):
    """A place that fits: the mean distance, the offset of the window's first picture, the speed, how many frames of
    the broadcast were compared, and where in the window the first and the last of them lie (ms)."""

    mean: float
    offset: float
    speed: float
    count: int
    first: float
    last: float


class Stretch(msgspec.Struct, frozen=True, gc=False):
    """Pictures in order of time: where they lie in ms (n,), and their fingerprints (n, 4)."""

    at: NDArray[np.int64]
    words: Words


def slack_of(at: NDArray[np.int64]) -> float:
    """So far (ms) a picture of a clip may be from where a frame of the broadcast should be seen."""
    gap = float(np.median(np.diff(at))) if len(at) > 1 else 1000.0
    return max(gap * 0.75, 250.0)


def placed(own: Stretch, broadcast: Stretch, starts: Sequence[float], below: float = np.inf) -> Placed | None:
    """The best place and speed near ``starts`` (offsets in ms of the window's first picture), when it is one at all and
    its mean is less than ``below``.

    ``own``: the window's pictures, ``at`` from its first one on. Each frame of the broadcast is compared with the
    window's picture that should be the same.
    """
    if not len(broadcast.at) or len(own.at) < 2:
        return None
    matrix = _matrix(own.words, broadcast.words)
    floor = lowest(matrix)
    if floor > MEAN or floor >= below:
        return None
    slack = slack_of(own.at)
    at, offsets = own.at.astype(np.float64), broadcast.at.astype(np.float64)
    tried = np.concatenate([start + STEPS for start in starts])
    charges = float(MIN_FRAMES), float(MISSING), SPEED_COST
    best = np.inf, 0, 1.0
    for round_of in (COARSE, SPEEDS) if own.at[-1] > 4000 else (COARSE[:1],):
        if best[0] != np.inf and best[0] > MEAN + HOPELESS:
            return None
        mean, step, speed = best_place(matrix, at, offsets, tried, round_of, slack, charges)
        if mean < best[0]:
            best = mean, step, speed
    mean, step, speed = best
    wanted = (offsets - tried[step]) / speed
    near = _nearest(at, wanted)
    lies = np.abs(at[near] - wanted) <= slack
    if not lies.any() or mean >= below:
        return None
    differing = distinct(broadcast.words[lies], APART)
    if mean > (MEAN if differing >= DISTINCT else STILL_MEAN):
        return None
    seen = at[near[lies]]
    return Placed(mean, float(tried[step]), speed, int(lies.sum()), float(seen.min()), float(seen.max()))


def lowest(matrix: NDArray[np.uint16]) -> float:
    """What no place's mean is below: as if each of the likest frames met the picture that is likest to it."""
    columns = np.minimum(matrix.min(axis=0), MISSING)
    short = max(MIN_FRAMES - len(columns), 0)
    likest = np.partition(columns, MIN_FRAMES - 1)[:MIN_FRAMES] if not short else columns
    return (int(likest.sum()) + short * MISSING) / MIN_FRAMES


def _matrix(own: Words, words: Words) -> NDArray[np.uint16]:
    """How many bits each picture (n, 4) is from each frame (m, 4): (n, m)."""
    bits: NDArray[np.uint16] = np.bitwise_count(own[:, None, :] ^ words[None]).sum(axis=2, dtype=np.uint16)
    return bits


def _nearest(at: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """The picture nearest in time to each that is wanted; of two as near, the later one."""
    right = np.clip(np.searchsorted(at, wanted), 0, len(at) - 1)
    left = np.maximum(right - 1, 0)
    near: NDArray[np.int64] = np.where(np.abs(at[left] - wanted) < np.abs(at[right] - wanted), left, right)
    return near
