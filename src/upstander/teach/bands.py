"""Whom content is for, how easy it must be to read, and which band of hosts and of cards that is."""

from __future__ import annotations

from enum import StrEnum

from upstander.model.vocabulary import AgeBand
from upstander.nudge import readability


class Band(StrEnum):
    """The readers of a lesson: pupils by age, professionals, parents."""

    FROM_5_TO_7 = "5_7"
    FROM_8_TO_10 = "8_10"
    FROM_11_TO_13 = "11_13"
    FROM_14_TO_16 = "14_16"
    FROM_16_TO_18 = "16_18"
    PARENTS = "parents"
    PROFESSIONALS = "professionals"

    @property
    def is_pupils(self) -> bool:
        """Whether children read it."""
        return self not in (Band.PARENTS, Band.PROFESSIONALS)

    @property
    def years(self) -> str:
        """``8-10``, or the word."""
        return self.value.replace("_", "-")


#: The band of hosts whose nudges and whose protection a class of this band sees.
HOSTS: dict[Band, AgeBand] = {
    Band.FROM_5_TO_7: AgeBand.UNDER_10,
    Band.FROM_8_TO_10: AgeBand.UNDER_10,
    Band.FROM_11_TO_13: AgeBand.FROM_10_TO_12,
    Band.FROM_14_TO_16: AgeBand.FROM_13_TO_15,
    Band.FROM_16_TO_18: AgeBand.FROM_16_TO_17,
}

#: The bound of what each band reads, in the language's measure (see ``nudge.readability``), in the order of ``Band``.
#: English: school years, a year or more below the youngest of the band from 11 on. Spanish: points, higher is easier.
BOUNDS: dict[str, tuple[float, ...]] = {
    "en": (2, 3, 5, 7, 8, 6, 10),
    "es": (95, 90, 80, 70, 60, 75, 50),
}


#: How much harder one card or question alone may be: a formula is rougher on one sentence than on a page.
SLACK: dict[str, float] = {"en": 2, "es": -10}


def bound(language: str, band: Band) -> float | None:
    """The bound of a band in a language, or ``None`` when the language has none yet."""
    bounds = BOUNDS.get(language)
    return None if bounds is None else bounds[list(Band).index(band)]


def within(value: float, language: str, band: Band, alone: bool = False) -> bool:
    """Whether a reading level is as easy as the band's bound, or easier. ``alone``: of one card or question."""
    limit = bound(language, band)
    if limit is None:
        return False
    return readability.MEASURES[language].within(value, limit + (SLACK[language] if alone else 0))
