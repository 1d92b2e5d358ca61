"""What a person reads of a case: decisions with their reasons, the belief over time, the words with what fired in them.

Reads only. Words are read where they were sealed, else in the journal; whoever calls has noted the look.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from upstander.cases import evidence
from upstander.cases.model import Case
from upstander.journal import store as journal
from upstander.journal.entries import Kind
from upstander.model.decision import Decision, Reason, decode_decision

DECISIONS = 60
#: So many decisions of the broadcast are looked through for them.
REACH = 1_000
LINES = 120


class Decided(msgspec.Struct, frozen=True):
    """A decision of the case: its number in the journal, and what policy decided."""

    seq: int
    decision: Decision

    @property
    def reasons(self) -> list[Reason]:
        """What speaks for it, the heaviest first."""
        shown = [reason for reason in self.decision.reasons if reason.what not in self.decision.exposures]
        return sorted(shown, key=lambda reason: -reason.weight)


class Segment(msgspec.Struct, frozen=True):
    """A stretch of words and the tactics or exposures that it shows (none: plain)."""

    text: str
    shows: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True):
    """A line of chat, speech or a gift's words. ``about``: it is by the viewer whom the case is about."""

    event: str
    at: int
    kind: str
    who: str
    about: bool
    segments: tuple[Segment, ...]

    @property
    def shows(self) -> list[str]:
        """What the line shows."""
        return list(dict.fromkeys(name for segment in self.segments for name in segment.shows))


def decisions_of(connection: sqlite3.Connection, case: Case, limit: int = DECISIONS) -> list[Decided]:
    """The last decisions about the case's viewer in its broadcast, the oldest first: also those that called nobody, for
    they show how it came to this. ``connection``: the journal's."""
    sql = (
        "SELECT seq, body FROM entries WHERE kind = 'decision' AND platform = ? AND broadcast = ? "
        "ORDER BY seq DESC LIMIT ?"
    )
    found = []
    for seq, body in connection.execute(sql, (case.platform, case.broadcast, REACH)):
        decision = decode_decision(bytes(body))
        if (decision.actor or "") == case.viewer:
            found.append(Decided(seq, decision))
            if len(found) >= limit:
                break
    return found[::-1]


def lines_sealed(contents: Iterable[bytes], case: Case, decisions: Sequence[Decided]) -> list[Line]:
    """The lines in sealed slices of chat and gifts, in order."""
    events: dict[str, dict[str, Any]] = {}
    for content in contents:
        try:
            value = msgspec.json.decode(content)
            for event in value["events"]:
                events[event["id"]] = event
        except (msgspec.DecodeError, KeyError, TypeError):
            continue  # of a form that this release does not know; the evidence page shows it as it is
    return _lines(sorted(events.values(), key=lambda event: event.get("seq", 0)), case, decisions)


def lines_in_journal(connection: sqlite3.Connection, case: Case, decisions: Sequence[Decided]) -> list[Line]:
    """The lines before the last decision, from the journal."""
    if not decisions:
        return []
    placed = next(journal.read(connection, decisions[-1].seq - 1, "seq = ?", (decisions[-1].seq,)), None)
    if placed is None or placed.entry.kind is not Kind.DECISION:
        return []
    found = evidence.slice_before(connection, placed)
    return _lines([msgspec.to_builtins(event) for _, event in found.events], case, decisions)


def _lines(events: Iterable[Mapping[str, Any]], case: Case, decisions: Sequence[Decided]) -> list[Line]:
    fired = spans_of(decisions)
    made = []
    for event in events:
        text = event.get("text")
        if not isinstance(text, str) or not text:
            continue
        who = str(event.get("actor") or event.get("speaker") or "")
        kind = str(event.get("type", ""))
        segments = segments_of(text, fired.get(str(event["id"]), ()))
        made.append(Line(str(event["id"]), int(event["at"]), kind, who, who == case.viewer, segments))
    return made[-LINES:]


def spans_of(decisions: Sequence[Decided]) -> dict[str, list[tuple[int, int, str]]]:
    """By event: which characters of its text showed what."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    for decided in decisions:
        for reason in decided.decision.reasons:
            if reason.span is not None:
                found.setdefault(decided.decision.event, []).append((*reason.span, reason.what))
    return found


def segments_of(text: str, spans: Iterable[tuple[int, int, str]]) -> tuple[Segment, ...]:
    """A text cut where something begins or ends to show; spans beyond its end are cut off."""
    kept = [(max(0, start), min(end, len(text)), what) for start, end, what in spans]
    kept = [span for span in kept if span[0] < span[1]]
    cuts = sorted({0, len(text), *(at for start, end, _ in kept for at in (start, end))})
    made = []
    for start, end in pairwise(cuts):
        shows = tuple(dict.fromkeys(what for low, high, what in kept if low <= start and end <= high))
        made.append(Segment(text[start:end], shows))
    return tuple(made)


class Curve(msgspec.Struct, frozen=True):
    """The belief over time as a drawing of 640 by 160: ``points`` of a line, and dots with their words."""

    points: str
    dots: list[tuple[float, float, str, str]]
    top: float


WIDE, HIGH, MARGIN = 640, 160, 12


def curve_of(decisions: Sequence[Decided], word: Any) -> Curve:
    """The curve of these decisions; ``word`` tells a time in words."""
    if not decisions:
        return Curve("", [], 0.0)
    times = [each.decision.at for each in decisions]
    top = max(1.0, *(each.decision.belief for each in decisions))
    span = times[-1] - times[0]
    dots = []
    for number, each in enumerate(decisions):
        decision = each.decision
        # What came all at once is drawn one after the other: it would be one line upwards.
        share = (decision.at - times[0]) / span if span >= 1_000 else (number + 0.5) / len(decisions)
        x = MARGIN + (WIDE - 2 * MARGIN) * min(1.0, max(0.0, share))
        y = HIGH - MARGIN - (HIGH - 2 * MARGIN) * max(0.0, decision.belief) / top
        moved = ", ".join(t.replace("_", " ") for t in decision.tactics) or "no new tactic"
        dots.append((round(x, 1), round(y, 1), decision.level, f"{word(decision.at)}: {moved} ({decision.belief:.1f})"))
    return Curve(" ".join(f"{x},{y}" for x, y, _, _ in dots), dots, round(top, 1))
