"""Rows of the outbox: made from decisions and orders, changed only by the transitions below."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec

from upstander.adapters.base import Action, Adapter, nearest
from upstander.journal.store import Statement
from upstander.model.decision import Asked, Decision
from upstander.model.order import Order
from upstander.model.vocabulary import REVERSE, Intervention


class State(StrEnum):
    """Where an action stands.

    ``pending`` waits to be sent; ``sent`` was handed over and not answered yet; ``acknowledged``, ``failed`` and
    ``expired`` are final.
    """

    PENDING = "pending"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    FAILED = "failed"
    EXPIRED = "expired"


#: The states that may follow each state. ``sent`` goes back to ``pending`` when an attempt failed or was cut short.
FOLLOWS: dict[State, frozenset[State]] = {
    State.PENDING: frozenset({State.SENT, State.EXPIRED, State.FAILED}),
    State.SENT: frozenset({State.ACKNOWLEDGED, State.FAILED, State.PENDING, State.EXPIRED}),
    State.ACKNOWLEDGED: frozenset(),
    State.FAILED: frozenset(),
    State.EXPIRED: frozenset(),
}

#: An action that could not be delivered for this long is of no use any more (milliseconds).
LIFETIME_MS = 600_000

#: Interventions on the stream itself, and the state each leaves it in.
_STREAM = {Intervention.PAUSE: "paused", Intervention.END: "ended", Intervention.RESUME: "live"}

_COLUMNS = "id, platform, broadcast, event, asked, doing, target, adapter, level, created_at, expires_at"


class Row(msgspec.Struct, frozen=True, gc=False):
    """An action with its state. Actions of one ``lane`` are sent in order."""

    action: Action
    lane: str
    state: State
    attempts: int
    next_at: int
    note: str


def action_id(platform: str, broadcast: str, event: str, asked: Asked, ordered: bool = False) -> str:
    """The idempotency key of an action: 32 hexadecimal digits. An order and an event of one id do not share it."""
    parts = (platform, broadcast, event, asked.do, asked.target, *(("order",) if ordered else ()))
    # Each part with its length: ids may hold any character.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def of_decision(
    adapters: Mapping[str, Sequence[Adapter]], platform: str, decision: Decision, now: int, inline: bool
) -> list[Statement]:
    """``statements`` for what a decision asks for."""
    where = (platform, decision.broadcast, decision.event, decision.level)
    return statements(adapters, *where, decision.interventions, now, inline)


def of_order(adapters: Mapping[str, Sequence[Adapter]], platform: str, order: Order, now: int) -> list[Statement]:
    """``statements`` for a person's order."""
    asked = [Asked(order.do, order.target)]
    return statements(adapters, platform, order.broadcast, order.id, "", asked, now, ordered=True)


def statements(
    adapters: Mapping[str, Sequence[Adapter]],
    platform: str,
    broadcast: str,
    event: str,
    level: str,
    interventions: Iterable[Asked],
    now: int,
    inline: bool = False,
    ordered: bool = False,
) -> list[Statement]:
    """SQL that puts interventions into the outbox; run in the transaction that journals their decision.

    ``inline``: the event is a comment held back by the caller, who gets the hold itself as the answer.
    ``ordered``: a person's order, whose id is ``event``.
    """
    serving = adapters.get(platform, ())
    made: list[Statement] = []
    for asked in interventions:
        identifier = action_id(platform, broadcast, event, asked, ordered)
        where = (identifier, platform, broadcast, event, asked)
        if inline and asked.do is Intervention.HOLD_COMMENT:
            made += insert(*where, "hold_comment", "hold", level, State.ACKNOWLEDGED, now)
            continue
        made += _take_back(platform, broadcast, asked, now)
        if asked.do in _STREAM:
            made.append(_stream_state(platform, broadcast, asked.do, now))
        if not serving and not ordered:
            continue  # no adapter: the decision stream is the only way out, and it always is one (but not of orders)
        found = _best(asked.do, serving)
        if found is not None:
            adapter, doing = found
            made += insert(*where, doing, adapter, level, State.PENDING, now)
        else:
            note = f"no adapter of this platform can {asked.do.replace('_', ' ')}"
            made += insert(*where, "", "", level, State.FAILED, now, note)
    return made


def _best(do: Intervention, serving: Sequence[Adapter]) -> tuple[str, str] | None:
    """The adapter that comes nearest to an intervention, and what it does: the best of all, not the first that can."""
    best = nearest(do, frozenset().union(*(adapter.capabilities for adapter in serving)))
    return next(((a.name, best) for a in serving if best and nearest(do, a.capabilities) == best), None)


def insert(
    identifier: str,
    platform: str,
    broadcast: str,
    event: str,
    asked: Asked,
    doing: str,
    adapter: str,
    level: str,
    state: State,
    now: int,
    note: str = "",
) -> list[Statement]:
    """SQL for one row and the first line of its history. A second insert of the same action changes nothing."""
    # Pause, resume and end have a lane of their own: they must not wait behind a nudge that cannot be delivered.
    lane = f"{'stream' if asked.do in _STREAM else 'rest'} {broadcast}"
    row = (identifier, platform, broadcast, lane, event, asked.do, doing, asked.target, adapter, level, state)
    return [
        # The history first, while the row's absence still tells that it is new.
        (
            "INSERT INTO outbox_history SELECT ?,?,?,? WHERE NOT EXISTS (SELECT 1 FROM outbox WHERE id = ?)",
            (identifier, now, state, note, identifier),
        ),
        (
            "INSERT OR IGNORE INTO outbox (id, platform, broadcast, lane, event, asked, doing, target, adapter, level,"
            " state, attempts, created_at, next_at, expires_at, note) VALUES (?,?,?,?,?,?,?,?,?,?,?,0,?,?,?,?)",
            (*row, now, now, now + LIFETIME_MS, note),
        ),
    ]


