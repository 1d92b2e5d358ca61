"""Hypothesis strategies: streams of events as a platform sends them, harmful and harmless mixed."""

from __future__ import annotations

from functools import cache

import msgspec
from hypothesis import strategies as st

from upstander import runtime
from upstander.detect import packs
from upstander.model.events import AnyEvent
from upstander.model.wire import decode_event

START = 1_770_000_000_000
VIEWERS = ("ann", "bo", "cy", "di", "ed")
BROADCASTS = ("b1", "b2", "b3")
HARMLESS = ("hi", "lol", "nice stream", "gg", "what song is this", "good morning", "😀😀", "first", "see you tomorrow")


@cache
def harmful() -> tuple[str, ...]:
    """Firing examples of the tactic packs, a few of each."""
    found = []
    for pattern in packs.load(packs.bundled()).patterns:
        if pattern.who == "viewer":
            found += pattern.fires[:1]
    return tuple(found)


@cache
def disclosures() -> tuple[str, ...]:
    """Firing examples of the exposure packs."""
    found = packs.load(packs.bundled()).patterns
    return tuple(pattern.fires[0] for pattern in found if pattern.who == "host" and pattern.fires)


def event(kind: str, number: int, at: int, broadcast: str, **fields: object) -> AnyEvent:
    """One event, through the wire."""
    raw = {"type": kind, "id": f"e{number}", "at": at, "broadcast": broadcast, **fields}
    return decode_event(msgspec.json.encode(raw))


@st.composite
def streams(draw: st.DrawFn, size: int = 60) -> list[AnyEvent]:
    """A stream of up to ``size`` events over three broadcasts, in and out of order."""
    events: list[AnyEvent] = []
    at = START
    for number in range(draw(st.integers(1, size))):
        at += draw(st.sampled_from((0, 0, 200, 1_000, 30_000, 600_000, -2_000, -400_000)))
        broadcast = draw(st.sampled_from(BROADCASTS))
        viewer = draw(st.sampled_from(VIEWERS))
        kind = draw(st.sampled_from(_KINDS))
        fields: dict[str, object] = {}
        if kind == "broadcast_started":
            bands = ("under_10", "10_12", "13_15", "16_17", "adult", "unknown")
            fields = {"host": "host", "host_age_band": draw(st.sampled_from(bands))}
        elif kind == "comment":
            actor = draw(st.sampled_from((viewer, viewer, "host")))
            pool = disclosures() if actor == "host" else harmful()
            fields = {"actor": actor, "text": draw(st.sampled_from(HARMLESS) | st.sampled_from(pool))}
        elif kind == "speech":
            fields = {
                "text": draw(st.sampled_from(disclosures())),
                "speaker": draw(st.sampled_from(("host", "unknown"))),
            }
        elif kind == "gift":
            fields = {"actor": viewer, "value": 5, "text": draw(st.sampled_from(("", *harmful()[:20])))}
        elif kind == "joined":
            fields = {
                "actor": viewer,
                "account_age_days": draw(st.integers(0, 900)),
                "follows_host": draw(st.booleans()),
            }
        elif kind == "invite":
            fields = {"actor": viewer, "channel": "call"}
        elif kind == "user_report":
            fields = {"actor": viewer, "subject": draw(st.sampled_from(VIEWERS))}
        elif kind == "frame":
            fields = {"faces": draw(st.integers(0, 2)), "age_bands": draw(st.sampled_from(([], ["10_12"], ["adult"])))}
        elif kind == "capture":
            fields = {"what": draw(st.sampled_from(("known_capture", "rebroadcast"))), "bank": "b", "entry": "e1"}
        elif kind != "broadcast_ended":
            fields = {"actor": viewer}
        events.append(event(kind, number, at, broadcast, **fields))
    return events


_KINDS = (
    "broadcast_started", "comment", "comment", "comment", "comment", "comment", "speech", "gift", "joined", "left",
    "reaction", "followed", "invite", "user_report", "frame", "capture", "broadcast_ended",
)  # fmt: skip


@cache
def configuration() -> runtime.Configuration:
    """The bundled configuration."""
    return runtime.current()


_RUNTIMES: list[runtime.Runtime] = []


def engine() -> runtime.Engine:
    """A fresh engine; the compiled packs are shared between all of a test session."""
    if not _RUNTIMES:
        _RUNTIMES.append(runtime.Runtime(configuration()))
    shared = _RUNTIMES[0]
    shared.engines.clear()
    return shared.engine("")
