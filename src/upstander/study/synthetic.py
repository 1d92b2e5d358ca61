"""Synthetic records fitted to published marginals by integer rounding. They carry marginals and nothing else: which
levels meet in one record is an artefact, so no cross-tabulation may be read from them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from upstander.study.errors import StudyError
from upstander.study.published import Base, Figure, Publication
from upstander.study.rounding import count_range

NOTICE = (
    "Synthetic records carry the printed marginals and nothing else. No independence is assumed: how levels of two "
    "variables meet in one record is arbitrary, and no cross-tabulation can be read from them."
)


def base_count(publication: Publication, name: str) -> int | None:
    """How many units a base has: printed, or another base less a printed count; ``None`` when neither is known."""
    base = publication.bases[name]
    if base.count is not None:
        return base.count
    if base.of is None or base.minus is None:
        return None
    whole, part = base_count(publication, base.of), publication.figure(base.minus).count
    return None if whole is None or part is None else whole - part


def consistent(publication: Publication, figure: Figure) -> tuple[int, int] | None:
    """The counts that a figure's percentage allows; its printed count where it has no percentage."""
    base = base_count(publication, figure.base) if figure.base else None
    if figure.percent is not None and base is not None:
        return count_range(figure.percent, base)
    return (figure.count, figure.count) if figure.count is not None else None


def usable(publication: Publication, figure: Figure) -> bool:
    """Whether records can be fitted to a figure: it has levels, and does not contradict itself."""
    if figure.variable is None or not figure.levels or figure.missing:
        return False
    span = consistent(publication, figure)
    if span is None or span[0] > span[1]:
        return False
    return figure.count is None or span[0] <= figure.count <= span[1]


class Records:
    """The records of one publication (``frame``: a row a unit, a column a variable; null outside the variable's base),
    and the variables (``contradictions``) to whose figures no counts fit together."""

    def __init__(self, publication: Publication) -> None:
        self.publication = publication
        whole = [base_count(publication, name) for name, base in publication.bases.items() if base.variable is None]
        self.size = max((count for count in whole if count is not None), default=0)
        self.frame = pl.DataFrame({"record": pl.int_range(self.size, eager=True)})
        self.contradictions: set[str] = set()
        for variable, levels in publication.variables.items():
            figures = [one for one in publication.figures if one.variable == variable and usable(publication, one)]
            if figures:
                self._add(variable, levels, figures)

    def members(self, base: Base) -> pl.Expr:
        """The records of a base. Raises ``StudyError`` when the variable that makes it could not be fitted."""
        if base.variable is None:
            return pl.lit(True)
        if base.variable not in self.frame.columns:
            reason = f"base {base.label!r} is made of {base.variable!r}, which has no fitted figures before it"
            raise StudyError(self.publication.id, reason, "List that variable first, with a figure that fits")
        return pl.col(base.variable).is_in(list(base.levels)).fill_null(value=False)

    def count(self, figure: Figure) -> tuple[int, int]:
        """The records that a figure counts, and those of its base."""
        base = self.frame.filter(self.members(self.publication.bases[figure.base or ""]))
        if figure.variable is None:
            return base.height, base.height
        return base.filter(pl.col(figure.variable).is_in(list(figure.levels))).height, base.height

    def crosstab(self, first: str, second: str) -> pl.DataFrame:
        """Always refused, with ``StudyError``."""
        raise StudyError(self.publication.id, f"{first} by {second} was not published", NOTICE)

    def _add(self, variable: str, levels: tuple[str, ...], figures: list[Figure]) -> None:
        """Add a variable's column: counts by group of records (those in the same bases), then by level."""
        names = sorted({figure.base for figure in figures if figure.base})
        inside = self.frame.select(
            pl.sum_horizontal(
                self.members(self.publication.bases[name]).cast(pl.Int64) * 2**place for place, name in enumerate(names)
            ).alias("group")
        )["group"].to_numpy()
        if inside.size == 1 < self.size:
            inside = np.full(self.size, inside[0])
        sizes = {int(group): int((inside == group).sum()) for group in np.unique(inside) if group}
        counts = self._fit(figures, levels, names, sizes)
        if counts is None:
            self.contradictions.add(variable)
            return
        column = np.full(self.size, None, dtype=object)
        for group, by_level in counts.items():
            column[inside == group] = np.repeat(np.array(levels, dtype=object), by_level)
        self.frame = self.frame.with_columns(pl.Series(variable, column.tolist(), dtype=pl.String))

    def _fit(
        self, figures: list[Figure], levels: tuple[str, ...], names: list[str], sizes: Mapping[int, int]
    ) -> dict[int, list[int]] | None:
        """Integer counts nearest to what was printed: an integer programme over (group, level), then one distance for
        each figure. ``None`` when no counts fit all figures."""
        groups = list(sizes)
        cells, total = len(groups) * len(levels), len(groups) * len(levels) + len(figures)
        rows: list[NDArray[np.float64]] = []
        lows: list[float] = []
        highs: list[float] = []
        for place, group in enumerate(groups):
            row = np.zeros(total)
            row[place * len(levels) : (place + 1) * len(levels)] = 1
            rows.append(row)
            lows.append(sizes[group])
            highs.append(sizes[group])
        for number, figure in enumerate(figures):
            row = np.zeros(total)
            bit = 2 ** names.index(figure.base or "")
            for place, group in enumerate(groups):
                for at, level in enumerate(levels):
                    row[place * len(levels) + at] = float(bool(group & bit) and level in figure.levels)
            span = consistent(self.publication, figure) or (0, self.size)
            low, high = span if figure.count is None else (figure.count, figure.count)
            base = base_count(self.publication, figure.base or "") or 0
            target = float(figure.percent) * base / 100 if figure.percent and figure.count is None else low
            rows.append(row)
            lows.append(low)
            highs.append(high)
            for sign in (1.0, -1.0):
                off = sign * row
                off[cells + number] = -1
                rows.append(off)
                lows.append(-np.inf)
                highs.append(sign * target)
        cost = np.concatenate([np.zeros(cells), np.ones(len(figures))])
        whole = np.concatenate([np.ones(cells), np.zeros(len(figures))])
        solved = milp(cost, integrality=whole, bounds=Bounds(0), constraints=LinearConstraint(rows, lows, highs))
        if solved.x is None:
            return None
        found = np.rint(solved.x[:cells]).astype(int).reshape(len(groups), len(levels))
        return {group: found[place].tolist() for place, group in enumerate(groups)}
