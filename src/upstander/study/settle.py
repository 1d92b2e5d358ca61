"""From codings to items: one value a field. Where coders differ, the item waits for a decision and is in no table."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import polars as pl

from upstander.study.codebook import Codebook
from upstander.study.folder import Entry, Study


class Disagreement(msgspec.Struct, frozen=True):
    """A field on which an item's coders differ and nothing is decided; ``values`` by coder."""

    item_id: str
    field: str
    values: dict[str, str]


class Settled(msgspec.Struct, frozen=True):
    """``items``: a row a settled item, all fields. ``open``: what is not decided. ``uncoded``: items nobody coded."""

    items: pl.DataFrame
    open: tuple[Disagreement, ...]
    uncoded: int
    double_coded: int

    @property
    def waiting(self) -> int:
        """Items that are in no table until somebody decides."""
        return len({one.item_id for one in self.open})


def settle(study: Study) -> Settled:
    """Settle all items of a study."""
    return settle_frames(study.codebook, study.items(), study.codings(), study.entries())


def settle_frames(codebook: Codebook, facts: pl.DataFrame, codings: pl.DataFrame, entries: Iterable[Entry]) -> Settled:
    """As ``settle``, of frames as ``Study.items`` and ``Study.codings`` give them. Of decisions the last one counts."""
    judged = [field.name for field in codebook.judged]
    doubled = codings.filter(pl.col("item_id").is_duplicated())
    single = codings.filter(~pl.col("item_id").is_duplicated())
    decided: dict[tuple[str, str], str] = {}
    for entry in entries:
        if entry.kind == "decision":
            decided.update({(entry.item_id, name): str(value) for name, value in entry.values.items()})
    values = doubled.group_by("item_id", maintain_order=True).agg(
        *(pl.col(name).first() for name in judged),
        *(pl.col(name).n_unique().alias(f"n {name}") for name in judged),
        pl.col("assessed_at").min(),
        pl.lit("several").alias("coder_id"),
    )
    open_items: dict[str, list[str]] = {}
    for name in judged:
        differing = values.filter(pl.col(f"n {name}") > 1)["item_id"].to_list()
        for item in differing:
            if (item, name) not in decided:
                open_items.setdefault(item, []).append(name)
    kept = _decide(values.filter(~pl.col("item_id").is_in(list(open_items))), codebook, decided)
    coded = pl.concat([single.select(codings.columns), kept.select(codings.columns)])
    items = facts.join(coded, on="item_id", how="inner", maintain_order="left").select(list(codebook.schema()))
    uncoded = facts.height - codings["item_id"].n_unique()
    return Settled(items, _listed(doubled, open_items), uncoded, values.height)


def _decide(values: pl.DataFrame, codebook: Codebook, decided: dict[tuple[str, str], str]) -> pl.DataFrame:
    if not decided:
        return values
    columns = []
    for field in codebook.judged:
        said = {item: value for (item, name), value in decided.items() if name == field.name}
        if said:
            decision = pl.col("item_id").replace_strict(said, default=None, return_dtype=pl.String).cast(field.dtype)
            columns.append(
                pl.when(pl.col(f"n {field.name}") > 1).then(decision).otherwise(pl.col(field.name)).alias(field.name)
            )
    return values.with_columns(columns)


def _listed(doubled: pl.DataFrame, open_items: dict[str, list[str]]) -> tuple[Disagreement, ...]:
    if not open_items:
        return ()
    found = []
    for (item,), rows in doubled.filter(pl.col("item_id").is_in(list(open_items))).group_by(
        "item_id", maintain_order=True
    ):
        for name in open_items[str(item)]:
            values = {str(row["coder_id"]): str(row[name]) for row in rows.iter_rows(named=True)}
            found.append(Disagreement(str(item), name, values))
    return tuple(found)
