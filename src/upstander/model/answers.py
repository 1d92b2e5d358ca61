"""What the gateway answers about events: written by the gateway, read by the client."""

from __future__ import annotations

import msgspec

from upstander.model.decision import Decision


class EventResult(msgspec.Struct, omit_defaults=True, frozen=True, gc=False):
    """One accepted event: its sequence number in the journal, whether it had been sent before, and its decision."""

    event: str
    seq: int
    duplicate: bool = False
    decision: Decision | None = None


class EventError(msgspec.Struct, frozen=True, gc=False):
    """One refused event: ``line`` counts from 1 within the request."""

    line: int
    field: str
    reason: str
    fix: str
    event: str


class EventsAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/events``. Everything in ``results`` is durable."""

    accepted: int
    duplicates: int
    results: list[EventResult]
    errors: list[EventError]


class HoldAnswer(msgspec.Struct, frozen=True, gc=False):
    """The answer to ``POST /v1/hold``.

    ``verdict``: ``allow``, ``hold`` or ``block``. ``decided`` is false when the deadline passed or nothing could be
    accepted, and the verdict is the fail policy's. ``accepted``: the comment is durable. When it is not, send it again
    (its id counts once): the answer then is what was decided meanwhile.
    """

    event: str
    verdict: str
    decided: bool
    accepted: bool
    seq: int
    decision: Decision | None
