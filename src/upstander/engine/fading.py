"""What is believed as of a broadcast's clock: stored evidence and belief with their decay. Reads only."""

from __future__ import annotations

from upstander.engine import belief
from upstander.engine.state import Broadcast, Pair


def faded_evidence(pair: Pair, now: int) -> dict[str, float]:
    """A pair's evidence a tactic (nats) as of ``now`` (epoch milliseconds)."""
    fade = belief.decay(belief.PAIR_HALF_LIFE_S, now - pair.at)
    return {tactic: value * fade for tactic, value in pair.evidence.items()}


def faded_belief(broadcast: Broadcast) -> float:
    """A broadcast's belief (nats) as of its own clock."""
    if not broadcast.belief:
        return 0.0
    return broadcast.belief * belief.decay(belief.BROADCAST_HALF_LIFE_S, broadcast.now - broadcast.belief_at)
