"""What the engine hands to policy, and the interface a policy has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from upstander.model.decision import Asked
from upstander.model.signal import Signal
from upstander.model.vocabulary import AgeBand, Level


class Assessment(msgspec.Struct, frozen=True, gc=False):
    """What is believed after one event, for policy to judge.

    ``belief`` (nats) is the pair's, exposures and standing included; ``evidence`` the pair's nats a tactic;
    ``broadcast_belief`` that of the whole audience, ``pressing`` how many viewers pressed within the last minute.
    ``signals`` are this event's tactics. ``issued`` says when (epoch milliseconds) an intervention was last asked
    for in this broadcast, by ``name`` or ``name:target``. ``events`` counts this pair's events that showed something.
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


class Judgement(msgspec.Struct, frozen=True, gc=False):
    """What policy makes of an assessment: the pair's level, the broadcast's level and the interventions."""

    level: Level
    broadcast_level: Level
    interventions: tuple[Asked, ...]


class Policy(Protocol):
    """A policy is pure: the same assessment always gives the same judgement."""

    @property
    def hash(self) -> str:
        """Names exactly this policy (hexadecimal SHA-256)."""

    def judge(self, assessment: Assessment) -> Judgement:
        """The level and the interventions for one assessment."""
