"""Figures that teaching material may quote: from one dated file, each with its source, its limits and its review."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import msgspec

from upstander.teach.lessons import Language, Slug
from upstander.teach.reading import FOLDER, TeachError, read_yaml

FILE = FOLDER / "data" / "statistics.yaml"


class Statistic(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One figure: the value as printed, of how many (``n``), who published it, and how it is said in each language."""

    id: Slug
    value: str
    n: Annotated[int, msgspec.Meta(ge=1)]
    publisher: str
    title: str
    year: Annotated[int, msgspec.Meta(ge=1990, le=2100)]
    reviewed_on: date
    review_by: date
    text: dict[Language, str]
    limits: dict[Language, str]

    @property
    def source(self) -> str:
        """Publisher, year and title in one line."""
        return f"{self.publisher} ({self.year}): {self.title}"


def read_statistics(path: Path = FILE) -> dict[str, Statistic]:
    """All figures by id. Raises ``TeachError`` when the file cannot be read or an id comes twice."""
    listed = read_yaml(path, tuple[Statistic, ...])
    found = {each.id: each for each in listed}
    if len(found) < len(listed):
        raise TeachError(f"{path}: an id comes twice. Every figure has an id of its own.")
    return found


def quotable(statistics: dict[str, Statistic], identifier: str, language: str, today: date) -> Statistic:
    """The figure with this id. Raises ``TeachError`` for none, a review that is past, or a language it lacks."""
    found = statistics.get(identifier)
    if found is None:
        raise TeachError(f"{FILE} has no figure {identifier!r}. It has: {', '.join(statistics)}.")
    if found.review_by < today:
        reason = f"the figure {identifier!r} was to be reviewed by {found.review_by}, and it is {today}"
        raise TeachError(f"{reason}. Check it against its source ({found.source}), and set both dates in {FILE}.")
    if language not in found.text or language not in found.limits:
        raise TeachError(f"the figure {identifier!r} is not said in {language!r}. Add it to {FILE}.")
    return found
