"""From what moved a belief to the reasons of a decision, in words a moderator reads at a glance."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from upstander.engine.assessment import Start
from upstander.engine.belief import REPORT_WEIGHT
from upstander.engine.exposures import active_exposures
from upstander.engine.fading import faded_belief
from upstander.engine.state import Broadcast, Pair
from upstander.model.decision import Asked, Decision, Reason
from upstander.model.events import CaptureSeen, Event
from upstander.model.signal import Signal
from upstander.model.vocabulary import MEANING, Capture, Exposure, Level, Tactic


def rounded(value: float) -> float:
    """Beliefs are shown to a ten-thousandth of a nat."""
    return round(value, 4)


def of_signal(signal: Signal, gained: float) -> Reason:
    """Why one signal of this event counts; ``gained`` is what it added to the belief."""
    why = signal.note or MEANING[signal.label]
    span = (signal.start, signal.end) if signal.start >= 0 else None
    return Reason(signal.label, why, rounded(gained), signal.source, signal.view, span, signal.events, signal.near)


def of_pair(
    pair: Pair, evidence: Mapping[str, float], gains: Mapping[str, float], factor: float, event: str
) -> list[Reason]:
    """Why what the viewer did before still counts, what others reported, and that the viewer is muted.

    ``evidence`` is the pair's, faded to now; ``gains`` what this event added to it.
    """
    earlier = tuple(identifier for identifier in pair.events if identifier != event)
    reasons = []
    for tactic, value in evidence.items():
        before = value - gains.get(tactic, 0.0)
        if before >= 0.005:
            why = f"earlier: {MEANING[Tactic(tactic)]}"
            reasons.append(Reason(tactic, why, rounded(before * factor), events=earlier))
    if pair.reporters:
        weight = rounded(REPORT_WEIGHT * len(pair.reporters))
        reasons.append(Reason("user_report", f"reported by {len(pair.reporters)}", weight))
    if pair.muted:
        reasons.append(Reason("muted", "the viewer is muted in this broadcast", events=(pair.muted,)))
    return reasons


def of_start(asked: tuple[Asked, ...], start: Start) -> list[Reason]:
    """What presets ask for when a broadcast begins, and why its host may not broadcast."""
    reasons = [Reason("preset", start.why)] if asked else []
    return reasons + ([Reason("hosting", start.hosting)] if start.hosting else [])


def with_capture(decision: Decision, event: CaptureSeen) -> Decision:
    """A decision on a capture that was recognised, with what it rests on as its first reason."""
    why = f"a frame looks like {event.entry or 'a known capture'}"
    if event.what is Capture.REBROADCAST:
        over = f"{event.frames} frames over {event.seconds:g} s"
        why = f"{over} are those of {event.entry or 'a known capture'}, from {event.capture_offset_ms // 1000} s on"
    reason = Reason(event.what, why, source=f"bank.{event.bank}" if event.bank else "")
    return msgspec.structs.replace(decision, reasons=(reason, *decision.reasons))


def of_standing(added: float, others: int, children: int) -> list[Reason]:
    """Why the viewer's record in other broadcasts counts."""
    if not added:
        return []
    parts = []
    if others:
        parts.append(f"showed tactics in {'another broadcast' if others == 1 else f'{others} other broadcasts'}")
    if children:
        parts.append(f"came to {children} children's broadcasts within a day")
    return [Reason("standing", " and ".join(parts), rounded(added))]


def of_exposures(broadcast: Broadcast, active: dict[str, float]) -> list[Reason]:
    """Why the host is easier to harm; the weight is the share each adds to the factor."""
    return [
        Reason(name, broadcast.exposures[name].why or MEANING[Exposure(name)], rounded(share))
        for name, share in active.items()
    ]


def without_level(
    event: Event,
    broadcast: Broadcast,
    reasons: list[Reason],
    versions: dict[str, str],
    interventions: tuple[Asked, ...] = (),
) -> Decision:
    """A decision that says something new about a broadcast and accuses nobody: its level is ``clear``."""
    return Decision(
        event=event.id,
        broadcast=broadcast.id,
        actor=getattr(event, "actor", None),
        at=broadcast.now,
        level=Level.CLEAR.word,
        tactics=(),
        exposures=tuple(active_exposures(broadcast)),  # type: ignore[arg-type]
        interventions=interventions,
        belief=0.0,
        broadcast_belief=rounded(faded_belief(broadcast)),
        reasons=tuple(reasons),
        versions=versions,
    )
