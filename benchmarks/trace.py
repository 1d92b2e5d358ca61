"""Tracing clips back to 1,000 hours of broadcasts: how many are traced right, how many wrongly, how long each takes.

The table is measured on drawn video that is really encoded, transformed, encoded again and hashed; the broadcasts the
clips come from lie among fingerprints that make up the rest of the 1,000 hours. That rest is synthetic: scenes of 20 s
whose frames are 5 to 45 bits from what the scene began with (drawn video moves more: about 100 bits a second); half of
the scenes are near pictures of drawn video (40 to 110 bits from one), so that they are no easy background.
Unrelated clips: some are drawn, changed, encoded and hashed. The many more that a rate of 1 in 10,000 needs are these,
varied: the same bits of all their fingerprints are flipped, so that a clip lies elsewhere and keeps its own movement
and how its variants differ; half of them are moved to 64 to 115 bits from a frame that is kept. All of them are asked
about in all their variants by what asks about a user's file. Seeds of the clips here were used for nothing else:
thresholds were set on others (`--tune`, seeds from 500,000 on).
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from common import ROOT, emit, percentile

sys.path.insert(0, str(ROOT / "tests" / "captures"))
import scenes

from upstander.captures import trace
from upstander.captures.bits import to_bytes
from upstander.captures.pictures import prints
from upstander.captures.recorded import Frame, Recorded

HOURS = 1_000
SECONDS = 75
AT = 1_790_000_000_000
HELD_OUT, TUNE = 2_000_000, 500_000
Change = Callable[[np.ndarray], np.ndarray]


def transforms(seed: int) -> dict[str, tuple[list[Change], float, float]]:
    """Each with the changes to a picture, the speed, and the clip's seconds."""
    return {
        "as it was": ([], 1.0, 10),
        "cropped 5% a side": ([scenes.cropped(0.05)], 1.0, 10),
        "cropped 10% a side": ([scenes.cropped(0.10)], 1.0, 10),
        "mirrored": ([scenes.mirrored], 1.0, 10),
        "re-encoded, half size": ([scenes.smaller], 1.0, 10),
        "letterboxed": ([scenes.letterboxed], 1.0, 10),
        "pillarboxed": ([scenes.pillarboxed], 1.0, 10),
        "screen-recorded": ([scenes.screen(seed)], 1.0, 10),
        "5% faster": ([], 1.05, 10),
        "5% slower": ([], 0.95, 10),
        "short, 5 s": ([], 1.0, 5),
        "mirrored, cropped, letterboxed, 3% faster": (
            [scenes.mirrored, scenes.cropped(0.05), scenes.letterboxed], 1.03, 10,
        ),
    }  # fmt: skip


def noise(rng: np.random.Generator, count: int, share: np.ndarray) -> np.ndarray:
    """Random words in which each bit is set with the row's share."""
    bits = rng.random((count, 256)) < share[:, None]
    return np.frombuffer(np.packbits(bits, axis=1).tobytes(), "<u8").astype(np.uint64).reshape(-1, 4)


def bulk(rng: np.random.Generator, frames: int, drawn: np.ndarray) -> np.ndarray:
    """Fingerprints of ``frames`` seconds in scenes of 20 s: half of them near drawn pictures."""
    scenes_needed = frames // 20 + 1
    centres = rng.integers(0, 2**64, (scenes_needed, 4), dtype=np.uint64)
    near = rng.random(scenes_needed) < 0.5
    picked = drawn[rng.integers(0, len(drawn), int(near.sum()))]
    centres[near] = picked ^ noise(rng, len(picked), rng.uniform(0.16, 0.43, len(picked)))
    words = np.repeat(centres, 20, axis=0)[:frames]
    step = np.tile(np.arange(20), scenes_needed)[:frames]
    return words ^ noise(rng, frames, np.minimum(0.02 + 0.008 * step, 0.2))


