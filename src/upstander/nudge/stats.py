"""What came of nudges, from the journal: counts by topic, small ones withheld. It shows no person and no broadcast."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterator

import msgspec

from upstander.journal import store
from upstander.journal.entries import Kind
from upstander.model.decision import decode_decision
from upstander.model.wire import WireError, decode_event
from upstander.nudge.book import Chosen, Reported

#: How long before and after a nudge a viewer's messages are counted (milliseconds of the broadcast's time).
WINDOW_MS = 300_000
#: Counts below this are not shown, and as many others as it takes to keep them from being worked out.
SMALLEST = 5

COLUMNS = ("chosen", "shown", "dismissed", "acted", "watched", "before", "after")
LIMITS = (
    "There is no comparison group, so these numbers do not say what a card caused. Messages fall off after a peak"
    " anyway, and viewers may have been held, muted or gone. `before` and `after` count messages by the same viewer"
    " that showed a tactic in the five minutes up to and after a nudge that was shown (what led to it counts"
    " as before), only where the broadcast went on for those five minutes (`watched`). Counts below 5 are withheld."
)


class Nudge(msgspec.Struct, frozen=True, gc=False):
    """One nudge and what was reported of it."""

    platform: str
    broadcast: str
    chosen: Chosen
    events: frozenset[str]


class Line(msgspec.Struct, frozen=True):
    """Counts of one topic (or of ``all``), in the order of ``COLUMNS``; ``None`` is withheld."""

    topic: str
    counts: dict[str, int | None]


def read_nudges(connection: sqlite3.Connection, platform: str | None = None) -> Iterator[Nudge]:
    """All nudges of a journal, or those of one platform, in order."""
    where, values = "kind IN ('nudge', 'nudge_report')", ()
    chosen: dict[tuple[str, str], tuple[str, Chosen]] = {}
    events: dict[tuple[str, str], set[str]] = defaultdict(set)
    for placed in store.read(connection, 0, where, values):
        entry = placed.entry
        if platform is not None and entry.platform != platform:
            continue
        if entry.kind is Kind.NUDGE:
            nudge = msgspec.json.decode(entry.body, type=Chosen)
            chosen[entry.platform, nudge.card.id] = (entry.broadcast, nudge)
        else:
            reported = msgspec.json.decode(entry.body, type=Reported)
            events[entry.platform, reported.nudge].add(reported.report.event)
    for (name, identifier), (broadcast, nudge) in chosen.items():
        yield Nudge(name, broadcast, nudge, frozenset(events[name, identifier]))


def tally(connection: sqlite3.Connection, platform: str | None = None) -> list[Line]:
    """Counts by topic, and of all; small ones withheld."""
    nudges = list(read_nudges(connection, platform))
    last = _last_events(connection, {(each.platform, each.broadcast) for each in nudges})
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for nudge in nudges:
        row = counts[nudge.chosen.card.topic]
        row["chosen"] += 1
        for column, event in (("shown", "shown"), ("dismissed", "dismissed"), ("acted", "action")):
            row[column] += event in nudge.events
        watched = last.get((nudge.platform, nudge.broadcast), 0) >= nudge.chosen.at + WINDOW_MS
        if "shown" in nudge.events and nudge.chosen.viewer and watched:
            row["watched"] += 1
            row["before"] += _messages(connection, nudge, -WINDOW_MS, 0)
            row["after"] += _messages(connection, nudge, 1, WINDOW_MS)
    return withhold({topic: {name: row[name] for name in COLUMNS} for topic, row in sorted(counts.items())})


def withhold(counts: dict[str, dict[str, int]]) -> list[Line]:
    """Lines by topic and one for all of them.

    A count below ``SMALLEST`` is withheld. The total less what is shown tells the sum of what is withheld, so the next
    smallest are withheld too, until that is the sum of at least two and no small count itself.
    """
    hidden: dict[str, set[str]] = {}
    for name in COLUMNS:
        values = {topic: row[name] for topic, row in counts.items()}
        withheld: set[str] = set()
        for topic in sorted(values, key=values.__getitem__):
            enough = len(withheld) != 1 and (not withheld or sum(values[each] for each in withheld) >= SMALLEST)
            if values[topic] >= SMALLEST and enough:
                break
            withheld.add(topic)
        hidden[name] = withheld
    lines = [
        Line(topic, {name: None if topic in hidden[name] else row[name] for name in COLUMNS})
        for topic, row in counts.items()
    ]
    total = {name: sum(row[name] for row in counts.values()) for name in COLUMNS}
    lines.append(Line("all", {name: value if value >= SMALLEST else None for name, value in total.items()}))
    return lines


def _last_events(connection: sqlite3.Connection, broadcasts: set[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The time of the last event of each broadcast, epoch milliseconds."""
    last: dict[tuple[str, str], int] = {}
    if not broadcasts:
        return last
    for placed in store.read(connection, 0, "kind = 'event'"):
        key = (placed.entry.platform, placed.entry.broadcast)
        if key not in broadcasts:
            continue
        try:
            at = decode_event(placed.entry.body).at_ms
        except WireError:
            continue  # of another release: it says nothing about time here
        last[key] = max(at, last.get(key, 0))
    return last


def _messages(connection: sqlite3.Connection, nudge: Nudge, first: int, last: int) -> int:
    """Decided messages of the nudge's viewer that showed a tactic, from ``first`` to ``last`` ms around the nudge."""
    where = "kind = 'decision' AND platform = ? AND broadcast = ?"
    found = 0
    for placed in store.read(connection, 0, where, (nudge.platform, nudge.broadcast)):
        decision = decode_decision(placed.entry.body)
        showed = decision.actor == nudge.chosen.viewer and decision.tactics
        if showed and first <= decision.at - nudge.chosen.at <= last:
            found += 1
    return found
