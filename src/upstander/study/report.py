"""Gathers what a report says, once, for all its forms: page, PDF and JSON say the same."""

from __future__ import annotations

from datetime import date

import msgspec

from upstander.study import words
from upstander.study.agree import Alpha, alphas
from upstander.study.folder import Study
from upstander.study.measures import p_text
from upstander.study.prepare import Unit, prepare
from upstander.study.settle import settle
from upstander.study.tables import WITHHELD, Table, Tables, tabulate
from upstander.study.words import field_name, level_name


class Report(msgspec.Struct, frozen=True):
    """One report. ``uncoded``, ``waiting``: items in no table, since nobody coded them or coders differ."""

    title: str
    made_on: date
    codebook: int
    first_day: date
    last_day: date
    uncoded: int
    waiting: int
    double_coded: int
    tables: Tables
    alphas: tuple[Alpha, ...]
    methods: tuple[str, ...] = words.METHODS
    limits: tuple[str, ...] = words.LIMITS
    terms: tuple[str, ...] = words.TERMS

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What a reader needs before the first table."""
        tables = self.tables
        forums = f"{tables.forums:,}" if tables.forums is not None else WITHHELD
        return [
            ("Counted", f"{tables.n:,} {tables.unit}"),
            ("Assessed", f"{self.first_day} to {self.last_day}"),
            ("Codebook", f"version {self.codebook}"),
            ("Left out", f"{self.uncoded:,} not coded; {self.waiting:,} on which coders differ"),
            ("Coded twice", f"{self.double_coded:,}"),
            ("Dedicated forums", forums),
            ("Withheld", f"{tables.withheld:,} counts: those from 1 to {tables.threshold - 1}, and what protects them"),
            ("Made on", str(self.made_on)),
        ]


def gather(study: Study, today: date, unit: Unit = "item", threshold: int | None = None) -> Report:
    """Settle, count and compute a study's report. Raises ``StudyError`` when there is too little to publish."""
    settled = settle(study)
    prepared = prepare(settled.items, study.codebook, unit)
    tables = tabulate(prepared, threshold or study.about.threshold)
    days = settled.items["assessed_at"].dt.date()
    return Report(
        title=study.about.title,
        made_on=today,
        codebook=study.codebook.version,
        first_day=date.fromisoformat(str(days.min())),
        last_day=date.fromisoformat(str(days.max())),
        uncoded=settled.uncoded,
        waiting=settled.waiting,
        double_coded=settled.double_coded,
        tables=tables,
        alphas=tuple(alphas(study.codings(), study.codebook)),
    )


class Grid(msgspec.Struct, frozen=True):
    """A table as text, for the page, the PDF and the terminal. ``foot``: test, base and what is withheld."""

    key: str
    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str
    foot: tuple[str, ...]


def grid(table: Table) -> Grid:
    """One table in words: counts, shares with their intervals, the base of every line."""
    rows = []
    if table.columns_are:
        heads = (field_name(table.rows_are), *(level_name(head) for head in table.heads), "n (100%)")
        for line in table.lines:
            cells = [_cell(entry.count, None if entry.share is None else entry.share.value) for entry in line.entries]
            rows.append((level_name(line.label), *cells, WITHHELD if line.base is None else f"{line.base:,}"))
    else:
        heads = (field_name(table.rows_are), "captures", "share", "95% interval", *(["domains"] if table.sites else []))
        for line in table.lines:
            share, count = line.entries[0].share, line.entries[0].count
            shown = (f"{share.value:.1%}", f"{share.low:.1%} to {share.high:.1%}") if share else (WITHHELD, "")
            sites = ([f"{line.sites:,}" if line.sites is not None else WITHHELD]) if table.sites else []
            label = f"in all: {level_name(line.label)}" if line.sums else level_name(line.label)
            rows.append((label, WITHHELD if count is None else f"{count:,}", *shown, *sites))
    base = "Shares are of each line" if table.columns_are else f"Shares are of n = {table.n:,}"
    foot = [f"{base}. n = {table.n:,} {table.unit}."]
    if table.test:
        test = table.test
        freedom = f"({test.freedom}) = {test.statistic:,.2f}, " if test.statistic is not None else ": "
        odds = f"; odds ratio {test.odds_ratio:.2f}" if test.odds_ratio else ""
        if test.odds_low is not None and test.odds_high is not None:
            odds += f" ({test.odds_low:.2f} to {test.odds_high:.2f})"
        foot.append(f"{test.test}{freedom}{p_text(test.p)}; Cramér's V = {test.effect:.3f}{odds}; n = {test.n:,}.")
    elif table.no_test:
        foot.append(table.no_test[0].upper() + table.no_test[1:] + ".")
    return Grid(table.key, table.title, heads, tuple(rows), table.note, tuple(foot))


