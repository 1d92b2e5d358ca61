"""From a case to a filed report: two people, one report there, evidence held, the case filed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from reports_support import DAY, FACTS, FULL, HOUR, Bench

from upstander.cases.states import State as CaseState
from upstander.reports.model import ReportError
from upstander.reports.states import State
from upstander.vault.entries import Kind


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_a_report_is_filed_once_with_its_evidence_and_its_case_follows(bench: Bench) -> None:
    row = bench.filed()
    bench.work()
    row = bench.row(row)
    assert row.state is State.FILED
    [there] = bench.hotline.finished
    assert there.id == row.reference and not bench.hotline.unfinished
    assert sorted(file.name.split("-")[1] for file in there.files.values()) == ["chat", "decision", "frames", "gifts"]
    assert all(file.details for file in there.files.values())
    case = bench.desk.store.get(row.case)
    assert case is not None and case.state is CaseState.FILED and case.report == f"ncmec {row.reference}"
    assert bench.store.check() == []


def test_what_is_filed_is_held_for_a_year_and_then_let_go(bench: Bench) -> None:
    row = bench.filed()
    bench.work()
    items = bench.vault.of_case(row.case)
    assert all(f"report:{row.id}" in bench.vault.ledger.holds(item.address) for item in items)
    assert all(item.keep_until >= bench.row(row).filed_at + 365 * DAY for item in items)
    assert {item.part for item in items} >= {"chat", "report", "receipt"}
    bench.clock.on(days=366)
    bench.settler.sweep()
    assert not any(bench.vault.ledger.holds(item.address) for item in items)


def test_a_second_person_has_to_approve(bench: Bench) -> None:
    row = bench.drafted()
    with pytest.raises(ReportError, match="a second person"):
        bench.office.approve(row.id, "ann", "fine")
    with pytest.raises(ReportError, match="drafted"):
        bench.office.file(row.id, "ann")
    case = bench.desk.store.get(row.case)
    assert case is not None and case.state is CaseState.ESCALATED
    bench.office.approve(row.id, "dana", "agreed")
    case = bench.desk.store.get(row.case)
    assert case is not None and case.state is CaseState.APPROVED and case.approved_by == "dana"


def test_viewed_is_true_only_where_the_audit_shows_that_a_person_looked(bench: Bench) -> None:
    case = bench.case()
    chat = next(item for item in bench.vault.of_case(case.id) if item.part == "chat")
    other = next(item for item in bench.vault.of_case(case.id) if item.part == "gifts")
    bench.vault.read(chat.address, "ann", "a look")
    bench.vault.open(other, "upstander", "a check by the machine", Kind.VIEWED)
    row = bench.office.draft(case.id, "ncmec", FACTS, "ann", "why", bench.clock())
    _, report = bench.office.read(row.id, "ann", "check")
    assert {file.part: file.viewed for file in report.files} == {
        "chat": True, "decision": False, "frames": False, "gifts": False,
    }  # fmt: skip
    # Drafting twice, or reading drafts, makes nothing "viewed".
    row = bench.office.draft(case.id, "ncmec", FACTS, "ann", "why", bench.clock())
    _, report = bench.office.read(row.id, "ann", "check")
    assert sum(file.viewed for file in report.files) == 1


def test_a_later_report_on_the_same_person_names_the_earlier(bench: Bench) -> None:
    first = bench.filed(1)
    bench.work()
    second = bench.filed(2)
    other = bench.filed(3, viewer="v9")
    bench.work()
    xml = {each.id: each.xml for each in bench.hotline.finished}
    assert f"<priorCTReports>{bench.row(first).reference}</priorCTReports>" in xml[bench.row(second).reference]
    assert "priorCTReports" not in xml[bench.row(other).reference]


def test_the_reports_file_names_nobody(bench: Bench) -> None:
    row = bench.filed()
    bench.work()
    bench.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = (bench.settings.folder / "reports.sqlite3").read_bytes()
    for word in (b"canary", b"Canary", b"203.0.113", b"v1", b"parents home", b"mysite"):
        assert word not in data.replace(row.case.encode(), b""), word


def test_no_second_report_to_the_uk_where_a_foreign_one_stands_for_it(bench: Bench) -> None:
    row = bench.filed()
    bench.work()
    with pytest.raises(ReportError, match="stands for this report"):
        bench.office.draft(row.case, "nca", FACTS, "ann", "why")


def test_the_uk_report_is_handed_over_by_hand_under_its_reference(bench: Bench) -> None:
    row = bench.drafted(destination="nca")
    bench.office.approve(row.id, "dana", "agreed", bench.clock())
    with pytest.raises(ReportError, match="takes no reports by itself"):
        bench.office.file(row.id, "dana")
    row = bench.office.hand_over(row.id, "NCA-77", "dana", "entered at the portal", bench.clock())
    bench.work()
    case = bench.desk.store.get(row.case)
    assert case is not None and case.state is CaseState.FILED and case.report == "nca NCA-77"
    assert any(bench.vault.ledger.holds(item.address) for item in bench.vault.of_case(row.case))


def test_a_take_down_notice_is_followed_up(bench: Bench) -> None:
    row = bench.drafted(destination="takedown", facts=FULL)
    bench.office.approve(row.id, "dana", "agreed", bench.clock())
    bench.office.hand_over(row.id, "sent by e-mail", "dana", "sent", bench.clock())
    bench.work(23)
    assert not bench.row(row).alarm_at
    bench.work(2)
    assert "no answer yet" in bench.row(row).alarm
    bench.office.outcome(row.id, "taken_down", "dana", "the host wrote", bench.clock())
    assert not bench.row(row).alarm_at and bench.row(row).outcome == "taken_down"


def test_what_nobody_goes_on_with_alarms_and_calls_somebody(tmp_path: Path) -> None:
    bench = Bench(tmp_path, alarm_command=("page",))
    row = bench.drafted()
    bench.office.approve(row.id, "dana", "agreed", bench.clock())
    bench.work(0.5)
    assert not bench.paged
    bench.work(1)
    assert bench.row(row).alarm and len(bench.paged) == 1
    assert row.id.encode() in bench.paged[0] and b"anary" not in bench.paged[0]
    case = bench.desk.store.get(row.case)
    assert case is not None and case.alarm
    bench.office.file(row.id, "dana", bench.clock())
    bench.work()
    assert bench.row(row).state is State.FILED and not bench.row(row).alarm_at
    bench.close()


def test_a_missing_reporter_stops_the_report_and_says_what_is_missing(tmp_path: Path) -> None:
    from upstander.reports.settings import ReporterSettings

    bench = Bench(tmp_path, reporter=ReporterSettings(first_name="Robin"))
    row = bench.drafted()
    with pytest.raises(ReportError, match=r"reportingPerson/lastName.*reportingPerson/email"):
        bench.office.approve(row.id, "dana", "agreed")
    bench.close()


def test_a_case_that_somebody_else_holds_is_not_reported(bench: Bench) -> None:
    case = bench.case(claim="eve")
    with pytest.raises(ReportError, match="eve's"):
        bench.office.draft(case.id, "ncmec", FACTS, "ann", "why")


def test_a_disapproved_draft_gives_the_case_back(bench: Bench) -> None:
    row = bench.drafted()
    bench.office.disapprove(row.id, "dana", "a joke between friends", bench.clock())
    bench.work()
    case = bench.desk.store.get(row.case)
    assert case is not None and case.state is CaseState.REFUSED
    assert not bench.hotline.reports


def test_retracting_before_and_after_filing(bench: Bench) -> None:
    early = bench.drafted(1)
    bench.office.retract(early.id, "ann", "the wrong person", bench.clock())
    assert bench.row(early).state is State.RETRACTED
    done = bench.filed(2)
    bench.work()
    with pytest.raises(ReportError, match="cannot be taken back"):
        bench.office.retract(done.id, "ann", "oh")


def test_a_report_that_is_open_there_is_retracted_there(bench: Bench) -> None:
    from upstander.reports.fake.faults import read

    bench.hotline.faults = [read("upload:code=1111*1")]
    row = bench.filed()
    bench.sender.run()
    assert bench.row(row).reference and bench.row(row).state is State.UPLOADING
    bench.office.retract(row.id, "dana", "the wrong person", bench.clock())
    bench.work()
    assert bench.row(row).state is State.RETRACTED
    [there] = bench.hotline.reports.values()
    assert there.retracted_at and not there.finished_at


def test_an_old_report_about_another_hour_is_sent_at_once(bench: Bench) -> None:
    bench.clock.on(hours=30)
    row = bench.filed()
    bench.work()
    assert bench.row(row).filed_at - row.first_signal_at >= 30 * HOUR
