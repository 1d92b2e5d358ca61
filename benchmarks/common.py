"""What the benchmarks share: input, pinning, statistics, and the one machine-readable line each prints."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RECORDED = ROOT.parent / "shared" / "data" / "chat" / "twitch-46k.jsonl"
FIXTURE = ROOT / "src" / "upstander" / "demo" / "chat" / "invented.jsonl"


def chat() -> tuple[str, list[tuple[str, str]]]:
    """``(name, [(author, text)])``: the recorded chat when it is here, else the small invented one, repeated."""
    path = RECORDED if RECORDED.exists() else FIXTURE
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [(str(line["author"]), str(line["text"])[:4000]) for line in lines]
    if path is FIXTURE:
        found = found * (46_109 // len(found))
    return path.name, found


def pin(core: int = 0) -> int:
    """Keep this process on one core; returns the core (or -1 where that is not allowed)."""
    try:
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {allowed[core % len(allowed)]})
        return allowed[core % len(allowed)]
    except OSError:
        return -1


def percentile(ordered: list[float], share: float) -> float:
    """The value below which ``share`` (0 to 1) of an ordered list lies."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def emit(name: str, limits: dict[str, bool], **figures: object) -> None:
    """Print the line. ``limits`` says which stated limits were met; exit status 1 when one was not."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"benchmark": name, **figures, "limits_met": limits, "machine": machine}))
    sys.exit(0 if all(limits.values()) else 1)
