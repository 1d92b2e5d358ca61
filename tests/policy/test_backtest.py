"""The back-test's own process: what it reads, counts and sends."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from strategies import START, configuration
from support import comment, lines, started
from upstander.backtest import run, sharing
from upstander.backtest.run import BacktestError, Source, Totals, _Job, _Reading, source
from upstander.model.wire import decode_event


def read(path: Path, *lines: bytes, limit: int = 0) -> tuple[list[str], Totals]:
    path.write_bytes(b"\n".join(lines))
    reading = _Reading(_Job(configuration().encode(), [source(path)], limit, False))
    found = [one.id for _, one in reading.happenings()]
    reading.close()
    return found, reading.totals


def line(identifier: str, second: int = 0, broadcast: str = "b", text: str = "hi") -> bytes:
    raw = {"type": "comment", "id": identifier, "at": START + second * 1_000, "broadcast": broadcast}
    return msgspec.json.encode(raw | {"actor": "v", "text": text})


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


def test_reading_shared_between_both_changes_no_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["are your parents home", "nice drawing", "what song is this", "add me on the other app", "hi", "@a hi"]
    path = tmp_path / "w"
    events = [
        started("s", "b"),
        *(comment(f"e{n}", texts[n * 7 % 6] * (1 + n % 2), "b", f"v{n % 3}") for n in range(90)),
    ]
    path.write_bytes(lines(*events))
    shared = run.run(configuration(), configuration(), [source(path)])
    monkeypatch.setattr(run, "_read_alike", lambda a, b: False)
    alone = run.run(configuration(), configuration(), [source(path)])
    assert shared[1] == alone[1]
    assert [shared[0].old, shared[0].new] == [alone[0].old, alone[0].new]
    assert shared[0].old == shared[0].new
    assert shared[0].old.decisions > 0


def test_each_reads_half_and_is_told_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "AHEAD", 4)
    told: list[list[str]] = [[], []]

    class Detector:
        def __init__(self, number: int) -> None:
            self.number, self.read = number, [""][:0]

        def viewer(self, text: str, host: str) -> list[str]:
            self.read.append(text)
            if text == "fault":
                raise ValueError
            return ["found"] if text == "bad" else []

        def remember_quiet(self, text: str) -> None:
            told[self.number].append(text)

    events = [decode_event(line(f"e{n}", n, text=text)) for n, text in enumerate(["a", "bad", "a", "b", "c", "fault"])]
    pipes, detectors = multiprocessing.Pipe(), [Detector(0), Detector(1)]

    def one(number: int) -> list[str]:
        sides = sharing.Sharing(detectors[number], pipes[number], first=not number)  # type: ignore[arg-type]
        return [event.id for _, event in sides.ahead(("", event) for event in events)]

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(one, (0, 1))) == [[f"e{n}" for n in range(6)]] * 2
    assert [detector.read for detector in detectors] == [["a", "b", "c"], ["bad", "fault"]]
    assert told == [[], ["a", "b", "c"]]
    pipes[1].close()
    assert one(0) == [f"e{n}" for n in range(6)], "the other one is gone"


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