def comparison_grids(tables: Tables) -> list[Grid]:
    """Comparisons between years, as tables."""
    found = []
    for compared in tables.comparisons:
        if compared.result is None:
            found.append(
                Grid(compared.key, compared.title, (), (), compared.why[0].upper() + compared.why[1:] + ".", ())
            )
            continue
        result = compared.result
        rows = tuple(
            (group, f"{crude:.1%}", f"{value:.1%}", f"{low:.1%} to {high:.1%}")
            for group, crude, value, low, high in zip(
                result.groups, result.crude, result.shares, result.low, result.high, strict=True
            )
        )
        last = (
            f"Last year less first: {100 * result.difference:+.1f} percentage points "
            f"({100 * result.difference_low:+.1f} to {100 * result.difference_high:+.1f})."
        )
        base = f"Standardised over {level_name(compared.by)}. n = {compared.n:,} {tables.unit}."
        heads = ("year", "as observed", "standardised", "95% interval")
        found.append(Grid(compared.key, compared.title, heads, rows, "", (base, last)))
    return found


def removal_grid(tables: Tables) -> Grid:
    """Removal curves as a table: share still up after so many days."""
    removal = tables.removal
    title = "How long captures stay up"
    if not removal.curves:
        return Grid("curves", title, (), (), removal.why[0].upper() + removal.why[1:] + ".", ())
    days = removal.curves[0].days
    heads = ("kind of site", "n", "removed", *(f"up, day {day}" for day in days), "median, days")
    rows = []
    for curve in removal.curves:
        shares = ["-" if up is None else f"{up:.1%}" for up in curve.up]
        median = "not reached" if curve.median_days is None else f"{curve.median_days:.1f}"
        rows.append((level_name(curve.label), f"{curve.items:,}", f"{curve.removed:,}", *shares, median))
    foot = [f"n: {tables.unit} that were looked at again. Intervals are in the JSON. {removal.why}"]
    if removal.logrank is not None and removal.p is not None:
        foot.append(f"Log-rank test between the kinds of site shown: {removal.logrank:,.2f}, {p_text(removal.p)}.")
    return Grid("curves", title, heads, tuple(rows), "", tuple(foot))


def agreement_grid(report: Report) -> Grid:
    """Alpha of each judged field."""
    title = "How far coders agree"
    if not report.alphas:
        return Grid("agreement", title, (), (), "No item was coded twice: how far coders agree is not known.", ())
    rows = tuple(
        (field_name(one.field), one.metric, f"{one.items:,}", *interval_cells(one.alpha, one.low, one.high))
        for one in report.alphas
    )
    foot = (f"n = {report.double_coded:,} captures coded by two or more people, before disagreements were settled.",)
    return Grid("agreement", title, ("field", "scale", "items", "Krippendorff's alpha", "95% interval"), rows, "", foot)


def interval_cells(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    """A coefficient and its interval as text; what to say when all codings are the same value."""
    if value is None:
        return "not defined", "one value only"
    return f"{value:.3f}", "-" if low is None or high is None else f"{low:.3f} to {high:.3f}"


def _cell(count: int | None, share: float | None) -> str:
    if count is None:
        return WITHHELD
    return f"{count:,}" if share is None else f"{count:,} ({share:.1%})"
