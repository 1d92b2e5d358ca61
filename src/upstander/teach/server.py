"""The school's own server for the simulated stream: two pages, one WebSocket, one class at a time, nothing kept.

It sets no cookie, logs no address, and its pages may talk to nobody but it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from upstander.nudge.cards import INTERNATIONAL
from upstander.teach.lesson_room import Connection, Room
from upstander.teach.reading import FOLDER, TeachError
from upstander.teach.words import languages, words

STATIC = FOLDER / "static"
#: The most that a client may send at once (bytes).
MOST_BYTES = 2048
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none';"
    " require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_MEDIA = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_PAGES = {"/": "pupil.html", "/teacher": "teacher.html", "/projector": "projector.html"}
_FILES = ("teach.css", "host.js", "common.js", "stream.js", "pupil.js", "teacher.js", "icon.svg")


def make_key() -> str:
    """A teacher's key: whoever has it leads the class."""
    return secrets.token_urlsafe(18)


def create_app(key: str, language: str = "en", country: str = INTERNATIONAL, address: str = "") -> Starlette:
    """The application. ``key`` is the teacher's, ``address`` what the board says pupils open (empty: the page's own).

    Raises ``TeachError`` for a language without words.
    """
    words(language)
    room = Room(key, country, address)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        loading = asyncio.create_task(room.load_engine())
        yield
        loading.cancel()
        room.close()

    async def spoken(request: Request) -> Response:
        asked = str(request.path_params["language"])
        if asked not in languages():
            return Response("no such language", 404, HEADERS, "text/plain")
        return Response(msgspec.json.encode(words(asked).texts), 200, HEADERS, "application/json")

    async def live(socket: WebSocket) -> None:
        if not _same_origin(socket):
            await socket.close(4403)
            return
        await socket.accept()
        connection = Connection()
        sending = asyncio.create_task(_send(socket, connection))
        try:
            while True:
                room.take(connection, (await socket.receive_text())[:MOST_BYTES])
        except (WebSocketDisconnect, KeyError, RuntimeError):
            pass
        finally:
            room.leave(connection)
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sending

    routes: list[BaseRoute] = [Route(path, _page(STATIC / name, language)) for path, name in _PAGES.items()]
    routes += [Route(f"/static/{name}", _page(STATIC / name, language)) for name in _FILES]
    routes += [Route("/words/{language}", spoken), WebSocketRoute("/live", live)]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.state.room = room
    return app


def _page(path: Path, language: str) -> Callable[[Request], Awaitable[Response]]:
    try:
        body = path.read_bytes().replace(b'lang="en"', f'lang="{language}"'.encode(), 1)
    except OSError as error:
        raise TeachError(f"{path}: cannot be read ({error.strerror}). Install the package again.") from None

    async def serve(_request: Request) -> Response:
        return Response(body, 200, HEADERS, _MEDIA[path.suffix])

    return serve


def _same_origin(socket: WebSocket) -> bool:
    """Whether a browser says that the page came from here. Programs that send no origin are no browsers."""
    origin = socket.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == socket.headers.get("host")


async def _send(socket: WebSocket, connection: Connection) -> None:
    while (message := await connection.outgoing.get()) is not None:
        await socket.send_text(message)
    await socket.close(4000)
