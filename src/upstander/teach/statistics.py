"""Figures that teaching material may quote: from one dated file, each with its source, its limits and its review."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec

from upstander.study.published import shipped
from upstander.teach.lessons import Language, Slug
from upstander.teach.reading import FOLDER, TeachError, read_yaml

FILE = FOLDER / "data" / "statistics.yaml"


class _Entry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A figure as the file has it: which one of which study, and how it is said in each language."""

    id: Slug
    study: str
    figure: str
    text: dict[Language, str]
    limits: dict[Language, str]


class Statistic(msgspec.Struct, frozen=True):
    """One figure: the value as printed, of how many (``n``), who published it, and how it is said in each language."""

    id: Slug
    value: str
    n: int
    publisher: str
    title: str
    year: int
    reviewed_on: date
    review_by: date
    text: dict[Language, str]
    limits: dict[Language, str]

    @property
    def source(self) -> str:
        """Publisher, year and title in one line."""
        return f"{self.publisher} ({self.year}): {self.title}"


def read_statistics(path: Path = FILE) -> dict[str, Statistic]:
    """All figures by id.

    Raises ``TeachError`` when the file cannot be read, an id comes twice, or a study has no such figure that it agrees
    with.
    """
    listed = read_yaml(path, tuple[_Entry, ...])
    found = {each.id: _published(path, each) for each in listed}
    if len(found) < len(listed):
        raise TeachError(f"{path}: an id comes twice. Every figure has an id of its own.")
    return found


def _published(path: Path, entry: _Entry) -> Statistic:
    """An entry with what its study says."""
    study = next((each for each in shipped() if each.id == entry.study), None)
    if study is None:
        known = ", ".join(each.id for each in shipped())
        raise TeachError(f"{path}: {entry.id}: there is no study {entry.study!r}. There is: {known}.")
    figure = next((each for each in study.figures if each.id == entry.figure), None)
    base = study.bases.get(figure.base or "") if figure is not None else None
    if figure is None or figure.percent is None or base is None or base.count is None:
        raise TeachError(f"{path}: {entry.id}: {entry.study} has no percentage {entry.figure!r} of a printed base.")
    if figure.known != "agrees" or figure.secondary:
        reason = "quoted second-hand" if figure.secondary else figure.known
        raise TeachError(f"{path}: {entry.id}: {entry.figure!r} of {entry.study} is {reason}. Quote another.")
    value, year = f"{figure.percent}%", int(study.published[:4])
    source = (study.publisher, study.title, year, study.reviewed_on, study.review_by)
    return Statistic(entry.id, value, base.count, *source, entry.text, entry.limits)


def quotable(statistics: dict[str, Statistic], identifier: str, language: str, today: date) -> Statistic:
    """The figure with this id. Raises ``TeachError`` for none, a review that is past, or a language it lacks."""
    found = statistics.get(identifier)
    if found is None:
        raise TeachError(f"{FILE} has no figure {identifier!r}. It has: {', '.join(statistics)}.")
    if found.review_by < today:
        reason = f"the figure {identifier!r} was to be reviewed by {found.review_by}, and it is {today}"
        fix = f"Check it against its source ({found.source}), and set both dates in the study's file"
        raise TeachError(f"{reason}. {fix}.")
    if language not in found.text or language not in found.limits:
        raise TeachError(f"the figure {identifier!r} is not said in {language!r}. Add it to {FILE}.")
    return found
