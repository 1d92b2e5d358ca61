"""Counts of reports, for metrics and transparency: read from the file of reports, which names nobody."""

from __future__ import annotations

import sqlite3
import statistics
from pathlib import Path

import msgspec

#: Counts of people below this are not given apart: with few reports a number can point at one.
SMALL = 3


class Standing(msgspec.Struct, frozen=True):
    """How the queue stands: reports by destination and state, alarms, and how long the oldest waits (seconds)."""

    by_state: dict[tuple[str, str], int]
    alarming: int
    oldest_s: float
    down: tuple[str, ...]


def standing(path: Path, now: int) -> Standing:
    """How the queue stands; all is empty when there are no reports."""
    if not path.exists():
        return Standing({}, 0, 0.0, ())
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        rows = connection.execute("SELECT destination, state, count(*) FROM reports GROUP BY 1, 2").fetchall()
        alarming = connection.execute("SELECT count(*) FROM reports WHERE alarm_at > 0").fetchone()[0]
        sql = "SELECT min(queued_at) FROM reports WHERE state IN ('submitting', 'uploading', 'finishing')"
        oldest = connection.execute(sql).fetchone()[0]
        down = tuple(row[0] for row in connection.execute("SELECT name FROM destinations WHERE failures > 0"))
    finally:
        connection.close()
    by_state = {(destination, state): count for destination, state, count in rows}
    return Standing(by_state, alarming, (now - oldest) / 1000 if oldest else 0.0, down)


class Transparency(msgspec.Struct, frozen=True):
    """A destination's numbers over a time: how many were filed, from the first signal to filed (hours), and what became
    of them. ``outcomes`` with fewer than three are put together as ``other``."""

    destination: str
    filed: int
    refused: int
    retracted: int
    open: int
    median_hours: float | None
    p90_hours: float | None
    outcomes: dict[str, int]
    awaiting: int


def transparency(connection: sqlite3.Connection, since: int = 0, until: int = 1 << 62) -> list[Transparency]:
    """Numbers of each destination, for reports that were drafted between two times (epoch ms)."""
    made = []
    names = connection.execute("SELECT DISTINCT destination FROM reports ORDER BY 1").fetchall()
    for (name,) in names:
        sql = (
            "SELECT state, first_signal_at, filed_at, outcome FROM reports "
            "WHERE destination = ? AND drafted_at >= ? AND drafted_at < ?"
        )
        rows = connection.execute(sql, (name, since, until)).fetchall()
        states = [state for state, *_ in rows]
        filed = [row for row in rows if row[0] == "filed"]
        hours = sorted((at - first) / 3_600_000 for _, first, at, _ in filed if first and at >= first)
        outcomes: dict[str, int] = {}
        for *_, outcome in filed:
            if outcome:
                outcomes[outcome] = outcomes.get(outcome, 0) + 1
        ended = {state: states.count(state) for state in ("refused", "retracted")}
        made.append(
            Transparency(
                name,
                len(filed),
                ended["refused"],
                ended["retracted"],
                len(states) - len(filed) - sum(ended.values()),
                round(statistics.median(hours), 2) if hours else None,
                round(hours[min(len(hours) - 1, int(0.9 * len(hours)))], 2) if hours else None,
                _coarse(outcomes),
                sum(not row[3] for row in filed),
            )
        )
    return made


def _coarse(outcomes: dict[str, int]) -> dict[str, int]:
    """Small counts together: one alone would point at a case."""
    small = sum(count for count in outcomes.values() if count < SMALL)
    kept = {name: count for name, count in sorted(outcomes.items()) if count >= SMALL}
    return kept | ({"other": small} if small else {})
