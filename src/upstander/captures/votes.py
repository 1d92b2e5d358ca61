"""Votes for where a clip may come from: pictures near a clip's own that agree on a broadcast and an offset.

Only what the index found goes in; whether a candidate fits in full is for ``placing`` to say.
"""

from __future__ import annotations

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures.recorded import OFFSET_BITS

#: Of so many nearest fingerprints each votes; and so many offsets of each candidate are tried.
MOST_VOTES = 20_000
OFFSETS = 6
#: Offsets that differ by less than about this are one (ms).
CELL_MS = 2000


class Hits(msgspec.Struct, frozen=True, gc=False):
    """What was found near a clip's pictures, as columns: the variant's number, the picture's number in the clip, the
    key of what is near it, and how many bits it is away."""

    variant: NDArray[np.int64]
    picture: NDArray[np.int64]
    key: NDArray[np.uint64]
    distance: NDArray[np.int64]


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A variant that may be of the broadcast ``no``: the offsets (ms) at which the file would begin, best first."""

    variant: int
    no: int
    starts: tuple[float, ...]


def candidates(hits: Hits, offsets: NDArray[np.int64], most: int) -> list[Candidate]:
    """The ``most`` candidates with the most votes, best first. ``offsets``: of the clip's pictures (n,), in ms.

    Pictures that agree on an offset within some seconds add up, the nearer the more.
    """
    nearest = np.argsort(hits.distance, kind="stable")[:MOST_VOTES]
    if not len(nearest):
        return []
    variant, picture, bits = hits.variant[nearest], hits.picture[nearest], hits.distance[nearest]
    no = (hits.key[nearest] >> np.uint64(OFFSET_BITS)).astype(np.int64)
    offset = (hits.key[nearest] & np.uint64((1 << OFFSET_BITS) - 1)).astype(np.int64)
    cell = np.rint((offset - offsets[picture]) / CELL_MS).astype(np.int64)
    places, place = np.unique(np.stack([variant, no], axis=1), axis=0, return_inverse=True)
    place = place.reshape(-1)
    own, own_bits = _least(np.stack([place, cell, picture], axis=1), bits)
    # A cell has the votes of the next one, too: offsets do not end where a cell does.
    cells = np.unique(own[:, :2], axis=0)
    before = own - np.array([0, 1, 0])
    there = _within(before[:, :2], cells)
    both, both_bits = _least(np.concatenate([own, before[there]]), np.concatenate([own_bits, own_bits[there]]))
    first = _firsts(both[:, :2])
    weight = np.add.reduceat(128 - both_bits, first)
    place, cell = both[first, 0], both[first, 1]
    order = np.lexsort((-cell, -weight, place))
    place, cell, weight = place[order], cell[order], weight[order]
    first = _firsts(place[:, None])
    ends = np.append(first[1:], len(place))
    ranked = np.lexsort((place[first], -weight[first]))[:most]
    found = []
    for at in ranked:
        start, end = first[at], min(ends[at], first[at] + OFFSETS)
        variant_no, number = places[place[start]]
        starts = tuple(float(CELL_MS * one + CELL_MS // 2) for one in cell[start:end])
        found.append(Candidate(int(variant_no), int(number), starts))
    return found


def _firsts(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where in sorted rows (n, k) each new row is."""
    differs = np.ones(len(rows), np.bool_)
    differs[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    return np.flatnonzero(differs)


def _least(rows: NDArray[np.int64], bits: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows (n, 3) sorted, each once, with the least bits of each."""
    order = np.lexsort((bits, rows[:, 2], rows[:, 1], rows[:, 0]))
    rows, bits = rows[order], bits[order]
    first = _firsts(rows)
    return rows[first], bits[first]


def _within(rows: NDArray[np.int64], known: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the rows (n, 2) are among the known ones, whose second column may be of any size."""
    low = min(int(rows[:, 1].min()), int(known[:, 1].min()))
    span = max(int(rows[:, 1].max()), int(known[:, 1].max())) - low + 1
    return np.isin(rows[:, 0] * span + rows[:, 1] - low, known[:, 0] * span + known[:, 1] - low)
