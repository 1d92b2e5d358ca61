"""Counts for metrics and for transparency: right, and too coarse to point at anybody."""

from __future__ import annotations

from pathlib import Path

from reports_support import FULL, Bench

from upstander.reports import numbers


def test_how_the_queue_stands(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.hotline.is_down = True
    bench.filed(1)
    bench.drafted(2, destination="takedown", facts=FULL)
    bench.work(1)
    found = numbers.standing(bench.settings.folder / "reports.sqlite3", bench.clock())
    assert found.by_state == {("ncmec", "submitting"): 1, ("takedown", "drafted"): 1}
    assert found.alarming == 1 and found.oldest_s >= 3_600 and found.down == ("ncmec",)
    bench.close()
    assert numbers.standing(tmp_path / "none.sqlite3", 0).by_state == {}


def test_transparency(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    rows = [bench.filed(number, viewer=f"v{number}") for number in range(6)]
    bench.work()
    for number, row in enumerate(rows):
        outcome = "acknowledged" if number < 4 else "acted_on" if number == 4 else "wrong"
        bench.office.outcome(row.id, outcome, "dana", "their answer", bench.clock())
    refused = bench.drafted(7)
    bench.office.disapprove(refused.id, "dana", "no", bench.clock())
    [found] = numbers.transparency(bench.store.connection)
    assert (found.destination, found.filed, found.refused, found.open, found.awaiting) == ("ncmec", 6, 1, 0, 0)
    assert found.median_hours == 1.0
    assert found.outcomes == {"acknowledged": 4, "other": 2}
    assert numbers.transparency(bench.store.connection, until=1)[0].filed == 0
    bench.close()
