"""An exact index of PDQ fingerprints: what lies within a radius, and nothing else, as brute force would find it.

Multi-index hashing: of 16 chunks of 16 bits, two fingerprints at most 31 bits apart have one chunk at most one bit
apart (Norouzi, Punjani, Fleet, 2012), so each chunk's table is probed within one bit. What is added lies in a short
unsorted tail first; full tails become segments, and segments of a size are merged, so that nothing is ever rebuilt as a
whole. With a folder, segments are memory-mapped files; without one they are memory only (that is how banks are
indexed: a bank's values never lie on a disk in clear).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures import kernels
from upstander.captures.bits import RADIUS, WORDS, Words
from upstander.captures.errors import CaptureError

Keys = NDArray[np.uint64]

#: So many fingerprints the tail holds before it becomes a segment.
TAIL = 32_768
#: Two neighbouring segments are merged when the older is at most so many times the size of the newer.
RATIO = 4
#: Room for so many answers, and some more a query, is made at first.
ROOM = 32_768
_MAGIC = b"UPDQ0001"
_HEAD = 64


class Found(msgspec.Struct, frozen=True, gc=False):
    """What a query found, as columns of one length: the number of the query, the key, the distance in bits."""

    query: NDArray[np.int64]
    key: Keys
    distance: NDArray[np.int64]


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """``index.json``: the segments by name, oldest first, and the caller's mark of how far it had added."""

    segments: list[str] = []
    mark: int = 0
    serial: int = 0


class _Segment:
    """Fingerprints with their tables; they do not change, but for ``alive``. ``path``: the file, if there is one."""

    def __init__(self, count: int, memory: NDArray[np.uint8], alive: NDArray[np.uint8], path: Path | None) -> None:
        self.count, self.path, self.alive, self._memory = count, path, alive, memory
        parts, start = [], _HEAD
        for kind, shape in _layout(count):
            size = int(np.prod(shape)) * np.dtype(kind).itemsize
            parts.append(memory[start : start + size].view(kind).reshape(shape))
            start += size
        self.hashes, self.keys, self.offsets, self.postings = parts

    @property
    def bytes(self) -> int:
        """The size of all of it."""
        return int(self._memory.nbytes + self.alive.nbytes)


def _layout(count: int) -> list[tuple[str, tuple[int, ...]]]:
    tables = kernels.CHUNKS
    return [("u8", (count, WORDS)), ("u8", (count,)), ("i8", (tables, kernels.KEYS + 1)), ("u4", (tables, count))]


def _size(count: int) -> int:
    return _HEAD + sum(int(np.prod(shape)) * np.dtype(kind).itemsize for kind, shape in _layout(count))


