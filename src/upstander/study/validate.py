"""Checks rows against the codebook, a column at a time. Every fault names row, field and reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import msgspec
import polars as pl

from upstander.study.codebook import Codebook, Field, Together

#: Faults listed of one field and reason; the rest are only counted.
LISTED = 20
#: What an address looks like, anywhere in a value: no study holds one in clear.
ADDRESS = r"(?i)(://|\bwww\.|\b[a-z0-9-]+\.(com|net|org|io|ru|onion|to|cc|info|biz|xyz|top)\b)"


class Fault(msgspec.Struct, frozen=True, order=True):
    """What is wrong in one row (counted as the file counts them), of ``count`` rows with the same fault."""

    row: int
    field: str
    reason: str
    count: int = 1

    def __str__(self) -> str:
        return f"row {self.row}, {self.field}: {self.reason}"


def typed(frame: pl.DataFrame, codebook: Codebook) -> pl.DataFrame:
    """A frame of text columns that has no fault, with the codebook's types; fields it lacks are null."""
    columns = []
    for field in codebook.fields:
        if field.name not in frame.columns:
            columns.append(pl.lit(None, dtype=field.dtype).alias(field.name))
        elif field.kind == "time":
            columns.append(_time(field.name))
        else:
            columns.append(pl.col(field.name).cast(field.dtype))
    return frame.select(columns)


def faults(
    frame: pl.DataFrame, codebook: Codebook, trained: Mapping[str, bool], known: Collection[str] = (), first: int = 1
) -> list[Fault]:
    """All faults of a frame of text columns (null: empty), in order of rows; ``first`` is its first row's number.

    ``trained``: the study's coders, and whether each is a trained assessor. ``known``: items that the study has
    already. A row without ``coder_id`` is an item that nobody has coded: its judged fields must be empty.
    """
    frame = frame.with_row_index("_row", offset=first)
    missing = [field for field in codebook.fields if field.name not in frame.columns]
    frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(field.name) for field in missing)
    coded = pl.col("coder_id").is_not_null()
    found: list[Fault] = []
    found += _unknown(frame, codebook, first)
    for field in codebook.fields:
        for bad, reason in _checks(field, coded):
            found += _listed(frame, bad, field.name, reason)
    for rule in codebook.together:
        found += _listed(frame, _broken(rule), "+".join([*rule.when, *rule.not_, *rule.low, *rule.high]), rule.why)
    found += _coders(frame, codebook, trained)
    found += _references(frame, known)
    return sorted(found)


def _unknown(frame: pl.DataFrame, codebook: Codebook, first: int) -> list[Fault]:
    found = []
    for name in frame.columns:
        if name != "_row" and name not in codebook.by_name:
            reason = f"is not a field of codebook {codebook.version}; remove the column"
            if any(word in name.lower() for word in ("url", "link", "address", "file", "image", "media_path")):
                reason += " (no media and no addresses belong in a study)"
            found.append(Fault(first, name[:40], reason, frame.height))
    return found


def _checks(field: Field, coded: pl.Expr) -> Iterator[tuple[pl.Expr, str]]:
    """Conditions under which a row of this field is wrong, each with its reason."""
    value, there = pl.col(field.name), pl.col(field.name).is_not_null()
    if field.required:
        needed = ~there & coded if field.judged else ~there
        if field.name != "coder_id":
            yield needed, "is empty, and is required"
    if field.judged and field.name != "coder_id":
        yield there & ~coded, "has a value, but `coder_id` is empty: who judged it must be recorded"
    address = there & value.str.contains(ADDRESS)
    if field.kind == "choice":
        yield there & ~value.is_in(list(field.values)), f"is not one of {', '.join(field.values)}"
    elif field.kind == "integer":
        number = value.cast(pl.Int64, strict=False)
        reason = f"is not a whole number from {field.low} to {field.high}"
        yield there & ~number.is_between(field.low, field.high).fill_null(value=False), reason
    elif field.kind == "time":
        reason = "is not a time such as 2026-03-01T12:30:00Z (RFC 3339, with its offset)"
        yield there & _time(field.name).is_null(), reason
    else:
        yield address, "looks like an address: a study holds none in clear (import hashes a column `domain` by itself)"
        yield there & ~address & ~value.str.contains(field.pattern), f"does not fit {field.pattern}"


def _time(name: str) -> pl.Expr:
    text = pl.col(name).str.replace(r"[zZ]$", "+00:00")
    ended = text.str.contains(r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d$")
    clean = text.str.replace("[Tt ]", "T").str.replace(r"(\.\d{3})\d+", "${1}")
    parsed = clean.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="ms", time_zone="UTC", strict=False)
    return pl.when(ended).then(parsed)


def _broken(rule: Together) -> pl.Expr:
    condition = pl.all_horizontal([pl.col(name) == value for name, value in rule.when.items()])
    wrong = [pl.col(name) == value for name, value in rule.not_.items()]
    wrong += [pl.col(name).cast(pl.Int64, strict=False) >= low for name, low in rule.low.items()]
    wrong += [pl.col(name).cast(pl.Int64, strict=False) <= high for name, high in rule.high.items()]
    return condition & pl.any_horizontal(wrong)


def _coders(frame: pl.DataFrame, codebook: Codebook, trained: Mapping[str, bool]) -> Iterator[Fault]:
    coder, there = pl.col("coder_id"), pl.col("coder_id").is_not_null()
    fix = "add it with `upstander study coder`"
    yield from _listed(frame, there & ~coder.is_in(list(trained)), "coder_id", f"is not a coder of this study; {fix}")
    untrained = [name for name, is_trained in trained.items() if not is_trained]
    for field in codebook.fields:
        if field.trained:
            reason = "was recorded by a coder who is not a trained assessor; only a trained assessor may"
            yield from _listed(frame, coder.is_in(untrained) & pl.col(field.name).is_not_null(), field.name, reason)
    yield from _listed(
        frame,
        pl.struct("item_id", "coder_id").is_duplicated() & pl.col("item_id").is_not_null(),
        "item_id",
        "is there twice for one coder (or twice uncoded)",
    )


def _references(frame: pl.DataFrame, known: Collection[str]) -> Iterator[Fault]:
    if frame["duplicate_of"].null_count() == frame.height:
        return
    items = pl.concat([frame["item_id"], pl.Series("item_id", list(known), dtype=pl.String)]).drop_nulls().unique()
    copies = frame.filter(pl.col("duplicate_of").is_not_null())["item_id"].drop_nulls().unique()
    target, there = pl.col("duplicate_of"), pl.col("duplicate_of").is_not_null()
    yield from _listed(frame, target == pl.col("item_id"), "duplicate_of", "names the item itself")
    yield from _listed(frame, there & ~target.is_in(items.implode()), "duplicate_of", "names an item that is not there")
    chained = there & target.is_in(copies.implode()) & (target != pl.col("item_id"))
    yield from _listed(frame, chained, "duplicate_of", "names a duplicate; name the first item")


def _listed(frame: pl.DataFrame, bad: pl.Expr, field: str, reason: str) -> list[Fault]:
    rows = frame.filter(bad.fill_null(value=False))["_row"]
    return [Fault(row, field, reason, len(rows) if at == 0 else 0) for at, row in enumerate(rows[:LISTED])]
