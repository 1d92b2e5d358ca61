"""Hold requests at 1,000/s with fsync on, the load generator on the same cores, beside the same server doing nothing.

Limit: 99th percentile at most 20 ms, every comment decided. "Doing nothing" is the same uvicorn, Starlette and msgspec
decoding, with neither engine nor journal.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from common import ROOT, chat, emit
from upstander.gateway.keys import KeyStore, Scope

RATE, SECONDS, CONNECTIONS, ROUNDS = 1_000, 10, 64, 3


@contextmanager
def upstander(folder: Path) -> Iterator[tuple[int, str]]:
    keys = KeyStore(folder / "data" / "keys.sqlite")
    key, _ = keys.create("bench", [Scope.EVENTS_WRITE])
    keys.close()
    command = [ROOT / ".venv/bin/upstander", "serve", "--data", folder / "data", "--port", "0", "--log-level", "error"]
    with _server([str(part) for part in command], folder) as port:
        yield port, key


@contextmanager
def nothing(folder: Path) -> Iterator[tuple[int, str]]:
    with _server([sys.executable, str(ROOT / "benchmarks/nothing.py"), "starlette"], folder) as port:
        yield port, "none"


@contextmanager
def _server(command: list[str], folder: Path) -> Iterator[int]:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        yield int(line.split("http://127.0.0.1:", 1)[1].split()[0])
    finally:
        process.terminate()
        process.wait(20)


def load(port: int, key: str, tag: str, texts: list[str], rate: float, seconds: float) -> dict[str, object]:
    plan = {
        "port": port, "path": "/v1/hold", "key": key, "tag": tag, "texts": texts,
        "rate": rate, "seconds": seconds, "connections": CONNECTIONS,
    }  # fmt: skip
    command = [sys.executable, str(ROOT / "benchmarks/load.py")]
    result = subprocess.run(command, input=json.dumps(plan), capture_output=True, text=True, check=True, timeout=120)
    found: dict[str, object] = json.loads(result.stdout)
    return found


def main() -> None:
    name, lines = chat()
    texts = [text for _, text in lines[:20_000]]
    served, peer = [], []
    with (
        tempfile.TemporaryDirectory(dir=ROOT) as folder,
        upstander(Path(folder)) as (port, key),
        nothing(Path(folder)) as (nothing_port, nothing_key),
    ):
        load(port, key, "warm", texts, RATE, 2)
        load(nothing_port, nothing_key, "warm", texts, RATE, 2)
        for number in range(ROUNDS):
            served.append(load(port, key, f"r{number}", texts, RATE, SECONDS))
            peer.append(load(nothing_port, nothing_key, f"r{number}", texts, RATE, SECONDS))
        most = load(port, key, "most", texts, 0, 5)
        most_nothing = load(nothing_port, nothing_key, "most", texts, 0, 5)

    def median(rows: list[dict[str, object]], figure: str) -> float:
        return round(statistics.median(float(str(row[figure])) for row in rows), 3)

    def rate(row: dict[str, object]) -> float:
        return float(str(row["requests_per_s"]))

    p99, all_decided = median(served, "p99_ms"), all(set(row["statuses"]) == {"200"} for row in served)  # type: ignore[call-overload]
    emit(
        "gateway",
        {"p99_ms <= 20 at 1000/s": p99 <= 20, "every hold decided": all_decided},
        input=name,
        rate_per_s=median(served, "requests_per_s"),
        p50_ms=median(served, "p50_ms"),
        p99_ms=p99,
        p999_ms=median(served, "p999_ms"),
        max_ms=max(float(str(row["max_ms"])) for row in served),
        nothing_p50_ms=median(peer, "p50_ms"),
        nothing_p99_ms=median(peer, "p99_ms"),
        p99_ratio_to_nothing=round(p99 / median(peer, "p99_ms"), 2),
        most_holds_per_s=most["requests_per_s"],
        most_nothing_per_s=most_nothing["requests_per_s"],
        throughput_ratio_to_nothing=round(
            float(str(most["requests_per_s"])) / float(str(most_nothing["requests_per_s"])), 3
        ),
        rounds=ROUNDS,
        seconds_a_round=SECONDS,
    )


if __name__ == "__main__":
    main()
