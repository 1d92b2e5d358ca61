"""A known capture that is broadcast again: how soon it is recognised, and how often something is that is none.

Recognised: drawn captures of 60 s are added to a bank as `upstander bank add` does it, then played again from random
seconds on, encoded anew (as they are, mirrored, letterboxed, cropped by 5%, half the size) and sampled once a second.
Not recognised: 100 hours of unrelated streams against the same bank. Some of these are drawn, encoded and hashed; the
rest are synthetic fingerprints of scenes, half of them 40 to 110 bits from a picture of a capture in the bank.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from common import ROOT, emit, pin

sys.path.insert(0, str(ROOT / "tests" / "captures"))
from trace import bulk

import scenes
from captures_support import banks_in

from upstander.captures import made
from upstander.captures.banks import OWN
from upstander.captures.bits import to_bytes, words_of
from upstander.captures.live import Rolling
from upstander.captures.matching import Matcher
from upstander.captures.pictures import prints
from upstander.captures.recorded import Frame
from upstander.captures.values import Kind, features

CAPTURES = 4
HOURS = 100
DRAWN_MINUTES = 10
SEED = 4_000_000
AT = 1_790_000_000_000
CHANGES: dict[str, tuple[list[Any], int]] = {
    "as it was": ([], 26),
    "mirrored": ([scenes.mirrored], 26),
    "letterboxed": ([scenes.letterboxed], 26),
    "cropped 5% a side": ([scenes.cropped(0.05)], 26),
    "half size": ([scenes.smaller], 34),
}


def frames_of(words: np.ndarray, name: str) -> list[Frame]:
    return [Frame("p", name, n * 1000, AT + n * 1000, 90, to_bytes(one)) for n, one in enumerate(words)]


def recognised(matcher: Matcher, folder: Path, rng: np.random.Generator) -> dict[str, list[float]]:
    """Seconds of play until `rebroadcast` was said, for each change and capture; infinite where it was not."""
    found: dict[str, list[float]] = {}
    for number in range(CAPTURES):
        for name, (changes, quality) in CHANGES.items():
            start = float(rng.uniform(0, 45))
            video = scenes.changed(scenes.Broadcast(SEED + number, 70).frames(start, 12, rate=6), *changes)
            path = scenes.write(folder / "live.mp4", video, rate=6, quality=quality)
            rolling, seconds = Rolling(matcher), float("inf")
            for one in prints(path, 1.0):
                frame = Frame("p", name, one.offset_ms, AT + one.offset_ms, one.quality, bytes.fromhex(one.pdq))
                if any(finding.what == "rebroadcast" for finding in rolling.observe([frame])):
                    seconds = one.offset_ms / 1000
                    break
            found.setdefault(name, []).append(seconds)
    return found


def main() -> None:
    pin()
    rng = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        banks = banks_in(folder)
        banks.make("known", "benchmark")
        values = []
        for number in range(CAPTURES):
            video = scenes.Broadcast(SEED + number, 70).frames(0, 60, rate=12)
            values += made.of_file(scenes.write(folder / "capture.mp4", video, rate=12))
        banks.take_in("known", values, OWN)
        matcher = Matcher(banks)
        sooner = recognised(matcher, folder, rng)
        near = np.concatenate([words_of(f.pdq for f in features(one.value)) for one in values if one.kind is Kind.VPDQ])
        wrong: list[str] = []
        hints = 0
        drawn = 0
        for number in range(DRAWN_MINUTES):
            video = scenes.Broadcast(SEED + 500_000 + number, 70).frames(0, 60, rate=2)
            path = scenes.write(folder / "other.mp4", video, rate=2)
            words = words_of(one.pdq for one in prints(path, 1.0))
            drawn += len(words)
            for finding in Rolling(matcher).observe(frames_of(words, f"drawn{number}")):
                wrong += [finding.what] if finding.what == "rebroadcast" else []
                hints += finding.what == "known_capture"
        began = time.perf_counter()
        for hour in range(HOURS):
            for finding in Rolling(matcher).observe(frames_of(bulk(rng, 3600, near), f"hour{hour}")):
                wrong += [finding.what] if finding.what == "rebroadcast" else []
                hints += finding.what == "known_capture"
        took = time.perf_counter() - began
        banks.close()
    worst = {how: max(times) for how, times in sooner.items()}
    emit(
        "rebroadcast",
        {"each within 5 s of play": all(seconds <= 5 for seconds in worst.values()), "none false": not wrong},
        captures=CAPTURES,
        worst_s={how: None if seconds == float("inf") else seconds for how, seconds in worst.items()},
        mean_s={how: round(float(np.mean([s for s in times if s < 99] or [0])), 2) for how, times in sooner.items()},
        missed={how: sum(seconds == float("inf") for seconds in times) for how, times in sooner.items()},
        false={"stream_hours": HOURS + round(drawn / 3600, 2), "rebroadcasts": len(wrong), "hints_of_one_frame": hints},
        streams_in_real_time_on_a_core=round(HOURS * 3600 / took),
    )


if __name__ == "__main__":
    main()
