"""Tracing finds what looking at everything finds: each quick step beside a plain one that tries all there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scenes
from captures_support import NOW, frames_of, random_words
from hypothesis import given, settings
from hypothesis import strategies as st

from upstander.captures import placing, trace
from upstander.captures.bits import QUALITY, Words, distances, distinct, mirrored
from upstander.captures.index import Index
from upstander.captures.kernels import BLOCK
from upstander.captures.pictures import prints
from upstander.captures.placing import Placed, Stretch, placed
from upstander.captures.recorded import Frame, Recorded, key_of
from upstander.captures.votes import CELL_MS, OFFSETS, Candidate, Hits, candidates


def noisy(rng: np.random.Generator, words: Words, share: float) -> Words:
    """Each fingerprint with each bit turned with this chance."""
    bits = rng.random((len(words), 256)) < share
    return words ^ np.frombuffer(np.packbits(bits, axis=1).tobytes(), "<u8").reshape(-1, 4)


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32), st.sampled_from([1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 9]),
    st.integers(0, 140), st.booleans(),
)  # fmt: skip
def test_a_scan_finds_what_brute_force_finds_and_its_mirrored_pictures(
    seed: int, count: int, radius: int, both: bool
) -> None:
    rng = np.random.default_rng(seed)
    asked = random_words(4, seed)
    kept = noisy(rng, np.concatenate([asked, mirrored(asked)])[rng.integers(0, 8, count)], 0.3)
    index = Index()
    index.add(kept[: count // 2], np.arange(count // 2, dtype=np.uint64))
    index.flush()
    index.add(kept[count // 2 :], np.arange(count // 2, count, dtype=np.uint64))
    gone = rng.integers(0, count, count // 4)
    index.remove(gone.astype(np.uint64))
    queries = np.stack([asked, mirrored(asked)], axis=1).reshape(-1, 4) if both else asked
    wanted = [
        (number, at, int(bits))
        for number, query in enumerate(queries)
        for at, bits in enumerate(distances(kept, query))
        if bits <= radius and at not in gone
    ]
    found = index.scan(asked, radius, both=both)
    assert sorted(zip(found.query.tolist(), found.key.tolist(), found.distance.tolist(), strict=True)) == wanted


def counted(hits: Hits, offsets: list[int], most: int) -> list[Candidate]:
    """Votes counted one by one, in dictionaries."""
    cells: dict[tuple[int, int, int], dict[int, int]] = defaultdict(dict)
    for variant, picture, key, bits in zip(
        hits.variant.tolist(), hits.picture.tolist(), hits.key.tolist(), hits.distance.tolist(), strict=True
    ):
        cell = cells[variant, key >> 36, round((key % 2**36 - offsets[picture]) / CELL_MS)]
        cell[picture] = min(bits, cell.get(picture, 256))
    weights: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for (variant, no, at), own in cells.items():
        after = cells.get((variant, no, at + 1), {})
        both = [min(own.get(one, 256), after.get(one, 256)) for one in own | after]
        weights[variant, no].append((-sum(128 - bits for bits in both), -at))
    ranked = sorted((min(votes)[0], place, sorted(votes)[:OFFSETS]) for place, votes in weights.items())
    half = CELL_MS / 2
    return [
        Candidate(variant, no, tuple(-CELL_MS * at + half for _, at in votes))
        for _, (variant, no), votes in ranked[:most]
    ]


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_votes_are_counted_as_one_by_one(data: st.DataObject) -> None:
    offsets = [0, 333, 5000]
    rows = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 3), st.integers(0, 2), st.integers(1, 3), st.integers(0, 20_000), st.integers(0, 127)
            ),
            max_size=60,
        )
    )
    columns = np.array(rows, np.int64).reshape(-1, 5)
    keys = np.array([key_of(no, at) for _, _, no, at, _ in rows], np.uint64)
    hits = Hits(columns[:, 0], columns[:, 1], keys, columns[:, 4])
    assert candidates(hits, np.array(offsets), 5) == counted(hits, offsets, 5)


def plainly_placed(own: Stretch, broadcast: Stretch, starts: list[float]) -> Placed | None:
    """Every place and every speed, one after the other, picture by picture; no bound, no few speeds first."""
    best: tuple[float, Placed, list[int]] | None = None
    slack = placing.slack_of(own.at)
    for speed in placing.SPEEDS if own.at[-1] > 4000 else [1.0]:
        for start in [start + step for start in starts for step in placing.STEPS]:
            bits, seen, frames = 0, [], []
            for number, offset in enumerate(broadcast.at):
                wanted = (offset - start) / speed
                near = min(range(len(own.at)), key=lambda at: (abs(own.at[at] - wanted), -at))
                if abs(own.at[near] - wanted) <= slack:
                    bits += int(distances(own.words[near : near + 1], broadcast.words[number])[0])
                    seen.append(float(own.at[near]))
                    frames.append(number)
            needed = max(len(seen), placing.MIN_FRAMES)
            mean = (bits + (needed - len(seen)) * 128) / needed + abs(speed - 1) * placing.SPEED_COST
            if seen and (best is None or mean < best[0] - 1e-9):
                best = mean, Placed(mean, start, float(speed), len(seen), min(seen), max(seen)), frames
    if best is None:
        return None
    differing = distinct(broadcast.words[best[2]], placing.APART)
    return best[1] if best[0] <= (placing.MEAN if differing >= placing.DISTINCT else placing.STILL_MEAN) else None


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0, 0.4), st.sampled_from([0.96, 1.0, 1.05]), st.integers(3, 9))
def test_a_clip_is_placed_where_trying_everything_places_it(
    seed: int, noise: float, speed: float, seconds: int
) -> None:
    rng = np.random.default_rng(seed)
    shown = random_words(30, seed)
    broadcast = Stretch(np.arange(30) * 1000, shown)
    at = np.sort(rng.choice(np.arange(0, seconds * 1000, 250), 2 * seconds, replace=False))
    at -= at[0]
    start = 8000 + int(rng.integers(0, 4000))
    own = Stretch(at, noisy(rng, shown[np.rint((start + at * speed) / 1000).astype(int)], noise))
    starts = [10_000.0, 17_000.0]
    found, wanted = placed(own, broadcast, starts), plainly_placed(own, broadcast, starts)
    if found is None or wanted is None:
        # Only the few speeds that are tried first may rule a place out that another speed would have reached.
        assert found is None
        assert wanted is None or wanted.speed not in placing.COARSE
        return
    assert found.mean == pytest.approx(wanted.mean)
    assert (found.offset, found.speed, found.count) == (wanted.offset, wanted.speed, wanted.count)
    assert placing.lowest(np.stack([distances(shown, one) for one in own.words])) <= found.mean
    assert placed(own, broadcast, starts, found.mean) is None


def looked_at_everywhere(recorded: Recorded, clip: trace.Clip) -> tuple[int, float] | None:
    """The broadcast and offset that fit best of all variants, broadcasts and offsets there are: no index, no votes."""
    best: tuple[float, int, float] | None = None
    for no in range(1, recorded.counts()[0] + 1):
        recording = recorded.recording(no)
        broadcast = Stretch(recording.offsets, recording.words)
        starts = np.arange(-3000.0, recording.offsets[-1] + 3000, 6000).tolist()
        for variant in range(len(clip.variants)):
            good = clip.quality[variant] >= QUALITY
            own = Stretch(clip.offsets[good] - clip.offsets[0], clip.words[variant][good])
            one = placed(own, broadcast, starts)
            if one is not None and (best is None or one.mean < best[0]):
                best = one.mean, no, one.offset
    return best[1:] if best else None


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Four drawn broadcasts of 30 s and an hour of other fingerprints."""
    folder = tmp_path_factory.mktemp("search")
    kept = Recorded(folder / "captures")
    with kept.transaction():
        for seed in range(40, 44):
            frames = scenes.Broadcast(seed, 60).frames(0, 30, rate=4)
            kept.add(
                Frame("p", f"b{seed}", one.offset_ms, NOW + one.offset_ms, one.quality, bytes.fromhex(one.pdq))
                for one in prints(scenes.write(folder / "b.mp4", frames, rate=4), 1.0)
            )
        kept.add(frames_of(random_words(3600, 5), "other"))
    return kept


