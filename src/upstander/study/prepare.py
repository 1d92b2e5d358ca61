"""Settled items as codes for counting: the codebook's fields, and those that follow from them (year, removal, rank)."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from upstander.study.codebook import Codebook
from upstander.study.suppress import Cell, Records
from upstander.study.survival import DAYS, watched

Unit = Literal["item", "unique"]
UNITS: dict[Unit, str] = {
    "item": "captures (image and video files; copies count each time)",
    "unique": "unique captures (copies of one content count once)",
}
NOT_RECORDED = "not recorded"
EARLY = "gone before coding"
OTHER = "other countries"
#: Countries shown by name; the rest are one line.
COUNTRIES = 12
#: Ranks of domains by how many items they carry, and their names.
RANKS = ((1, "largest domain"), (5, "2nd to 5th"), (10, "6th to 10th"), (16, "11th to 16th"))
REST = "17th and further"


class Prepared(msgspec.Struct, frozen=True):
    """The units of a report. ``days`` and ``gone``: how long each was watched (NaN: nobody looked again), and whether
    it was gone then. ``domains``: distinct domains by level of a field. ``forums``: distinct dedicated forums."""

    unit: Unit
    records: Records
    codes: dict[str, NDArray[np.int32]]
    days: NDArray[np.float64]
    gone: NDArray[np.bool_]
    domains: dict[str, dict[str, int]]
    forums: int

    @property
    def size(self) -> int:
        """How many units there are."""
        return self.records.size

    @property
    def unit_label(self) -> str:
        """What is counted, as every table says it."""
        return UNITS[self.unit]


def prepare(items: pl.DataFrame, codebook: Codebook, unit: Unit = "item") -> Prepared:
    """Code all fields that tables are made of."""
    if unit == "unique":
        items = items.filter(pl.col("duplicate_of").is_null())
    levels: dict[str, list[str]] = {}
    codes: dict[str, NDArray[np.int32]] = {}
    for field in codebook.fields:
        if field.kind == "choice":
            _add(levels, codes, field.name, list(field.values), items[field.name].to_physical())
    _number_of_children(items, levels, codes)
    _years(items, levels, codes)
    _countries(items, levels, codes)
    on_forum = items["dedicated_forum_id"].is_not_null().cast(pl.Int32)
    _add(levels, codes, "dedicated_forum", ["no", "yes"], on_forum)
    _ranks(items, levels, codes)
    days, gone = _removal(items, levels, codes)
    domains = {name: _domains(items, codes[name], levels[name]) for name in ("site_type", "host_country")}
    records = Records(levels, codes, items.height, _never(codebook, levels))
    return Prepared(unit, records, codes, days, gone, domains, items["dedicated_forum_id"].drop_nulls().n_unique())


def _never(codebook: Codebook, levels: Mapping[str, Sequence[str]]) -> list[Cell]:
    """What the codebook says cannot be true together, as combinations of levels."""
    found = []
    for rule in codebook.together:
        known = [(name, {value}) for name, value in rule.when.items()]
        parts = [(name, {value}) for name, value in rule.not_.items()]
        parts += [(name, {at for at in levels[name] if _least(at) >= low}) for name, low in rule.low.items()]
        parts += [(name, {at for at in levels[name] if _least(at) <= high}) for name, high in rule.high.items()]
        for part in parts:
            fields = [*known, part]
            mask = np.ones((), dtype=bool)
            for name, values in fields:
                mask = np.logical_and.outer(mask, np.array([level in values for level in levels[name]]))
            found.append(Cell(tuple(name for name, _ in fields), mask))
    return found


def _least(level: str) -> int:
    """The lowest number that a level of ``n_children`` stands for."""
    return int(level.split(maxsplit=1)[0])


def _add(
    levels: dict[str, list[str]], codes: dict[str, NDArray[np.int32]], name: str, values: list[str], codes_of: pl.Series
) -> None:
    if codes_of.null_count():
        values = [*values, NOT_RECORDED]
        codes_of = codes_of.fill_null(len(values) - 1)
    levels[name] = values
    codes[name] = codes_of.cast(pl.Int32).to_numpy()


def _number_of_children(items: pl.DataFrame, levels: dict[str, list[str]], codes: dict[str, NDArray[np.int32]]) -> None:
    _add(levels, codes, "n_children", ["1", "2", "3 or more"], items["n_children"].clip(1, 3) - 1)


def _years(items: pl.DataFrame, levels: dict[str, list[str]], codes: dict[str, NDArray[np.int32]]) -> None:
    years = items["assessed_at"].dt.year()
    first, last = years.min() or 0, years.max() or 0
    names = [str(year) for year in range(int(str(first)), int(str(last)) + 1)]
    _add(levels, codes, "year", names, years - int(names[0]))


def _countries(items: pl.DataFrame, levels: dict[str, list[str]], codes: dict[str, NDArray[np.int32]]) -> None:
    counted = items.group_by("host_country").len().sort(["len", "host_country"], descending=[True, False])
    names = [name for name in counted["host_country"].to_list() if name not in {None, "unknown"}]
    shown = [*names[:COUNTRIES], *([OTHER] if len(names) > COUNTRIES else []), "unknown"]
    places: Mapping[str | None, int] = {
        **dict.fromkeys(names, COUNTRIES),
        **{name: at for at, name in enumerate(shown)},
    }
    _add(levels, codes, "host_country", shown, items["host_country"].replace_strict(places, return_dtype=pl.Int32))


def _ranks(items: pl.DataFrame, levels: dict[str, list[str]], codes: dict[str, NDArray[np.int32]]) -> None:
    counted = items.group_by("domain_hash").len().sort(["len", "domain_hash"], descending=[True, False])
    place = pl.int_range(1, counted.height + 1, eager=True)
    group = pl.sum_horizontal((place > last).cast(pl.Int32) for last, _ in RANKS)
    ranked = counted.select("domain_hash", pl.Series("rank", pl.select(group).to_series()))
    joined = items.select("domain_hash").join(ranked, on="domain_hash", how="left", maintain_order="left")
    _add(levels, codes, "domain_rank", [*(name for _, name in RANKS), REST], joined["rank"])


def _removal(
    items: pl.DataFrame, levels: dict[str, list[str]], codes: dict[str, NDArray[np.int32]]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Periods in which items were found gone; without one, whether they were seen again or not."""
    columns = (items[name] for name in ("assessed_at", "removed_at", "last_seen_at"))
    days, gone = watched(*(column.dt.epoch("ms").cast(pl.Float64).to_numpy() for column in columns))
    names = [f"within {DAYS[0]} day"]
    names += [f"day {low + 1} to {high}" for low, high in itertools.pairwise(DAYS)]
    names += [f"after day {DAYS[-1]}", "still up when last seen", "not looked at again", EARLY]
    codes_of = np.searchsorted(np.array(DAYS, dtype=float), days, side="left").astype(np.int32)
    codes_of[~gone] = len(DAYS) + 1
    codes_of[np.isnan(days)] = len(DAYS) + 2
    codes_of[np.isnan(days) & gone] = len(DAYS) + 3
    levels["removal"], codes["removal"] = names, codes_of
    return days, gone


def _domains(items: pl.DataFrame, codes: NDArray[np.int32], levels: list[str]) -> dict[str, int]:
    """Distinct domains by level."""
    frame = items.select("domain_hash").with_columns(pl.Series("level", codes)).group_by("level")
    counted = frame.agg(pl.col("domain_hash").n_unique()).rows()
    return {levels[level]: count for level, count in counted}
