"""WebSocket ``/v1/stream``: events in, decisions out, resumable from a sequence number.

Sent by the platform: one event a text frame. Sent by Upstander, each one JSON object with a ``kind``:

- ``open``: ``{"kind", "seq"}``, first of all, to those who read decisions: those with a higher number follow;
- ``ack``: ``{"kind", "event", "seq", "duplicate"}``, once the event is durable;
- ``error``: ``{"kind", "error": {line, field, reason, fix, event}}``; the stream goes on;
- ``retry``: ``{"kind", "event", "after_s"}``: not accepted now, send it again later;
- ``decision``: ``{"kind", "seq", "decision"}``, for every decision of the platform, in order.

``?after=SEQ`` first sends every decision with a higher sequence number, then goes on live: nothing is missed and
nothing is sent twice, however often a client comes back. A stream that is refused is answered with an HTTP status and
the reason; one whose key is revoked is closed with 4001, one that reads too slowly with 4013.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from upstander.gateway.http import Refused, authorise, problem, service_of, whole_number
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
#: A reader that takes in nothing at all for this long is cut off; seconds.
STALLED_S = 30.0
#: How often a stream on which nothing happens looks whether its key is still in force; seconds.
KEY_CHECK_S = 0.5


class _Revoked(RuntimeError):
    """The key that the stream was opened with is no longer in force."""


async def stream(socket: WebSocket) -> None:
    """Serve one stream until either side closes it."""
    service = service_of(socket)
    try:
        scopes = _scopes(socket)
        after = _after(socket, service)
        if service.streams >= service.settings.limits.max_streams:
            raise Refused(429, "too many streams are open", "Use one stream for many broadcasts.")
    except Refused as error:
        if "websocket.http.response" in socket.scope.get("extensions", {}):
            await socket.send_denial_response(problem(error.status, error.reason, error.fix))
        else:
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
        tasks.append(asyncio.create_task(_receive(socket, service, key, lock, writes)))
        tasks.append(asyncio.create_task(_guard(service, key)))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        failure = next((task.exception() for task in done if task.exception() is not None), None)
        if isinstance(failure, Overrun):
            await _close(socket, 4013, "you read too slowly: come back with ?after= the last seq you saw")
        elif isinstance(failure, _Revoked):
            await _close(socket, 4001, "the key is no longer in force")
        elif failure is not None and not isinstance(failure, WebSocketDisconnect | RuntimeError):
            raise failure
    finally:
        service.streams -= 1
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()  # seen above, or of no more interest: do not warn about it


def _scopes(socket: WebSocket) -> tuple[Key, bool, bool]:
    """The key, and whether it may read decisions and write events. One of the two is enough to connect."""
    try:
        key = authorise(socket, Scope.DECISIONS_READ)
    except Refused as error:
        if error.status != 403:
            raise
        key = authorise(socket, Scope.EVENTS_WRITE)
    return key, Scope.DECISIONS_READ in key.scopes, Scope.EVENTS_WRITE in key.scopes


def _after(socket: WebSocket, service: Service) -> int | None:
    text = socket.query_params.get("after")
    if text is None:
        return None
    head = service.intake.journal.writer.head[0]
    after = whole_number(text, 0, head)
    if after is None:
        # A number from another journal would leave its sender waiting for decisions that were made long ago.
        raise Refused(
            400, f"after is {text[:20]!r}, and this journal ends at {head}", "Give the last seq you saw in it."
        )
    return after


async def _guard(service: Service, key: Key) -> None:
    """A revoked key ends its streams too, also those on which nothing happens."""
    while service.keys.in_force(key.id):
        await asyncio.sleep(KEY_CHECK_S)
    raise _Revoked


async def _close(socket: WebSocket, code: int, reason: str) -> None:
    # To one who reads nothing, not even this can be said.
    with suppress(TimeoutError):
        await asyncio.wait_for(socket.close(code, reason), 1.0)


async def _send(socket: WebSocket, lock: asyncio.Lock, message: dict[str, object]) -> None:
    async with lock:
        await socket.send_text(msgspec.json.encode(message).decode())


async def _decisions(socket: WebSocket, service: Service, platform: str, after: int | None, lock: asyncio.Lock) -> None:
    # Listen first, then read the past: what is decided meanwhile waits in the listener's queue.
    with service.intake.hub.listen(platform) as listener:
        seen = service.intake.published
        await _send(socket, lock, {"kind": "open", "seq": seen if after is None else after})
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
            await _deliver(socket, lock, message)
            after = placed.seq
        if len(page) < PAGE:
            return after


async def _live(socket: WebSocket, listener: Listener, seen: int, lock: asyncio.Lock) -> None:
    while True:
        published = await listener.next()
        if published.seq > seen:
            message = {"kind": "decision", "seq": published.seq, "decision": msgspec.Raw(published.body)}
            await _deliver(socket, lock, message)


async def _deliver(socket: WebSocket, lock: asyncio.Lock, message: dict[str, object]) -> None:
    try:
        async with asyncio.timeout(STALLED_S):
            await _send(socket, lock, message)
    except TimeoutError:
        raise Overrun from None


async def _receive(socket: WebSocket, service: Service, key: Key, lock: asyncio.Lock, writes: bool) -> None:
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
                if not service.keys.in_force(key.id):
                    raise _Revoked
                event = decode_event(raw, line)
                identifier = event.id
                result = service.intake.submit(key.platform, [(line, raw, event)])[0]
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
