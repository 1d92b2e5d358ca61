"""Telling an event sent again (answered with what was decided the first time) from another event under its id."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from upstander.journal.entries import Kind, Placed
from upstander.model.decision import Decision, decode_decision
from upstander.model.events import AnyEvent
from upstander.model.wire import WireError, decode_event


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """An event that is durable: its sequence number, its decision if there is one, and whether it was known already."""

    event: str
    seq: int
    decision: Decision | None
    duplicate: bool = False


class Flight(msgspec.Struct, gc=False):
    """An event that was observed and is not durable yet."""

    event: AnyEvent
    future: asyncio.Future[Accepted]


def find(
    event: AnyEvent, flight: Flight | None, journaled: Sequence[Placed], line: int
) -> asyncio.Future[Accepted] | WireError | None:
    """The answer if this event was taken before (it may still be in flight); an error if its id was; else ``None``.

    ``journaled`` are the entries under the event's key; another event may have the same key by chance.
    """
    if flight is not None:
        if flight.event == event:
            return _copy(flight.future)
        if flight.event.id == event.id and flight.event.broadcast == event.broadcast:
            return _conflict(event, line)
    seq, decision = 0, None
    for placed in journaled:
        if placed.entry.kind is Kind.EVENT:
            before = decode_event(placed.entry.body)
            if before.id != event.id or before.broadcast != event.broadcast:
                continue
            if before != event:
                return _conflict(event, line)
            seq = placed.seq
        elif placed.entry.kind is Kind.DECISION and placed.seq == seq + 1:
            decision = decode_decision(placed.entry.body)
    if not seq:
        return None
    future: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()
    future.set_result(Accepted(event.id, seq, decision, duplicate=True))
    return future


def _copy(original: asyncio.Future[Accepted]) -> asyncio.Future[Accepted]:
    future: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

    def settle(done: asyncio.Future[Accepted]) -> None:
        if future.done():
            return
        error = done.exception()
        if error is None:
            future.set_result(msgspec.structs.replace(done.result(), duplicate=True))
        else:
            future.set_exception(error)
            future.exception()  # whoever waited may have gone: do not warn about that

    original.add_done_callback(settle)
    return future


def _conflict(event: AnyEvent, line: int) -> WireError:
    reason = f"the id {event.id!r} was used before in this broadcast, for another event"
    fix = "Give every event an id of its own; repeat an id only to send the same event again."
    return WireError("id", reason, fix, line, event.id)
