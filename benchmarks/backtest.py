"""A back-test: two policies over one million events, in two processes, compared as they come.

Limit: under 60 s on two cores, from the start of the processes to the result. Chat as it is recorded, repeated;
every host 10 to 12. The new policy is the one that ships with 20 rules more and lower thresholds.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from common import chat, emit
from policy import with_rules
from upstander import runtime
from upstander.backtest.run import run, source
from upstander.policy.reader import load

EVENTS = 1_000_000
BROADCASTS = 200
START = 1_770_000_000_000


def write(path: Path, lines: list[tuple[str, str]], count: int) -> None:
    """So many wire events, 400 a second over all broadcasts."""
    with path.open("wb") as stream:
        for n in range(BROADCASTS):
            begin = {"type": "broadcast_started", "id": "s", "at": START, "broadcast": f"b{n}", "host": "h"}
            stream.write(msgspec.json.encode(begin | {"host_age_band": "10_12"}) + b"\n")
        for n in range(count - BROADCASTS):
            author, text = lines[n % len(lines)]
            event = {"type": "comment", "id": f"e{n}", "at": START + n * 5 // 2, "broadcast": f"b{n % BROADCASTS}"}
            stream.write(msgspec.json.encode(event | {"actor": author, "text": text}) + b"\n")


def main() -> None:
    # Fewer events for a quick look: python benchmarks/backtest.py 100000
    count = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    name, lines = chat()
    old = runtime.current()
    old.detector()  # compiled and in the cache, as on a machine where the service runs
    text = with_rules(20).replace("concern: 3.0, urgent: 5.0", "concern: 2.5, urgent: 4.0")
    tables = load("new.yaml", text)
    new = msgspec.structs.replace(old, policy=tables.hash, policy_source=("new.yaml", text))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        write(path, lines, count)
        size = path.stat().st_size
        began = time.perf_counter()
        comparison, totals = run(old, new, [source(path)])
        took = time.perf_counter() - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert totals.events == count, totals
    emit(
        "backtest",
        {"seconds < 60": took < 60} if count == EVENTS else {},
        input=name,
        events=totals.events,
        megabytes=round(size / 1e6, 1),
        seconds=round(took, 1),
        events_per_s=round(count / took),
        cpu_s_of_both=round(children.ru_utime + children.ru_stime, 1),
        peak_mb_of_a_process=round(children.ru_maxrss / 1024),
        peak_mb_of_the_comparing_process=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        decisions={"old": comparison.old.decisions, "new": comparison.new.decisions},
        gained=comparison.gained,
        lost=comparison.lost,
    )


if __name__ == "__main__":
    main()
