"""Every fault at every call: in the end exactly one complete report is there, or it was refused, or it alarms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reports_support import FACTS, HOUR, Bench

from upstander.cases.states import State as CaseState
from upstander.reports.fake.faults import read
from upstander.reports.states import State


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def complete(bench: Bench, reference: str) -> bool:
    """Whether a finished report has all four parts, each described."""
    there = bench.hotline.reports[reference]
    good = {file.name.split("-")[1] for file in there.files.values() if file.details and "Damaged" not in file.details}
    return bool(there.finished_at) and good == {"chat", "gifts", "frames", "decision"}


#: Faults after which the report goes through by itself, within an hour.
MENDED = [
    *[f"{call}:down*3" for call in ("status", "upload", "fileinfo", "finish")],
    *[f"{call}:http=503*2" for call in ("submit", "upload", "fileinfo", "finish")],
    *[f"{call}:{kind}" for call in ("upload", "fileinfo", "finish") for kind in ("drop", "http=500", "http_after=502")],
    *[f"{call}:duplicate" for call in ("submit", "upload", "fileinfo", "finish")],
    "submit:code=1000*2", "submit:code=1100", "upload:code=1111*3", "upload:code=1110", "fileinfo:code=1300*2",
    "finish:code=1000*2", "fileinfo:code=5002", "upload:wrong_md5*2", "status:code=1000",
]  # fmt: skip


@pytest.mark.parametrize("fault", MENDED)
def test_it_goes_through_in_the_end_and_is_there_once(bench: Bench, fault: str) -> None:
    bench.hotline.faults = [read(fault)]
    row = bench.filed()
    bench.work(1)
    row = bench.row(row)
    assert row.state is State.FILED, (row.alarm, bench.store.history(row.id))
    [there] = bench.hotline.finished
    assert there.id == row.reference and complete(bench, there.id)


@pytest.mark.parametrize("fault", ["submit:drop", "submit:http=500", "submit:http_after=502"])
def test_where_nobody_knows_whether_it_was_opened_somebody_is_called(bench: Bench, fault: str) -> None:
    bench.hotline.faults = [read(fault)]
    row = bench.filed()
    bench.work(1)
    row = bench.row(row)
    assert row.state is State.ALARMING and "nobody knows" in row.alarm and row.paged
    case = bench.desk.store.get(row.case)
    assert case is not None and case.alarm
    assert not bench.hotline.finished
    # A person has it opened anew at once; what may be there expires unfinished.
    bench.office.again(row.id, "dana", "telephoned: nothing there", bench.clock())
    bench.work()
    assert bench.row(row).state is State.FILED and len(bench.hotline.finished) == 1


def test_where_nobody_acts_it_is_opened_anew_once_the_other_has_expired(bench: Bench) -> None:
    bench.hotline.faults = [read("submit:drop")]
    row = bench.filed()
    bench.work(24)
    assert bench.row(row).state is State.ALARMING
    bench.work(2)
    assert bench.row(row).state is State.FILED
    assert len(bench.hotline.finished) == 1 and len(bench.hotline.expired) == 1 and not bench.hotline.unfinished


@pytest.mark.parametrize("call", ["submit", "upload", "fileinfo", "finish"])
def test_refused_with_the_destinations_words_and_nothing_left_there(bench: Bench, call: str) -> None:
    bench.hotline.faults = [read(f"{call}:code=4100 the platform is too long")]
    row = bench.filed()
    bench.work(1)
    row = bench.row(row)
    assert row.state is State.REFUSED and "the platform is too long" in row.words
    assert not bench.hotline.finished and not bench.hotline.unfinished
    case = bench.desk.store.get(row.case)
    assert case is not None and case.state is CaseState.REFUSED and "the platform is too long" in case.reason


def test_what_keeps_failing_is_retracted_before_it_expires_and_alarms(bench: Bench) -> None:
    bench.hotline.faults = [read("upload:code=1111*0")]
    row = bench.filed()
    bench.work(2)
    row = bench.row(row)
    assert row.state is State.ALARMING and row.paged
    assert not bench.hotline.finished
    if bench.hotline.unfinished:  # given up by count: a person may go on, or take it back
        bench.hotline.faults.clear()
        bench.office.again(row.id, "dana", "the fault is mended", bench.clock())
        bench.work()
        assert bench.row(row).state is State.FILED


def test_what_is_slow_to_fail_is_taken_back_before_it_would_be_deleted(tmp_path: Path) -> None:
    bench = Bench(tmp_path, attempts=1_000)
    bench.hotline.faults = [read("upload:code=1111*0")]
    row = bench.filed()
    bench.work(1)
    row = bench.row(row)
    assert row.state is State.ALARMING and "before it would have expired" in row.alarm
    [there] = bench.hotline.reports.values()
    assert there.retracted_at and there.retracted_at - there.opened_at < HOUR
    bench.close()


def test_what_has_expired_there_is_opened_anew(bench: Bench) -> None:
    bench.hotline.faults = [read("upload:code=1111")]
    row = bench.filed()
    bench.sender.run()
    assert bench.row(row).state is State.UPLOADING
    bench.hotline.is_down = True
    bench.work(26, step=600)
    bench.hotline.is_down = False
    bench.work(1)
    assert bench.row(row).state is State.FILED
    assert len(bench.hotline.finished) == 1 and len(bench.hotline.expired) == 1


def test_a_wrong_password_alarms_and_nothing_is_lost(bench: Bench) -> None:
    bench.hotline._allowed = "Basic other"
    row = bench.filed()
    bench.work(1)
    assert bench.row(row).state is State.SUBMITTING and bench.row(row).paged
    bench.hotline._allowed = "Basic ZmFrZTpmYWtl"
    bench.work(1)
    assert bench.row(row).state is State.FILED


@pytest.mark.parametrize("ahead", [-5 * 60_000, 5 * 60_000])
def test_clocks_that_differ(bench: Bench, ahead: int) -> None:
    """An incident of this minute, with the destination's clock behind: it is sent once it lies in the past there."""
    bench.hotline.ahead_ms = ahead
    row = bench.filed()
    bench.clock.at = row.first_signal_at + 30_000
    bench.work(0.5)
    assert bench.row(row).state is State.FILED
    assert bench.sender.ahead_ms == pytest.approx(-ahead, abs=1_000)


