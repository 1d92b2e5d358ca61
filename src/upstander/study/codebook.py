"""The codebook as versioned data: every field with its rule, and which values cannot be true together."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import polars as pl
import yaml

from upstander.study.errors import StudyError

PATH = Path(__file__).parent / "data" / "codebook.yaml"
Kind = Literal["text", "choice", "integer", "time"]


class Field(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One field. ``judged``: a person decides it for each item (the rest are facts of the place it was found at);
    ``trained``: only a trained assessor may; ``ordered``: its values have an order, lowest first.
    ``schema``: the section of the Universal Classification Schema; ``iccam``: the group of ICCAM's data."""

    name: Annotated[str, msgspec.Meta(pattern="^[a-z_]+$")]
    kind: Kind
    rule: str
    values: tuple[str, ...] = ()
    pattern: str = ""
    low: int = 0
    high: int = 0
    required: bool = False
    judged: bool = False
    trained: bool = False
    ordered: bool = False
    schema: Literal["categorisation", "investigative", "demographic", ""] = ""
    iccam: str = ""

    @property
    def dtype(self) -> pl.DataType:
        """How a valid column is held."""
        if self.kind == "choice":
            return pl.Enum(list(self.values))
        if self.kind == "integer":
            return pl.Int16()
        return pl.Datetime("ms", "UTC") if self.kind == "time" else pl.String()


class Together(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"when": "if"}):
    """Where fields have the values ``when``, other fields must ``not`` have theirs, nor be ``low`` or above, nor
    ``high`` or below."""

    when: dict[str, str]
    why: str
    not_: dict[str, str] = msgspec.field(default_factory=dict, name="not")
    low: dict[str, int] = {}
    high: dict[str, int] = {}


class Codebook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One version of the codebook."""

    version: int
    reviewed_on: date
    review_by: date
    unit: str
    unit_label: str
    sources: tuple[str, ...]
    limits: tuple[str, ...]
    fields: tuple[Field, ...]
    together: tuple[Together, ...]

    @property
    def by_name(self) -> Mapping[str, Field]:
        """The fields by name."""
        return {field.name: field for field in self.fields}

    @property
    def judged(self) -> tuple[Field, ...]:
        """The fields that a coder decides, without who and when."""
        return tuple(field for field in self.fields if field.judged and field.name not in {"coder_id", "assessed_at"})

    @property
    def facts(self) -> tuple[Field, ...]:
        """The fields that come with an item."""
        return tuple(field for field in self.fields if not field.judged)

    def schema(self) -> dict[str, pl.DataType]:
        """The columns of a valid frame with all fields."""
        return {field.name: field.dtype for field in self.fields}


def read(path: Path) -> Codebook:
    """A codebook file. Raises ``StudyError`` that names the file, the place in it and the fix."""
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 (a safe loader, in C where there is one)
        return msgspec.convert(raw, Codebook)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise StudyError(path, "cannot be read as YAML", str(error).replace("\n", " ")) from None
    except msgspec.ValidationError as error:
        raise StudyError(path, str(error), "Compare with the codebook that ships") from None


@functools.cache
def shipped() -> Codebook:
    """The codebook that ships: the current version."""
    return read(PATH)
