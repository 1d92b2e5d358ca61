"""Small cells cannot be worked out again: an integer solver that knows nothing of how they were withheld tries it on
whole generated reports."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import Bounds, LinearConstraint, milp

from upstander.study.codebook import shipped
from upstander.study.errors import StudyError
from upstander.study.invented import invent
from upstander.study.plan import COMPARISONS, PLANS, Book
from upstander.study.prepare import Prepared, prepare
from upstander.study.suppress import Cell, Records, protect
from upstander.study.tables import NO_TEST, Table, Tables, tabulate

Count = tuple[dict[str, Sequence[str]], int | None]


class Attacker:
    """Knows every published count, the total, and the codebook's rules; holds the joint table of ``fields`` whole."""

    def __init__(self, prepared: Prepared, fields: Sequence[str], counts: Sequence[Count]) -> None:
        levels = prepared.records.levels
        self.places = list(itertools.product(*(levels[name] for name in fields)))
        self.fields = list(fields)
        known = [(picks, value) for picks, value in counts if value is not None]
        rows = [self.row(picks) for picks, _ in known] + [np.ones(len(self.places))]
        values = [value for _, value in known] + [prepared.size]
        self.constraint = LinearConstraint(np.array(rows), values, values)
        self.upper = np.full(len(self.places), float(prepared.size))
        for at, place in enumerate(self.places):
            value = dict(zip(fields, place, strict=True))
            alone, several = value.get("alone") == "yes", value.get("n_children") not in {None, "1"}
            wrong = (alone and value.get("adult_visible") == "yes") or (alone and several)
            if wrong or (value.get("sex") == "both" and value.get("n_children") == "1"):
                self.upper[at] = 0

    def row(self, picks: dict[str, Sequence[str]]) -> np.ndarray:
        return np.array(
            [
                float(all(place[self.fields.index(name)] in some for name, some in picks.items()))
                for place in self.places
            ]
        )

    def span(self, picks: dict[str, Sequence[str]]) -> tuple[int, int]:
        ends = []
        for sign in (1, -1):
            solved = milp(
                sign * self.row(picks), integrality=np.ones(len(self.places)), bounds=Bounds(0, self.upper),
                constraints=self.constraint,
            )  # fmt: skip
            assert solved.success, solved.message
            ends.append(sign * round(solved.fun))
        return ends[0], ends[1]


def counts_of(tables: Sequence[Table]) -> list[Count]:
    """Every count that tables print or withhold: what a reader sees."""
    sums = {group.label: group.levels for plan in PLANS for group in plan.groups}
    found: list[Count] = []
    for table in tables:
        for line in table.lines:
            rows = sums[line.label] if line.sums else (line.label,)
            if not table.columns_are:
                found.append(({table.rows_are: rows}, line.entries[0].count))
                continue
            found.append(({table.rows_are: rows}, line.base))
            for head, entry in zip(table.heads, line.entries, strict=True):
                found.append(({table.rows_are: rows, table.columns_are: (head,)}, entry.count))
    return found


def compared(prepared: Prepared, tables: Tables) -> list[Count]:
    """The counts that a comparison between years could tell, when it is shown."""
    levels, found = prepared.records.levels, list[Count]()
    for comparison, shown in zip(COMPARISONS, tables.comparisons, strict=True):
        fields = ("year", comparison.by, comparison.outcome)
        joint = prepared.records.joint(fields)
        rest = tuple(level for level in levels[comparison.outcome] if level not in comparison.levels)
        for year, stratum, outcome in itertools.product(levels["year"], comparison.strata, (comparison.levels, rest)):
            picked = np.ix_(
                [levels["year"].index(year)],
                [levels[comparison.by].index(level) for level in stratum.levels],
                [levels[comparison.outcome].index(level) for level in outcome],
            )
            value = int(joint[picked].sum()) if shown.result else None
            found.append(({"year": (year,), comparison.by: stratum.levels, comparison.outcome: outcome}, value))
    return [one for one in found if one[1] is not None]


WHO = ("age_band", "sex", "category", "year")
WHERE = ("site_type", "original_location", "removal")
HOW = ("sex", "n_children", "alone", "adult_visible", "setting")


