"""What a refusal over HTTP means for an action; shared by the adapters that speak HTTP."""

from __future__ import annotations

import httpx

from upstander.adapters.base import Outcome


def may_pass(status: int) -> bool:
    """Whether a request that was answered with this status may succeed later."""
    return status in (408, 425, 429) or status >= 500


def refused(response: httpx.Response, note: str, least_s: float = 0.0) -> Outcome:
    """Not done; tried again when that may help, no sooner than ``Retry-After`` or ``least_s`` (seconds) says."""
    after = response.headers.get("retry-after", "")
    seconds = float(after) if after.isascii() and after.isdigit() else least_s
    return Outcome(False, may_pass(response.status_code), note, seconds)
