"""Engine throughput and latency with all detectors on, beside a bare Hyperscan scan of the same text.

Limits: at least 40,000 events/s on one core, 99th percentile at most 100 µs.
Every broadcast has a host of 10 to 12, so that every threshold is the strictest. Events are decoded beforehand
(decoding is timed on its own); the median of five passes counts.
"""

from __future__ import annotations

import gc
import statistics
import time

import msgspec

from common import chat, emit, percentile, pin
from upstander import runtime
from upstander.detect import packs
from upstander.detect.cache import cache_folder
from upstander.detect.matcher import Matcher
from upstander.model.events import AnyEvent
from upstander.model.wire import decode_event

BROADCASTS = 20
START = 1_770_000_000_000
PASSES = 5


def events(lines: list[tuple[str, str]]) -> list[bytes]:
    common = {"at": START}
    made: list[dict[str, object]] = [
        common | {"type": "broadcast_started", "id": "s", "broadcast": f"b{n}", "host": "h", "host_age_band": "10_12"}
        for n in range(BROADCASTS)
    ]
    for n, (author, text) in enumerate(lines):
        event = {"type": "comment", "id": f"e{n}", "broadcast": f"b{n % BROADCASTS}", "actor": author, "text": text}
        made.append(event | {"at": START + n * 25})
    return [msgspec.json.encode(event) for event in made]


def ignore(*found: object) -> None:
    """A match of the bare scan: nothing is done with it."""


def main() -> None:
    core = pin()
    name, lines = chat()
    raw = events(lines)
    configuration = runtime.current()

    rates, decode_rates, scan_rates, latencies = [], [], [], []
    matcher = Matcher(packs.load(configuration.packs), cache_folder())
    texts = [text.lower().encode() for _, text in lines]
    for _ in range(PASSES):
        began = time.perf_counter()
        decoded: list[AnyEvent] = [decode_event(line) for line in raw]
        decode_rates.append(len(raw) / (time.perf_counter() - began))

        watcher = runtime.Runtime(configuration).engine("p")
        gc.collect()
        gc.freeze()
        began = time.perf_counter()
        for event in decoded:
            watcher.observe(event)
        rates.append(len(decoded) / (time.perf_counter() - began))
        gc.unfreeze()

        database = matcher._database
        began = time.perf_counter()
        for text in texts:
            database.scan(text, match_event_handler=ignore)
        scan_rates.append(len(texts) / (time.perf_counter() - began))

    watcher = runtime.Runtime(configuration).engine("p")
    levels: dict[str, int] = {}
    gc.collect()
    gc.freeze()
    clock = time.perf_counter_ns
    for event in decoded:
        began_ns = clock()
        decision = watcher.observe(event)
        latencies.append(clock() - began_ns)
        if decision is not None:
            levels[decision.level] = levels.get(decision.level, 0) + 1
    ordered = sorted(nanoseconds / 1000 for nanoseconds in latencies)
    rate, scan = statistics.median(rates), statistics.median(scan_rates)
    p99 = percentile(ordered, 0.99)
    emit(
        "engine",
        {"events_per_s >= 40000": rate >= 40_000, "p99_us <= 100": p99 <= 100},
        input=name,
        events=len(decoded),
        events_per_s=round(rate),
        with_decoding_per_s=round(1 / (1 / rate + 1 / statistics.median(decode_rates))),
        p50_us=round(percentile(ordered, 0.5), 2),
        p99_us=round(p99, 2),
        p999_us=round(percentile(ordered, 0.999), 2),
        max_us=round(ordered[-1], 1),
        bare_hyperscan_lines_per_s=round(scan),
        cost_ratio_to_bare_scan=round(scan / rate, 2),
        patterns=len(matcher.packs.patterns),
        decisions_by_level=levels,
        core=core,
    )


if __name__ == "__main__":
    main()
