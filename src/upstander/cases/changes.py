"""What each act changes in a case beside its state. Pure: nothing is read or written here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from upstander.cases.model import Case, CaseError
from upstander.cases.states import CLOCK, Act, State
from upstander.settings import CaseSettings

MINUTE_MS = 60_000
Changes = dict[str, Any]


class Given(msgspec.Struct, frozen=True):
    """What an act was given, at which time (epoch ms), and the settings that say how long things may take."""

    by: str
    why: str
    at: int
    settings: CaseSettings
    to: str = ""
    until: int = 0
    outcome: str = ""
    reference: str = ""

    def later(self, minutes: int) -> int:
        """The time so many minutes on."""
        return self.at + minutes * MINUTE_MS

    @property
    def lease(self) -> Changes:
        """The holder goes on: the claim holds anew."""
        return {"lease_until": self.later(self.settings.lease_minutes)}


def entered(state: State, at: int, settings: CaseSettings) -> Changes:
    """The fields of a case that has just come into a state: its one clock runs, all others stand still."""
    made: Changes = dict.fromkeys(("lease_until", "snooze_until", "due_at", "alarm", "waiting_since"), 0)
    made["holder"] = ""
    if CLOCK.get(state) == "due_at":
        made["due_at"] = at + settings.first_look_minutes * MINUTE_MS
    if state is State.OPEN:
        made["waiting_since"] = at
    return made


def late(case: Case, at: int) -> Act | None:
    """What the machine does first to a case whose lease or snooze is over."""
    if case.state is State.CLAIMED and case.lease_until <= at:
        return Act.LAPSE
    return Act.RETURN if case.state is State.SNOOZED and case.snooze_until <= at else None


def _claim(case: Case, given: Given, fresh: Changes) -> Changes:
    if case.state is State.CLAIMED and case.holder != given.by:
        left = -(-(case.lease_until - given.at) // MINUTE_MS)
        fix = "Ask for it to be handed over, or wait."
        raise CaseError(f"case {case.id} is {case.holder}'s for {left} more minutes. {fix}")
    return fresh | given.lease | {"holder": given.by}


def _hand_over(case: Case, given: Given, fresh: Changes) -> Changes:
    if not given.to.strip() or given.to == given.by:
        raise CaseError(f"case {case.id}: say whom to hand it over to, somebody else than {given.by}.")
    return given.lease | {"holder": given.to}


def _snooze(case: Case, given: Given, fresh: Changes) -> Changes:
    if given.until <= given.at:
        raise CaseError(f"case {case.id}: say when it returns, a time that is still to come.")
    return fresh | {"snooze_until": given.until}


def _escalate(case: Case, given: Given, fresh: Changes) -> Changes:
    due = given.later(given.settings.approval_minutes)
    return fresh | {"due_at": due, "escalated_by": given.by, "approved_by": "", "reason": given.why}


def _approve(case: Case, given: Given, fresh: Changes) -> Changes:
    if given.by == case.escalated_by:
        raise CaseError(f"case {case.id} was escalated by {given.by}: a second person has to approve it.")
    return fresh | {"due_at": given.later(given.settings.filing_minutes), "approved_by": given.by}


def _file(case: Case, given: Given, fresh: Changes) -> Changes:
    if not given.reference.strip():
        raise CaseError(f"case {case.id}: give the reference of the report that was filed.")
    return fresh | {"report": given.reference, "reason": given.why}


def _end(case: Case, given: Given, fresh: Changes) -> Changes:
    return fresh | {"reason": given.why, "outcome": given.outcome or case.outcome}


def _verdict(case: Case, given: Given, fresh: Changes) -> Changes:
    return given.lease | {"outcome": given.outcome}


def _note(case: Case, given: Given, fresh: Changes) -> Changes:
    return given.lease if case.state is State.CLAIMED and case.holder == given.by else {}


def _fresh(case: Case, given: Given, fresh: Changes) -> Changes:
    return fresh


#: Act -> its changes, given the fields that a case has on coming into the new state.
CHANGES: dict[Act, Callable[[Case, Given, Changes], Changes]] = {
    Act.CLAIM: _claim,
    Act.HAND_OVER: _hand_over,
    Act.RELEASE: _fresh,
    Act.NOTE: _note,
    Act.VERDICT: _verdict,
    Act.SNOOZE: _snooze,
    Act.ESCALATE: _escalate,
    Act.APPROVE: _approve,
    Act.REFUSE: _end,
    Act.FILE: _file,
    Act.CLOSE: _end,
    Act.REOPEN: _fresh,
}
