"""The state machine of a case, in one table: what may be done in which state, and where it leads.

A case leaves the queue in two ways only: closed, with a reason, or filed, with the report's reference. In every other
state a clock runs (``CLOCK``) that brings it back to the front: it never leaves silently.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    CLAIMED = "claimed"
    SNOOZED = "snoozed"
    ESCALATED = "escalated"
    APPROVED = "approved"
    REFUSED = "refused"
    FILED = "filed"
    CLOSED = "closed"


class Act(StrEnum):
    """What is done to a case, by a person or (``decide``, ``lapse``, ``return``, ``alarm``,
    ``erase``) by the machine."""

    DECIDE = "decide"
    ASK = "ask"
    VIEW = "view"
    LIST = "list"
    CLAIM = "claim"
    HAND_OVER = "hand_over"
    RELEASE = "release"
    LAPSE = "lapse"
    NOTE = "note"
    VERDICT = "verdict"
    SNOOZE = "snooze"
    RETURN = "return"
    ESCALATE = "escalate"
    APPROVE = "approve"
    REFUSE = "refuse"
    FILE = "file"
    CLOSE = "close"
    REOPEN = "reopen"
    ALARM = "alarm"
    UNDO = "undo"
    ERASE = "erase"


#: States in which a case is in the queue.
QUEUED = frozenset(State) - {State.FILED, State.CLOSED}
_STAYS = {state: state for state in State}
#: What brings evidence to a case brings it back into the queue, wherever it was put aside.
_RETURNS = _STAYS | dict.fromkeys((State.SNOOZED, State.FILED, State.CLOSED), State.OPEN)

#: Act -> state before -> state after. What does not stand here cannot be done.
TABLE: dict[Act, dict[State, State]] = {
    Act.DECIDE: _RETURNS,
    Act.ASK: _RETURNS,
    Act.VIEW: _STAYS,
    Act.NOTE: _STAYS,
    Act.CLAIM: {
        State.OPEN: State.CLAIMED,
        State.CLAIMED: State.CLAIMED,
        State.SNOOZED: State.CLAIMED,
        State.REFUSED: State.CLAIMED,
    },
    Act.HAND_OVER: {State.CLAIMED: State.CLAIMED},
    Act.RELEASE: {State.CLAIMED: State.OPEN},
    Act.LAPSE: {State.CLAIMED: State.OPEN},
    Act.VERDICT: {State.CLAIMED: State.CLAIMED},
    Act.SNOOZE: {State.CLAIMED: State.SNOOZED},
    Act.RETURN: {State.SNOOZED: State.OPEN},
    Act.ESCALATE: {State.CLAIMED: State.ESCALATED},
    Act.APPROVE: {State.ESCALATED: State.APPROVED},
    Act.REFUSE: {State.ESCALATED: State.REFUSED, State.APPROVED: State.REFUSED},
    Act.FILE: {State.APPROVED: State.FILED},
    Act.CLOSE: {State.CLAIMED: State.CLOSED},
    Act.REOPEN: {State.CLOSED: State.OPEN, State.FILED: State.OPEN},
    Act.ALARM: {state: state for state in (State.OPEN, State.ESCALATED, State.APPROVED, State.REFUSED)},
}
#: Acts that only the machine does, when a time has come.
CHANGES_OF_TIME = frozenset({Act.LAPSE, Act.RETURN, Act.ALARM})
#: Acts that only the one who holds the case may do.
HOLDER_ONLY = frozenset({Act.HAND_OVER, Act.RELEASE, Act.VERDICT, Act.SNOOZE, Act.ESCALATE, Act.CLOSE})
#: Acts that one can do to many cases at once and take back.
BULK = (Act.CLAIM, Act.NOTE, Act.RELEASE, Act.SNOOZE, Act.CLOSE)

#: Which of a case's times brings it back (``due_at`` raises an alarm, the others return it to ``open``).
CLOCK: dict[State, str] = {
    State.OPEN: "due_at",
    State.CLAIMED: "lease_until",
    State.SNOOZED: "snooze_until",
    State.ESCALATED: "due_at",
    State.APPROVED: "due_at",
    State.REFUSED: "due_at",
}