def stock(recorded: Recorded, folder: Path, first: int, broadcasts: int) -> np.ndarray:
    """Fill the store: drawn broadcasts, then the rest of the hours; the drawn fingerprints."""
    drawn = []
    with recorded.transaction():
        for number in range(broadcasts):
            video = scenes.Broadcast(first + number, SECONDS + 5)
            path = scenes.write(folder / "broadcast.mp4", video.frames(0, SECONDS, rate=5), rate=5)
            for one in prints(path, 1.0):
                raw = bytes.fromhex(one.pdq)
                recorded.add([Frame("p", f"b{number}", one.offset_ms, AT + one.offset_ms, one.quality, raw)])
                drawn.append(np.frombuffer(raw, "<u8").astype(np.uint64))
    rng = np.random.default_rng(first)
    near = np.stack(drawn)
    for hour in range(0, HOURS, 100):
        words = bulk(rng, 360_000, near)
        with recorded.transaction():
            for start in range(0, len(words), 3600):
                part = words[start : start + 3600]
                name = f"other{hour + start // 3600}"
                recorded.add(Frame("p", name, n * 1000, AT, 90, to_bytes(one)) for n, one in enumerate(part))
    recorded.save_index()
    return near


def clips(recorded: Recorded, folder: Path, first: int, broadcasts: int) -> dict[str, Any]:
    """The table: for each transform how many clips of all were traced right, and how many wrongly."""
    rng = np.random.default_rng(first + 7)
    table: dict[str, list[int]] = {}
    hashing, finding = [], []
    for number in range(broadcasts):
        video = scenes.Broadcast(first + number, SECONDS + 5)
        start = float(rng.uniform(2, SECONDS - 14))
        for name, (changes, speed, seconds) in transforms(number).items():
            frames = scenes.changed(video.frames(start, seconds * speed, rate=6, speed=speed), *changes)
            path = scenes.write(folder / "clip.mp4", frames, rate=6, quality=36 if "encoded, half" in name else 26)
            # By the process's own time: other work on the machine is not the search's.
            began = time.process_time()
            clip = next(iter(trace.windows(path)))
            hashing.append(time.process_time() - began)
            times = []
            for _ in range(3):
                began = time.process_time()
                found = trace.trace_clip(recorded, clip)
                times.append(time.process_time() - began)
            finding.append(sorted(times)[1])
            right = found is not None and found.broadcast == f"b{number}" and abs(found.offset_ms - start * 1000) < 2000
            row = table.setdefault(name, [0, 0, 0])
            row[0] += right
            row[1] += found is not None and not right
            row[2] += 1
        worst = round(max(finding), 2)
        print(f"{number + 1} of {broadcasts}: {table}, {worst} s at most", file=sys.stderr, flush=True)
    return {"table": table, "hashing": sorted(hashing), "finding": sorted(finding)}


