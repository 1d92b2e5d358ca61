"""The back-test's own process: what it reads, counts and sends."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from strategies import START, configuration
from upstander.backtest import run
from upstander.backtest.run import BacktestError, Source, Totals, _Job, _Reading, source


def read(path: Path, *lines: bytes, limit: int = 0) -> tuple[list[str], Totals]:
    path.write_bytes(b"\n".join(lines))
    reading = _Reading(_Job(configuration().encode(), [source(path)], limit, False))
    found = [one.id for _, one in reading.happenings()]
    reading.close()
    return found, reading.totals


def line(identifier: str, second: int = 0, broadcast: str = "b") -> bytes:
    raw = {"type": "comment", "id": identifier, "at": START + second * 1_000, "broadcast": broadcast}
    return msgspec.json.encode(raw | {"actor": "v", "text": "hi"})


def test_repeats_and_what_is_no_event_are_counted_and_left_out(tmp_path: Path) -> None:
    long = b'{"type": "comment", "text": "' + b"x" * 2_000_000 + b'"}'
    found, totals = read(tmp_path / "w", line("a"), b"{", line("a"), long, b"", line("b"))
    assert found == ["a", "b"]
    assert (totals.events, totals.refused, totals.duplicates) == (2, 2, 1)


def test_repeats_are_known_for_as_long_as_promised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "MAX_REMEMBERED", 10)
    lines = [line(f"e{n}") for n in range(40)]
    assert len(read(tmp_path / "w", *lines[:11], lines[1])[0]) == 11
    assert len(read(tmp_path / "w", *lines[:30], lines[1])[0]) == 31


def test_silences_are_no_broadcast_hours(tmp_path: Path) -> None:
    seconds = [("b", 0), ("c", 0), ("b", 600), ("b", 1_201), ("b", 1_200), ("b", 1_300), ("c", 60)]
    _, totals = read(tmp_path / "w", *[line(f"e{n}", s, b) for n, (b, s) in enumerate(seconds)])
    assert totals.hours * 3600 == pytest.approx(600 + 99 + 60)
    assert (totals.broadcasts, totals.first_at, totals.last_at) == (2, START, START + 1_300_000)


def test_the_limit_is_kept(tmp_path: Path) -> None:
    assert read(tmp_path / "w", *[line(f"e{n}") for n in range(40)], limit=7)[1].events == 7


def test_both_policies_meet_the_same_events_in_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "BATCH", 5)
    path = tmp_path / "w"
    path.write_bytes(b"\n".join([line(f"e{n}", n) for n in range(12)]))
    job = _Job(configuration().encode(), [source(path), source(path)], 0, True)
    reports = list(run._reports(job))
    assert [report.totals is None for report in reports] == [True, True, False]
    assert [round(report.done, 2) for report in reports] == [0.21, 0.42, 1.0]
    assert reports[-1].totals is not None
    assert (reports[-1].totals.events, reports[-1].totals.duplicates) == (12, 12)


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    broken = msgspec.structs.replace(configuration(), packs=(("en/x.yaml", "label: ["),))
    gone = [Source(str(tmp_path / "gone.jsonl"), False, 10)]
    with pytest.raises(BacktestError, match="the back-test failed"):
        run.run(broken, broken, gone)


def test_what_cannot_be_read_is_no_source(tmp_path: Path) -> None:
    with pytest.raises(BacktestError, match="cannot be read"):
        source(tmp_path / "none")
    (tmp_path / "broken.sqlite").write_bytes(run.MAGIC + b"\0" * 100)
    with pytest.raises(BacktestError, match="cannot be read"):
        source(tmp_path / "broken.sqlite")