@pytest.mark.parametrize(
    ("seed", "changes"),
    [
        (40, []),
        (41, [scenes.mirrored]),
        (42, [scenes.cropped(0.05)]),
        (43, [scenes.letterboxed]),
        (40, [scenes.mirrored, scenes.cropped(0.05), scenes.letterboxed]),
        (41, [scenes.screen(4)]),
        (90, []),  # of no broadcast that is kept
        (91, [scenes.letterboxed]),
    ],
)  # fmt: skip
def test_the_trace_is_that_of_looking_everywhere(
    recorded: Recorded, tmp_path: Path, seed: int, changes: list[Callable[[scenes.Frame], scenes.Frame]]
) -> None:
    frames = scenes.changed(scenes.Broadcast(seed, 60).frames(9.3, 8, rate=6), *changes)
    (clip,) = trace.windows(scenes.write(tmp_path / "clip.mp4", frames, rate=6))
    assert (clip.words[1::2] == mirrored(clip.words[::2])).all()
    assert all(not one.mirror and two.mirror for one, two in zip(clip.variants[::2], clip.variants[1::2], strict=True))
    found, wanted = trace.trace_clip(recorded, clip), looked_at_everywhere(recorded, clip)
    assert (found is None) == (wanted is None) == (seed >= 90)
    if found is not None and wanted is not None:
        assert found.no == wanted[0]
        assert abs(found.offset_ms - wanted[1]) <= 500


def test_pictures_are_looked_up_at_different_parts_of_a_second() -> None:
    words = np.stack([random_words(30, 3)] * 2)
    plain, turned = (trace.Variant(trace.Box(), (0.0, 0.0), mirror) for mirror in (False, True))
    clip = trace.Clip(np.arange(30) * 333, (plain, turned), words, np.full((2, 30), 90))
    times = clip.offsets[trace._probes(clip)].tolist()
    apart = [(one - other) % 1000 for one in times for other in times if one != other]
    assert len(times) == 3
    assert min(apart) >= 250


def test_a_clip_that_stands_still_is_looked_up_once() -> None:
    words = np.stack([np.repeat(random_words(1), 30, axis=0)] * 2)
    plain, turned = (trace.Variant(trace.Box(), (0.0, 0.0), mirror) for mirror in (False, True))
    clip = trace.Clip(np.arange(30) * 333, (plain, turned), words, np.full((2, 30), 90))
    assert trace._probes(clip).tolist() == [0]
    blank = trace.Clip(clip.offsets, clip.variants, words, np.zeros((2, 30), np.int64))
    assert trace._probes(blank).tolist() == []
