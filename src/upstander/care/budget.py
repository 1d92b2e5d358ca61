"""When somebody may unveil words or a picture: breaks, and the budget of a shift. Pure: reads and writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from upstander.settings import CareSettings

MINUTE_MS = 60_000


class Standing(msgspec.Struct, frozen=True):
    """Where a person stands. ``seen``: unveiled within the shift; ``run``: since the last pause; ``break_until``: no
    unveiling before then (epoch ms; 0: now is fine)."""

    seen: int
    budget: int
    run: int
    break_after: int
    break_until: int

    @property
    def left(self) -> int:
        """How much of the budget is left."""
        return max(0, self.budget - self.seen)


def standing(times: Sequence[int], now: int, settings: CareSettings, pause_until: int = 0) -> Standing:
    """Where somebody stands who unveiled something at these times (epoch ms, in order).

    ``pause_until``: the end of the last break that the person took of their own accord (0: none); it counts as a pause.
    """
    pause = settings.break_minutes * MINUTE_MS
    begun = pause_until - pause if pause_until else 0
    run, last, until = 0, 0, 0
    for at in times:
        if at - last >= pause or last < begun <= at:
            run = 0
        run, last = run + 1, at
        if run >= settings.break_after:
            until = at + pause
    if now - last >= pause or last < begun <= now:
        run = 0
    if now < pause_until:
        until = max(until, pause_until)
    since = now - settings.shift_hours * 3_600_000
    seen = sum(at > since for at in times)
    return Standing(seen, settings.budget, run, settings.break_after, until if until > now else 0)
