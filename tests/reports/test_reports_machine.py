"""People, the clock and the destination do anything in any order: nothing is forgotten, nothing is there twice."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from reports_support import FACTS, Bench

from upstander.cases.model import CaseError
from upstander.reports.fake.faults import read
from upstander.reports.model import ReportError
from upstander.reports.states import FINAL, SENDING, State

PEOPLE = st.sampled_from(("ann", "dana"))
CHOICE = st.integers(0, 3)
FAULTS = (
    "status:down", "status:code=2000", "submit:drop", "submit:code=1000", "submit:code=4100 no", "submit:http=503",
    "upload:drop", "upload:wrong_md5", "upload:code=1111*3", "upload:code=5001", "fileinfo:code=5002",
    "fileinfo:http=500", "fileinfo:code=4100 no", "finish:drop", "finish:code=5101", "finish:http_after=502",
    "retract:drop", "retract:code=1300", "submit:duplicate", "upload:duplicate",
)  # fmt: skip


class Reports(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name), attempts=3)
        self.reports: list[str] = []

    def teardown(self) -> None:
        """The faults end and the clock goes on: everything has come to an end, or somebody was called."""
        bench = self.bench
        bench.hotline.faults, bench.hotline.is_down = [], False
        bench.work(30, step=900)
        for row in bench.store.select("1"):
            assert row.state not in SENDING, row
            assert row.state in FINAL or (row.alarm_at and row.paged), row
            there = [each for each in bench.hotline.reports.values() if row.id in each.xml]
            finished = [each.id for each in there if each.finished_at]
            if row.state is State.ALARMING:
                # The destination said two things (finished, and then that it was retracted): a person looks.
                assert finished in ([], [row.reference]), row
            else:
                assert finished == ([row.reference] if row.state is State.FILED else []), row
        assert not bench.hotline.unfinished or all(row.alarm_at for row in bench.store.select("state = 'alarming'"))
        bench.close()
        self.folder.cleanup()

    def chosen(self, place: int) -> str:
        return self.reports[place % len(self.reports)] if self.reports else ""

    @rule(number=CHOICE, viewer=CHOICE)
    def draft(self, number: int, viewer: int) -> None:
        with contextlib.suppress(ReportError, CaseError):
            case = self.bench.case(number, viewer=f"v{viewer}")
            now = self.bench.clock()
            self.reports.append(self.bench.office.draft(case.id, "ncmec", FACTS, "ann", "why", now).id)

    @rule(viewer=CHOICE, faults=st.lists(st.sampled_from(FAULTS), min_size=1, max_size=3))
    def report_while_it_fails(self, viewer: int, faults: list[str]) -> None:
        """The whole way at once, into faults: what a random walk would seldom come to."""
        self.bench.hotline.faults += map(read, faults)
        self.draft(len(self.reports) + 10, viewer)
        self.file(len(self.reports) - 1, "dana")
        self.send()

    @rule(place=CHOICE, who=PEOPLE, act=st.sampled_from(("approve", "disapprove", "retract", "again", "read")))
    def act(self, place: int, who: str, act: str) -> None:
        with contextlib.suppress(ReportError, CaseError):
            getattr(self.bench.office, act)(self.chosen(place), who, "why", now=self.bench.clock())

    @rule(place=CHOICE, who=PEOPLE)
    def file(self, place: int, who: str) -> None:
        with contextlib.suppress(ReportError, CaseError):
            self.bench.office.approve(self.chosen(place), "dana", "why", self.bench.clock())
        with contextlib.suppress(ReportError, CaseError):
            self.bench.office.file(self.chosen(place), who, self.bench.clock())

    @rule(fault=st.sampled_from(FAULTS))
    def fault(self, fault: str) -> None:
        self.bench.hotline.faults.append(read(fault))

    @rule(down=st.booleans())
    def down(self, down: bool) -> None:
        self.bench.hotline.is_down = down

    @rule(minutes=st.sampled_from((1, 7, 45, 300)))
    def time(self, minutes: int) -> None:
        self.bench.clock.on(minutes=minutes)

    @rule()
    def send(self) -> None:
        self.bench.sender.run()
        self.bench.settler.sweep()

    @invariant()
    def whatever_is_open_has_a_clock_or_an_alarm(self) -> None:
        for row in self.bench.store.select("1"):
            assert row.state in FINAL or row.due_at or row.alarm_at, row
            assert row.state is not State.FILED or row.reference

    @invariant()
    def no_report_is_finished_twice(self) -> None:
        for name in self.reports:
            assert sum(bool(each.finished_at) for each in self.bench.hotline.reports.values() if name in each.xml) <= 1


Reports.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
TestReports = Reports.TestCase
