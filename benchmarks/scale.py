"""Cost of an event with 100,000 live broadcasts beside 100, and memory for each active (viewer, host) pair.

Limits: at most 1.3 times the cost; at most 2 KB a pair. Events go round all broadcasts in turn, which is the worst
case for the processor's caches; both sizes get the same comments, decoded just before they are observed. The two
sizes run in turn, in processes of their own, and the median of the ratios counts.
"""

from __future__ import annotations

import gc
import json
import statistics
import subprocess
import sys
import time
from itertools import cycle, islice

import msgspec

from common import chat, emit, pin
from upstander import runtime
from upstander.model.wire import decode_event

START = 1_770_000_000_000
COMMENTS = 200_000
ROUNDS = 5
PAIRS = 100_000
PRESSURE = ("how old are you", "are your parents home", "dont tell your mom", "add me on snap its private")


def resident_bytes() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


def event(kind: str, number: int, broadcast: int, **fields: object) -> bytes:
    at = START + number // 100
    return msgspec.json.encode({"type": kind, "id": f"e{number}", "at": at, "broadcast": f"b{broadcast}", **fields})


def cost(broadcasts: int) -> float:
    """Microseconds an event, decoding included."""
    pin()
    _, lines = chat()
    watcher = runtime.Runtime(runtime.current()).engine("p")
    number = 0
    for broadcast in range(broadcasts):
        number += 1
        fields = {"host": f"h{broadcast}", "host_age_band": "10_12"}
        watcher.observe(decode_event(event("broadcast_started", number, broadcast, **fields)))
        for viewer in range(3):
            number += 1
            joined = event("joined", number, broadcast, actor=f"v{viewer}", follows_host=True, account_age_days=90)
            watcher.observe(decode_event(joined))
        number += 1
        watcher.observe(decode_event(event("comment", number, broadcast, actor="v0", text="how old are you")))
    said = list(islice(cycle(lines), COMMENTS))
    raw = [event("comment", number + n, n % broadcasts, actor=a, text=t) for n, (a, t) in enumerate(said)]
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    began = time.perf_counter()
    for line in raw:
        watcher.observe(decode_event(line))
    took = time.perf_counter() - began
    assert len(watcher.state.broadcasts) == broadcasts
    return took / len(raw) * 1e6


def pair_bytes() -> float:
    """Resident bytes a pair in which four tactics were seen, its viewer's record included."""
    watcher = runtime.Runtime(runtime.current()).engine("p")
    for broadcast in range(100):
        fields = {"host": f"h{broadcast}", "host_age_band": "10_12"}
        watcher.observe(decode_event(event("broadcast_started", broadcast, broadcast, **fields)))
    number = 1_000
    gc.collect()
    before = resident_bytes()
    for viewer in range(PAIRS):
        for text in PRESSURE:
            number += 1
            line = event("comment", number, viewer % 100, actor=f"viewer-{viewer:08d}", text=text)
            watcher.observe(decode_event(line))
    gc.collect()
    pairs = sum(len(broadcast.pairs) for broadcast in watcher.state.broadcasts.values())
    return (resident_bytes() - before) / pairs


def child(*arguments: str) -> float:
    result = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
    return float(json.loads(result.stdout))


def main() -> None:
    if len(sys.argv) == 3:
        print(cost(int(sys.argv[2])))
        return
    if len(sys.argv) == 2:
        print(pair_bytes())
        return
    few, many, ratios = [], [], []
    for _ in range(ROUNDS):
        few.append(child("cost", "100"))
        many.append(child("cost", "100000"))
        ratios.append(many[-1] / few[-1])
    ratio, size = statistics.median(ratios), child("pairs")
    emit(
        "scale",
        {"ratio <= 1.3": ratio <= 1.3, "bytes_per_pair <= 2048": size <= 2048},
        us_per_event_at_100=round(statistics.median(few), 2),
        us_per_event_at_100000=round(statistics.median(many), 2),
        ratio=round(ratio, 3),
        ratios=[round(r, 3) for r in ratios],
        bytes_per_pair=round(size),
        pairs=PAIRS,
    )


if __name__ == "__main__":
    main()
