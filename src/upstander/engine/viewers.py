"""Viewers across broadcasts: the second, asynchronous view. Broadcast state never reaches into it."""

from __future__ import annotations

from upstander.engine import belief
from upstander.engine.state import ViewerRecord

MAX_VIEWERS = 200_000
MAX_BROADCASTS_A_VIEWER = 8
#: Children's broadcasts remembered of a viewer, for how long, how many of them are nothing unusual, and what each
#: further one adds (nats), up to a limit. Children watch children: alone it adds nothing.
MAX_CHILDREN = 24
CHILDREN_MS = 86_400_000
USUAL_CHILDREN = 6
CHILDREN_WEIGHT = 0.1
CHILDREN_CAP = 1.0


def standing(viewers: dict[str, ViewerRecord], viewer: str, broadcast: str, now: int) -> tuple[float, int, int]:
    """What this viewer's record in *other* broadcasts adds here (nats).

    With it, in how many of them they showed harm, and to how many children's broadcasts they came within a day (0:
    not unusually many).
    """
    record = viewers.get(viewer)
    if record is None:
        return 0.0, 0, 0
    others = [min(value, belief.VIEWER_SHARE_CAP) for where, value in record.shown.items() if where != broadcast]
    faded = sum(others) * belief.decay(belief.VIEWER_HALF_LIFE_S, now - record.at)
    children = sum(now - at <= CHILDREN_MS for at in record.children.values())
    if children <= USUAL_CHILDREN:
        children = 0
    met = min(CHILDREN_CAP, CHILDREN_WEIGHT * max(0, children - USUAL_CHILDREN))
    return min(belief.STANDING_CAP, belief.STANDING_SHARE * faded + met), len(others), children


def came(viewers: dict[str, ViewerRecord], viewer: str, broadcast: str, now: int) -> None:
    """Remember that a viewer came to the broadcast of a child."""
    known = _record(viewers, viewer, now)
    known.children.pop(broadcast, None)
    while len(known.children) >= MAX_CHILDREN:
        del known.children[next(iter(known.children))]
    known.children[broadcast] = now


def record(viewers: dict[str, ViewerRecord], viewer: str, broadcast: str, shown: float, now: int) -> None:
    """Remember what a viewer showed in a broadcast (the pair's nats, exposures left out)."""
    known = _record(viewers, viewer, now)
    elapsed = now - known.at
    if elapsed >= 1000:
        factor = belief.decay(belief.VIEWER_HALF_LIFE_S, elapsed)
        known.shown = {where: value * factor for where, value in known.shown.items() if value * factor > 0.01}
        known.at += elapsed // 1000 * 1000
    known.shown.pop(broadcast, None)
    while len(known.shown) >= MAX_BROADCASTS_A_VIEWER:
        del known.shown[next(iter(known.shown))]
    known.shown[broadcast] = shown


def _record(viewers: dict[str, ViewerRecord], viewer: str, now: int) -> ViewerRecord:
    known = viewers.pop(viewer, None)
    if known is None:
        while len(viewers) >= MAX_VIEWERS:
            del viewers[next(iter(viewers))]  # the one that has been quiet for longest
        known = ViewerRecord(at=now)
    # Popped and set again, so that the dictionary's order is by last activity.
    viewers[viewer] = known
    return known