def transition(
    action: str, before: State, after: State, now: int, note: str = "", next_at: int = 0, attempt: bool = False
) -> list[Statement]:
    """SQL that moves an action from one state to the next; it does nothing when the action is in another state."""
    if after not in FOLLOWS[before]:
        raise ValueError(f"an action does not go from {before} to {after}")
    return [
        (
            "INSERT INTO outbox_history SELECT id, ?, ?, ? FROM outbox WHERE id = ? AND state = ?",
            (now, after, note, action, before),
        ),
        (
            "UPDATE outbox SET state = ?, note = ?, next_at = ?, attempts = attempts + ? WHERE id = ? AND state = ?",
            (after, note, next_at, int(attempt), action, before),
        ),
    ]


def _take_back(platform: str, broadcast: str, asked: Asked, now: int) -> list[Statement]:
    """What this intervention undoes and what was not sent yet is not sent any more."""
    undone = [str(do) for do, reverse in REVERSE.items() if reverse is asked.do]
    if not undone:
        return []
    where = (
        " FROM outbox WHERE platform = ? AND broadcast = ? AND target = ? AND state = 'pending'"
        " AND asked IN (SELECT value FROM json_each(?))"
    )
    values = (platform, broadcast, asked.target, json.dumps(undone))
    note = f"taken back by {asked.do} before it was sent"
    # S608: no value stands in the text.
    return [
        (f"INSERT INTO outbox_history SELECT id, ?, 'expired', ?{where}", (now, note, *values)),
        (f"UPDATE outbox SET state = 'expired', note = ? WHERE id IN (SELECT id{where})", (note, *values)),  # noqa: S608
    ]


def _stream_state(platform: str, broadcast: str, do: Intervention, now: int) -> Statement:
    state = _STREAM[do]
    return (
        # What a person ended, the machine does not turn into a pause.
        "INSERT INTO stream_state VALUES (?,?,?,?) ON CONFLICT (platform, broadcast) DO UPDATE"
        " SET state = excluded.state, since = excluded.since"
        " WHERE stream_state.state != 'ended' OR excluded.state = 'live'",
        (platform, broadcast, state, now),
    )


def open_actions(connection: sqlite3.Connection, limit: int = 1_000) -> list[Row]:
    """Actions that are not final, in the order they were asked for."""
    return _rows(connection, "state IN ('pending', 'sent') ORDER BY created_at, rowid LIMIT ?", (limit,))


def due_actions(
    connection: sqlite3.Connection, adapter: str, now: int, passing_over: Sequence[str], limit: int = 1_000
) -> list[Row]:
    """Actions of an adapter that can be sent now, in order; those of the lanes to pass over are not among them."""
    where = (
        "state IN ('pending', 'sent') AND state = 'pending' AND next_at <= ? AND adapter = ?"
        " AND lane NOT IN (SELECT value FROM json_each(?)) ORDER BY next_at, rowid LIMIT ?"
    )
    return _rows(connection, where, (now, adapter, json.dumps(passing_over), limit))


def actions_of(connection: sqlite3.Connection, platform: str, broadcast: str, limit: int = 100) -> list[Row]:
    """The latest actions of a broadcast."""
    where = "platform = ? AND broadcast = ? ORDER BY created_at DESC LIMIT ?"
    return _rows(connection, where, (platform, broadcast, limit))


def list_actions(connection: sqlite3.Connection, state: str | None, limit: int) -> list[Row]:
    """The latest actions, of all states or of one."""
    if state is None:
        return _rows(connection, "1 ORDER BY created_at DESC LIMIT ?", (limit,))
    return _rows(connection, "state = ? ORDER BY created_at DESC LIMIT ?", (state, limit))


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """How many actions stand in each state."""
    found = dict(connection.execute("SELECT state, actions FROM outbox_counts").fetchall())
    return {str(state): int(found.get(state, 0)) for state in State}


def state_of(connection: sqlite3.Connection, action: str) -> State | None:
    """The state of one action."""
    row = connection.execute("SELECT state FROM outbox WHERE id = ?", (action,)).fetchone()
    return State(row[0]) if row else None


def history(connection: sqlite3.Connection, action: str) -> list[tuple[int, str, str]]:
    """Every transition of an action: time (epoch ms), state, note."""
    sql = "SELECT at, state, note FROM outbox_history WHERE action = ? ORDER BY rowid"
    return [(int(at), str(state), str(note)) for at, state, note in connection.execute(sql, (action,))]


def stream_state(connection: sqlite3.Connection, platform: str, broadcast: str) -> str:
    """``live``, ``paused`` or ``ended``, by the last pause, resume or end asked for."""
    sql = "SELECT state FROM stream_state WHERE platform = ? AND broadcast = ?"
    row = connection.execute(sql, (platform, broadcast)).fetchone()
    return str(row[0]) if row else "live"


def _rows(connection: sqlite3.Connection, where: str, parameters: tuple[object, ...]) -> list[Row]:
    sql = f"SELECT {_COLUMNS}, lane, state, attempts, next_at, note FROM outbox WHERE {where}"  # noqa: S608
    return [
        Row(Action(*row[:11]), str(row[11]), State(row[12]), int(row[13]), int(row[14]), str(row[15]))
        for row in connection.execute(sql, parameters)
    ]
