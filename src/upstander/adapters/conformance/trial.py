"""How the checks of this package have an adapter act, and what they find wrong in how it does."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from upstander.adapters.base import NEAREST, Action, Adapter, Outcome, nearest
from upstander.adapters.conformance.hostile import Way, closed_port, hostile
from upstander.model.vocabulary import REVERSE, Intervention

#: What a note may have at most: the outbox keeps no more.
MAX_NOTE = 500
#: The outbox waits this long for what is under way when the service stops.
LONGEST_S = 15.0


class Bench(Protocol):
    """The platform on which an adapter is tried.

    ``broadcast`` and ``viewer`` exist there. ``secrets`` are texts that may stand in no note and no log line.
    ``limit_s`` is how long performing may take at most, at most ``LONGEST_S``. ``http`` says whether the adapter speaks
    HTTP to its platform, ``undoes`` whether taking an intervention back restores ``state``.
    """

    broadcast: str
    viewer: str
    secrets: Sequence[str]
    limit_s: float
    http: bool
    undoes: bool

    def adapter(self, address: tuple[str, int] | None = None, wrong_secret: bool = False) -> Adapter | None:
        """A new adapter for the platform; for another one at ``(host, port)``; with credentials that are not valid.

        ``None`` with ``wrong_secret`` where the platform asks for none.
        """

    async def comment(self) -> str:
        """Have the viewer write something new in the broadcast: its event id."""

    async def state(self) -> object:
        """What anybody can see of the platform that an intervention may change; compared with ``==``."""


#: Interventions that change how things stand until they are taken back.
_CAN_BE_UNDONE = (
    Intervention.MUTE_VIEWER,
    Intervention.REMOVE_VIEWER,
    Intervention.SLOW_MODE,
    Intervention.DISABLE_GIFTS,
    Intervention.DISABLE_COMMENTS,
    Intervention.DISABLE_INVITES,
    Intervention.HIDE_COUNTS,
    Intervention.PAUSE,
)

Served = tuple[Intervention, str]


def served(adapter: Adapter) -> list[Served]:
    """The interventions that its capabilities serve, and what it then does; ``do`` before what undoes it."""
    found = [(asked, nearest(asked, adapter.capabilities)) for asked in NEAREST]
    return [(asked, doing) for asked, doing in found if doing is not None]


def reversible(adapter: Adapter) -> list[tuple[Served, Served]]:
    """What can be done and taken back again, each thing that is done once."""
    able = dict(served(adapter))
    pairs: dict[str, tuple[Served, Served]] = {}
    for do in _CAN_BE_UNDONE:
        undo = REVERSE[do]
        if undo is not None and do in able and undo in able:
            pairs.setdefault(able[do], ((do, able[do]), (undo, able[undo])))
    return list(pairs.values())


async def take_back(bench: Bench, adapter: Adapter) -> None:
    """Undo all that can be undone: in a broadcast that is paused nobody may be able to comment."""
    for _, undo in reversible(adapter):
        await perform(bench, adapter, await sensible(bench, adapter, *undo))


@asynccontextmanager
async def ready(bench: Bench) -> AsyncIterator[Adapter]:
    """A new adapter for the bench's platform, closed at the end."""
    adapter = bench.adapter()
    assert adapter is not None, "the bench gives no adapter for its own platform"
    try:
        yield adapter
    finally:
        await adapter.close()


async def sensible(bench: Bench, adapter: Adapter, asked: Intervention, doing: str) -> Action:
    """An action that makes sense on the platform."""
    target = ""
    if asked.endswith("_comment"):
        target = await bench.comment()
    elif asked.endswith("_viewer"):
        target = bench.viewer
    return made(bench, adapter, asked, doing, target)


def made(bench: Bench, adapter: Adapter, asked: Intervention, doing: str, target: str) -> Action:
    """An action with this target, whether it makes sense or not."""
    now = time.time_ns() // 1_000_000
    event = target if asked.endswith("_comment") else "event"
    where = (adapter.platform, bench.broadcast, event, str(asked), doing, target, adapter.name)
    return Action(fresh_id(bench, f"{asked} {doing}"), *where, "urgent", now, now + 600_000)


def fresh_id(bench: Bench, what: str) -> str:
    """An action's id that was not used before."""
    return hashlib.sha256(f"{bench.broadcast} {what} {time.monotonic_ns()}".encode()).hexdigest()[:32]


async def perform(bench: Bench, adapter: Adapter, action: Action) -> tuple[Outcome | None, list[str]]:
    """The outcome, and what is wrong with how it came about."""
    limit = min(bench.limit_s, LONGEST_S)
    began = time.monotonic()
    try:
        async with asyncio.timeout(limit * 1.2):
            outcome = await adapter.perform(action)
    except TimeoutError:
        return None, [f"`{action.doing}` was not over after {limit:g} s"]
    except Exception as error:
        return None, [f"`{action.doing}` raised {type(error).__name__}"]
    faults = []
    if time.monotonic() - began > limit:
        faults.append(f"`{action.doing}` took longer than {limit:g} s")
    if len(outcome.note) > MAX_NOTE:
        faults.append(f"the note on `{action.doing}` has {len(outcome.note)} characters: at most {MAX_NOTE}")
    if not outcome.done and not outcome.note:
        faults.append(f"`{action.doing}` was not done, and the note does not say why")
    if any(secret in outcome.note for secret in bench.secrets):
        faults.append(f"the note on `{action.doing}` holds a secret")
    return outcome, faults


async def against(bench: Bench, way: Way | None, retry: bool | None) -> list[str]:
    """Perform against a platform that is not there, or is not well. ``retry`` ``None``: either will do."""
    faults = []
    name = "there is nothing at its address" if way is None else f"the platform {way.name}"
    async with hostile(way) if way is not None else closed_port() as server:
        adapter = bench.adapter(server.address)
        assert adapter is not None
        try:
            able = dict(served(adapter))
            asked = Intervention.PAUSE if Intervention.PAUSE in able else next(iter(able))
            outcome, wrong = await perform(bench, adapter, made(bench, adapter, asked, able[asked], bench.viewer))
        finally:
            await adapter.close()
    faults += wrong
    if outcome is not None:
        if outcome.done or (retry is not None and outcome.retry is not retry):
            faults.append(f"it said {said(outcome)}: {outcome.note}")
        if way is not None and outcome.retry_after_s < way.after_s:
            faults.append(f"it was asked to wait {way.after_s:g} s and says {outcome.retry_after_s:g} s")
    if any(secret.encode() in received for secret in bench.secrets for received in server.elsewhere):
        faults.append("it followed a redirect and sent a secret there")
    return [f"{name}: {fault}" for fault in faults]


def said(outcome: Outcome) -> str:
    """An outcome in words."""
    return "that it was done" if outcome.done else "to try again" if outcome.retry else "not to try again"
