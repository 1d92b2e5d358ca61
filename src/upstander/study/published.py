"""Figures that others have published: read from ``data/published/*.yaml``, each with its source and review date.
Aggregates only. How they are recomputed is in ``reproduce``."""

from __future__ import annotations

import functools
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import yaml

from upstander.study.errors import StudyError

FOLDER = Path(__file__).parent / "data" / "published"
Percent = Annotated[str, msgspec.Meta(pattern=r"^(100(\.0+)?|\d{1,2}(\.\d+)?)$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
Name = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_]+$")]
VERDICTS = ("agrees", "inconsistent", "not derivable")
Verdict = Literal["agrees", "inconsistent", "not derivable"]


class Base(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What percentages are of: ``count`` units, or ``minus`` a figure's count ``from`` another base."""

    label: str
    count: Count | None = None
    minus: str | None = None
    of: str | None = None
    #: the levels of an earlier ``variable`` whose records make this base; without them, all records
    variable: str | None = None
    levels: tuple[str, ...] = ()


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One printed figure. ``percent`` is text, since its decimals say how it was rounded.

    ``variable`` and ``levels`` say which synthetic records it counts. ``missing`` says why nothing can be recomputed.
    ``known`` is the verdict that a review has found; the command fails when a verdict differs from it.
    """

    id: Name
    says: str
    known: Verdict
    base: str | None = None
    percent: Percent | None = None
    count: Count | None = None
    variable: str | None = None
    levels: tuple[str, ...] = ()
    #: printed by a source that only quotes the study
    secondary: bool = False
    missing: str = ""
    #: for a cross-tabulation: the two figures whose overlap it would print
    crosses: tuple[str, ...] = ()
    note: str = ""


class Derived(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What follows from printed figures without a further assumption: (sum of ``plus`` - sum of ``minus``) / base."""

    id: Name
    says: str
    base: str
    plus: tuple[str, ...]
    minus: tuple[str, ...] = ()


class Publication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One study's printed figures."""

    id: Annotated[str, msgspec.Meta(pattern="^[a-z0-9-]+$")]
    title: str
    publisher: str
    published: str
    unit: str
    source: str
    transcribed: str
    reviewed_on: date
    review_by: date
    bases: dict[str, Base]
    figures: tuple[Figure, ...]
    #: levels of each variable of the synthetic records, in order
    variables: dict[str, tuple[str, ...]] = {}
    derived: tuple[Derived, ...] = ()
    left_out: tuple[str, ...] = ()
    terms: str = ""

    def figure(self, identifier: str) -> Figure:
        """The figure with this id. Raises ``KeyError``."""
        return {figure.id: figure for figure in self.figures}[identifier]


def read(path: Path) -> Publication:
    """One file of printed figures. Raises ``StudyError`` that names the file, the place in it and the fix."""
    fix = "See docs/studies.md for the fields of a file of printed figures"
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 (a safe loader, in C where there is one)
        found = msgspec.convert(raw, Publication)
    except (OSError, UnicodeDecodeError) as error:
        raise StudyError(path, "cannot be read", str(error)) from None
    except yaml.YAMLError as error:
        raise StudyError(path, "is not YAML", str(error).replace("\n", " ")) from None
    except msgspec.ValidationError as error:
        raise StudyError(path, str(error), fix) from None
    _references(path, found)
    return found


def _references(path: Path, publication: Publication) -> None:
    """Every name that a file mentions must be one that it defines."""
    ids = [figure.id for figure in publication.figures]
    doubled = {name for name in ids if ids.count(name) > 1}
    if doubled:
        raise StudyError(path, f"figure {sorted(doubled)[0]!r} is there twice", "Give each figure an id of its own")
    figures = {*ids}
    asked: list[tuple[str, str, set[str]]] = []
    for base in publication.bases.values():
        asked += [("figure", name, figures) for name in (base.minus,) if name]
        asked += [("base", name, {*publication.bases}) for name in (base.of,) if name]
    bases = [one.base for one in publication.figures] + [one.base for one in publication.derived]
    asked += [("base", name, {*publication.bases}) for name in bases if name]
    for figure in publication.figures:
        asked += [("figure", name, figures) for name in figure.crosses]
        if figure.variable:
            asked.append(("variable", figure.variable, {*publication.variables}))
            levels = {*publication.variables.get(figure.variable, ())}
            asked += [("level", level, levels) for level in figure.levels]
    asked += [("figure", name, figures) for one in publication.derived for name in (*one.plus, *one.minus)]
    for kind, name, known in asked:
        if name not in known:
            raise StudyError(path, f"{kind} {name!r} is not defined", f"Known: {', '.join(sorted(known))}")


@functools.cache
def shipped() -> tuple[Publication, ...]:
    """The studies that ship, oldest first."""
    return tuple(sorted((read(path) for path in FOLDER.glob("*.yaml")), key=lambda one: one.published))
