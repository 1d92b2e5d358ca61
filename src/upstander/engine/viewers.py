"""Viewers across broadcasts: the second, asynchronous view. Broadcast state never reaches into it."""

from __future__ import annotations

from upstander.engine import belief
from upstander.engine.state import ViewerRecord

MAX_VIEWERS = 200_000
MAX_BROADCASTS_A_VIEWER = 8


def standing(viewers: dict[str, ViewerRecord], viewer: str, broadcast: str, now: int) -> tuple[float, int]:
    """What this viewer's record in *other* broadcasts adds here (nats), and in how many of them they showed harm."""
    record = viewers.get(viewer)
    if record is None:
        return 0.0, 0
    others = [min(value, belief.VIEWER_SHARE_CAP) for where, value in record.shown.items() if where != broadcast]
    faded = sum(others) * belief.decay(belief.VIEWER_HALF_LIFE_S, now - record.at)
    return min(belief.STANDING_CAP, belief.STANDING_SHARE * faded), len(others)


def record(viewers: dict[str, ViewerRecord], viewer: str, broadcast: str, shown: float, now: int) -> None:
    """Remember what a viewer showed in a broadcast (the pair's nats, exposures left out)."""
    known = viewers.pop(viewer, None)
    if known is None:
        while len(viewers) >= MAX_VIEWERS:
            del viewers[next(iter(viewers))]  # the one that has been quiet for longest
        known = ViewerRecord(at=now)
    # Popped and set again, so that the dictionary's order is by last activity.
    viewers[viewer] = known
    elapsed = now - known.at
    if elapsed >= 1000:
        factor = belief.decay(belief.VIEWER_HALF_LIFE_S, elapsed)
        known.shown = {where: value * factor for where, value in known.shown.items() if value * factor > 0.01}
        known.at += elapsed // 1000 * 1000
    known.shown.pop(broadcast, None)
    while len(known.shown) >= MAX_BROADCASTS_A_VIEWER:
        del known.shown[next(iter(known.shown))]
    known.shown[broadcast] = shown
