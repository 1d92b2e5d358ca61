"""What people do with reports: draft, approve, file, hand over, take back, note what became of it. Every act is a step.

A report follows its case: drafting escalates it, the second person approves both, and what becomes of the report is the
case's end. What the machine does is in ``sender`` and ``settle``.
"""

from __future__ import annotations

import secrets
import time

from upstander.cases.desk import Desk
from upstander.cases.model import Case
from upstander.cases.states import Act as CaseAct
from upstander.cases.states import State as CaseState
from upstander.reports import cybertip_xml, destinations, package, schema
from upstander.reports.build import report_of
from upstander.reports.destinations.base import HOUR_MS, Destination, stops
from upstander.reports.evidence import DAY_MS, Evidence
from upstander.reports.facts import Facts, check
from upstander.reports.model import Report, ReportError, decode, encode
from upstander.reports.states import WITH_REASON, Act, State
from upstander.reports.store import Row, Store
from upstander.settings import Settings

MINUTE_MS = 60_000
#: Destinations by which a person is reported: the case is escalated. The others may follow at any time.
ESCALATES = ("ncmec", "nca", "ceop")
_PUT_ASIDE = (CaseState.ESCALATED, CaseState.APPROVED, CaseState.FILED)
#: So long a draft that was never sent is kept; what was sent is held.
DRAFT_DAYS = 90