@pytest.mark.parametrize(("size", "seed"), [(40, 1), (150, 2), (400, 3), (1200, 4), (2082, 5)])
@pytest.mark.parametrize("fields", [WHO, WHERE, HOW], ids=["who", "where", "how"])
def test_no_withheld_count_of_a_whole_report_can_be_worked_out(size: int, seed: int, fields: Sequence[str]) -> None:
    prepared = prepare(invent(size, seed), shipped())
    tables = tabulate(prepared, threshold=5)
    inside = [one for one in tables.tables if {one.rows_are, one.columns_are} - {""} <= set(fields)]
    counts = counts_of(inside)
    if fields == WHO:
        counts += compared(prepared, tables)
    attacker = Attacker(prepared, fields, counts)
    withheld = {str(picks): picks for picks, value in counts if value is None}
    assert withheld or size > 1000
    joint = prepared.records.joint(tuple(fields)).ravel()
    some = list(withheld.values())
    # Each solve takes a while on the larger tables: there, a sample that covers the whole list.
    for picks in some[:: max(1, len(some) // 14)]:
        low, high = attacker.span(picks)
        assert low < high, f"{picks} is {low} for sure"
        if 0 < int(attacker.row(picks) @ joint) < 5:
            assert high >= 5, f"{picks} is small for sure"


def test_withholding_small_counts_alone_would_be_undone_by_the_same_attacker() -> None:
    prepared = prepare(invent(400, 3), shipped())
    tables = tabulate(prepared, threshold=5)
    inside = [one for one in tables.tables if {one.rows_are, one.columns_are} - {""} <= set(WHO)]
    joint = prepared.records.joint(WHO).ravel()
    reader = Attacker(prepared, WHO, [])
    counts: list[Count] = []
    for picks, _ in counts_of(inside):
        true = int(reader.row(picks) @ joint)
        counts.append((picks, None if 0 < true < 5 else true))
    attacker = Attacker(prepared, WHO, counts)
    spans = [attacker.span(picks) for picks, value in counts if value is None]
    assert any(low == high for low, high in spans)


def test_no_small_count_and_nothing_made_of_a_withheld_one_is_printed() -> None:
    for size, seed in ((40, 1), (400, 2), (2082, 3)):
        tables = tabulate(prepare(invent(size, seed), shipped()), threshold=5)
        for table in tables.tables:
            for line in table.lines:
                assert line.base is None or line.base == 0 or line.base >= 5
                for entry in line.entries:
                    assert entry.count is None or entry.count == 0 or entry.count >= 5
                    assert entry.share is None or (entry.count is not None and line.base is not None)
                assert line.sites is None or line.entries[0].count is not None
            if table.columns_are and table.withheld:
                assert table.test is None
                assert table.no_test == NO_TEST
        removal = {line.label: line for line in tables.table("site_removal").lines}
        for curve in tables.removal.curves[1:]:
            assert all(entry.count is not None for entry in removal[curve.label].entries)


def test_the_concentration_of_domains_is_published_whole_or_not_at_all() -> None:
    for size, seed in ((40, 1), (2082, 3)):
        lines = tabulate(prepare(invent(size, seed), shipped()), threshold=5).table("concentration").lines
        shown = {line.entries[0].count is None for line in lines}
        assert len(shown) == 1


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(2, 6))
def test_random_linked_tables_are_protected(seed: int, size: int, threshold: int) -> None:
    """Three fields, all three pairs published: the tables are tied in a ring, where local checks are not enough."""
    rng = np.random.default_rng(seed)
    levels = {"a": ("0", "1", "2"), "b": ("0", "1"), "c": ("0", "1", "2")}
    codes = {name: rng.choice(len(of), size, p=rng.dirichlet(np.ones(len(of)))) for name, of in levels.items()}
    records = Records(levels, codes, size)
    if size < threshold:
        return
    cells = []
    for fields in [("a",), ("b",), ("c",), ("a", "b"), ("b", "c"), ("a", "c")]:
        shape = [len(levels[name]) for name in fields]
        for place in np.ndindex(*shape):
            mask = np.zeros(shape, dtype=bool)
            mask[place] = True
            cells.append(Cell(fields, mask))
    found = protect(records, cells, threshold)
    joint = records.joint(("a", "b", "c"))

    def row(cell: Cell) -> np.ndarray:
        shape = [len(levels[name]) if name in cell.fields else 1 for name in ("a", "b", "c")]
        return np.broadcast_to(cell.mask.reshape(shape), joint.shape).ravel().astype(float)

    rows = np.array([row(cell) for cell in cells])
    values = rows @ joint.ravel()
    assert found.small == {at for at, value in enumerate(values) if 0 < value < threshold}
    shown = [at for at in range(len(cells)) if at not in found.withheld]
    fixed = np.vstack([rows[shown], np.ones(joint.size)])
    known = np.append(values[shown], size)
    for at in found.withheld:
        ends = [
            sign
            * milp(
                sign * rows[at], integrality=np.ones(joint.size), constraints=LinearConstraint(fixed, known, known)
            ).fun
            for sign in (1, -1)
        ]
        assert round(ends[0]) < round(ends[1])
        if at in found.small:
            assert round(ends[1]) >= threshold


def test_what_the_codebook_rules_out_counts_as_known() -> None:
    """Nobody is alone with an adult: without that rule, a count could be guarded by a table that cannot be."""
    levels = {"x": ("0", "1"), "y": ("0", "1")}
    codes = {"x": np.array([0] * 10 + [1] * 3), "y": np.array([0] * 10 + [1] * 3)}
    never = Cell(("x", "y"), np.array([[False, False], [True, False]]))
    cells = [Cell((name,), np.eye(2, dtype=bool)[at]) for name in "xy" for at in range(2)]
    found = protect(Records(levels, codes, 13, [never]), cells, 5)
    assert found.withheld == {0, 1, 2, 3}  # x = 1 cannot rise to 5 unless y = 1 does


def test_tables_without_a_small_count_are_published_whole() -> None:
    prepared = prepare(invent(60_000), shipped())
    book = Book(prepared)
    for plan in PLANS[:10]:
        book.add(plan)
    assert protect(prepared.records, book.cells, 5).withheld == frozenset()


def test_too_few_units_publish_nothing() -> None:
    with pytest.raises(StudyError, match="nothing can be published"):
        tabulate(prepare(invent(4), shipped()), threshold=5)


def test_unique_captures_leave_copies_out() -> None:
    items = invent(2000)
    found = prepare(items, shipped(), "unique")
    assert found.size == items.filter(pl.col("duplicate_of").is_null()).height < 2000
