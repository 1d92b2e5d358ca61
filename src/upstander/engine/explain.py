"""From what moved a belief to the reasons of a decision, in words a moderator reads at a glance."""

from __future__ import annotations

from upstander.engine.state import Broadcast, Pair
from upstander.model.decision import Reason
from upstander.model.signal import Signal
from upstander.model.vocabulary import MEANING, Exposure, Tactic


def rounded(value: float) -> float:
    """Beliefs are shown to a ten-thousandth of a nat."""
    return round(value, 4)


def of_signal(signal: Signal, gained: float) -> Reason:
    """Why one signal of this event counts; ``gained`` is what it added to the belief."""
    why = signal.note or MEANING[signal.label]
    span = (signal.start, signal.end) if signal.start >= 0 else None
    return Reason(signal.label, why, rounded(gained), signal.source, signal.view, span)


def of_history(pair: Pair, shown: set[str], factor: float, event: str) -> list[Reason]:
    """Why what the viewer did before still counts: one reason a tactic that this event did not show."""
    earlier = tuple(identifier for identifier in pair.events if identifier != event)
    return [
        Reason(tactic, f"earlier: {MEANING[Tactic(tactic)]}", rounded(value * factor), events=earlier)
        for tactic, value in pair.evidence.items()
        if tactic not in shown and value >= 0.05
    ]


def of_exposures(broadcast: Broadcast, active: dict[str, float]) -> list[Reason]:
    """Why the host is easier to harm; the weight is the share each adds to the factor."""
    return [
        Reason(name, broadcast.exposures[name].why or MEANING[Exposure(name)], rounded(share))
        for name, share in active.items()
    ]