class Index:
    """An index. One thread at a time may change it; a fingerprint may be in it under several keys.

    ``folder``: where its segments lie; what was added since the last ``flush`` is not there yet, and ``mark`` says up
    to where the caller had added then. ``readonly``: another process writes the folder; what is added here stays in
    memory. Raises ``CaptureError`` when the folder holds something else.
    """

    def __init__(self, folder: Path | None = None, *, readonly: bool = False) -> None:
        self._folder = None if readonly else folder
        self._segments: list[_Segment] = []
        self._manifest = _Manifest()
        self._tail = np.empty((1024, WORDS), np.uint64)
        self._tail_keys = np.empty(1024, np.uint64)
        self._tail_alive = np.ones(1024, np.uint8)
        self._count = 0
        if folder is not None and readonly:
            self._look(folder)
        elif folder is not None:
            self._open(folder)

    @property
    def mark(self) -> int:
        """The mark of the last ``flush``; 0 before the first."""
        return self._manifest.mark

    @property
    def bytes(self) -> int:
        """How many bytes the segments and the tail take."""
        return sum(segment.bytes for segment in self._segments) + self._tail.nbytes + self._tail_keys.nbytes

    def __len__(self) -> int:
        living = sum(int(segment.alive.sum()) for segment in self._segments)
        return living + int(self._tail_alive[: self._count].sum())

    # -- changing ------------------------------------------------------------------------------------------------

    def add(self, hashes: Words, keys: Keys) -> None:
        """Add fingerprints (n, 4) with a key each; they are found from now on."""
        hashes, keys = np.asarray(hashes, np.uint64).reshape(-1, WORDS), np.asarray(keys, np.uint64)
        if len(hashes) != len(keys):
            raise ValueError(f"{len(hashes)} fingerprints and {len(keys)} keys")
        if len(hashes) >= TAIL:
            self._spill()
            self._push(hashes, keys)
            return
        needed = self._count + len(hashes)
        if needed > len(self._tail):
            size = max(needed, 2 * len(self._tail))
            self._tail = np.resize(self._tail, (size, WORDS))
            self._tail_keys = np.resize(self._tail_keys, size)
            self._tail_alive = np.concatenate([self._tail_alive, np.ones(size - len(self._tail_alive), np.uint8)])
        self._tail[self._count : needed] = hashes
        self._tail_keys[self._count : needed] = keys
        self._tail_alive[self._count : needed] = 1
        self._count = needed
        if self._count >= TAIL:
            self._spill()

    def remove(self, keys: Keys) -> int:
        """Have all fingerprints under these keys found no more; how many there were. At once on the disk, too."""
        wanted = np.unique(np.asarray(keys, np.uint64))
        parts = [(segment.keys, segment.alive) for segment in self._segments]
        parts.append((self._tail_keys[: self._count], self._tail_alive[: self._count]))
        return sum(self._bury(alive, np.isin(own, wanted)) for own, alive in parts)

    def remove_range(self, low: int, high: int) -> int:
        """The same for all keys from ``low`` up to ``high``, which is not removed itself."""
        parts = [(segment.keys, segment.alive) for segment in self._segments]
        parts.append((self._tail_keys[: self._count], self._tail_alive[: self._count]))
        bounds = np.uint64(low), np.uint64(high)
        return sum(self._bury(alive, (own >= bounds[0]) & (own < bounds[1])) for own, alive in parts)

    @staticmethod
    def _bury(alive: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> int:
        dying = chosen & (alive != 0)
        alive[dying] = 0
        if isinstance(alive.base, np.memmap):
            alive.base.flush()
        return int(dying.sum())

    def flush(self, mark: int = 0) -> None:
        """Write what is not on the disk yet, then the mark: after this, an index opened anew has all of it."""
        self._spill(mark)

    def _spill(self, mark: int | None = None) -> None:
        alive = self._tail_alive[: self._count] != 0
        if alive.any():
            self._push(self._tail[: self._count][alive].copy(), self._tail_keys[: self._count][alive].copy(), mark)
        elif mark is not None and self._folder is not None:
            self._manifest.mark = mark
            self._write_manifest()
        self._count = 0

    def _push(self, hashes: Words, keys: Keys, mark: int | None = None) -> None:
        """A new segment, merged with those before it as long as they are not much bigger. The mark moves only with
        ``flush``: a tail that spilled on its way lies on the disk before the caller's own note of it does."""
        gone: list[_Segment] = []
        while self._segments and int(self._segments[-1].alive.sum()) <= RATIO * len(hashes):
            last = self._segments.pop()
            living = last.alive != 0
            hashes = np.concatenate([last.hashes[living], hashes])
            keys = np.concatenate([last.keys[living], keys])
            gone.append(last)
        if self._folder is None:
            self._segments.append(_in_memory(hashes, keys))
            return
        self._manifest.serial += 1
        path = self._folder / f"{self._manifest.serial:08d}.segment"
        self._segments.append(_on_disk(path, hashes, keys))
        self._manifest.segments = [segment.path.name for segment in self._segments if segment.path]
        if mark is not None:
            self._manifest.mark = mark
        self._write_manifest()
        for segment in gone:
            if segment.path is not None:
                segment.path.unlink(missing_ok=True)
                segment.path.with_suffix(".alive").unlink(missing_ok=True)

    # -- asking --------------------------------------------------------------------------------------------------

    def query(self, queries: Words, radius: int = RADIUS) -> Found:
        """Everything within ``radius`` bits (at most 31) of each query (n, 4): exact, in no particular order."""
        if not 0 <= radius <= RADIUS:
            raise ValueError(f"radius {radius}: the tables are exact up to {RADIUS} only; use `scan` beyond that")
        return self._ask(queries, radius, scanning=False)

    def scan(self, queries: Words, radius: int, *, both: bool = False) -> Found:
        """The same for any radius, by looking at everything: a fraction of a nanosecond a fingerprint and query.

        ``both``: query ``2 * n`` of what is found is the n-th as it is, ``2 * n + 1`` its mirrored picture.
        """
        return self._ask(queries, radius, scanning=True, both=both)

    def _ask(self, queries: Words, radius: int, *, scanning: bool, both: bool = False) -> Found:
        queries = np.ascontiguousarray(queries, np.uint64).reshape(-1, WORDS)
        rows: list[NDArray[np.int64]] = []
        keys: list[Keys] = []
        how = queries, both, radius
        for segment in self._segments:
            if scanning:
                part = _grown(len(queries), kernels.scan, segment.hashes, segment.alive, segment.count, *how)
            else:
                tables = segment.hashes, segment.offsets, segment.postings, segment.alive
                part = _grown(len(queries), kernels.search, *tables, queries, radius)
            rows.append(part)
            keys.append(segment.keys[part[:, 1]])
        part = _grown(len(queries), kernels.scan, self._tail, self._tail_alive, self._count, *how)
        rows.append(part)
        keys.append(self._tail_keys[part[:, 1]])
        found = np.concatenate(rows)
        return Found(found[:, 0], np.concatenate(keys), found[:, 2])

    # -- files ---------------------------------------------------------------------------------------------------

    def _read(self, folder: Path, mode: Literal["r", "r+"]) -> None:
        path = folder / "index.json"
        if not path.exists():
            return
        try:
            self._manifest = msgspec.json.decode(path.read_bytes(), type=_Manifest)
            self._segments = [_opened(folder / name, mode) for name in self._manifest.segments]
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            fix = "Move the folder away: the index is made again from what was recorded."
            raise CaptureError(f"the index {folder} cannot be read ({error}). {fix}") from None

    def _look(self, folder: Path) -> None:
        """Read it while another process writes: a segment may be merged away between the manifest and itself."""
        for left in reversed(range(5)):
            try:
                self._read(folder, "r")
                break
            except CaptureError:
                if not left:
                    raise

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._read(folder, "r+")
        for stray in (*folder.glob("*.segment"), *folder.glob("*.alive")):
            if stray.with_suffix(".segment").name not in self._manifest.segments:
                stray.unlink()  # a segment whose manifest was never written

    def _write_manifest(self) -> None:
        assert self._folder is not None
        _write(self._folder / "index.json", [msgspec.json.encode(self._manifest)])


def _grown(queries: int, kernel: object, *arguments: object) -> NDArray[np.int64]:
    """A kernel's rows; asked again with room for all when there were more than expected of so many queries."""
    out = np.empty((ROOM + 4 * queries, 3), np.int64)
    found: int = kernel(*arguments, out)  # type: ignore[operator]
    if found > len(out):
        out = np.empty((found, 3), np.int64)
        kernel(*arguments, out)  # type: ignore[operator]
    return out[:found]


def _fill(memory: NDArray[np.uint8], hashes: Words, keys: Keys, path: Path | None) -> _Segment:
    segment = _Segment(len(hashes), memory, np.ones(len(hashes), np.uint8), path)
    segment.hashes[:] = hashes
    segment.keys[:] = keys
    kernels.build(segment.hashes, segment.offsets, segment.postings)
    return segment


def _in_memory(hashes: Words, keys: Keys) -> _Segment:
    return _fill(np.zeros(_size(len(hashes)), np.uint8), hashes, keys, None)


def _on_disk(path: Path, hashes: Words, keys: Keys) -> _Segment:
    """Written to a file of mode 600 and durable, then mapped."""
    count = len(hashes)
    path.touch(mode=0o600)
    mapped = np.memmap(path, np.uint8, "r+", shape=(_size(count),))
    mapped[: len(_MAGIC)] = np.frombuffer(_MAGIC, np.uint8)
    mapped[8:16] = np.frombuffer(count.to_bytes(8, "little"), np.uint8)
    _fill(np.asarray(mapped), hashes, keys, path)
    mapped.flush()
    _write(path.with_suffix(".alive"), [np.ones(count, np.uint8).tobytes()])
    return _opened(path, "r+")


def _opened(path: Path, mode: Literal["r", "r+"]) -> _Segment:
    with path.open("rb") as file:
        head = file.read(16)
    count = int.from_bytes(head[8:], "little")
    if head[:8] != _MAGIC or path.stat().st_size != _size(count):
        raise ValueError(f"{path.name} is no segment, or a part of one")
    memory = np.asarray(np.memmap(path, np.uint8, "r"))
    alive = np.memmap(path.with_suffix(".alive"), np.uint8, mode, shape=(count,))
    return _Segment(count, memory, np.asarray(alive), path)


def _write(path: Path, parts: list[bytes]) -> None:
    """Write a file whole: a temporary file, made durable, takes its place."""
    fresh = path.with_suffix(path.suffix + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
