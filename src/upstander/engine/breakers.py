"""Circuit breakers: what asks too often is only noted from then on, and somebody is paged. By the engine's clock."""

from __future__ import annotations

import msgspec

from upstander.engine.assessment import Limit

MINUTE_MS = 60_000
DAY_MS = 86_400_000
#: A budget for a minute that was overdrawn stops what overdrew it for so long; one for a day until the day ends (UTC).
TRIP_MS = 600_000


class Window(msgspec.Struct, gc=False):
    """How often something was asked for in the minute and the day given by their numbers; stopped until when."""

    minute: int = 0
    in_minute: int = 0
    day: int = 0
    in_day: int = 0
    stopped_until: int = 0


def stopped(windows: dict[str, Window], key: str, now: int) -> bool:
    """Whether a breaker has tripped (``now``: epoch milliseconds)."""
    window = windows.get(key)
    # One that tripped while the clock had run ahead must not stay so for years when the clock is put right.
    return window is not None and now < window.stopped_until <= now + DAY_MS


def spend(windows: dict[str, Window], key: str, limit: Limit, now: int) -> str:
    """Take one from a budget: empty when it was there, else why it was not. Says why once, when the breaker trips."""
    window = windows.get(key)
    if window is None:
        window = windows[key] = Window()
    minute, day = now // MINUTE_MS, now // DAY_MS
    if window.minute != minute:
        window.minute, window.in_minute = minute, 0
    if window.day != day:
        window.day, window.in_day = day, 0
    for spent, most, what, until in (
        (window.in_day, limit.day, "day", (day + 1) * DAY_MS),
        (window.in_minute, limit.minute, "minute", now + TRIP_MS),
    ):
        if spent >= most:
            window.stopped_until = until
            return f"{key} was asked for {most} times within a {what}, which is its budget"
    window.in_minute += 1
    window.in_day += 1
    return ""
