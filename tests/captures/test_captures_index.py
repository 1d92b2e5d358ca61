"""The index finds what brute force finds, and nothing else: at any size, after any adding and removing, opened anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upstander.captures import index as indexes
from upstander.captures.bits import Words, distances, from_bytes, hex_of, is_pdq, mirrored, to_bytes, words_of
from upstander.captures.errors import CaptureError
from upstander.captures.index import Index


def random(count: int, seed: int = 1) -> Words:
    return np.random.default_rng(seed).integers(0, 2**64, (count, 4), dtype=np.uint64)


def flipped(words: Words, bits: int, seed: int) -> Words:
    rng = np.random.default_rng(seed)
    raw = np.unpackbits(np.frombuffer(to_bytes(words), np.uint8))
    raw[rng.choice(256, bits, replace=False)] ^= 1
    return from_bytes(np.packbits(raw).tobytes())[0]


def brute(hashes: Words, keys: np.ndarray, queries: Words, radius: int) -> list[tuple[int, int, int]]:
    rows = []
    for number, query in enumerate(queries):
        apart = distances(hashes, query)
        rows += [(number, int(keys[at]), int(apart[at])) for at in np.flatnonzero(apart <= radius)]
    return sorted(rows)


def told(index: Index, queries: Words, radius: int) -> list[tuple[int, int, int]]:
    found = index.query(queries, radius)
    return sorted(zip(found.query.tolist(), found.key.tolist(), found.distance.tolist(), strict=True))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_it_finds_what_brute_force_finds(data: st.DataObject) -> None:
    """Hashes crowd around a few centres, so that there is much at and just beyond the radius."""
    seed = data.draw(st.integers(0, 2**32))
    rng = np.random.default_rng(seed)
    centres = random(3, seed)
    hashes = np.array([flipped(centres[i % 3][None], int(rng.integers(0, 40)), seed + i) for i in range(60)])
    keys = rng.integers(0, 50, 60).astype(np.uint64)
    index = Index()
    split = data.draw(st.integers(0, 60))
    index.add(hashes[:split], keys[:split])
    index.flush()
    index.add(hashes[split:], keys[split:])
    gone = np.array(sorted(data.draw(st.sets(st.integers(0, 50), max_size=10))), np.uint64)
    left = ~np.isin(keys, gone)
    assert index.remove(gone) == int((~left).sum())
    assert len(index) == int(left.sum())
    radius = data.draw(st.integers(0, 31))
    queries = np.concatenate([centres, hashes[:5]])
    assert told(index, queries, radius) == brute(hashes[left], keys[left], queries, radius)
    wide = index.scan(queries, 90)
    assert len(wide.key) == len(brute(hashes[left], keys[left], queries, 90))


def test_a_million_random_hashes() -> None:
    hashes = random(1_000_000)
    keys = np.arange(1_000_000, dtype=np.uint64)
    index = Index()
    index.add(hashes, keys)
    queries = np.array([flipped(hashes[i * 997][None], i % 33, i) for i in range(66)])
    assert told(index, queries, 31) == brute(hashes, keys, queries, 31)
    assert len(index.query(queries, 31).key) == 64  # the two that are 32 bits away are not found


def test_every_distance_up_to_the_radius_is_found_wherever_the_bits_are() -> None:
    """One bit in 15 chunks and 16 in the last, two bits in 15 chunks and one in the last, and so on."""
    one = random(1)
    index = Index()
    index.add(one, np.array([7], np.uint64))
    index.flush()
    for last in range(16):
        bits = [chunk * 16 + k for chunk in range(16) for k in range(2)]
        bits = [b for b in bits if b // 16 != last] + [last * 16]
        raw = np.unpackbits(np.frombuffer(to_bytes(one), np.uint8))
        raw[bits] ^= 1
        query = from_bytes(np.packbits(raw).tobytes())
        assert told(index, query, 31) == [(0, 7, 31)]


def test_segments_on_a_disk_are_there_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "TAIL", 50)
    hashes, keys = random(700), np.arange(700, dtype=np.uint64)
    index = Index(tmp_path)
    for start in range(0, 700, 30):
        index.add(hashes[start : start + 30], keys[start : start + 30])
    index.flush(mark=700)
    index.remove_range(100, 200)
    again = Index(tmp_path)
    left = np.r_[0:100, 200:700]
    assert again.mark == 700
    assert len(again) == 600
    assert [key for _, key, _ in told(again, hashes, 0)] == left.tolist()
    assert all(path.stat().st_mode & 0o077 == 0 for path in tmp_path.iterdir())
    assert len(list(tmp_path.glob("*.segment"))) < 5


def test_a_torn_segment_is_named(tmp_path: Path) -> None:
    index = Index(tmp_path)
    index.add(random(10), np.arange(10, dtype=np.uint64))
    index.flush()
    segment = next(tmp_path.glob("*.segment"))
    segment.write_bytes(segment.read_bytes()[:-1])
    with pytest.raises(CaptureError, match=r"no segment, or a part of one.*Move the folder away"):
        Index(tmp_path)


def test_a_segment_without_a_manifest_is_swept(tmp_path: Path) -> None:
    (tmp_path / "00000009.segment").write_bytes(b"half")
    assert len(Index(tmp_path)) == 0
    assert not (tmp_path / "00000009.segment").exists()


def test_a_reader_beside_the_writer_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexes, "TAIL", 50)
    hashes, keys = random(300), np.arange(300, dtype=np.uint64)
    writer = Index(tmp_path)
    writer.add(hashes[:120], keys[:120])
    writer.flush(mark=120)
    (tmp_path / "00000099.segment").write_bytes(b"being written")
    before = sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir())
    reader = Index(tmp_path, readonly=True)
    reader.add(hashes[120:200], keys[120:200])
    reader.flush(mark=200)
    assert len(reader) == 200
    assert sorted((path.name, path.stat().st_mtime_ns) for path in tmp_path.iterdir()) == before
    writer.add(hashes[120:], keys[120:])
    writer.flush(mark=300)  # merges away what the reader has open
    assert len(told(reader, hashes[:120], 0)) == 120
    assert len(Index(tmp_path, readonly=True)) == 300


def test_text_and_words() -> None:
    words = random(3)
    assert hex_of(words_of([hex_of(words[1])])[0]) == hex_of(words[1])
    assert (mirrored(mirrored(words)) == words).all()
    assert not is_pdq("f" * 63)
    with pytest.raises(CaptureError, match="64 hexadecimal digits"):
        words_of(["zz"])
    with pytest.raises(ValueError, match="exact up to 31"):
        Index().query(words, 32)
