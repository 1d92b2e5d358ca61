"""A decision: what policy makes of a belief, with every reason it rests on."""

from __future__ import annotations

import msgspec

from upstander.model.vocabulary import Exposure, Intervention, Tactic


class Reason(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One term of a decision.

    ``what`` is a tactic, an exposure or ``standing`` (this viewer's record in other broadcasts) or ``muted``;
    ``why`` says it in words; ``weight`` is its contribution to the belief in nats (a factor, for exposures);
    ``source``, ``view`` and ``span`` (character offsets into the original text) say what fired; ``events`` are
    the ids it rests on when that is not this event alone; ``near`` is the example that the text reads like, where a
    model had a say.
    """

    what: str
    why: str
    weight: float = 0.0
    source: str = ""
    view: str = ""
    span: tuple[int, int] | None = None
    events: tuple[str, ...] = ()
    near: str = ""


class Asked(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An intervention that policy asks for, and at whom or what it is aimed.

    ``target`` is a comment's event id for comment interventions, a viewer for viewer interventions, and empty
    for those that concern the broadcast or its host. ``rule``: the policy's rule that asked (empty: its levels did).
    """

    do: Intervention
    target: str = ""
    rule: str = ""

    @property
    def key(self) -> str:
        """``name`` or ``name:target``: what cooldowns are kept under."""
        return f"{self.do}:{self.target}" if self.target else str(self.do)


class Decision(msgspec.Struct, frozen=True, gc=False):
    """What Upstander decided on one event.

    ``belief`` is in nats, on the (actor, host) pair, exposures included. ``broadcast_belief`` is the same for
    the whole audience. ``tactics`` and ``exposures``: those that this event showed, and those in force.
    ``versions`` are the first 16 hexadecimal digits of the hashes of packs and policy. ``proposals`` are left to a
    person: what to do about the viewer's account.
    """

    event: str
    broadcast: str
    actor: str | None
    at: int
    level: str
    tactics: tuple[Tactic, ...]
    exposures: tuple[Exposure, ...]
    interventions: tuple[Asked, ...]
    belief: float
    broadcast_belief: float
    reasons: tuple[Reason, ...]
    versions: dict[str, str]
    proposals: tuple[str, ...] = ()


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Decision)


def encode_decision(decision: Decision) -> bytes:
    """The decision as canonical JSON: the same decision always gives the same bytes."""
    return _ENCODER.encode(decision)


def decode_decision(data: bytes) -> Decision:
    """The decision that ``encode_decision`` wrote."""
    return _DECODER.decode(data)


def replay_line(decision: Decision) -> dict[str, object]:
    """The decision in the stable form of ``upstander replay --json``.

    Keys: ``event, broadcast, actor, level, tactics, exposures, interventions, belief, reasons``.
    """
    return {
        "event": decision.event,
        "broadcast": decision.broadcast,
        "actor": decision.actor,
        "level": decision.level,
        "tactics": list(decision.tactics),
        "exposures": list(decision.exposures),
        "interventions": [asked.do for asked in decision.interventions],
        "belief": decision.belief,
        "reasons": msgspec.to_builtins(decision.reasons),
    }
