"""The live wall: the broadcasts that need looking at and the last decisions. It shows no chat text.

Whoever looks is in the ledger, with every broadcast that was shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

import msgspec
from starlette.responses import Response, StreamingResponse

from upstander.console.web import Visit
from upstander.gateway.service import Service
from upstander.gateway.wall import Stats, Update
from upstander.outbox import actions
from upstander.people.audit import Act, Note
from upstander.people.permissions import Permission

#: The page is told of changes at most this often, and of nothing new at least every few seconds.
TICK_S = 0.1
QUIET_S = 2.0
ROWS_SENT = 60


async def page(visit: Visit) -> Response:
    """The live page; what it shows comes through ``updates``."""
    await visit.note(Act.WALL_VIEW)
    data = None
    if visit.wants_json:
        data = update(visit.console.service, visit.platforms)
        await visit.console.note(*_newly_shown(visit.who.name, data, set()))
    return visit.page("live.html.j2", 200, data, may_open=visit.who.may(Permission.BROADCAST_VIEW))


async def updates(visit: Visit) -> Response:
    """Server-sent events: the whole (short) state of the page whenever it changed. A key serves as a session does."""
    if visit.key is not None:
        await visit.note(Act.WALL_VIEW, platform=visit.key.platform)
    response = StreamingResponse(_stream(visit), 200, {"x-accel-buffering": "no"}, "text/event-stream")
    return visit.finish(response)


def _still_permitted(visit: Visit) -> bool:
    if visit.key is not None:
        return visit.console.service.keys.in_force(visit.key.id)
    # A wall that is merely open does not count as use of the session.
    session = visit.console.sessions.find(visit.token, used=False)
    person = visit.console.people.find(session.person) if session is not None else None
    return person is not None and person.may(Permission.WALL_VIEW)


async def _stream(visit: Visit) -> AsyncIterator[bytes]:
    service, shown = visit.console.service, set[tuple[str, str]]()
    who = f"key {visit.key.id}" if visit.key is not None else visit.who.name
    sent, sent_at = -1, 0.0
    while service.ready and not service.draining and not await visit.request.is_disconnected():
        now = time.monotonic()
        changed = service.wall.version != sent
        if changed or now - sent_at >= (1.0 if service.metrics.events_per_s else QUIET_S):
            if not _still_permitted(visit):
                yield b"event: closed\ndata: {}\n\n"
                return
            sent, sent_at = service.wall.version, now
            made = update(service, visit.platforms)
            # In the ledger first, then on the screen.
            await visit.console.note(*_newly_shown(who, made, shown))
            yield b"data: " + msgspec.json.encode(made) + b"\n\n"
        await asyncio.sleep(TICK_S)


def _newly_shown(who: str, made: Update, shown: set[tuple[str, str]]) -> list[Note]:
    """Entries for the broadcasts that this wall shows for the first time."""
    seen = [(row.platform, row.broadcast) for row in made.rows]
    seen += [(decision.platform, decision.broadcast) for decision in made.decisions]
    fresh = [each for each in dict.fromkeys(seen) if each not in shown]
    shown.update(fresh)
    return [Note(who, Act.WALL_SHOWN, platform=platform, broadcast=broadcast) for platform, broadcast in fresh]


def update(service: Service, platforms: Sequence[str]) -> Update:
    """What the page shows now, of these platforms."""
    rows = [row for row in service.wall.ranked() if row.platform in platforms]
    levels: dict[str, int] = {}
    for row in rows:
        if row.state == "ended":
            continue
        levels[row.level] = levels.get(row.level, 0) + 1
    counts = actions.counts(service.intake.journal.reader)
    engines = [engine for name, engine in service.intake.runtime.engines.items() if name in platforms]
    stats = Stats(
        available=service.intake.available,
        events=sum(engine.state.observed for engine in engines),
        events_per_s=round(service.metrics.events_per_s, 1),
        p99_ms=round(service.metrics.p99_ms(), 2),
        broadcasts=sum(len(engine.state.broadcasts) for engine in engines),
        outbox_open=counts["pending"] + counts["sent"],
        levels=levels,
    )
    decisions = [shown for shown in service.wall.decisions if shown.platform in platforms]
    return Update(stats, rows[:ROWS_SENT], decisions[::-1])
