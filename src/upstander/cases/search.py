"""The queue as a person asks for it: which cases, in which order, page by page. The look is in the history."""

from __future__ import annotations

import msgspec

from upstander.cases.desk import Desk, now_ms
from upstander.cases.model import Case, CaseError
from upstander.cases.states import Act, State
from upstander.model.vocabulary import AgeBand, Level, Tactic

#: Order -> the column that cases stand in, and whether its highest values come first.
ORDERS = {
    "rank": ("rank", False),
    "oldest": ("opened_at", False),
    "newest": ("opened_at", True),
    "changed": ("updated_at", True),
}
SHOWN = 50
QUEUE, ALL = "queue", "all"


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for; an empty field asks for nothing in particular. ``state``: one of a case's, ``queue`` or
    ``all``; ``level``: at least that one; ``holder``: an account, or ``-`` for nobody's; ``alarm``: alarming ones only;
    ``platforms``: ``None`` for all of them; ``without``: cases that are left out; ``after``: where the page before
    ended, as ``Page.next`` said it."""

    state: str = QUEUE
    level: str = ""
    band: str = ""
    tactic: str = ""
    holder: str = ""
    alarm: bool = False
    order: str = "rank"
    platforms: frozenset[str] | None = None
    without: tuple[str, ...] = ()
    after: str = ""

    def __post_init__(self) -> None:
        known = {
            "state": (QUEUE, ALL, *State),
            "level": ("", *(level.word for level in Level)),
            "band": ("", *AgeBand),
            "tactic": ("", *Tactic),
            "order": tuple(ORDERS),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                fix = f"Use one of: {', '.join(value for value in values if value)}."
                raise CaseError(f"the {name} {getattr(self, name)!r} is not known. {fix}")


class Page(msgspec.Struct, frozen=True):
    """Cases in order, and what asks for the next page (empty: this is the last one)."""

    cases: list[Case]
    next: str


def page(desk: Desk, asked: Asked, by: str, now: int = 0) -> Page:
    """One page of cases. Callers show no names from it: see ``queue.Line``."""
    where, values = _condition(asked)
    column, down = ORDERS[asked.order]
    way, beyond = ("DESC", "<") if down else ("ASC", ">")
    if asked.after:
        key, _, last = asked.after.partition(" ")
        try:
            where.append(f"({column}, id) {beyond} (?, ?)")
            values += [int(key), last]
        except ValueError:
            raise CaseError(f"{asked.after!r} is no place in the queue. Use what the page before gave.") from None
        if abs(int(key)) >= 2**63:
            raise CaseError(f"{asked.after!r} is no place in the queue. Use what the page before gave.")
    with desk.lock, desk.store.transaction():
        found = desk.store.select(" AND ".join(where), tuple(values), SHOWN + 1, f"{column} {way}, id {way}")
        more = len(found) > SHOWN
        found = found[:SHOWN]
        what = f"{len(found)} cases, {asked.state}" + (f", after {asked.after}" if asked.after else "")
        desk.store.step(None, None, Act.LIST, by, what, now or now_ms())
    return Page(found, f"{getattr(found[-1], column)} {found[-1].id}" if more else "")


def _condition(asked: Asked) -> tuple[list[str], list[object]]:
    where: list[str] = ["1"]
    values: list[object] = []

    def add(condition: str, *more: object) -> None:
        where.append(condition)
        values.extend(more)

    if asked.state == QUEUE:
        add("queued = 1")
    elif asked.state != ALL:
        add("state = ?", asked.state)
    if asked.level:
        add("level >= ?", int(Level[asked.level.upper()]))
    if asked.band:
        add("band = ?", asked.band)
    if asked.tactic:
        add("instr(tactics, ?) > 0", f'"{asked.tactic}"')
    if asked.holder:
        add("holder = ?", "" if asked.holder == "-" else asked.holder)
    if asked.alarm:
        add("alarm > 0")
    if asked.platforms is not None:
        add(f"platform IN ({', '.join('?' * len(asked.platforms))})", *sorted(asked.platforms))
    if asked.without:
        add(f"id NOT IN ({', '.join('?' * len(asked.without))})", *asked.without)
    return where, values


def counts(desk: Desk, platforms: frozenset[str] | None = None) -> dict[str, int]:
    """How many cases are in each state, and how many raise an alarm, on these platforms."""
    where, values = _condition(Asked(state=ALL, platforms=platforms))
    condition = " AND ".join(where)
    # S608: the condition is made above, values are bound. Two statements: an index answers each by itself.
    by_state = f"SELECT state, count(*) FROM cases WHERE {condition} GROUP BY state"  # noqa: S608
    alarming = f"SELECT count(*) FROM cases WHERE {condition} AND alarm > 0"  # noqa: S608
    with desk.lock:
        rows = desk.store.connection.execute(by_state, values).fetchall()
        alarms = desk.store.connection.execute(alarming, values).fetchone()[0]
    return {str(state): 0 for state in State} | dict(rows) | {"alarming": alarms}
