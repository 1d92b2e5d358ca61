"""The first page: the broadcasts that need looking at and the last decisions, live. It shows no chat text."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from importlib.resources import files
from urllib.parse import parse_qs

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from upstander.gateway.http import Refused, authorise, json_response, read_body, service_of
from upstander.gateway.keys import Key, Scope
from upstander.gateway.service import Service
from upstander.gateway.wall import Stats, Update
from upstander.journal.entries import Kind
from upstander.outbox import actions

COOKIE = "upstander_session"
SESSION_S = 12 * 3600
TICKET_S = 300
#: The page is told of changes at most this often, and of nothing new at least every few seconds.
TICK_S = 0.2
QUIET_S = 2.0
ROWS_SENT = 60

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_MEDIA = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "html": "text/html"}


class Sessions:
    """Who is signed in, in memory only: a restart signs everybody out."""

    def __init__(self) -> None:
        self._sessions: dict[str, tuple[str, float]] = {}
        self._tickets: dict[str, tuple[str, float]] = {}

    def ticket(self, key: Key) -> str:
        """A one-time ticket that opens a session for this key within five minutes."""
        self._expire()
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = (key.id, time.monotonic() + TICKET_S)
        return ticket

    def redeem(self, ticket: str) -> str | None:
        """The key id of a ticket, once."""
        self._expire()
        found = self._tickets.pop(ticket, None)
        return found[0] if found else None

    def open(self, key_id: str) -> str:
        """A new session's token."""
        self._expire()
        token = secrets.token_urlsafe(32)
        self._sessions[token] = (key_id, time.monotonic() + SESSION_S)
        return token

    def key_of(self, token: str, service: Service) -> Key | None:
        """The key a session was opened with, while both are in force."""
        found = self._sessions.get(token)
        if found is None or found[1] < time.monotonic():
            return None
        key = service.keys.find(found[0])
        return key if key is not None and Scope.LIVE_READ in key.scopes else None

    def close(self, token: str) -> None:
        """Sign out."""
        self._sessions.pop(token, None)

    def _expire(self) -> None:
        now = time.monotonic()
        for table in (self._sessions, self._tickets):
            for token in [token for token, (_, until) in table.items() if until < now]:
                del table[token]


def _sessions(request: Request) -> Sessions:
    sessions: Sessions = request.app.state.sessions
    return sessions


def _file(name: str) -> Response:
    media = _MEDIA[name.rsplit(".", 1)[-1]]
    return Response(files("upstander.console").joinpath("static", name).read_bytes(), 200, HEADERS, media)


def _signed_in(request: Request) -> Key | None:
    return _sessions(request).key_of(request.cookies.get(COOKIE, ""), service_of(request))


async def _open(request: Request, key: Key) -> Response:
    service = service_of(request)
    await service.intake.record(Kind.AUDIT, key.platform, "", {"key": key.id, "viewed": "live wall"})
    response = RedirectResponse("/live", 303, HEADERS)
    token = _sessions(request).open(key.id)
    secure = request.url.scheme == "https"
    response.set_cookie(COOKIE, token, SESSION_S, path="/live", secure=secure, httponly=True, samesite="strict")
    return response


async def home(request: Request) -> Response:
    """There is one page so far."""
    return RedirectResponse("/live", 307, HEADERS)


async def page(request: Request) -> Response:
    """The live page, or the form to sign in. ``?ticket=`` signs in once."""
    ticket = request.query_params.get("ticket")
    if ticket is not None:
        key = service_of(request).keys.find(_sessions(request).redeem(ticket) or "")
        if key is not None:
            return await _open(request, key)
        return RedirectResponse("/live?refused=ticket", 303, HEADERS)
    return _file("live.html" if _signed_in(request) else "sign-in.html")


async def sign_in(request: Request) -> Response:
    """Open a session with an API key that has the scope ``live:read``."""
    form = parse_qs((await read_body(request)).decode("utf-8", "replace"))
    key = service_of(request).keys.check(form.get("key", [""])[0].strip())
    if key is None or Scope.LIVE_READ not in key.scopes:
        await asyncio.sleep(0.5)
        return RedirectResponse("/live?refused=key", 303, HEADERS)
    return await _open(request, key)


async def sign_out(request: Request) -> Response:
    """Close the session."""
    _sessions(request).close(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/live", 303, HEADERS)
    response.delete_cookie(COOKIE, path="/live")
    return response


async def make_ticket(request: Request) -> Response:
    """A ticket for a browser, made by a program that holds a key."""
    key = authorise(request, Scope.LIVE_READ)
    return json_response({"path": f"/live?ticket={_sessions(request).ticket(key)}"})


async def updates(request: Request) -> Response:
    """Server-sent events: the whole (short) state of the page whenever it changed. A key serves as a session does."""
    key = authorise(request, Scope.LIVE_READ) if "authorization" in request.headers else _signed_in(request)
    if key is None:
        raise Refused(401, "no session is open", "Sign in at /live.")
    headers = HEADERS | {"x-accel-buffering": "no"}
    return StreamingResponse(_stream(request, key), 200, headers, "text/event-stream")


async def _stream(request: Request, key: Key) -> AsyncIterator[bytes]:
    service = service_of(request)
    session = request.cookies.get(COOKIE, "")
    by_session = "authorization" not in request.headers
    sent, sent_at = -1, 0.0
    while service.ready and not service.draining and not await request.is_disconnected():
        now = time.monotonic()
        changed = service.wall.version != sent
        if changed or now - sent_at >= (1.0 if service.metrics.events_per_s else QUIET_S):
            if not service.keys.in_force(key.id) or (
                by_session and _sessions(request).key_of(session, service) is None
            ):
                yield b"event: closed\ndata: {}\n\n"
                return
            sent, sent_at = service.wall.version, now
            yield b"data: " + msgspec.json.encode(update(service, key.platform)) + b"\n\n"
        await asyncio.sleep(TICK_S)


def update(service: Service, platform: str) -> Update:
    """What the page shows now, of one platform."""
    rows = service.wall.ranked(platform)
    levels: dict[str, int] = {}
    for row in rows:
        if row.state == "ended":
            continue
        levels[row.level] = levels.get(row.level, 0) + 1
    counts = actions.counts(service.intake.journal.reader)
    engine = service.intake.runtime.engines.get(platform)
    stats = Stats(
        available=service.intake.available,
        events=engine.state.observed if engine else 0,
        events_per_s=round(service.metrics.events_per_s, 1),
        p99_ms=round(service.metrics.p99_ms(), 2),
        broadcasts=len(engine.state.broadcasts) if engine else 0,
        outbox_open=counts["pending"] + counts["sent"],
        levels=levels,
    )
    decisions = [shown for shown in service.wall.decisions if shown.platform == platform]
    return Update(stats, rows[:ROWS_SENT], decisions[::-1])


def _static(name: str) -> Route:
    async def serve(request: Request) -> Response:
        return _file(name)

    return Route(f"/live/{name}", serve)


ROUTES = [
    Route("/", home),
    Route("/live", page),
    Route("/live/session", sign_in, methods=["POST"]),
    Route("/live/sign-out", sign_out, methods=["POST"]),
    Route("/live/ticket", make_ticket, methods=["POST"]),
    Route("/live/events", updates),
    _static("live.css"),
    _static("live.js"),
    _static("sign-in.js"),
    _static("icon.svg"),
]
