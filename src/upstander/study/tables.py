"""Tables as they are published: counts, shares, intervals and tests, with small cells withheld across all of them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from upstander.study import survival
from upstander.study.errors import StudyError
from upstander.study.measures import Association, Share, Standardised, association, share, standardise
from upstander.study.plan import COMPARISONS, LINE, PLANS, Book, Comparison, Plan
from upstander.study.prepare import Prepared
from upstander.study.suppress import Protection, protect

WITHHELD = "withheld"
NO_TEST = "not tested: a count of this table is withheld, and a test would tell something about it"
#: A curve of fewer items than this is not drawn.
FEWEST = 20


class Entry(msgspec.Struct, frozen=True):
    """One count (``None``: withheld) and its share of the line's base (``None``: withheld, or of nothing)."""

    count: int | None
    share: Share | None


class Line(msgspec.Struct, frozen=True):
    """One line. ``base``: what its shares are of (``None``: withheld). ``sums``: it adds up lines above. ``sites``:
    distinct domains, where the table counts them."""

    label: str
    base: int | None
    entries: tuple[Entry, ...]
    sums: bool = False
    sites: int | None = None


class Table(msgspec.Struct, frozen=True):
    """One table. ``heads``: the columns (one for a one-way table). ``n``: all units, whatever is withheld."""

    key: str
    title: str
    unit: str
    n: int
    rows_are: str
    columns_are: str
    heads: tuple[str, ...]
    lines: tuple[Line, ...]
    note: str
    withheld: int
    test: Association | None = None
    no_test: str = ""
    sites: bool = False


class Compared(msgspec.Struct, frozen=True):
    """A comparison between years, or why there is none."""

    key: str
    title: str
    by: str
    n: int
    result: Standardised | None
    why: str = ""


class Curves(msgspec.Struct, frozen=True):
    """Removal curves, all items first; ``why`` says what is not shown."""

    curves: tuple[survival.Curve, ...]
    logrank: float | None
    p: float | None
    why: str = ""


class Tables(msgspec.Struct, frozen=True):
    """Everything that one report publishes about its units."""

    unit: str
    n: int
    threshold: int
    tables: tuple[Table, ...]
    comparisons: tuple[Compared, ...]
    removal: Curves
    forums: int | None
    withheld: int

    def table(self, key: str) -> Table:
        """The table of this key. Raises ``KeyError``."""
        return {table.key: table for table in self.tables}[key]


def tabulate(
    prepared: Prepared,
    threshold: int,
    plans: Sequence[Plan] = PLANS,
    comparisons: Sequence[Comparison] = COMPARISONS,
) -> Tables:
    """Count, withhold across all tables at once, then compute everything from what is left.

    Raises ``StudyError`` when there are too few units to publish anything.
    """
    if prepared.size < threshold:
        reason = f"{prepared.size} settled captures are fewer than the threshold of {threshold}"
        raise StudyError("tables", f"nothing can be published: {reason}", "Code more items")
    book = Book(prepared)
    for plan in plans:
        if not plan.whole:
            book.add(plan)
    for comparison in comparisons:
        book.compare(comparison)
    made = _Maker(prepared, book, protect(prepared.records, book.cells, threshold), threshold, plans)
    tables = tuple(made.table(plan) for plan in plans)
    forum = next((table for table in tables if table.key == "forum"), None)
    open_forum = forum is not None and all(line.entries[0].count is not None for line in forum.lines)
    return Tables(
        unit=prepared.unit_label,
        n=prepared.size,
        threshold=threshold,
        tables=tables,
        comparisons=tuple(made.compared(comparison) for comparison in comparisons),
        removal=made.curves(),
        forums=prepared.forums if open_forum else None,
        withheld=sum(table.withheld for table in tables),
    )


