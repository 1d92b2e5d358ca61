"""Inner loops, compiled by numba: building the index's tables, searching them, looking at everything, placing a clip.

Only arrays go in and out; what they mean is in ``index``. Compiled code is kept beside this file, or in numba's cache.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

CHUNKS = 16
CHUNK_BITS = 16
KEYS = 1 << CHUNK_BITS

#: So many candidates ahead the memory is asked for: it is what a search waits for.
AHEAD = 16
#: So many fingerprints are laid out for vector instructions at a time: they stay in the first cache.
BLOCK = 512
#: When they are laid out, memory is asked for so many ahead; what lies beyond the end is never read.
LAID = 64
#: The bits that are turned in the mirrored picture's fingerprint (see ``bits.mirrored``).
_MIRROR = 0x5555555555555555

Array = Any


@intrinsic
def _ones(typing: Any, x: Any) -> Any:
    """How many bits are set: one instruction."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), code


@intrinsic
def _soon(typing: Any, hashes: Any, place: Any) -> Any:
    """Have the fingerprint at a place of a contiguous array (n, 4) fetched: it is read soon."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        offset = builder.mul(arguments[1], ir.Constant(arguments[1].type, 32))
        address = builder.gep(builder.bitcast(array.data, byte), [offset])
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        # To be read (0), to be kept (3), data (1).
        builder.call(function, [address, *(ir.Constant(word, value) for value in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(hashes, types.int64), code


@numba.njit(inline="always", cache=True)
def _apart(hashes: Array, place: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    return (
        _ones(hashes[place, 0] ^ a) + _ones(hashes[place, 1] ^ b) + _ones(hashes[place, 2] ^ c)
        + _ones(hashes[place, 3] ^ d)
    )  # fmt: skip


@numba.njit(inline="always", cache=True)
def _chunk(hashes: Array, place: Any, chunk: Any) -> Any:
    return np.int64((hashes[place, chunk >> 2] >> np.uint64((chunk & 3) * 16)) & np.uint64(0xFFFF))


@numba.njit(cache=True, nogil=True)
def build(hashes: Array, offsets: Array, postings: Array) -> None:
    """Fill the tables: ``offsets`` (16, 65537) and ``postings`` (16, n), places sorted by each chunk of 16 bits."""
    for chunk in range(CHUNKS):
        row = offsets[chunk]
        row[:] = 0
        for place in range(hashes.shape[0]):
            row[_chunk(hashes, place, chunk) + 1] += 1
        for key in range(KEYS):
            row[key + 1] += row[key]
        after = row[:KEYS].copy()
        for place in range(hashes.shape[0]):
            key = _chunk(hashes, place, chunk)
            postings[chunk, after[key]] = place
            after[key] += 1


@numba.njit(cache=True, nogil=True)
def _met_before(hashes: Array, place: Any, words: Array, chunk: Any, reach: Any) -> Any:
    """Whether an earlier chunk led here already."""
    for earlier in range(chunk):
        shift = np.uint64((earlier & 3) * 16)
        differs = ((hashes[place, earlier >> 2] ^ words[earlier >> 2]) >> shift) & np.uint64(0xFFFF)
        if _ones(differs) <= reach:
            return True
    return False


@numba.njit(cache=True, nogil=True)
def search(
    hashes: Array, offsets: Array, postings: Array, alive: Array, queries: Array, radius: int, out: Array
) -> int:
    """Every living place within ``radius`` (at most 31) of each query: rows (query, place, distance) of ``out``.

    Returns how many there are; when that is more than ``out`` holds, the rest was only counted.
    """
    found = 0
    reach = np.uint64(1 if radius > 15 else 0)
    limit = np.uint64(radius)
    flips = 17 if radius > 15 else 1
    for query in range(queries.shape[0]):
        words = queries[query]
        a, b, c, d = words[0], words[1], words[2], words[3]
        for chunk in range(CHUNKS):
            row = postings[chunk]
            own = np.int64((words[chunk >> 2] >> np.uint64((chunk & 3) * 16)) & np.uint64(0xFFFF))
            for flip in range(flips):
                key = own if flip == 0 else own ^ (1 << (flip - 1))
                start, end = offsets[chunk, key], offsets[chunk, key + 1]
                for at in range(start, min(start + AHEAD, end)):
                    _soon(hashes, np.int64(row[at]))
                for at in range(start, end):
                    if at + AHEAD < end:
                        _soon(hashes, np.int64(row[at + AHEAD]))
                    place = row[at]
                    apart = _apart(hashes, place, a, b, c, d)
                    if apart <= limit and alive[place] and not _met_before(hashes, place, words, chunk, reach):
                        if found < out.shape[0]:
                            out[found, 0], out[found, 1], out[found, 2] = query, place, apart
                        found += 1
    return found


@numba.njit(cache=True, nogil=True)
def _parted(hashes: Array, start: Any, size: Any, parts: Array) -> None:
    """Fingerprints from ``start`` on as four rows of words: bits that the mirror turns first, then those it leaves."""
    turned, one = np.uint64(_MIRROR), np.uint64(1)
    for at in range(size):
        _soon(hashes, start + at + LAID)
        a, b = hashes[start + at, 0], hashes[start + at, 1]
        c, d = hashes[start + at, 2], hashes[start + at, 3]
        parts[0, at] = (a & turned) | ((b & turned) << one)
        parts[1, at] = (c & turned) | ((d & turned) << one)
        parts[2, at] = ((a >> one) & turned) | (b & ~turned)
        parts[3, at] = ((c >> one) & turned) | (d & ~turned)


@numba.njit(cache=True, nogil=True)
def _nearest(p: Array, q: Array, r: Array, s: Array, size: Any, words: Array, both: Any) -> Any:
    """How near the nearest is; with ``both`` also to the mirrored picture. A loop that becomes vector instructions."""
    a, b, c, d = words[0], words[1], words[2], words[3]
    nearest, all_turned = np.uint64(256), np.uint64(128)
    if both:
        for at in range(size):
            turned = _ones(p[at] ^ a) + _ones(q[at] ^ b)
            nearest = min(nearest, _ones(r[at] ^ c) + _ones(s[at] ^ d) + min(turned, all_turned - turned))
    else:
        for at in range(size):
            apart = _ones(p[at] ^ a) + _ones(q[at] ^ b) + _ones(r[at] ^ c) + _ones(s[at] ^ d)
            nearest = min(nearest, apart)
    return nearest


@numba.njit(cache=True, nogil=True)
def scan(hashes: Array, alive: Array, count: int, queries: Array, both: bool, radius: int, out: Array) -> int:
    """What ``search`` finds, for any radius and without tables: by looking at the first ``count`` places.

    ``both``: query ``2 * n`` of a row is the n-th as it is, ``2 * n + 1`` its mirrored picture, which costs little more
    (of the bits that the mirror turns, those that were like are unlike and the other way round).
    Block after block, so that what is read from memory is read once for all queries; where in a block something is
    near is asked only when there is something.
    """
    found = 0
    limit, all_turned = np.uint64(radius), np.uint64(128)
    parts = np.empty((4, BLOCK), np.uint64)
    columns = np.empty((4, len(queries)), np.uint64)
    _parted(queries, 0, len(queries), columns)
    asked = columns.T.copy()
    for start in range(0, count, BLOCK):
        size = min(BLOCK, count - start)
        _parted(hashes, start, size, parts)
        for query in range(len(asked)):
            words = asked[query]
            if _nearest(parts[0], parts[1], parts[2], parts[3], size, words, both) > limit:
                continue
            for at in range(size):
                turned = _ones(parts[0, at] ^ words[0]) + _ones(parts[1, at] ^ words[1])
                other = _ones(parts[2, at] ^ words[2]) + _ones(parts[3, at] ^ words[3])
                for mirrored in range(2 if both else 1):
                    apart = other + (all_turned - turned if mirrored else turned)
                    if apart <= limit and alive[start + at]:
                        if found < out.shape[0]:
                            out[found, 0] = 2 * query + mirrored if both else query
                            out[found, 1], out[found, 2] = start + at, apart
                        found += 1
    return found


@numba.njit(cache=True, nogil=True)
def best_place(
    matrix: Array, at: Array, offsets: Array, starts: Array, speeds: Array, slack: float, charges: Any
) -> Any:
    """The least mean distance of all speeds and starts, the start's number, the speed; of several as good, the first.

    ``matrix`` (n, m): bits between each picture of a clip and each frame; where they lie in ms: ``at`` (n,), from the
    clip's first on, and ``offsets`` (m,). ``slack``: so far (ms) a picture may be from where its frame should be seen.
    ``charges``: so many frames are expected at least, what a missing one counts, what another speed costs (bits).
    """
    expected, missing, cost = charges
    best, best_step, best_speed = np.inf, 0, 1.0
    last = len(at) - 1
    for speed in speeds:
        for step in range(len(starts)):
            bits, count, right = 0, 0, 0
            # From a frame on that lies before all pictures: a millisecond more than can matter.
            first = np.searchsorted(offsets, starts[step] - (slack + 1) * speed)
            for frame in range(first, len(offsets)):
                wanted = (offsets[frame] - starts[step]) / speed
                if wanted > at[last] + slack:
                    break
                while right < last and at[right] < wanted:
                    right += 1
                near = right
                if right and not abs(at[right] - wanted) <= abs(at[right - 1] - wanted):
                    near = right - 1
                if abs(at[near] - wanted) <= slack:
                    bits += matrix[near, frame]
                    count += 1
            needed = max(float(count), expected)
            mean = (bits + (needed - count) * missing) / needed + abs(speed - 1) * cost
            if mean < best:
                best, best_step, best_speed = mean, step, speed
    return best, best_step, best_speed