def now_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Office:
    """All acts of people. ``now`` of every act is epoch milliseconds (0: this machine's clock)."""

    def __init__(self, store: Store, evidence: Evidence, desk: Desk, settings: Settings) -> None:
        self.store, self.evidence, self.desk = store, evidence, desk
        self.settings = settings

    # -- drafting and looking ------------------------------------------------------------------------------------

    def draft(self, case: str, destination: str, facts: Facts, by: str, why: str, now: int = 0) -> Row:
        """Build a report from a case and seal it. An open draft of the same case and destination is replaced."""
        at = now or now_ms()
        where = destinations.named(destination)
        _reason(Act.APPROVE, why)
        check(facts)
        found = self.desk.find(case)
        self._may_draft(found, where, by)
        self._not_twice(where, found.id)
        identifier = f"r-{secrets.token_hex(6)}"
        pieces = self.evidence.pieces(found.id, by, f"drafting report {identifier}: {why}")
        report = report_of(identifier, destination, found, pieces, facts, self.settings.reports.reporter, at)
        content = self.evidence.seal(found.id, identifier, "report", encode(report), at + DRAFT_DAYS * DAY_MS, by)
        row = Row(
            id=identifier,
            case=found.id,
            destination=destination,
            person=self.store.person(found.platform, report.reported.identifier) if report.reported else "",
            level=int(found.level),
            content=content,
            drafted_by=by,
            drafted_at=at,
            due_at=min(where.deadline(self.settings.reports, report), self._minutes(at, where)),
            first_signal_at=report.first_signal_at,
        )
        with self.store.transaction():
            for old in self._open(found.id, destination):
                if old.state in (State.DRAFTED, State.APPROVED):
                    self.store.change(old, Act.RETRACT, by, f"replaced by {identifier}", at, state=State.RETRACTED)
            self.store.add(row, tuple(file.address for file in report.files), by, why)
        if where.name in ESCALATES and found.state is CaseState.CLAIMED:
            self.desk.act(found.id, CaseAct.ESCALATE, by, f"report {identifier}: {why}", now=at)
        return row

    def _may_draft(self, case: Case, where: Destination, by: str) -> None:
        held = case.state is CaseState.CLAIMED and case.holder == by
        if where.name in ESCALATES and not held and case.state not in _PUT_ASIDE:
            whose = f"{case.holder}'s" if case.holder else str(case.state)
            raise ReportError(f"case {case.id} is {whose}: who reports holds it. Claim it: upstander cases claim")

    def _not_twice(self, where: Destination, case: str) -> None:
        """One report of a case to a destination, and none where another destination's report stands for it."""
        done = {row.destination: row for row in self.store.select("\"case\" = ? AND state = 'filed'", (case,))}
        sending = [row for row in self._open(case, where.name) if row.state not in (State.DRAFTED, State.APPROVED)]
        if sending:
            raise ReportError(f"report {sending[0].id} about case {case} is {sending[0].state}. Follow that one.")
        instead = self.settings.reports.nca.instead if where.name == "nca" else ()
        for name in instead:
            if name in done:
                filed = done[name]
                reason = f"case {case} was reported to {name} as {filed.reference} (report {filed.id})"
                raise ReportError(f"{reason}, which stands for this report. Change `instead` under [reports.nca].")

    def _open(self, case: str, destination: str) -> list[Row]:
        where = "\"case\" = ? AND destination = ? AND state NOT IN ('filed', 'retracted', 'refused')"
        return self.store.select(where, (case, destination))

    def _minutes(self, at: int, where: Destination) -> int:
        """When the clock of a draft, or of an approved report, is over."""
        wait = 24 * 60 * 7 if where.by_hand else self.settings.reports.file_minutes
        return at + wait * MINUTE_MS

    def read(self, identifier: str, by: str, why: str, now: int = 0) -> tuple[Row, Report]:
        """A report as a person sees it: the look is a step here, and an entry of the vault's ledger."""
        row = self.store.find(identifier)
        _reason(Act.VIEW, why)
        row = self.store.change(row, Act.VIEW, by, why, now or now_ms())
        return row, decode(self.evidence.content(row.content, by, f"report {row.id}: {why}", looks=True))

    # -- deciding ------------------------------------------------------------------------------------------------

    def approve(self, identifier: str, by: str, why: str, now: int = 0) -> Row:
        """As the second person, approve a draft, and with it the escalation of its case. Raises ``ReportError`` when
        something that the destination demands is missing: what, and where it comes from."""
        at, row = now or now_ms(), self.store.find(identifier)
        _reason(Act.APPROVE, why)
        if self.settings.reports.second_person and by == row.drafted_by:
            raise ReportError(f"report {row.id} was drafted by {by}: a second person has to approve it.")
        where = destinations.named(row.destination)
        report = decode(self.evidence.content(row.content, by, f"approving report {row.id}", looks=False))
        self.demand(where, report)
        self._not_twice(where, row.case)
        case = self.desk.store.get(row.case)
        escalated = case is not None and case.state is CaseState.ESCALATED and where.name in ESCALATES
        if escalated and case is not None and case.escalated_by == by:
            raise ReportError(f"case {case.id} was escalated by {by}: a second person has to approve its report.")
        due = where.deadline(self.settings.reports, report) if where.by_hand else self._minutes(at, where)
        row = self.store.change(
            row, Act.APPROVE, by, why, at, state=State.APPROVED, approved_by=by, approved_at=at, due_at=due, **_CALM
        )
        if escalated:
            self.desk.act(row.case, CaseAct.APPROVE, by, f"report {row.id}: {why}", now=at)
        return row

    def demand(self, where: Destination, report: Report) -> None:
        """Raises ``ReportError`` when a report cannot be sent as it is."""
        lacking = stops(where, report)
        if lacking:
            fix = "Add it with --facts (or under [reports.reporter]) and draft again."
            raise ReportError(f"report {report.id} cannot go to {where.name}: {'; '.join(lacking)}. {fix}")
        if where.name == "ncmec":
            kept = schema.current(self.settings.folder)
            kept.demand(cybertip_xml.report_xml(report), f"report {report.id}")
            for file in report.files:
                kept.demand(cybertip_xml.file_xml(file, "1", "1"), f"file {file.name} of report {report.id}")

    def disapprove(self, identifier: str, by: str, why: str, now: int = 0) -> Row:
        """Refuse a draft or an approved report: it is not sent. The case goes back to be worked on."""
        at, row = now or now_ms(), self.store.find(identifier)
        _reason(Act.DISAPPROVE, why)
        return self.store.change(row, Act.DISAPPROVE, by, why, at, state=State.REFUSED, words=why, due_at=0, **_CALM)

    def file(self, identifier: str, by: str, now: int = 0) -> Row:
        """Have an approved report sent: from here on the machine sees it through."""
        at, row = now or now_ms(), self.store.find(identifier)
        where = destinations.named(row.destination)
        if where.by_hand:
            fix = "Export it, hand it over, then give the reference: upstander report file ID --reference …"
            raise ReportError(f"{where.title} takes no reports by itself. {fix}")
        due = at + self.settings.reports.late_minutes * MINUTE_MS
        return self.store.change(
            row, Act.FILE, by, "", at, state=State.SUBMITTING, filed_by=by, queued_at=at, due_at=due, **_CALM
        )

    def hand_over(self, identifier: str, reference: str, by: str, why: str, now: int = 0) -> Row:
        """Note that a report was handed over, under the destination's reference: by hand, or by telephone where the
        machine could not."""
        at, row = now or now_ms(), self.store.find(identifier)
        where = destinations.named(row.destination)
        if not reference.strip():
            raise ReportError(f"report {row.id}: give the reference under which it was handed over.")
        if not where.by_hand and row.state is not State.ALARMING:
            raise ReportError(f"report {row.id} is sent by the service. File it without --reference.")
        hours = where.follow_up_hours(self.settings.reports)
        follow = at + hours * HOUR_MS if hours else 0
        held = at + where.hold_days(self.settings.reports) * DAY_MS
        return self.store.change(
            row, Act.HAND_OVER, by, why, at, state=State.FILED, filed_by=by, filed_at=at, reference=reference,
            queued_at=row.queued_at or at, due_at=follow, follow_up_at=follow, held_until=held, wish="", **_CALM,
        )  # fmt: skip

    def again(self, identifier: str, by: str, why: str, now: int = 0) -> Row:
        """Have a report that was given up go on: where it stood, or, when it has no number, from the start."""
        at, row = now or now_ms(), self.store.find(identifier)
        _reason(Act.AGAIN, why)
        state = State.UPLOADING if row.reference else State.SUBMITTING
        due = at + self.settings.reports.late_minutes * MINUTE_MS
        return self.store.change(
            row, Act.AGAIN, by, why, at, state=state, filed_by=by, begun_at=0, attempts=0, next_at=0, wish="",
            due_at=due, **_CALM,
        )  # fmt: skip

    def retract(self, identifier: str, by: str, why: str, now: int = 0) -> Row:
        """Take a report back. One that is open at its destination is retracted there first, by the sender."""
        at, row = now or now_ms(), self.store.find(identifier)
        _reason(Act.RETRACT, why)
        if row.reference and row.state is not State.FILED:
            state = State.UPLOADING if row.state is State.ALARMING else row.state
            return self.store.change(row, Act.RETRACT, by, why, at, state=state, wish="retract", next_at=0, attempts=0)
        if row.begun_at and row.state is State.SUBMITTING:
            return self.store.change(row, Act.RETRACT, by, why, at, wish="retract", next_at=0)
        if row.state is State.FILED:
            fix = "Telephone the destination; note what came of it with `upstander report outcome`."
            raise ReportError(f"report {row.id} is filed: it cannot be taken back there. {fix}")
        return self.store.change(row, Act.RETRACT, by, why, at, state=State.RETRACTED, due_at=0, wish="", **_CALM)

    def export(self, identifier: str, by: str, why: str, now: int = 0) -> tuple[Row, bytes]:
        """The package to hand over, as a ZIP: fields, form, and the vault's package of the evidence where the
        destination is told whom it is about and takes files. Only what was approved leaves."""
        at, row = now or now_ms(), self.store.find(identifier)
        _reason(Act.EXPORT, why)
        where = destinations.named(row.destination)
        if row.state not in (State.APPROVED, State.ALARMING, State.FILED):
            fix = "A second person approves it first: upstander report approve"
            raise ReportError(f"report {row.id} is {row.state}: it is not handed over. {fix}")
        row = self.store.change(row, Act.EXPORT, by, why, at)
        report = decode(self.evidence.content(row.content, by, f"report {row.id}: {why}"))
        made = package.contents(where, report)
        if package.wants_evidence(where, self.settings.reports):
            made[package.EVIDENCE] = self.evidence.proof(row.case, by, f"report {row.id}: {why}", where.title)
        return row, package.pack(made)

    def outcome(self, identifier: str, outcome: str, by: str, why: str, now: int = 0) -> Row:
        """Note what became of a filed report: the destination's answer, fed back."""
        at, row = now or now_ms(), self.store.find(identifier)
        _reason(Act.OUTCOME, why)
        if outcome not in OUTCOMES:
            raise ReportError(f"the outcome {outcome!r} is not known. Use one of: {', '.join(OUTCOMES)}.")
        return self.store.change(row, Act.OUTCOME, by, why, at, outcome=outcome, outcome_at=at, due_at=0, **_CALM)


#: The alarm is over.
_CALM = {"alarm_at": 0, "alarm": "", "paged": 0}

#: What can become of a report.
OUTCOMES = ("acknowledged", "acted_on", "taken_down", "no_action", "no_answer", "wrong")


def _reason(act: Act, why: str) -> None:
    if act in WITH_REASON and not why.strip():
        raise ReportError(f"`{act}` needs a reason: the history keeps it.")
