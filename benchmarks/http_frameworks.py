"""Starlette beside Litestar for the gateway's hottest route, both on uvicorn with httptools and msgspec.

It decided the gateway's framework; no limit is stated. The load generator runs on the same cores.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from common import ROOT, chat, emit
from gateway import _server, load

ROUNDS, SECONDS = 3, 5


def main() -> None:
    name, lines = chat()
    texts = [text for _, text in lines[:5_000]]
    rates: dict[str, list[float]] = {"starlette": [], "litestar": []}
    with tempfile.TemporaryDirectory() as folder:
        servers = {n: _server([sys.executable, str(ROOT / "benchmarks/nothing.py"), n], Path(folder)) for n in rates}
        with servers["starlette"] as starlette, servers["litestar"] as litestar:
            for number in range(ROUNDS):
                for framework, port in (("starlette", starlette), ("litestar", litestar)):
                    found = load(port, "none", f"r{number}", texts, 0, SECONDS)
                    assert set(found["statuses"]) == {"200"}, found  # type: ignore[call-overload]
                    rates[framework].append(float(str(found["requests_per_s"])))
    middle = {framework: statistics.median(found) for framework, found in rates.items()}
    emit(
        "http_frameworks",
        {},
        input=name,
        starlette_per_s=middle["starlette"],
        litestar_per_s=middle["litestar"],
        starlette_ratio_to_litestar=round(middle["starlette"] / middle["litestar"], 2),
    )


if __name__ == "__main__":
    main()
