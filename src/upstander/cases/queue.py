"""What a page of the queue shows, and the numbers beside it: never a host, a viewer or a broadcast."""

from __future__ import annotations

import statistics
from datetime import UTC, datetime

import msgspec

from upstander.cases.desk import Desk, now_ms
from upstander.cases.model import Case
from upstander.cases.states import State
from upstander.model.vocabulary import Level

DAY_MS = 86_400_000


class Line(msgspec.Struct, frozen=True):
    """One case on a page. Who it is about is seen by opening it, which is noted."""

    id: str
    state: str
    level: str
    band: str
    tactics: tuple[str, ...]
    opened_at: int
    decisions: int
    holder: str
    alarm: int
    waiting_since: int
    rank: int


def line_of(case: Case) -> Line:
    """A case as a line."""
    return Line(
        case.id,
        str(case.state),
        Level(case.level).word,
        str(case.band),
        case.tactics,
        case.opened_at,
        case.decisions,
        case.holder,
        case.alarm,
        case.waiting_since,
        case.rank,
    )


def counts(desk: Desk) -> dict[str, int]:
    """How many cases are in each state, and how many raise an alarm."""
    rows = desk.store.connection.execute("SELECT state, count(*) FROM cases GROUP BY state").fetchall()
    found = {str(state): 0 for state in State} | dict(rows)
    found["alarming"] = desk.store.connection.execute("SELECT count(*) FROM cases WHERE alarm > 0").fetchone()[0]
    return found


class Day(msgspec.Struct, frozen=True):
    """Times to the first look on one day (UTC), in seconds; ``within``: the share that met the service level."""

    day: str
    looks: int
    median_s: float
    p90_s: float
    worst_s: float
    within: float


class Service(msgspec.Struct, frozen=True):
    """The service level and how it was met, day by day; ``waiting`` cases nobody has looked at, the longest for
    ``longest_s``."""

    target_s: int
    days: tuple[Day, ...]
    waiting: int
    longest_s: float


def service(desk: Desk, days: int = 14, now: int = 0) -> Service:
    """Time to first look, for the last so many days, latest first."""
    at = now or now_ms()
    target = desk.settings.first_look_minutes * 60
    by_day: dict[str, list[float]] = {}
    sql = "SELECT at, took FROM looks WHERE at > ? ORDER BY at"
    for when, took in desk.store.connection.execute(sql, (at - days * DAY_MS,)):
        by_day.setdefault(datetime.fromtimestamp(when / 1000, UTC).strftime("%Y-%m-%d"), []).append(took / 1000)
    sql = "SELECT count(*), coalesce(min(waiting_since), 0) FROM cases WHERE waiting_since > 0"
    waiting, since = desk.store.connection.execute(sql).fetchone()
    made = [_day(day, sorted(by_day[day]), target) for day in sorted(by_day, reverse=True)]
    return Service(target, tuple(made), waiting, (at - since) / 1000 if waiting else 0.0)


def _day(day: str, seconds: list[float], target: int) -> Day:
    p90 = seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))]
    within = sum(each <= target for each in seconds) / len(seconds)
    return Day(day, len(seconds), statistics.median(seconds), p90, seconds[-1], round(within, 4))
