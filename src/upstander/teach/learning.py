"""What a class learnt: the exit check before and after a lesson, by question and as a whole. No name goes in or out.

Answers come as CSV: ``code`` (any word that pupils make up, to put the two sheets together), ``when`` (``before`` or
``after``), and a column for each question with the number of the option, from 1; empty is unanswered, and wrong.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from io import StringIO

import msgspec
import numpy as np
from scipy import stats

from upstander.evaluate.metrics import wilson
from upstander.teach.lessons import Lesson
from upstander.teach.reading import TeachError

WHEN = ("before", "after")
#: Fewer pupils with both sheets than this, and nothing is computed: it would be about single children.
FEWEST_PAIRS = 10
RESAMPLES = 5_000
LIMITS = (
    "There is no class without the lesson to compare with, and answering the same questions twice teaches by itself:"
    " the change is not all the lesson's. A right answer is knowledge, not what a child does in front of a chat. Item"
    " figures of one class are rough."
)


class Share(msgspec.Struct, frozen=True):
    """A share of pupils who were right, with Wilson's 95% interval."""

    right: int
    of: int
    low: float
    high: float


class Item(msgspec.Struct, frozen=True):
    """One question. ``discrimination``: correlation of being right afterwards with the rest of the score (-1 to 1),
    ``None`` when everyone answered alike. ``options``: how many chose each option afterwards, then how many none."""

    question: str
    before: Share
    after: Share
    discrimination: float | None
    options: tuple[int, ...]


class Report(msgspec.Struct, frozen=True):
    """A class before and after. Scores are shares of right answers (0 to 1); ``change`` is their mean difference with
    its 95% interval (paired t); ``effect`` is Hedges' g of the change against the average standard deviation, with a
    bootstrap interval (bias-corrected), ``None`` where nobody differs."""

    lesson: str
    language: str
    pairs: int
    unpaired: int
    mean_before: float
    mean_after: float
    change: float
    change_low: float
    change_high: float
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    items: tuple[Item, ...]
    limits: str = LIMITS


Sheets = dict[str, dict[str, list[int]]]


def read_sheets(text: str, lesson: Lesson) -> Sheets:
    """Answers by ``when`` and code. Raises ``TeachError`` that names the row and the field."""
    questions = lesson.front.questions
    rows = csv.DictReader(StringIO(text))
    needed = ("code", "when", *(question.id for question in questions))
    if missing := [name for name in needed if name not in (rows.fieldnames or ())]:
        raise TeachError(f"no column {', '.join(missing)}. The first line is: {','.join(needed)}")
    sheets: Sheets = {when: {} for when in WHEN}
    for number, row in enumerate(rows, 2):
        code, when = (row["code"] or "").strip().casefold(), (row["when"] or "").strip()
        if when not in WHEN:
            raise TeachError(f"row {number}, field when: {when!r} is neither before nor after.")
        if not code or code in sheets[when]:
            reason = "is empty" if not code else f"comes twice for {when}"
            raise TeachError(f"row {number}, field code: it {reason}. Every pupil makes up one word.")
        given = []
        for question in questions:
            value = (row[question.id] or "").strip()
            if value and not (value.isascii() and value.isdigit() and 1 <= int(value) <= len(question.options)):
                bounds = f"a number from 1 to {len(question.options)}, or empty"
                raise TeachError(f"row {number}, field {question.id}: {value!r} is not {bounds}.")
            given.append(int(value or 0))
        sheets[when][code] = given
    return sheets


def assess(sheets: Sheets, lesson: Lesson) -> Report:
    """The report on pupils with both sheets. Raises ``TeachError`` when there are too few of them."""
    both = sorted(set(sheets["before"]) & set(sheets["after"]))
    if len(both) < FEWEST_PAIRS:
        reason = (
            f"{len(both)} pupils have both sheets; with fewer than {FEWEST_PAIRS} it would be about single children"
        )
        raise TeachError(f"{reason}. Put classes together.")
    key = np.array([question.answer for question in lesson.front.questions])
    chosen = np.array([sheets["after"][code] for code in both])
    before = np.array([sheets["before"][code] for code in both]) == key
    after = chosen == key
    first, second = before.mean(axis=1), after.mean(axis=1)
    low, high = _mean_interval(second - first)
    effect, effect_low, effect_high = _effect(first, second)
    return Report(
        lesson=lesson.front.id,
        language=lesson.front.language,
        pairs=len(both),
        unpaired=len(set(sheets["before"]) ^ set(sheets["after"])),
        mean_before=float(first.mean()),
        mean_after=float(second.mean()),
        change=float((second - first).mean()),
        change_low=low,
        change_high=high,
        effect=effect,
        effect_low=effect_low,
        effect_high=effect_high,
        items=tuple(_items(lesson, before, after, chosen)),
    )


def _items(lesson: Lesson, before: np.ndarray, after: np.ndarray, chosen: np.ndarray) -> Sequence[Item]:
    made = []
    for at, question in enumerate(lesson.front.questions):
        rest = np.delete(after, at, axis=1).sum(axis=1)
        varies = after[:, at].std() > 0 and rest.std() > 0
        discrimination = float(stats.pearsonr(after[:, at].astype(float), rest).statistic) if varies else None
        options = tuple(int((chosen[:, at] == option).sum()) for option in (*range(1, len(question.options) + 1), 0))
        made.append(Item(question.id, _share(before[:, at]), _share(after[:, at]), discrimination, options))
    return made


def _share(right: np.ndarray) -> Share:
    found = wilson(int(right.sum()), len(right))
    assert found.low is not None
    assert found.high is not None
    return Share(int(right.sum()), len(right), found.low, found.high)


def _mean_interval(values: np.ndarray) -> tuple[float, float]:
    mean, error = float(values.mean()), float(stats.sem(values))
    if error == 0:
        return mean, mean
    low, high = stats.t.interval(0.95, len(values) - 1, loc=mean, scale=error)
    return float(low), float(high)


def hedges_g(first: np.ndarray, second: np.ndarray) -> float:
    """The mean change against the average of both standard deviations, corrected for small samples.

    Source: Cumming (2012), "Understanding the New Statistics", chapter 11 (d_av with Hedges' correction); not a number
    where neither varies.
    """
    spread = math.sqrt((first.var(ddof=1) + second.var(ddof=1)) / 2)
    if spread == 0:
        return math.nan
    return float((second.mean() - first.mean()) / spread * (1 - 3 / (4 * (len(first) - 1) - 1)))


def _effect(first: np.ndarray, second: np.ndarray) -> tuple[float | None, float | None, float | None]:
    value = hedges_g(first, second)
    if math.isnan(value) or (second - first).std() == 0:
        return None if math.isnan(value) else value, None, None
    found = stats.bootstrap(
        (first, second), hedges_g, paired=True, vectorized=False, n_resamples=RESAMPLES, method="BCa",
        rng=np.random.default_rng(1),
    )  # fmt: skip
    low, high = found.confidence_interval
    bounds = [None if math.isnan(each) else float(each) for each in (low, high)]
    return value, bounds[0], bounds[1]
