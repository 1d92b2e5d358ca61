"""The state machine of a report, in one table: what leads from which state to which, and what counts as done.

A report ends filed, retracted or refused with the destination's words. Everywhere else a clock runs, and ``alarming``
waits for a person: nothing is ever forgotten.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a report stands.

    ``submitting`` was filed by a person and waits for its turn, or is being opened; ``uploading``: it has the
    destination's number; ``finishing``: all is there but the last word. ``alarming``: given up, a person has to act.
    """

    DRAFTED = "drafted"
    APPROVED = "approved"
    SUBMITTING = "submitting"
    UPLOADING = "uploading"
    FINISHING = "finishing"
    FILED = "filed"
    RETRACTED = "retracted"
    REFUSED = "refused"
    ALARMING = "alarming"


class Act(StrEnum):
    """What is done to a report, by a person or (the last seven) by the machine."""

    DRAFT = "draft"
    APPROVE = "approve"
    DISAPPROVE = "disapprove"
    FILE = "file"
    HAND_OVER = "hand_over"
    AGAIN = "again"
    RETRACT = "retract"
    VIEW = "view"
    EXPORT = "export"
    OUTCOME = "outcome"
    BEGIN = "begin"
    OPENED = "opened"
    UPLOADED = "uploaded"
    FINISHED = "finished"
    RETRACTED = "retracted"
    REFUSED = "refused"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    ALARM = "alarm"


#: States in which the machine has work, in the order of the protocol.
SENDING = (State.SUBMITTING, State.UPLOADING, State.FINISHING)
#: States that end a report.
FINAL = frozenset({State.FILED, State.RETRACTED, State.REFUSED})
_OPEN = frozenset(State) - FINAL

#: Act -> state before -> states after that are allowed. What does not stand here cannot be done.
TABLE: dict[Act, dict[State, frozenset[State]]] = {
    Act.APPROVE: {State.DRAFTED: frozenset({State.APPROVED})},
    Act.DISAPPROVE: {
        State.DRAFTED: frozenset({State.REFUSED}),
        State.APPROVED: frozenset({State.REFUSED}),
    },
    Act.FILE: {State.APPROVED: frozenset({State.SUBMITTING})},
    Act.HAND_OVER: {
        State.APPROVED: frozenset({State.FILED}),
        State.ALARMING: frozenset({State.FILED}),
    },
    # What came of a report that was given up: it goes on where it stood, or is opened anew.
    Act.AGAIN: {State.ALARMING: frozenset(SENDING)},
    Act.RETRACT: {
        State.DRAFTED: frozenset({State.RETRACTED}),
        State.APPROVED: frozenset({State.RETRACTED}),
        State.SUBMITTING: frozenset({State.RETRACTED, State.SUBMITTING}),
        State.UPLOADING: frozenset({State.UPLOADING}),
        State.FINISHING: frozenset({State.FINISHING}),
        State.ALARMING: frozenset({State.RETRACTED, State.UPLOADING}),
    },
    Act.VIEW: {state: frozenset({state}) for state in State},
    Act.EXPORT: {state: frozenset({state}) for state in State},
    Act.OUTCOME: {State.FILED: frozenset({State.FILED})},
    Act.BEGIN: {State.SUBMITTING: frozenset({State.SUBMITTING})},
    Act.OPENED: {State.SUBMITTING: frozenset({State.UPLOADING})},
    Act.UPLOADED: {
        State.UPLOADING: frozenset({State.UPLOADING, State.FINISHING}),
        State.FINISHING: frozenset({State.UPLOADING}),
    },
    Act.FINISHED: {
        State.FINISHING: frozenset({State.FILED}),
        State.UPLOADING: frozenset({State.FILED}),
    },
    Act.RETRACTED: {state: frozenset({State.RETRACTED, State.ALARMING, State.REFUSED}) for state in SENDING},
    Act.REFUSED: {state: frozenset({State.REFUSED, state}) for state in SENDING},
    Act.FAILED: {state: frozenset({state, State.SUBMITTING, State.UPLOADING}) for state in SENDING},
    Act.GIVEN_UP: {state: frozenset({State.ALARMING}) for state in SENDING},
    Act.ALARM: {state: frozenset({state}) for state in _OPEN | {State.FILED}},
}
#: Acts of people that need a reason.
WITH_REASON = frozenset({Act.APPROVE, Act.DISAPPROVE, Act.RETRACT, Act.AGAIN, Act.VIEW, Act.EXPORT, Act.OUTCOME})
#: Acts after which an alarm is over: somebody, or something, goes on.
CALMING = frozenset(
    {Act.APPROVE, Act.FILE, Act.HAND_OVER, Act.AGAIN, Act.FINISHED, Act.OUTCOME, Act.DISAPPROVE, Act.REFUSED}
)
