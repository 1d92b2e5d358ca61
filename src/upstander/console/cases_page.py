"""The queue of cases: what waits, in the order in which to look at it. It names no host, viewer or broadcast."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import msgspec
from starlette.responses import Response, StreamingResponse

from upstander.cases import queue, search
from upstander.cases.desk import OUTCOMES, Desk, now_ms
from upstander.cases.model import CaseError
from upstander.cases.states import BULK, State
from upstander.console.cases_common import at_desk, sentence
from upstander.console.web import Visit
from upstander.model.vocabulary import AgeBand, Level, Tactic
from upstander.people.audit import Act as Noted
from upstander.people.permissions import Permission

FIELDS = ("state", "level", "band", "tactic", "holder", "alarm", "order", "after")
TICK_S = 1.0


async def cases(visit: Visit) -> Response:
    """One page of the queue, as it is asked for."""
    given = {name: visit.request.query_params.get(name, "").strip()[:100] for name in FIELDS}
    return await show(visit, given)


async def show(visit: Visit, given: dict[str, str], status: int = 200, error: str = "", done: str = "") -> Response:
    """The queue's page, perhaps with what went wrong or what was done."""
    chosen = {name: value for name, value in given.items() if value}
    try:
        asked = _asked(visit, chosen)
        found = await at_desk(visit, lambda desk: search.page(desk, asked, visit.name))
    except CaseError as mistake:
        error, status, chosen = error or sentence(mistake), 422, {}
        asked = _asked(visit, chosen)
        found = await at_desk(visit, lambda desk: search.page(desk, asked, visit.name))
    await visit.note(Noted.CASES_VIEW, detail=", ".join(f"{name}: {value}" for name, value in chosen.items()))
    counts, service, since = await at_desk(visit, lambda desk: _figures(desk, _platforms(visit)))
    lines = [queue.line_of(case) for case in found.cases]
    return visit.page(
        "cases.html.j2",
        status,
        {"cases": lines, "counts": counts, "service": service, "next": found.next, "at": now_ms()},
        error=error,
        done=done,
        lines=lines,
        asked=asked,
        filtered=bool(chosen.keys() - {"order"}),
        next=urlencode(chosen | {"after": found.next}) if found.next else "",
        counts=counts,
        service=service,
        now=now_ms(),
        enabled=visit.console.service.settings.cases.enabled,
        may_act=visit.may(Permission.CASE_ACT),
        choices={
            "state": [search.QUEUE, *State, search.ALL],
            "level": [level.word for level in Level if level],
            "band": list(AgeBand),
            "tactic": list(Tactic),
            "order": list(search.ORDERS),
        },
        acts=BULK,
        outcomes=OUTCOMES,
        since=since,
    )


def _figures(desk: Desk, platforms: frozenset[str] | None) -> tuple[dict[str, int], queue.Service, int]:
    with desk.lock:
        return search.counts(desk, platforms), queue.service(desk, 1), _version(desk)


def _platforms(visit: Visit) -> frozenset[str] | None:
    if visit.key is not None:
        return frozenset({visit.key.platform})
    return visit.who.platforms or None


def _asked(visit: Visit, chosen: dict[str, str]) -> search.Asked:
    """What is asked for, within what this visitor may see and wants to see."""
    wanted = dict(chosen)
    holder = wanted.pop("holder", "")
    alarm = bool(wanted.pop("alarm", ""))
    if holder == "me":
        holder = visit.name
    skipped = visit.console.care.skipped(visit.who.name) if visit.key is None else []
    return search.Asked(**wanted, holder=holder, alarm=alarm, platforms=_platforms(visit), without=tuple(skipped[:200]))


class Change(msgspec.Struct):
    """What the queue's feed says: how many cases are queued and alarming, the gravest that waits for a look, and a
    number that grows whenever anything changed."""

    version: int
    queued: int
    alarming: int
    waiting: int
    gravest: str


async def events(visit: Visit) -> Response:
    """Server-sent events: that the queue has changed. The page loads itself again then, and that look is noted."""
    await visit.note(Noted.CASES_VIEW, detail="feed of changes")
    answer = StreamingResponse(_stream(visit), 200, {"x-accel-buffering": "no"}, "text/event-stream")
    return visit.finish(answer)


async def _stream(visit: Visit) -> AsyncIterator[bytes]:
    service, sent, quiet = visit.console.service, -1, 0
    while service.ready and not service.draining and not await visit.request.is_disconnected():
        version = await at_desk(visit, _version)
        quiet += 1
        if version != sent or quiet >= 10:
            session = visit.console.sessions.find(visit.token, used=False)
            person = visit.console.people.find(session.person) if session is not None else None
            if person is None or not person.may(Permission.CASE_VIEW):
                yield b"event: closed\ndata: {}\n\n"
                return
            sent, quiet = version, 0
            made = await at_desk(visit, lambda desk, at=version: _change(desk, at, _platforms(visit)))  # type: ignore[misc]
            yield b"data: " + msgspec.json.encode(made) + b"\n\n"
        await asyncio.sleep(TICK_S)


def _version(desk: Desk) -> int:
    """The last step that changed a case: looks at pages change nothing, or every look would call for the next."""
    try:
        with desk.lock:
            row = desk.store.connection.execute("SELECT coalesce(max(updated_at), 0) FROM cases").fetchone()
    except sqlite3.Error:
        return 0
    return int(row[0])


def _change(desk: Desk, version: int, platforms: frozenset[str] | None) -> Change:
    found = search.counts(desk, platforms)
    queued = sum(found[state] for state in State if state not in (State.FILED, State.CLOSED))
    where = "waiting_since > 0"
    values: tuple[object, ...] = ()
    if platforms is not None:
        where += f" AND platform IN ({', '.join('?' * len(platforms))})"
        values = tuple(sorted(platforms))
    # S608: the condition is made above, values are bound.
    sql = f"SELECT count(*), coalesce(max(level), 0) FROM cases WHERE {where}"  # noqa: S608
    with desk.lock:
        waiting, level = desk.store.connection.execute(sql, values).fetchone()
    return Change(version, queued, found["alarming"], waiting, Level(level).word if waiting else "")
