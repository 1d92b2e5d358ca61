"""Exposures of a broadcast: set, refreshed, faded, and turned into the factor they multiply beliefs by."""

from __future__ import annotations

from upstander.engine import belief
from upstander.engine.state import ActiveExposure, Broadcast
from upstander.model.signal import Signal
from upstander.model.vocabulary import AgeBand, Exposure, stricter

CHILD_BANDS = frozenset({AgeBand.UNDER_10, AgeBand.FROM_10_TO_12, AgeBand.FROM_13_TO_15, AgeBand.FROM_16_TO_17})

#: What each exposure adds to the factor at full strength.
SHARE: dict[str, float] = {
    Exposure.YOUNG_HOST: 0.30,
    Exposure.ALONE: 0.20,
    Exposure.HOME_SETTING: 0.10,
    Exposure.DISCLOSED_NAME: 0.05,
    Exposure.DISCLOSED_PLACE: 0.15,
    Exposure.DISCLOSED_SCHOOL: 0.15,
    Exposure.DISCLOSED_CONTACT: 0.15,
    Exposure.STATED_AGE: 0.25,
    Exposure.LIKE_BARGAIN: 0.15,
    Exposure.DISTRESS: 0.20,
    Exposure.STRANGER_AUDIENCE: 0.10,
    Exposure.AUDIENCE_SURGE: 0.10,
    Exposure.GIFT_BURST: 0.10,
}
#: What was once disclosed stays disclosed; moods and crowds pass.
LASTING = frozenset(
    {
        Exposure.YOUNG_HOST,
        Exposure.DISCLOSED_NAME,
        Exposure.DISCLOSED_PLACE,
        Exposure.DISCLOSED_SCHOOL,
        Exposure.DISCLOSED_CONTACT,
        Exposure.STATED_AGE,
    }
)
#: An exposure weaker than this is no longer in force.
FLOOR = 0.2


def learn_band(broadcast: Broadcast, band: AgeBand) -> bool:
    """Take in an age band that was stated or estimated. True when protection became stricter.

    What is learned may only make protection stricter than what was declared. An adult whose age is *verified* may
    joke about it: such a host is then treated as unknown, not as a child.
    """
    broadcast.learned = stricter(band, broadcast.learned)
    learned = broadcast.learned
    if broadcast.verified and broadcast.declared is AgeBand.ADULT:
        learned = AgeBand.UNKNOWN if learned is not AgeBand.ADULT else learned
    before = broadcast.band
    broadcast.band = stricter(broadcast.declared, learned)
    return broadcast.band != before


def set_exposure(broadcast: Broadcast, signal: Signal) -> bool:
    """Put an exposure in force, or refresh it. True when it was not in force before."""
    lasts = signal.label in LASTING
    known = broadcast.exposures.get(signal.label)
    strength = min(1.0, signal.strength)
    if known is None:
        broadcast.exposures[signal.label] = ActiveExposure(strength, broadcast.now, lasts, signal.note)
        return True
    current = _current(known, broadcast.now)
    known.strength = max(current, strength)
    known.at = max(known.at, broadcast.now)
    known.why = signal.note or known.why
    return current < FLOOR


def active_exposures(broadcast: Broadcast) -> dict[str, float]:
    """The exposures in force, with the share each adds to the factor, in the order they came."""
    if not broadcast.exposures:
        return {}
    active = {}
    for name, standing in broadcast.exposures.items():
        current = _current(standing, broadcast.now)
        if current >= FLOOR:
            active[name] = SHARE[name] * current
    return active


def factor_of(active: dict[str, float]) -> float:
    """The factor on a belief: 1 without exposures, at most ``belief.MAX_FACTOR``."""
    return min(belief.MAX_FACTOR, 1.0 + sum(active.values()))


def _current(standing: ActiveExposure, now: int) -> float:
    if standing.lasting:
        return standing.strength
    return standing.strength * belief.decay(belief.EXPOSURE_HALF_LIFE_S, now - standing.at)
