"""WebSocket ``/v1/stream``: events in, decisions out, resumable from a sequence number.

Sent by the platform: one event a text frame. Sent by Upstander, each one JSON object with a ``kind``:

- ``ack``: ``{"kind", "event", "seq", "duplicate"}``, once the event is durable;
- ``error``: ``{"kind", "error": {line, field, reason, fix, event}}``; the stream goes on;
- ``retry``: ``{"kind", "event", "after_s"}``: not accepted now, send it again later;
- ``decision``: ``{"kind", "seq", "decision"}``, for every decision of the platform, in order.

``?after=SEQ`` first sends every decision with a higher sequence number, then goes on live: nothing is missed and
nothing is sent twice, however often a client comes back.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from upstander.gateway.http import Refused, authorise, service_of
from upstander.gateway.hub import Listener, Overrun
from upstander.gateway.intake import Overloaded, Unavailable
from upstander.gateway.keys import Key, Scope
from upstander.gateway.repeats import Accepted
from upstander.gateway.service import Service
from upstander.journal import store
from upstander.model.wire import WireError, decode_event

#: Events of one stream that may wait to become durable; beyond it the socket is not read, which slows the sender.
WINDOW = 256
PAGE = 500


async def stream(socket: WebSocket) -> None:
    """Serve one stream until either side closes it."""
    service = service_of(socket)
    try:
        scopes = _scopes(socket)
        after = _after(socket)
        if service.streams >= service.settings.limits.max_streams:
            raise Refused(429, "too many streams are open", "Use one stream for many broadcasts.")
    except Refused as error:
        await socket.close(4000 + error.status - 400, f"{error.reason}. {error.fix}"[:120])
        return
    key, reads, writes = scopes
    await socket.accept()
    service.streams += 1
    lock = asyncio.Lock()
    tasks: list[asyncio.Task[None]] = []
    try:
        if reads:
            tasks.append(asyncio.create_task(_decisions(socket, service, key.platform, after, lock)))
        tasks.append(asyncio.create_task(_receive(socket, service, key.platform, lock, writes)))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            failure = task.exception()
            if isinstance(failure, Overrun):
                await socket.close(4013, "you read too slowly: come back with ?after= the last seq you saw")
            elif failure is not None and not isinstance(failure, WebSocketDisconnect | RuntimeError):
                raise failure
    finally:
        service.streams -= 1
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _scopes(socket: WebSocket) -> tuple[Key, bool, bool]:
    """The key, and whether it may read decisions and write events. One of the two is enough to connect."""
    try:
        key = authorise(socket, Scope.DECISIONS_READ)
    except Refused as error:
        if error.status != 403:
            raise
        key = authorise(socket, Scope.EVENTS_WRITE)
    return key, Scope.DECISIONS_READ in key.scopes, Scope.EVENTS_WRITE in key.scopes


def _after(socket: WebSocket) -> int | None:
    text = socket.query_params.get("after")
    if text is None:
        return None
    if not text.isdigit() or len(text) > 18:
        raise Refused(400, f"after is {text[:20]!r}", "Give the last sequence number you saw.")
    return int(text)


async def _send(socket: WebSocket, lock: asyncio.Lock, message: dict[str, object]) -> None:
    async with lock:
        await socket.send_text(msgspec.json.encode(message).decode())


async def _decisions(socket: WebSocket, service: Service, platform: str, after: int | None, lock: asyncio.Lock) -> None:
    # Listen first, then read the past: what is decided meanwhile waits in the listener's queue.
    with service.intake.hub.listen(platform) as listener:
        seen = 0
        if after is not None:
            seen = await _past(socket, service, platform, after, lock)
        await _live(socket, listener, seen, lock)


async def _past(socket: WebSocket, service: Service, platform: str, after: int, lock: asyncio.Lock) -> int:
    reader = service.intake.journal.reader
    where = "kind = 'decision' AND platform = ?"
    while True:
        page = []
        for placed in store.read(reader, after, where, (platform,)):
            page.append(placed)
            if len(page) >= PAGE:
                break
        for placed in page:
            message = {"kind": "decision", "seq": placed.seq, "decision": msgspec.Raw(placed.entry.body)}
            await _send(socket, lock, message)
            after = placed.seq
        if len(page) < PAGE:
            return after


async def _live(socket: WebSocket, listener: Listener, seen: int, lock: asyncio.Lock) -> None:
    while True:
        published = await listener.next()
        if published.seq > seen:
            message = {"kind": "decision", "seq": published.seq, "decision": msgspec.Raw(published.body)}
            await _send(socket, lock, message)


async def _receive(socket: WebSocket, service: Service, platform: str, lock: asyncio.Lock, writes: bool) -> None:
    """Take events in the order they come; each is acknowledged on its own when it is durable."""
    window = asyncio.Semaphore(WINDOW)
    waiting: set[asyncio.Task[None]] = set()
    line = 0

    def finished(task: asyncio.Task[None]) -> None:
        waiting.discard(task)
        window.release()

    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            line += 1
            raw = (message.get("bytes") or (message.get("text") or "").encode("utf-8", "surrogatepass")).strip()
            identifier = ""
            try:
                if not writes:
                    raise WireError("", "this key may not write events", "Use a key with the scope events:write.", line)
                event = decode_event(raw, line)
                identifier = event.id
                result = service.intake.submit(platform, [(line, raw, event)])[0]
                if isinstance(result, WireError):
                    raise result
            except WireError as error:
                await _send(socket, lock, {"kind": "error", "error": error.as_dict()})
            except (Overloaded, Unavailable) as error:
                await _send(socket, lock, {"kind": "retry", "event": identifier, "after_s": error.retry_after_s})
            else:
                await window.acquire()
                task = asyncio.create_task(_acknowledge(socket, service, lock, identifier, result))
                waiting.add(task)
                task.add_done_callback(finished)
    finally:
        for task in waiting:
            task.cancel()


async def _acknowledge(
    socket: WebSocket, service: Service, lock: asyncio.Lock, identifier: str, result: asyncio.Future[Accepted]
) -> None:
    began = time.perf_counter()
    try:
        accepted = await asyncio.shield(result)
    except Unavailable as error:
        await _send(socket, lock, {"kind": "retry", "event": identifier, "after_s": error.retry_after_s})
        return
    message = {"kind": "ack", "event": accepted.event, "seq": accepted.seq, "duplicate": accepted.duplicate}
    await _send(socket, lock, message)
    service.metrics.took("stream", time.perf_counter() - began)
