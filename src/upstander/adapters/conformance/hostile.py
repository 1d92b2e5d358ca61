"""Platforms that are not well, on loopback, for ``conformance``: what an adapter must survive. Nothing else uses it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Server", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True)
class Way:
    """A way in which a platform is not well.

    ``retry`` is what an adapter must say then (``None``: either), ``after_s`` how long it is asked to wait.
    """

    name: str
    behave: Behaviour
    retry: bool | None
    after_s: float = 0.0


@dataclass
class Server:
    """Where it listens, and what reached the place that it redirects to."""

    address: tuple[str, int]
    redirect_port: int = 0
    elsewhere: list[bytes] = field(default_factory=list)


async def _closes(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hangs up."""


async def _is_silent(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)  # until the other side goes


async def _trickles(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nx-long: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.05)


async def _talks_nonsense(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x00\xff\x07 this is no protocol \r\n\r\n" * 4)
    await writer.drain()


def _answers(status: str, headers: str = "", body: bytes = b"") -> Behaviour:
    async def behave(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _request(reader)
        extra = headers.format(port=server.redirect_port)
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n{extra}\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return behave


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return head + await reader.readexactly(length)


#: Ways that need no protocol.
WAYS: tuple[Way, ...] = (
    Way("hangs up", _closes, True),
    Way("takes the connection and says nothing", _is_silent, True),
    Way("answers a byte at a time, for ever", _trickles, True),
    Way("talks nonsense", _talks_nonsense, None),
)
#: Ways to answer a request over HTTP.
HTTP_WAYS: tuple[Way, ...] = (
    Way("answers 500", _answers("500 Internal Server Error", body=b"<html>oh no</html>"), True),
    Way("answers 503", _answers("503 Service Unavailable"), True),
    Way("answers 429", _answers("429 Too Many Requests", "retry-after: 7\r\n", b"{}"), True, 7.0),
    Way("answers 404", _answers("404 Not Found", body=b"<html>no</html>"), False),
    Way("redirects", _answers("307 Temporary Redirect", "location: http://127.0.0.1:{port}/\r\n"), False),
)


@asynccontextmanager
async def hostile(way: Way) -> AsyncIterator[Server]:
    """A server that behaves in this way."""
    elsewhere = await asyncio.start_server(lambda r, w: _keep(server, r, w), "127.0.0.1", 0)
    listening = await asyncio.start_server(lambda r, w: _serve(way, server, r, w), "127.0.0.1", 0)
    server = Server(listening.sockets[0].getsockname()[:2], elsewhere.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        for each in (listening, elsewhere):
            each.close()


@asynccontextmanager
async def closed_port() -> AsyncIterator[Server]:
    """An address on loopback at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    yield Server(address)


async def _serve(way: Way, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await way.behave(server, reader, writer)
    except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # the adapter went first
    finally:
        writer.close()


async def _keep(server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    server.elsewhere.append(await reader.read(65_536))
    writer.close()
