"""Two hundred broken streams, several at a time: none takes another down, hangs, or takes what memory it wants."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from watch_support import clip, nursery, pattern, prepared, tone, watch

from upstander.watch import sandbox
from upstander.watch.address import Rules
from upstander.watch.nursery import Nursery
from upstander.watch.source import Source
from upstander.watch.watcher import Limits

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)

COUNT, DEADLINE_S, MEMORY_MB = 200, 10.0, 256
KINDS = ("ts", "mp4", "mkv", "flv", "avi")


@pytest.fixture(scope="module")
def young() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


def mutated(data: bytes, number: int) -> bytes:
    """One of many ways to break a file: flipped bytes, a part gone, doubled, shuffled, cut, a header of nonsense."""
    chance = np.random.default_rng(number)
    broken = bytearray(data)
    match number % 6:
        case 0:
            for at in chance.integers(0, len(broken), int(chance.integers(1, 200))):
                broken[at] = int(chance.integers(0, 256))
        case 1:
            broken = broken[: int(chance.integers(1, len(broken)))]
        case 2:
            at, length = int(chance.integers(0, len(broken))), int(chance.integers(1, 4_000))
            broken[at : at + length] = b""
        case 3:
            at, length = int(chance.integers(0, len(broken))), int(chance.integers(1, 4_000))
            broken[at:at] = broken[at : at + length] * 3
        case 4:
            # Lengths and sizes in headers: numbers as large as they get.
            for at in chance.integers(0, min(2_000, len(broken) - 8), 6):
                broken[at : at + 4] = b"\xff\xff\xff\x7f"
        case _:
            at = int(chance.integers(0, len(broken) // 2))
            broken[at : at + 2_000] = chance.integers(0, 256, 2_000, dtype=np.uint8).tobytes()
    return bytes(broken)


class Memory(threading.Thread):
    """Looks at the watchers' processes again and again; remembers the most that one of them held, in MB."""

    def __init__(self, parent: int) -> None:
        super().__init__(daemon=True)
        self.parent, self.most, self.done = parent, 0, threading.Event()

    def run(self) -> None:
        page = os.sysconf("SC_PAGE_SIZE")
        while not self.done.wait(0.05):
            for child in Path(f"/proc/{self.parent}/task/{self.parent}/children").read_text().split():
                try:
                    resident = int(Path(f"/proc/{child}/statm").read_text().split()[1])
                except (OSError, IndexError):
                    continue
                self.most = max(self.most, resident * page // 1_048_576)


def test_two_hundred_broken_streams_beside_a_good_one(tmp_path: Path, young: Nursery) -> None:
    pictures = [pattern(n // 10, 160, 90) for n in range(30)]
    codecs = {"flv": "flv1", "avi": "mpeg4"}
    whole = {
        kind: clip(tmp_path / f"whole.{kind}", pictures, tone(3), codec=codecs.get(kind, "libx264")).read_bytes()
        for kind in KINDS
    }
    good = clip(tmp_path / "good.ts", [pattern(n // 10) for n in range(60)])
    watch(good, young)  # the nursery is up
    assert young._process is not None
    memory = Memory(young._process.pid)
    memory.start()

    def one(number: int) -> tuple[float, str]:
        if number % 20 == 10:
            return 0.0, "good" if len(watch(good, young).frames) == 6 else "a good stream suffered"
        file = tmp_path / f"{number}.{KINDS[number % len(KINDS)]}"
        file.write_bytes(mutated(whole[KINDS[number % len(KINDS)]], number))
        began = time.monotonic()
        found = prepared(
            Source("", Rules(), file), young, limits=Limits(DEADLINE_S, DEADLINE_S), sound=True, pictures=True,
            memory_mb=MEMORY_MB,
        )  # fmt: skip
        found.watcher.run()
        file.unlink()
        assert all(frame.pdq and 0 <= frame.offset_ms < 10**9 for frame in found.frames)
        return time.monotonic() - began, found.watcher.state.fault

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(one, range(COUNT + COUNT // 20)))
    memory.done.set()
    assert max(took for took, _ in found) < DEADLINE_S + 5
    assert "a good stream suffered" not in {fault for _, fault in found}
    # What is mapped from the start (libraries, mostly shared) is not part of the limit.
    assert 0 < memory.most < MEMORY_MB + 150
    assert len(watch(good, young).frames) == 6
