"""A case never leaves the queue silently: whatever people and the machine do, every escalation ends filed, refused with
a reason, or alarming; and whatever is not closed or filed is alarming once nobody does anything any more."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cases_support import MINUTE, T0, new_desk
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from upstander.cases.bulk import Plan, apply, preview, undo
from upstander.cases.check import check
from upstander.cases.model import Case, CaseError, Found
from upstander.cases.states import BULK, CHANGES_OF_TIME, CLOCK, Act, State
from upstander.model.vocabulary import Level

PEOPLE = st.sampled_from(["ann", "bob", "cid"])
CASES = st.integers(0, 1)
BY_PEOPLE = [act for act in Act if act not in (Act.LIST, Act.UNDO, *CHANGES_OF_TIME)]


class Queue(RuleBasedStateMachine):
    """Two broadcasts, three people, a clock that only goes on."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.desk = new_desk(self.folder)
        self.now, self.seq = T0, 0
        self.ids = [self.desk.case_id("mysite", f"b{n}", "v1") for n in range(2)]
        self.batches: list[str] = []

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.nobody_does_anything_any_more()
            self.every_escalation_ended()
            assert check(self.desk.store).ok
            self.desk.store.close()
            shutil.rmtree(self.folder)

    # -- what may happen -----------------------------------------------------------------------------------------

    @rule(which=CASES, level=st.sampled_from([Level.URGENT, Level.EMERGENCY]))
    def something_grave_happens(self, which: int, level: Level) -> None:
        self.seq += 1
        self.desk.decide(Found("mysite", f"b{which}", "v1", f"e{self.seq}", self.seq, self.now, level), now=self.now)

    @rule(which=CASES, by=PEOPLE)
    def a_case_goes_through(self, which: int, by: str) -> None:
        """The way that leads on is tried more often than chance would."""
        case = self.desk.store.get(self.ids[which])
        onwards = {State.OPEN: Act.CLAIM, State.CLAIMED: Act.ESCALATE, State.ESCALATED: Act.APPROVE,
                   State.APPROVED: Act.FILE, State.REFUSED: Act.CLAIM}  # fmt: skip
        if case is not None and case.state in onwards:
            self.try_to(which, onwards[case.state], case.holder or by, "onwards")

    @rule(
        which=CASES,
        act=st.sampled_from(BY_PEOPLE),
        by=PEOPLE,
        why=st.sampled_from(["a reason", "a reason", "a reason", ""]),
        to=PEOPLE,
    )
    def somebody_does_something(self, which: int, act: Act, by: str, why: str, to: str) -> None:
        self.try_to(which, act, by, why, to)

    def try_to(self, which: int, act: Act, by: str, why: str, to: str = "ann") -> None:
        try:
            if act is Act.VIEW:
                self.desk.view(self.ids[which], by, why, now=self.now)
            else:
                outcome = "benign" if act is Act.VERDICT else ""
                until = self.now + 7 * MINUTE
                given = {"to": to, "until": until, "outcome": outcome, "reference": "R1", "now": self.now}
                self.desk.act(self.ids[which], act, by, why, **given)
        except CaseError:
            pass

    @rule(act=st.sampled_from(BULK), by=PEOPLE)
    def somebody_acts_on_all(self, act: Act, by: str) -> None:
        known = tuple(name for name in self.ids if self.desk.store.get(name))
        if known:
            plan = Plan(act=act, cases=known, by=by, why="all at once", until=self.now + 7 * MINUTE)
            self.batches.append(apply(self.desk, plan, preview(self.desk, plan, self.now).token, self.now).id)

    @rule(by=PEOPLE)
    def somebody_takes_it_back(self, by: str) -> None:
        if self.batches:
            undo(self.desk, self.batches.pop(), by, "a mistake", self.now)

    @rule(minutes=st.sampled_from([1, 6, 16, 70, 300]), sweep=st.booleans())
    def time_goes_by(self, minutes: int, sweep: bool) -> None:
        self.now += minutes * MINUTE
        if sweep:
            self.desk.sweep(self.now)

    # -- what always holds ---------------------------------------------------------------------------------------

    def cases(self) -> list[Case]:
        return self.desk.store.select("1")

    @invariant()
    def no_case_is_left_silently(self) -> None:
        for case in self.cases() if hasattr(self, "desk") else []:
            if case.queued:
                assert getattr(case, CLOCK[case.state]) > 0, case
                others = {"due_at", "lease_until", "snooze_until"} - {CLOCK[case.state]}
                assert not any(getattr(case, name) for name in others), case
            else:
                assert case.reason, case
                assert case.state is State.CLOSED or case.report, case
            assert (case.state is State.CLAIMED) == bool(case.holder), case
            if case.state in (State.APPROVED, State.FILED):
                assert case.approved_by and case.approved_by != case.escalated_by, case

    @invariant()
    def no_case_is_gone(self) -> None:
        if hasattr(self, "desk"):
            known = {step for (step,) in self.desk.store.connection.execute("SELECT DISTINCT case_id FROM decisions")}
            assert known == {case.id for case in self.cases()}

    def nobody_does_anything_any_more(self) -> None:
        for _ in range(3):  # a lease ends, then nobody looks
            self.now += 1_000 * MINUTE
            self.desk.sweep(self.now)
        for case in self.cases():
            assert not case.queued or case.alarm, case

    def every_escalation_ended(self) -> None:
        for case in self.cases():
            pending = False
            for step in self.desk.store.history(case.id):
                if step.act == Act.ESCALATE:
                    pending = True
                elif step.act == Act.FILE:
                    pending = False
                    assert step.to and step.why
                elif step.act == Act.REFUSE:
                    pending = False
                    assert step.why
                elif pending:
                    state = step.after.get("state", "escalated")
                    assert state in ("escalated", "approved"), (step, "left an escalation in another way")
            assert not pending or (case.alarm and case.state in (State.ESCALATED, State.APPROVED)), case


TestQueue = Queue.TestCase
TestQueue.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
