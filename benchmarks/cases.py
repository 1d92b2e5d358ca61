"""What the queue costs with 10,000 open cases: a page of 50, the page in the middle, one case, claim, counts.

Limit: the 99th percentile of each read stays under 50 ms (a page of the console has 200 ms for all it does). Every read
includes its audited step, which waits for the disk. Printed without a limit: opening a case, and sealing its evidence
(four items of about 2 kB, encrypted, each in the ledger) in a local folder.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from common import emit, percentile, pin
from upstander.cases import queue
from upstander.cases.desk import Desk
from upstander.cases.model import Found
from upstander.cases.states import Act
from upstander.cases.store import Store
from upstander.model.vocabulary import Level
from upstander.settings import Settings
from upstander.vault import opening
from upstander.vault.vault import Part

CASES = 10_000
TIMES = 200
SEALS = 100


def each(action: Callable[[int], object], times: int = TIMES) -> list[float]:
    """Milliseconds of each run, in order of length."""
    took = []
    for number in range(times):
        began = time.perf_counter()
        action(number)
        took.append((time.perf_counter() - began) * 1_000)
    return sorted(took)


def main() -> None:
    pin()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        desk = Desk(Store(folder / "cases.sqlite3"))
        began = time.perf_counter()
        with desk.store.transaction():
            for n in range(CASES):
                level = Level.EMERGENCY if n % 10 == 0 else Level.URGENT
                desk.decide(Found("mysite", f"b{n}", f"v{n % 3_000}", f"e{n}", n, n, level, ("secrecy", "dare")))
        opened_us = (time.perf_counter() - began) / CASES * 1e6
        ids = [case.id for case in desk.store.select("1", order="id")]
        middle = desk.store.select("1")[CASES // 2]
        reads = {
            "first_page": each(lambda _: [queue.line_of(case) for case in desk.page("ann")]),
            "middle_page": each(lambda _: desk.page("ann", after=(middle.rank, middle.id))),
            "one_case": each(lambda n: desk.store.history(desk.view(ids[n * 40], "ann").id)),
            "counts": each(lambda _: queue.counts(desk)),
            "service_levels": each(lambda _: queue.service(desk)),
            "claim": each(lambda n: desk.act(ids[n * 40], Act.CLAIM, "ann")),
        }
        vault = opening.create_vault(Settings(data=str(folder / "data")), "ann")
        kinds = ("decision", "chat", "gifts", "frames")
        seals = each(
            lambda n: vault.seal([Part(kind, f"{n}:{kind}", b"x" * 2_000) for kind in kinds], "case", 0, "a benchmark"),
            SEALS,
        )
        vault.close()
    figures = {
        read: {"p50_ms": round(percentile(took, 0.5), 2), "p99_ms": round(percentile(took, 0.99), 2)}
        for read, took in reads.items()
    }
    emit(
        "cases",
        {f"{read}_under_50_ms": figure["p99_ms"] < 50 for read, figure in figures.items()},
        open_cases=CASES,
        **figures,
        open_us=round(opened_us, 1),
        seal_four_items_ms={"p50": round(percentile(seals, 0.5), 2), "p99": round(percentile(seals, 0.99), 2)},
    )


if __name__ == "__main__":
    main()
