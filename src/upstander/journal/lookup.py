"""One event of the journal and all that belongs to it: its decision, what that rests on, what was done."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec

from upstander.journal import lock, snapshots, store
from upstander.journal.entries import Entry, Kind, Placed, reference
from upstander.journal.recovery import Replayer
from upstander.model.decision import Decision, decode_decision
from upstander.model.events import AnyEvent
from upstander.model.wire import WireError, decode_event
from upstander.runtime import Runtime, decode_configuration

#: Up to so many entries are replayed to see whether a decision comes out the same: it takes about a second.
CHEAP = 20_000


class Told(msgspec.Struct, frozen=True):
    """An event of the journal: its entry's number, where it came from, and what was decided on it, if anything was."""

    seq: int
    platform: str
    event: AnyEvent
    decision: Decision | None = None
    decision_seq: int = 0


def find(connection: sqlite3.Connection, event: str, platform: str = "", broadcast: str = "") -> list[Told]:
    """Every event with this id: ids are only unique within a broadcast of a platform."""
    if platform and broadcast:
        references = {reference(platform, broadcast, event)}
    else:
        references = _references(connection, event, platform)
    found: list[Told] = []
    for entries in store.find(connection, sorted(references)).values():
        found += _told(event, entries)
    return [told for told in found if platform in ("", told.platform) and broadcast in ("", told.event.broadcast)]


def _references(connection: sqlite3.Connection, event: str, platform: str) -> set[int]:
    """Keys under which an event of this id may lie: decisions are few and looked through first, then all events."""
    start = b'{"event":' + msgspec.json.encode(event) + b","
    where, values = ("AND platform = ?", (platform,)) if platform else ("", ())
    # S608: the conditions are written here, values are bound.
    sql = f"SELECT DISTINCT ref FROM entries WHERE kind = 'decision' AND substr(body, 1, ?) = ? {where}"  # noqa: S608
    found = {row[0] for row in connection.execute(sql, (len(start), start, *values))}
    if found:
        return found
    # A line is kept as it came, so an id of plain characters stands in it as it is; others may be escaped.
    plain = event.isascii() and event.isprintable() and not set(event) & set('"\\/')
    part = event.encode() if plain else b""
    sql = f"SELECT ref, body FROM entries WHERE kind = 'event' AND instr(body, ?) {where}"  # noqa: S608
    if not plain:
        sql = sql.replace("instr(body, ?)", "length(body) >= ?")
    for ref, body in connection.execute(sql, (part if plain else 0, *values)):
        decoded = _decoded(body)
        if decoded is not None and decoded.id == event:
            found.add(ref)
    return found


def _told(event: str, entries: list[Placed]) -> list[Told]:
    """Events of this id among entries of one key, each with the decision that follows it."""
    found: list[Told] = []
    for placed in entries:
        entry = placed.entry
        if entry.kind is Kind.EVENT:
            decoded = _decoded(entry.body)
            if decoded is not None and decoded.id == event:
                found.append(Told(placed.seq, entry.platform, decoded))
        elif entry.kind is Kind.DECISION and found:
            decision = decode_decision(entry.body)
            if decision.event == event:
                found[-1] = msgspec.structs.replace(found[-1], decision=decision, decision_seq=placed.seq)
    return found


def _decoded(body: bytes) -> AnyEvent | None:
    try:
        return decode_event(body)
    except WireError:
        return None


def before(connection: sqlite3.Connection, told: Told) -> list[tuple[str, AnyEvent | None]]:
    """The earlier events that a decision names, with the event where the journal has it (an order's id has none)."""
    decision = told.decision
    if decision is None:
        return []
    names = dict.fromkeys(name for reason in decision.reasons for name in reason.events if name != decision.event)
    keys = {name: reference(told.platform, decision.broadcast, name) for name in names}
    entries = store.find(connection, list(keys.values()))
    found: list[tuple[str, AnyEvent | None]] = []
    for name, key in keys.items():
        earlier = _told(name, entries.get(key, []))
        found.append((name, earlier[0].event if earlier else None))
    return found


def replays_the_same(connection: sqlite3.Connection, folder: Path, told: Told) -> bool | None:
    """Whether the event is decided the same again. ``None``: that takes too long here, or another release decided.

    ``folder`` holds the snapshots.
    """
    last = told.decision_seq or told.seq
    snapshot = snapshots.latest(folder, connection)
    if snapshot is not None and snapshot.seq >= told.seq:
        snapshot = None
    start = snapshot.seq if snapshot else 0
    recorded = store.last_configuration(connection, max(start, 1))
    if last - start > CHEAP or recorded is None:
        return None
    configuration = decode_configuration(recorded.entry.body)
    if not configuration.runs_here:
        return None
    runtime = Runtime(configuration)
    if snapshot:
        runtime.restore(snapshot.states)
    replayer = Replayer(runtime)
    for placed in store.read(connection, start, "seq <= ?", (last,)):
        replayer.feed(placed)
    replayer.finish()
    return None if replayer.foreign else told.seq not in [seq for seq, _ in replayer.differences]


def note_view(folder: Path, journal: Path, at: int, told: Told, body: object) -> bool:
    """Note in the journal that someone looked at an event. False when a running service holds it: only that may write.

    ``at`` is when, in epoch milliseconds. Raises ``JournalError``, and ``OSError`` when the folder cannot be used.
    """
    try:
        descriptor = lock.take(folder)
    except BlockingIOError:
        return False
    try:
        connection = store.open_store(journal)
        try:
            entry = Entry(Kind.AUDIT, msgspec.json.encode(body), at, told.platform, told.event.broadcast)
            store.write(connection, store.head(connection), [entry], ())
        finally:
            connection.close()
    finally:
        os.close(descriptor)
    return True
