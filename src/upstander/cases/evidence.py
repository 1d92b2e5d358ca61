"""From a decision in the journal to what is sealed: it, the chat before it, gifts, hashes of frames. Reads only."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from upstander.journal import store as journal
from upstander.journal.entries import Kind, Placed
from upstander.model.decision import Decision, decode_decision
from upstander.model.events import AnyEvent, BroadcastStarted, Comment, Event, Frame, Gift, Speech
from upstander.model.wire import WireError, decode_event
from upstander.vault.vault import Part

#: At most so many events of the broadcast, and so many entries of the journal, before a decision are looked at.
EVENTS = 400
REACH = 300_000


class Slice(msgspec.Struct, frozen=True):
    """Events of one broadcast before a decision, oldest first, with their numbers in the journal, and the last
    start of the broadcast within reach. ``complete``: it goes back to where the last slice ended, or to that start."""

    events: tuple[tuple[int, AnyEvent], ...]
    started: BroadcastStarted | None
    complete: bool


def slice_before(connection: sqlite3.Connection, decided: Placed, after: int = 0) -> Slice:
    """The events of a decision's broadcast up to it, those after entry ``after`` only."""
    entry = decided.entry
    low = max(after, decided.seq - REACH)
    sql = (
        "SELECT seq, body FROM entries WHERE seq > ? AND seq < ? AND kind = 'event' AND broadcast = ? AND platform = ? "
        "ORDER BY seq DESC LIMIT ?"
    )
    rows = connection.execute(sql, (low, decided.seq, entry.broadcast, entry.platform, EVENTS + 1)).fetchall()
    events = []
    for seq, body in rows[:EVENTS][::-1]:
        event = _decoded(body)
        if event is not None:
            events.append((seq, event))
    started = start_of(connection, decided)
    reached = low == after or any(isinstance(event, BroadcastStarted) for _, event in events)
    return Slice(tuple(events), started, len(rows) <= EVENTS and reached)


def start_of(connection: sqlite3.Connection, decided: Placed) -> BroadcastStarted | None:
    """The broadcast's last start before the decision, when it is within reach: it says who hosts and their age band."""
    sql = (
        "SELECT body FROM entries WHERE seq > ? AND seq < ? AND kind = 'event' AND broadcast = ? AND platform = ? "
        "AND instr(body, CAST('broadcast_started' AS BLOB)) > 0 ORDER BY seq DESC"
    )
    entry = decided.entry
    values = (decided.seq - REACH, decided.seq, entry.broadcast, entry.platform)
    for (body,) in connection.execute(sql, values):
        event = _decoded(body)
        if isinstance(event, BroadcastStarted):
            return event
    return None


def parts_of(decided: Placed, found: Slice) -> list[Part]:
    """What is sealed for a decision; the same journal gives the same parts."""
    entry = decided.entry
    source = f"journal:{decided.seq}:{decided.hash.hex()[:16]}"
    decision = decode_decision(entry.body)
    caught = next((event for _, event in reversed(found.events) if event.id == decision.event), None)
    about = {
        "format": "upstander-decision-1",
        "platform": entry.platform,
        "broadcast": entry.broadcast,
        "journal": {"seq": decided.seq, "hash": decided.hash.hex(), "at": entry.at},
        "started": found.started,
        "event": caught,
        "decision": msgspec.Raw(entry.body),
    }
    made = [Part("decision", f"{source}:decision", msgspec.json.encode(about))]
    slices: list[tuple[str, tuple[type[Event], ...]]] = [
        ("chat", (Comment, Speech)),
        ("gifts", (Gift,)),
        ("frames", (Frame,)),
    ]
    for part, types in slices:
        chosen = [(seq, event) for seq, event in found.events if isinstance(event, types)]
        if chosen:
            made.append(Part(part, f"{source}:{part}", _events(entry.broadcast, chosen, found, part)))
    return made


def _events(broadcast: str, chosen: list[tuple[int, AnyEvent]], found: Slice, part: str) -> bytes:
    value: dict[str, Any] = {
        "format": f"upstander-{part}-1",
        "broadcast": broadcast,
        "first": found.events[0][0],
        "last": found.events[-1][0],
        "left_out": "" if found.complete else f"what came before the last {EVENTS} events, or {REACH:,} entries",
        "events": [msgspec.to_builtins(event) | {"seq": seq} for seq, event in chosen],
    }
    if part == "gifts":
        value["totals"] = _totals([event for _, event in chosen if isinstance(event, Gift)])
    return msgspec.json.encode(value)


def _totals(gifts: list[Gift]) -> list[dict[str, object]]:
    """What each viewer gave, by currency."""
    sums: dict[tuple[str, str], float] = {}
    for gift in gifts:
        sums[gift.actor, gift.currency] = sums.get((gift.actor, gift.currency), 0.0) + gift.value
    return [{"viewer": who, "sum": f"{value:g} {currency}".strip()} for (who, currency), value in sorted(sums.items())]


def decision_of(decided: Placed) -> Decision:
    """The decision in an entry."""
    return decode_decision(decided.entry.body)


def text_of(connection: sqlite3.Connection, decided: Placed) -> str:
    """The words of the event that was decided on (empty: it has none)."""
    entry = decided.entry
    if entry.ref is None:
        return ""
    for placed in journal.find(connection, [entry.ref]).get(entry.ref, []):
        event = _decoded(placed.entry.body) if placed.entry.kind is Kind.EVENT else None
        if isinstance(event, Comment | Speech | Gift) and placed.seq <= decided.seq:
            return event.text
    return ""


def _decoded(body: bytes) -> AnyEvent | None:
    try:
        return decode_event(body)
    except WireError:
        return None
