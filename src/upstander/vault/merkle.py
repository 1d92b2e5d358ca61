"""The Merkle tree of RFC 6962 (section 2.1): roots, inclusion proofs and consistency proofs, made and checked.

Pure functions. Nodes of complete subtrees come from a look-up ``node(level, index)``: level 0 holds the leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

#: The hash of the complete subtree at ``(level, index)``: leaves ``index * 2**level`` up to the next one's first.
Node = Callable[[int, int], bytes]
#: The root of a tree without leaves.
EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (32 bytes)."""
    return hashlib.sha256(b"\x00" + data).digest()


def parent_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (32 bytes)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def added(index: int, leaf: bytes, node: Node) -> list[tuple[int, int, bytes]]:
    """The complete nodes ``(level, index, hash)`` that come to be when leaf number ``index`` (from 0) is appended."""
    level, new = 0, [(0, index, leaf)]
    while index % 2:
        leaf = parent_hash(node(level, index - 1), leaf)
        level, index = level + 1, index // 2
        new.append((level, index, leaf))
    return new


def lookup(leaves: Sequence[bytes]) -> Node:
    """A look-up over leaves (their hashes) that are all at hand."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([parent_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, index: levels[level][index]


def root(size: int, node: Node) -> bytes:
    """The root of the tree of the first ``size`` leaves."""
    return _range(0, size, node) if size else EMPTY


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """The audit path of leaf ``index`` (from 0) in the tree of ``size`` leaves, lowest first."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    return _path(index, 0, size, node)


def consistency(first: int, second: int, node: Node) -> list[bytes]:
    """The proof that the tree of ``first`` leaves is the beginning of the tree of ``second``."""
    if not 0 < first <= second:
        raise ValueError(f"a tree of {first} cannot be the beginning of one of {second}")
    return [] if first == second else _subproof(first, 0, second, True, node)


def includes(index: int, size: int, leaf: bytes, path: Sequence[bytes], expected: bytes) -> bool:
    """Whether ``path`` proves that the leaf is number ``index`` of a tree of this size and root (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    at, last, digest = index, size - 1, leaf
    for step in path:
        if last == 0:
            return False
        if at % 2 or at == last:
            digest = parent_hash(step, digest)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            digest = parent_hash(digest, step)
        at, last = at >> 1, last >> 1
    return last == 0 and digest == expected


def extends(first: int, second: int, old: bytes, new: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the tree (``first``, ``old``) is the beginning of (``second``, ``new``)
    (RFC 9162, 2.1.4.2)."""
    if first == second:
        return old == new and not proof
    if not 0 < first < second or not proof:
        return False
    steps = list(proof)
    if first & (first - 1) == 0:
        steps.insert(0, old)
    at, last = first - 1, second - 1
    while at % 2:
        at, last = at >> 1, last >> 1
    before = after = steps[0]
    for step in steps[1:]:
        if last == 0:
            return False
        if at % 2 or at == last:
            before, after = parent_hash(step, before), parent_hash(step, after)
            while at % 2 == 0 and at:
                at, last = at >> 1, last >> 1
        else:
            after = parent_hash(after, step)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old and after == new


def _split(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << ((size - 1).bit_length() - 1)


def _range(low: int, high: int, node: Node) -> bytes:
    """The hash over leaves ``low`` up to (not including) ``high``; ``low`` is a multiple of the size's power of two."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(size)
    return parent_hash(_range(low, middle, node), _range(middle, high, node))


def _path(index: int, low: int, high: int, node: Node) -> list[bytes]:
    if high - low == 1:
        return []
    middle = low + _split(high - low)
    if index < middle:
        return [*_path(index, low, middle, node), _range(middle, high, node)]
    return [*_path(index, middle, high, node), _range(low, middle, node)]


def _subproof(first: int, low: int, high: int, whole: bool, node: Node) -> list[bytes]:
    """``whole``: the subtree of the old tree is one that the checker knows already."""
    if first == high - low:
        return [] if whole else [_range(low, high, node)]
    split = _split(high - low)
    middle = low + split
    if first <= split:
        return [*_subproof(first, low, middle, whole, node), _range(middle, high, node)]
    return [*_subproof(first - split, middle, high, False, node), _range(low, middle, node)]
