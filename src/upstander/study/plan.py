"""Which tables a report has, and the counts that each publishes."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from upstander.study.prepare import Prepared
from upstander.study.suppress import Cell

#: What is lost with a line of a one-way table, a cell of a cross-tabulation, and a count that no table shows.
LINE, INNER, UNSEEN = 5.0, 1.0, 0.2


class Group(msgspec.Struct, frozen=True):
    """A line that adds up several levels, such as "13 or under"."""

    label: str
    levels: tuple[str, ...]


class Plan(msgspec.Struct, frozen=True):
    """One table. ``columns`` is empty for a one-way table. ``sites``: whether it also counts domains. ``whole``: it is
    published whole or not at all, since its lines bound each other (the largest domain has most)."""

    key: str
    title: str
    rows: str
    columns: str = ""
    groups: tuple[Group, ...] = ()
    note: str = ""
    sites: bool = False
    whole: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of the table."""
        return (self.rows, self.columns) if self.columns else (self.rows,)


class Comparison(msgspec.Struct, frozen=True):
    """A share (``levels`` of ``outcome``) compared between years as if the mix of ``strata`` of ``by`` had stayed the
    same."""

    key: str
    title: str
    outcome: str
    levels: tuple[str, ...]
    by: str
    strata: tuple[Group, ...]


YOUNGER = Group("10 or under", ("0-2", "3-6", "7-10"))
UNDER_14 = Group("13 or under", ("0-2", "3-6", "7-10", "11-13"))
GRAVER = Group("A or B", ("A", "B"))
#: The tables of a report, in order.
PLANS = (
    Plan("age", "Age of the youngest child", "age_band", groups=(YOUNGER, UNDER_14)),
    Plan("sex", "Sex", "sex"),
    Plan("category", "Category, as trained assessors recorded it", "category", groups=(GRAVER,)),
    Plan("children", "Number of children", "n_children"),
    Plan("setting", "Setting", "setting"),
    Plan("alone", "Alone", "alone", note="Nobody else seen in the room. It does not say who directed the child."),
    Plan("adult", "Adult visible", "adult_visible"),
    Plan("source", "What the broadcast was made with", "capture_source"),
    Plan("media", "Kind of media", "media_type"),
    Plan("year", "Year of assessment", "year"),
    Plan("age_category", "Age by category", "age_band", "category"),
    Plan("age_sex", "Age by sex", "age_band", "sex"),
    Plan("sex_category", "Sex by category", "sex", "category"),
    Plan("setting_alone", "Setting by alone", "setting", "alone"),
    Plan("year_age", "Year by age", "year", "age_band"),
    Plan("year_category", "Year by category", "year", "category"),
    Plan("original", "Still at the original location", "original_location", note='"no": captured and spread.'),
    Plan("site", "Where captures were found: kind of site", "site_type", sites=True),
    Plan("country", "Where captures were found: country of the server", "host_country", sites=True),
    Plan("forum", "On forums dedicated to captures", "dedicated_forum"),
    Plan("concentration", "Concentration: domains by how many captures they carry", "domain_rank", whole=True),
    Plan("site_original", "Kind of site by original location", "site_type", "original_location"),
    Plan("commercial", "Commercial", "commercial"),
    Plan("removal", "When captures were found gone", "removal"),
    Plan("site_removal", "Kind of site by when captures were found gone", "site_type", "removal"),
)
COMPARISONS = (
    Comparison(
        "graver_by_year",
        "Category A or B by year, standardised by age",
        "category",
        ("A", "B"),
        "age_band",
        (YOUNGER, Group("11-13", ("11-13",)), Group("14-17", ("14-15", "16-17"))),
    ),
)
SECTIONS = {
    "Who and what": ("age", "sex", "category", "children", "setting", "alone", "adult", "source", "media", "year"),
    "Together": ("age_category", "age_sex", "sex_category", "setting_alone", "year_age", "year_category"),
    "Where they spread": ("original", "site", "country", "forum", "concentration", "site_original", "commercial"),
    "Removal": ("removal", "site_removal"),
}


class Book:
    """All counts that a report publishes, each once: tables that share a margin share its cell."""

    def __init__(self, prepared: Prepared) -> None:
        self._levels = prepared.records.levels
        self.cells: list[Cell] = []
        self._numbers: dict[tuple[object, ...], int] = {}

    def cell(self, fields: Sequence[str], picks: Sequence[Sequence[str]], weight: float) -> int:
        """The number of the count of units that have, of each field, one of the picked levels."""
        order = sorted(range(len(fields)), key=lambda at: fields[at])
        names = tuple(fields[at] for at in order)
        chosen = tuple(frozenset(picks[at]) for at in order)
        key = (names, chosen)
        if key not in self._numbers:
            axes = [
                np.array([level in some for level in self._levels[name]])
                for name, some in zip(names, chosen, strict=True)
            ]
            mask = axes[0]
            for axis in axes[1:]:
                mask = np.logical_and.outer(mask, axis)
            self._numbers[key] = len(self.cells)
            self.cells.append(Cell(names, mask, weight))
        return self._numbers[key]

    def add(self, plan: Plan) -> None:
        """Enter all counts of a table, with its margins."""
        for field in plan.fields:
            for level in self._levels[field]:
                self.cell([field], [[level]], LINE)
        for group in plan.groups:
            self.cell([plan.rows], [group.levels], LINE)
        if plan.columns:
            for row in self._levels[plan.rows]:
                for column in self._levels[plan.columns]:
                    self.cell(plan.fields, [[row], [column]], INNER)

    def compare(self, comparison: Comparison) -> None:
        """Enter the counts that a comparison is made of. No table shows them, but its figures follow from them."""
        for year in self._levels["year"]:
            for stratum in comparison.strata:
                for picked in (comparison.levels, self.rest(comparison)):
                    fields = ["year", comparison.by, comparison.outcome]
                    self.cell(fields, [[year], stratum.levels, picked], UNSEEN)

    def rest(self, comparison: Comparison) -> tuple[str, ...]:
        """The levels of the outcome that are not compared."""
        return tuple(level for level in self._levels[comparison.outcome] if level not in comparison.levels)