class _Maker:
    """Reads counts through what is withheld: no figure is made of a count that is not published."""

    def __init__(
        self, prepared: Prepared, book: Book, protection: Protection, threshold: int, plans: Sequence[Plan]
    ) -> None:
        self._prepared, self._book, self.protection = prepared, book, protection
        self._levels = prepared.records.levels
        self._threshold, self._plans = threshold, plans
        self._joints: dict[tuple[str, ...], np.ndarray[tuple[int, ...], np.dtype[np.int64]]] = {}

    def count(self, fields: Sequence[str], picks: Sequence[Sequence[str]]) -> int | None:
        """A published count; ``None`` when it is withheld."""
        number = self._book.cell(fields, picks, LINE)
        if number in self.protection.withheld:
            return None
        cell = self._book.cells[number]
        if cell.fields not in self._joints:
            self._joints[cell.fields] = self._prepared.records.joint(cell.fields)
        return int(self._joints[cell.fields][cell.mask].sum())

    def table(self, plan: Plan) -> Table:
        lines = [self._line(plan, level, (level,)) for level in self._levels[plan.rows]]
        lines += [self._line(plan, group.label, group.levels, sums=True) for group in plan.groups]
        heads = tuple(self._levels[plan.columns]) if plan.columns else ("captures",)
        withheld = sum(entry.count is None for line in lines for entry in line.entries)
        test, why = self._test(lines) if plan.columns else (None, "")
        return Table(
            plan.key, plan.title, self._prepared.unit_label, self._prepared.size, plan.rows, plan.columns, heads,
            tuple(lines), plan.note, withheld, test, why, plan.sites,
        )  # fmt: skip

    def _line(self, plan: Plan, label: str, levels: tuple[str, ...], sums: bool = False) -> Line:
        if not plan.columns:
            count = self._whole(plan)[label] if plan.whole else self.count([plan.rows], [levels])
            base = self._prepared.size
            sites = self._prepared.domains[plan.rows].get(label, 0) if plan.sites and count is not None else None
            return Line(label, base, (_entry(count, base),), sums, sites)
        total = self.count([plan.rows], [levels])
        counts = [self.count(plan.fields, [levels, [column]]) for column in self._levels[plan.columns]]
        return Line(label, total, tuple(_entry(count, total) for count in counts), sums)

    def _whole(self, plan: Plan) -> dict[str, int | None]:
        counts = self._prepared.records.joint((plan.rows,))
        small = bool(((counts > 0) & (counts < self._threshold)).any())
        levels = self._levels[plan.rows]
        return {level: None if small else int(count) for level, count in zip(levels, counts, strict=True)}

    def _test(self, lines: Sequence[Line]) -> tuple[Association | None, str]:
        counts = [[entry.count for entry in line.entries] for line in lines]
        if any(count is None for row in counts for count in row):
            return None, NO_TEST
        found = association([[count or 0 for count in row] for row in counts])
        return found, "" if found else "not tested: all units are in one line or one column"

    def compared(self, comparison: Comparison) -> Compared:
        years, strata = self._levels["year"], comparison.strata
        fields = ["year", comparison.by, comparison.outcome]
        rest = self._book.rest(comparison)
        hits, others = (
            [[self.count(fields, [[year], stratum.levels, picked]) for stratum in strata] for year in years]
            for picked in (comparison.levels, rest)
        )
        by = ", ".join(stratum.label for stratum in strata)
        about = (comparison.key, comparison.title, by, self._prepared.size)
        if any(count is None for rows in (hits, others) for row in rows for count in row):
            return Compared(*about, None, "not compared: a count that it is made of is small")
        yes, no = (np.array([[count or 0 for count in row] for row in rows], dtype=np.int64) for rows in (hits, others))
        result = standardise(years, yes, yes + no)
        why = "" if result else "not compared: there are not two years that both have all age bands"
        return Compared(*about, result, why)

    def curves(self) -> Curves:
        """Curves of the groups whose whole line in the removal table is published."""
        if not {"removal", "site_removal"} <= {plan.key for plan in self._plans}:
            return Curves((), None, None, "not asked for")
        days, gone = self._prepared.days, self._prepared.gone
        followed = ~np.isnan(days)
        periods = self._levels["removal"]
        if any(self.count(["removal"], [[period]]) is None for period in periods):
            return Curves((), None, None, "no curve: a count of the removal table is withheld")
        if int(followed.sum()) < FEWEST:
            return Curves((), None, None, f"no curve: fewer than {FEWEST} captures were looked at again")
        found = [survival.curve("all", days[followed], gone[followed])]
        sites = self._prepared.codes["site_type"]
        kept = []
        for at, name in enumerate(self._levels["site_type"]):
            inside = followed & (sites == at)
            shown = all(self.count(["site_type", "removal"], [[name], [period]]) is not None for period in periods)
            if shown and int(inside.sum()) >= FEWEST:
                kept.append(at)
                found.append(survival.curve(name, days[inside], gone[inside]))
        statistic = p = None
        if len(kept) > 1:
            inside = followed & np.isin(sites, kept)
            statistic, p = survival.logrank(days[inside], sites[inside], gone[inside])
        why = f"Kinds of site with a withheld count, or with fewer than {FEWEST} captures, have no curve of their own."
        return Curves(tuple(found), statistic, p, why)


def _entry(count: int | None, base: int | None) -> Entry:
    return Entry(count, None if count is None or base is None else share(count, base))
