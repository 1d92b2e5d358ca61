"""The coding desk: who codes what next, which keys mean what, and what is written. It shows no media and no other
coder's values: the item itself is looked at in the hotline's own secured viewer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec
import polars as pl

from upstander.study.codebook import Codebook, Field
from upstander.study.errors import StudyError
from upstander.study.files import STAMP
from upstander.study.folder import Entry, Study
from upstander.study.settle import Disagreement, settle
from upstander.study.validate import faults

#: Keys for values, in the codebook's order.
KEYS = "123456789"


class Task(msgspec.Struct, frozen=True):
    """An item to code: its id and what kind of media it is. Nothing says whether somebody has coded it before."""

    item_id: str
    media_type: str


def coded_twice(study: Study, item_id: str) -> bool:
    """Whether two people code an item: drawn by the study's seed, so the same at every call and known to nobody."""
    digest = hashlib.sha256(f"double {study.about.seed} {item_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < study.about.double_share * 2**64


def admit(study: Study, coder: str) -> None:
    """See that a coder may code. Raises ``StudyError``."""
    add = f"Add one: upstander study coder {study.folder} {coder} --trained-on DAY"
    if coder not in study.trained:
        known = ", ".join(study.trained) or "nobody yet"
        raise StudyError(f"coder {coder!r}", f"is not a coder of this study (there are: {known})", add)
    if not study.trained[coder]:
        reason = "is not recorded as a trained assessor, and category is only ever recorded by one"
        raise StudyError(f"coder {coder!r}", reason, add)


def queue(study: Study, coder: str) -> list[Task]:
    """What a coder has still to code, in an order of the coder's own: items that nobody has coded, and those drawn for
    double coding that one other person has."""
    codings = study.codings()
    mine = set(codings.filter(pl.col("coder_id") == coder)["item_id"])
    counted = dict(codings.group_by("item_id").len().iter_rows())
    found = []
    for item, media in study.items().select("item_id", pl.col("media_type").cast(pl.String)).iter_rows():
        times = counted.get(item, 0)
        if item not in mine and (times == 0 or (times == 1 and coded_twice(study, item))):
            found.append(Task(item, media))
    return sorted(
        found, key=lambda task: hashlib.sha256(f"{study.about.seed} {coder} {task.item_id}".encode()).digest()
    )


def keys(field: Field) -> dict[str, str]:
    """What each key means for a field; a count of children above 9 is typed after ``0``."""
    if field.kind == "integer":
        return {key: key for key in KEYS}
    return dict(zip(KEYS, field.values, strict=False))


def code(study: Study, task: Task, coder: str, values: Mapping[str, str], at: datetime) -> None:
    """Write a coding. Raises ``StudyError`` that says which values cannot be true together."""
    codebook = study.codebook
    row = {**values, "item_id": task.item_id, "coder_id": coder, "assessed_at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}
    facts = study.items().filter(pl.col("item_id") == task.item_id)
    whole = _text(facts, codebook) | row
    wrong = faults(
        pl.DataFrame([whole], schema=dict.fromkeys(whole, pl.String)), codebook, study.trained, study.items()["item_id"]
    )
    if wrong:
        raise StudyError(f"item {task.item_id}, {wrong[0].field}", wrong[0].reason, "Code it again")
    typed = {name: _value(codebook.by_name[name], value) for name, value in values.items()}
    study.append(Entry("coding", task.item_id, coder, at, typed))


def open_disagreements(study: Study, by: str, consensus: bool) -> list[Disagreement]:
    """What a person may decide: disagreements of others; with ``consensus`` also those the person coded."""
    return [one for one in settle(study).open if consensus or by not in one.values]


def decide(study: Study, one: Disagreement, by: str, value: str, at: datetime, consensus: bool = False) -> None:
    """Write a decision. Raises ``StudyError`` when the value is none of the field's."""
    field = study.codebook.by_name[one.field]
    if field.kind == "choice" and value not in field.values:
        raise StudyError(f"item {one.item_id}, {one.field}", f"{value!r} is no value", f"Use {', '.join(field.values)}")
    study.append(Entry("decision", one.item_id, by, at, {one.field: _value(field, value)}, consensus))


def _value(field: Field, value: str) -> str | int:
    return int(value) if field.kind == "integer" else value


def _text(facts: pl.DataFrame, codebook: Codebook) -> dict[str, str | None]:
    names = [field.name for field in codebook.facts]
    times = [pl.col(name).dt.strftime(STAMP) for name in names if codebook.by_name[name].kind == "time"]
    rows = facts.select(names).with_columns(times).cast(pl.String).to_dicts()
    return rows[0] if rows else {}