def unrelated_videos(recorded: Recorded, folder: Path, first: int, count: int) -> tuple[list[trace.Clip], list[str]]:
    """Drawn clips of broadcasts that are not kept, every fourth changed in some way, and those that were traced."""
    clips_, wrong = [], []
    for number in range(count):
        video = scenes.Broadcast(first + 100_000 + number, 30)
        ways = list(transforms(number).items())
        name, (changes, speed, seconds) = ways[0 if number % 4 else number // 4 % len(ways)]
        frames = scenes.changed(video.frames(5, seconds * speed, rate=6, speed=speed), *changes)
        path = scenes.write(folder / "clip.mp4", frames, rate=6)
        for clip in trace.windows(path):
            clips_.append(clip)
            found = trace.trace_clip(recorded, clip)
            wrong += [f"{number}, {name}: {found.broadcast} {found.confidence}"] if found else []
    return clips_, wrong


def varied(rng: np.random.Generator, clip: trace.Clip, near: np.ndarray) -> trace.Clip:
    """A clip with some bits of all its fingerprints flipped: near a frame that is kept, or anywhere."""
    if rng.random() < 0.5:
        kept = near[rng.integers(0, len(near))] ^ noise(rng, 1, np.array([rng.uniform(0.25, 0.45)]))[0]
        flipped = kept ^ clip.words[0, rng.integers(0, clip.words.shape[1])]
    else:
        flipped = noise(rng, 1, np.array([rng.uniform(0.05, 0.5)]))[0]
    return trace.Clip(clip.offsets, clip.variants, clip.words ^ flipped, clip.quality)


def unrelated_sequences(
    recorded: Recorded, near: np.ndarray, clips_: list[trace.Clip], seed: int, count: int, budget_s: float
) -> dict[str, Any]:
    """So many of these clips, varied: how many were traced, of how many there was time for, CPU seconds of each."""
    rng = np.random.default_rng(seed)
    wrong: list[str] = []
    took: list[float] = []
    start = time.perf_counter()
    end = start + budget_s
    while len(took) < count and time.perf_counter() < end:
        clip = varied(rng, clips_[len(took) % len(clips_)], near)
        began = time.process_time()
        found = trace.trace_clip(recorded, clip)
        took.append(time.process_time() - began)
        wrong += [f"{len(took)}: {found.broadcast} {found.confidence}"] if found else []
        if len(took) % 500 == 0:
            mean = 1000 * sum(took) / len(took)
            print(f"{len(took)} unrelated: {len(wrong)} traced, {mean:.1f} ms of CPU each", file=sys.stderr, flush=True)
    return {"asked": len(took), "false": wrong, "cpu_s": sorted(took), "took_s": time.perf_counter() - start}


def bound(false: int, of: int) -> float:
    """The rate above which so few would be seen in fewer than one of 20 runs (the exact upper 95% bound)."""
    low, high = 0.0, 1.0
    for _ in range(60):
        rate = (low + high) / 2
        seen = sum(math.comb(of, k) * rate**k * (1 - rate) ** (of - k) for k in range(false + 1))
        low, high = (rate, high) if seen > 0.05 else (low, rate)
    return high


def told(videos: list[trace.Clip], wrong: list[str], sequences: dict[str, Any]) -> dict[str, Any]:
    """What is printed of unrelated clips."""
    cpu = sequences["cpu_s"]
    figures = {
        "video_clips": len(videos), "video_false": wrong,
        "synthetic_clips": sequences["asked"], "synthetic_false": sequences["false"],
        "at_most": round(bound(len(sequences["false"]), sequences["asked"]), 7),
        "took_s": round(sequences["took_s"], 1),
    }  # fmt: skip
    if cpu:
        shares = {"median": 0.5, "99%": 0.99, "worst": 1.0}
        figures["cpu_s"] = {"mean": round(sum(cpu) / len(cpu), 4)}
        figures["cpu_s"] |= {name: round(percentile(cpu, share), 4) for name, share in shares.items()}
        figures["variants"] = round(sum(len(clip.variants) for clip in videos) / len(videos), 1)
    return figures


def main() -> None:
    asked = argparse.ArgumentParser()
    asked.add_argument("--tune", action="store_true", help="other seeds: for setting thresholds, never for reporting")
    asked.add_argument("--sequences", type=int, default=30_000)
    asked.add_argument("--broadcasts", type=int, default=20, help="drawn ones: so many clips of each transform")
    asked.add_argument("--videos", type=int, default=240, help="drawn unrelated clips; the sequences are these, varied")
    asked.add_argument("--seconds", type=float, default=5400.0, help="stop asking about sequences after so long")
    given = asked.parse_args()
    first = TUNE if given.tune else HELD_OUT
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recorded = Recorded(folder / "captures")
        near = stock(recorded, folder, first, given.broadcasts)
        kept, frames = recorded.counts()
        # Compiled before the clock runs.
        clips(recorded, folder, first, 1)
        measured = clips(recorded, folder, first, given.broadcasts)
        videos, wrong_videos = unrelated_videos(recorded, folder, first, given.videos)
        sequences = unrelated_sequences(recorded, near, videos, first + 99, given.sequences, given.seconds)
        recorded.close()
    table = {how: {"right": r, "wrong": w, "of": n} for how, (r, w, n) in measured["table"].items()}
    finding, hashing = measured["finding"], measured["hashing"]
    unrelated = told(videos, wrong_videos, sequences)
    at_most = unrelated["at_most"]
    emit(
        "trace",
        {
            "each transform >= 95% right": all(row["right"] >= 0.95 * row["of"] for row in table.values()),
            # None in n clips bounds the rate at 3 in n (95%): fewer clips than this say nothing of 1 in 10,000.
            **({"false <= 1 in 10,000 (95%)": at_most <= 1e-4} if sequences["asked"] >= 30_000 else {}),
            "each clip found in <= 1 s of one core": finding[-1] <= 1.0,
        },
        tuning=given.tune,
        hours=round(frames / 3600),
        broadcasts=kept,
        drawn_broadcasts=given.broadcasts,
        table=table,
        find_cpu_s={"median": round(percentile(finding, 0.5), 3), "worst": round(finding[-1], 3)},
        hash_clip_cpu_s={"median": round(percentile(hashing, 0.5), 3), "worst": round(hashing[-1], 3)},
        unrelated=unrelated,
    )


if __name__ == "__main__":
    main()
