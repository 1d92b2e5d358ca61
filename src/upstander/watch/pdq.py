"""The PDQ hash of a frame, straight from its luma plane. Comparing hashes and the banks of known ones are not here.

Source: "The TMK+PDQF Video-Hashing Algorithm and the PDQ Image-Hashing Algorithm" (Facebook, 2019). The reference blurs
the whole picture twice with a box and then keeps 64 x 64 samples; only those samples are computed here, by the same
weights, which is the same hash at a small part of the cost.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SIDE, KEPT = 64, 16
#: Below this side length the reference gives no hash.
MIN_SIDE = 5
#: Hashes of a lower quality match by chance: the reference's authors advise not to use them.
GOOD_QUALITY = 50

Plane = NDArray[np.uint8]
Matrix = NDArray[np.float32]


def _dct() -> Matrix:
    row, column = np.arange(1, KEPT + 1)[:, None], np.arange(SIDE)[None, :]
    wave = np.cos(np.pi / 2 / SIDE * row * (2 * column + 1)) * np.sqrt(2 / SIDE)
    return np.asarray(wave, np.float32)


_DCT = _dct()


def _window(at: int, length: int, size: int) -> tuple[int, int]:
    """The first and the last place that the reference's box averages for the place ``at``."""
    half = (size + 2) // 2
    return max(0, at - (size - half)), min(length - 1, at + half - 1)


@lru_cache(maxsize=64)
def _weights(length: int) -> tuple[NDArray[np.intp], Matrix]:
    """For each of 64 samples along a side of this length: the places it is made of and their weights, ``(64, k)``."""
    size = (length + 2 * SIDE - 1) // (2 * SIDE)
    rows = []
    for sample in range(SIDE):
        at = int((sample + 0.5) * length / SIDE)
        if length == SIDE:
            rows.append({at: 1.0})
            continue
        row: dict[int, float] = {}
        outer = _window(at, length, size)
        for middle in range(outer[0], outer[1] + 1):
            inner = _window(middle, length, size)
            share = 1.0 / (outer[1] - outer[0] + 1) / (inner[1] - inner[0] + 1)
            for place in range(inner[0], inner[1] + 1):
                row[place] = row.get(place, 0.0) + share
        rows.append(row)
    widest = max(len(row) for row in rows)
    places, weights = np.zeros((SIDE, widest), np.intp), np.zeros((SIDE, widest), np.float32)
    for number, row in enumerate(rows):
        places[number, : len(row)] = list(row)
        weights[number, : len(row)] = list(row.values())
    return places, weights


@lru_cache(maxsize=64)
def _across(length: int) -> Matrix:
    """The same weights as a matrix ``(length, 64)``."""
    places, weights = _weights(length)
    matrix = np.zeros((length, SIDE), np.float32)
    np.add.at(matrix, (places, np.arange(SIDE)[:, None]), weights)
    return matrix


def shrink(plane: Plane) -> Matrix:
    """The 64 x 64 samples of a plane ``(height, width)`` of 8-bit values, as the reference blurs and decimates it."""
    places, weights = _weights(plane.shape[0])
    rows = np.matmul(weights[:, None, :], plane[places].astype(np.float32))[:, 0, :]
    return np.asarray(rows @ _across(plane.shape[1]))


def quality(samples: Matrix) -> int:
    """How much structure there is, 0 to 100, of 64 x 64 samples on the scale 0 to 255."""
    total = 0.0
    for axis in (0, 1):
        steps = np.diff(samples, axis=axis) * np.float32(100) / np.float32(255)
        total += float(np.abs(np.trunc(steps)).sum())
    return min(100, int(total) // 90)


def bits(samples: Matrix) -> bytes:
    """The hash, 32 bytes, of 64 x 64 samples. A constant added to or a positive factor on them changes nothing."""
    waves = (_DCT @ samples @ _DCT.T).ravel()
    # The reference's median is the lower one of an even number of values.
    above = waves > np.partition(waves, 127)[127]
    return np.packbits(above[::-1]).tobytes()


def hash_of(plane: Plane) -> tuple[str, int]:
    """``(64 hexadecimal digits, quality)`` of a plane of full-range luma, or grey. Too small a plane: all zeros, 0."""
    if min(plane.shape) < MIN_SIDE:
        return "0" * 64, 0
    samples = shrink(plane)
    return bits(samples).hex(), quality(samples)
