"""Moderators' verdicts in a journal, as labelled lines to learn from. Reads only."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Iterator

import msgspec

from upstander.detect.examples import Example
from upstander.journal import store
from upstander.journal.entries import Kind, reference
from upstander.model.decision import decode_decision
from upstander.model.events import Comment, Gift, Speech, Verdict
from upstander.model.wire import WireError, decode_event

#: One judged line in so many is held back from training, to check the new model on.
HELD_BACK = 5


class Judged(msgspec.Struct, frozen=True):
    """A line that a moderator judged: what it shows (nothing: benign), who said so and where it stands."""

    text: str
    tactics: frozenset[str]
    suspected: frozenset[str]
    moderator: str
    language: str
    event: str

    @property
    def held_back(self) -> bool:
        """Whether the line is kept from training; by its own words, so that a repeated line is on one side only."""
        return hashlib.sha256(self.text.casefold().encode()).digest()[0] % HELD_BACK == 0


class Verdicts(msgspec.Struct, frozen=True):
    """All verdicts that can be learned from, and how many could not, by reason."""

    judged: tuple[Judged, ...]
    skipped: dict[str, int]

    @property
    def moderators(self) -> int:
        """How many different people judged."""
        return len({line.moderator for line in self.judged})


def read(connection: sqlite3.Connection) -> Verdicts:
    """The verdicts of a journal, each with the words that it was about. The last verdict on an event counts."""
    latest: dict[tuple[str, str, str], Verdict] = {}
    skipped: Counter[str] = Counter()
    for platform, verdict in _verdicts(connection):
        if verdict.outcome == "unsure":
            skipped["unsure"] += 1
        elif not verdict.decision:
            skipped["names no decision"] += 1
        else:
            latest[platform, verdict.broadcast, verdict.decision] = verdict
    found = []
    for (platform, broadcast, event), verdict in latest.items():
        line = _line(connection, platform, broadcast, event, verdict)
        if isinstance(line, str):
            skipped[line] += 1
        else:
            found.append(line)
    return Verdicts(tuple(found), dict(skipped))


def _verdicts(connection: sqlite3.Connection) -> Iterator[tuple[str, Verdict]]:
    # A cheap test on the bytes first: a journal holds a million comments for each verdict.
    where = "kind = 'event' AND instr(body, CAST('verdict' AS BLOB)) > 0"
    for placed in store.read(connection, 0, where):
        try:
            event = decode_event(placed.entry.body)
        except WireError:
            continue
        if isinstance(event, Verdict):
            yield placed.entry.platform, event


def _line(connection: sqlite3.Connection, platform: str, broadcast: str, event: str, verdict: Verdict) -> Judged | str:
    """The judged line, or why there is none."""
    key = reference(platform, broadcast, event)
    text, suspected = "", frozenset[str]()
    for placed in store.find(connection, [key]).get(key, []):
        if placed.entry.kind is Kind.DECISION:
            decision = decode_decision(placed.entry.body)
            if decision.event == event:
                suspected = frozenset(str(tactic) for tactic in decision.tactics)
        elif placed.entry.kind is Kind.EVENT:
            judged = decode_event(placed.entry.body)
            if judged.id == event and isinstance(judged, Comment | Gift | Speech):
                text = judged.text
    if not text:
        return "the event has no words"
    shown = frozenset(str(tactic) for tactic in verdict.tactics) or suspected
    if verdict.outcome == "harmful" and not shown:
        return "harmful, but no tactic was named"
    tactics = shown if verdict.outcome == "harmful" else frozenset[str]()
    return Judged(text, tactics, suspected, verdict.actor, "", event)


def examples_of(judged: Iterator[Judged] | tuple[Judged, ...]) -> list[Example]:
    """Judged lines as examples: a benign one is a twin of what it was suspected of.

    Where people disagree about the same words, the majority counts; a tie teaches nothing.
    """
    votes: dict[str, Counter[tuple[str, ...]]] = {}
    suspected: dict[str, frozenset[str]] = {}
    for line in judged:
        votes.setdefault(line.text, Counter())[tuple(sorted(line.tactics))] += 1
        suspected[line.text] = suspected.get(line.text, frozenset()) | line.suspected
    found = []
    for text, counts in votes.items():
        ranked = counts.most_common(2)
        if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
            continue
        shown = ranked[0][0]
        if shown:
            found += [Example(text, tactic, "", True) for tactic in shown]
        else:
            found += [Example(text, tactic, "", False) for tactic in sorted(suspected[text]) or [""]]
    return found
