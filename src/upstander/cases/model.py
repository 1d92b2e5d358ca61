"""A case, a step of its history, and what opens one, as types. Times are epoch milliseconds; 0 means never."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from upstander.cases.states import QUEUED, State
from upstander.model.vocabulary import AgeBand, Level

#: What the first step names as the one before it.
GENESIS = "0" * 64
#: Who acts where no person does.
MACHINE = "upstander"


class CaseError(ValueError):
    """Something cannot be done to a case; the message names the case, the reason and the fix."""


class Found(msgspec.Struct, frozen=True):
    """What opens a case, or adds to one: a decision in a broadcast about a viewer (empty: about the broadcast).

    ``seq`` is the decision's (or event's) number in the journal; ``phrase`` stands for the wording (see ``related``).
    """

    platform: str
    broadcast: str
    viewer: str
    event: str
    seq: int
    at: int
    level: Level
    tactics: tuple[str, ...] = ()
    belief: float = 0.0
    host: str = ""
    band: AgeBand = AgeBand.UNKNOWN
    phrase: str = ""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A case as it stands now.

    ``broadcast``, ``viewer``, ``host`` and ``event`` (the last that was decided on) name people: they are in this row
    and in no step of the history, which has ``subject`` (a salted hash of the first three) in their place. ``alarm``:
    when the alarm was raised that is still on. ``report``: the reference of what was filed.
    """

    id: str
    platform: str
    broadcast: str
    viewer: str
    host: str
    event: str
    salt: str
    subject: str
    band: AgeBand
    state: State
    level: int
    tactics: tuple[str, ...]
    belief: float
    opened_at: int
    updated_at: int
    version: int
    decisions: int
    sealed_to: int
    holder: str = ""
    lease_until: int = 0
    snooze_until: int = 0
    due_at: int = 0
    alarm: int = 0
    looked_at: int = 0
    #: since when it waits for that look, and how many milliseconds the last one took
    waiting_since: int = 0
    escalated_by: str = ""
    approved_by: str = ""
    outcome: str = ""
    reason: str = ""
    report: str = ""

    @property
    def queued(self) -> bool:
        """Whether it is in the queue."""
        return self.state in QUEUED

    @property
    def rank(self) -> int:
        """Its place in the queue, lowest first: alarms, then the gravest, then who waits longest."""
        calm = 0 if self.alarm else 1
        return calm << 56 | (int(Level.EMERGENCY) - self.level) << 48 | self.opened_at


#: Fields that no step of the history holds.
NAMING = frozenset({"platform", "broadcast", "viewer", "host", "event", "salt"})


def subject_of(salt: str, platform: str, broadcast: str, viewer: str, host: str) -> str:
    """What the history has in place of names."""
    return hashlib.sha256("\0".join((salt, platform, broadcast, viewer, host)).encode()).hexdigest()


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One step of the history: who did what to which case, when and why, and which fields it changed, from
    what to what.

    ``previous``: SHA-256 of the step before, hexadecimal. ``batch``: the bulk action that it belongs to; ``to``: whom
    it concerns (handed over to, undone step).
    """

    seq: int
    at: int
    case: str
    act: str
    by: str
    why: str
    version: int
    previous: str
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    batch: str = ""
    to: str = ""


_DECODER = msgspec.json.Decoder(Step)


def encode_step(step: Step) -> bytes:
    """The step's bytes: the same step always gives the same."""
    return msgspec.json.encode(step)


def decode_step(data: bytes) -> Step:
    """The step in its bytes. Raises ``ValueError`` when they are not exactly what ``encode_step`` writes."""
    step = _DECODER.decode(data)
    if encode_step(step) != data:
        raise ValueError("not in its canonical form")
    return step


def plain(value: object) -> Any:
    """A field's value as it stands in a step."""
    built = msgspec.to_builtins(value)
    return list(built) if isinstance(built, tuple) else built