def test_files_that_arrived_damaged_are_described_as_such(bench: Bench) -> None:
    bench.hotline.faults = [read("upload:wrong_md5")]
    bench.filed()
    bench.work(1)
    [there] = bench.hotline.finished
    damaged = [file for file in there.files.values() if "Damaged in transfer" in file.details]
    assert len(damaged) == 1 and len(there.files) == 5


def test_a_report_whose_content_was_deleted_alarms_and_holds_up_nobody(bench: Bench) -> None:
    broken, fine = bench.filed(1), bench.filed(2, facts=FACTS)
    address = bench.row(broken).content
    bench.vault.delete(address, "ann", "by mistake", second="dana")
    bench.work()
    assert bench.row(broken).state is State.ALARMING
    assert bench.row(fine).state is State.FILED


def test_whoever_looks_while_it_is_opened_does_not_lose_its_number(bench: Bench) -> None:
    """A look is a step, too: it must not come between an answer and its note."""
    row = bench.filed()
    original = bench.client._send

    def looked_at(method: str, call: object, limit: int, **sent: object) -> object:
        answer = original(method, call, limit, **sent)  # type: ignore[arg-type]
        bench.office.read(row.id, "dana", "how far is it", bench.clock())
        return answer

    bench.client._send = looked_at  # type: ignore[assignment,method-assign]
    bench.work()
    assert bench.row(row).state is State.FILED and len(bench.hotline.reports) == 1


@pytest.mark.parametrize("call", ["status", "submit", "upload", "fileinfo", "finish"])
def test_wished_back_while_a_request_is_under_way(bench: Bench, call: str) -> None:
    row = bench.filed()
    original, asked = bench.client._send, []

    def wished_back(method: str, which: object, limit: int, **sent: object) -> object:
        if which == call and not asked:
            asked.append(which)
            bench.office.retract(row.id, "dana", "the wrong person", bench.clock())
        return original(method, which, limit, **sent)  # type: ignore[arg-type]

    bench.client._send = wished_back  # type: ignore[assignment,method-assign]
    bench.work()
    now = bench.row(row)
    assert now.state is (State.FILED if call == "finish" else State.RETRACTED)
    assert len(bench.hotline.finished) == (call == "finish") and not bench.hotline.unfinished
    assert bench.store.check() == []
