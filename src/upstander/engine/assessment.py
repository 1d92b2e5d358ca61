"""What the engine hands to policy, and the interface a policy has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from upstander.model.decision import Asked
from upstander.model.signal import Signal
from upstander.model.vocabulary import AgeBand, AgeSource, Capture, Intervention, Level

#: What fingerprints showed, as kinds of events: about the broadcast, not about a viewer who does something to a host.
CAPTURES = tuple(str(capture) for capture in Capture)
#: A report of the broadcast itself, not of a viewer in it: what rules count, and the kind of such an event.
HOST_REPORT = "host_report"


class Mark(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something that rules count: when (epoch milliseconds), by whom, and what (a tactic, gift, invite, user_report,
    host_report, known_capture or rebroadcast)."""

    at: int
    actor: str
    label: str


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """What is believed after one event, for policy to judge.

    ``belief`` (nats) is the pair's, exposures and standing included; ``evidence`` the pair's nats a tactic;
    ``broadcast_belief`` that of the whole audience, ``pressing`` how many viewers pressed within the last minute.
    ``signals`` are this event's tactics. ``issued`` says when (epoch milliseconds) an intervention was last asked
    for in this broadcast, by ``name`` or ``name:target``. ``events`` counts this pair's events that showed something.
    ``marks`` are the broadcast's last ones, the last ``fresh`` of them this event's; ``stopped`` the rules whose
    breaker has tripped.
    """

    event: str
    kind: str
    actor: str
    now: int
    band: AgeBand
    signals: tuple[Signal, ...]
    evidence: Mapping[str, float]
    events: int
    exposures: tuple[str, ...]
    belief: float
    broadcast_belief: float
    pressing: int
    pair_level: int
    broadcast_level: int
    muted: bool
    issued: Mapping[str, int]
    marks: tuple[Mark, ...] = ()
    fresh: int = 0
    stopped: frozenset[str] = frozenset()


class FiredRule(msgspec.Struct, frozen=True, gc=False):
    """A rule that held: ``live`` (or only noted), why, what it asks for, the level it raises to (0: none), and what it
    proposes to a person."""

    id: str
    live: bool
    why: str
    ask: tuple[str, ...]
    level: int
    propose: tuple[str, ...] = ()


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What policy makes of an assessment: the pair's level, the broadcast's level and the interventions.

    ``fired`` are the rules that held; ``proposals`` what a person should decide about the viewer's account.
    """

    level: Level
    broadcast_level: Level
    interventions: tuple[Asked, ...]
    fired: tuple[FiredRule, ...] = ()
    proposals: tuple[str, ...] = ()


class Start(msgspec.Struct, frozen=True, gc=False):
    """What holds from a broadcast's first moment: what to ask for, because of which presets (``why``), and why the host
    may not broadcast at all (``hosting``; empty: they may). That is for the platform to act on, never for the machine.
    """

    ask: tuple[Intervention, ...] = ()
    why: str = ""
    hosting: str = ""


class Limit(Protocol):
    """How often something may be asked for on one platform, within a minute and within a day."""

    @property
    def minute(self) -> int:
        """Within a minute."""

    @property
    def day(self) -> int:
        """Within a day."""


class Policy(Protocol):
    """A policy is pure: the same assessment always gives the same judgement."""

    @property
    def hash(self) -> str:
        """Names exactly this policy (hexadecimal SHA-256)."""

    @property
    def acts(self) -> frozenset[str]:
        """Events without words (gifts, invites, reports, captures) to judge although they show no tactic."""

    def budget(self, key: str) -> Limit | None:
        """The budget of an intervention, or of a rule (``rule:id``)."""

    def judge(self, assessment: Assessment) -> Judgement:
        """The level and the interventions for one assessment."""

    def at_start(self, band: AgeBand, age_source: AgeSource) -> Start:
        """What holds from the first moment of a broadcast by such a host."""
