"""Counts into rates with intervals: recall, false alarms an hour, thresholds at a budget, predictive value. Pure."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left
from collections.abc import Iterable, Sequence

import msgspec

#: Two-sided 95%.
Z = 1.959963984540054


class Interval(msgspec.Struct, frozen=True, gc=False):
    """An estimate and its 95% interval; ``None`` where there is nothing to estimate from."""

    value: float | None
    low: float | None
    high: float | None


NOTHING = Interval(None, None, None)


class Spread(msgspec.Struct, frozen=True, gc=False):
    """Median and 90th percentile of ``n`` delays; ``None`` when there are none."""

    n: int
    median: float | None
    p90: float | None


def wilson(successes: int, n: int) -> Interval:
    """A proportion with its Wilson score interval.

    ``(p + z²/2n ± z·sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)`` with ``p = successes/n`` and ``z = 1.96``.
    Unlike the textbook interval it stays inside 0 to 1 and is of use for few cases. Raises ``ValueError`` for counts
    that are no proportion. Source: Wilson (1927), "Probable inference, the law of succession, and statistical
    inference", JASA 22.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is no proportion. Give 0 <= successes <= n.")
    if n == 0:
        return NOTHING
    p, z2 = successes / n, Z * Z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    # At the ends the bound is exactly 0 or 1; rounding must not move it past the estimate.
    return Interval(p, 0.0 if successes == 0 else centre - half, 1.0 if successes == n else centre + half)


def events_per_hour(count: int, hours: float) -> Interval:
    """A rate with its 95% interval for a Poisson count, by Byar's approximation.

    low ``n(1 - 1/9n - z/3√n)³``, high ``m(1 - 1/9m + z/3√m)³`` with ``m = n + 1``, each divided by the hours.
    Source: Breslow and Day (1987), "Statistical Methods in Cancer Research" II, equation 2.13.
    """
    if count < 0:
        raise ValueError(f"{count} is no count. Give 0 or more.")
    if hours <= 0:
        return NOTHING
    low = count * (1 - 1 / (9 * count) - Z / (3 * math.sqrt(count))) ** 3 if count else 0.0
    more = count + 1
    high = more * (1 - 1 / (9 * more) + Z / (3 * math.sqrt(more))) ** 3
    return Interval(count / hours, max(low, 0.0) / hours, high / hours)


def spread(delays: Sequence[float]) -> Spread:
    """Median (mean of the middle two) and 90th percentile (nearest rank: the smallest delay that 90% do not exceed)."""
    if not delays:
        return Spread(0, None, None)
    ordered = sorted(delays)
    rank = max(1, math.ceil(0.9 * len(ordered)))
    return Spread(len(ordered), statistics.median(ordered), ordered[rank - 1])


def f1(tp: int, fp: int, fn: int) -> float | None:
    """``2·tp / (2·tp + fp + fn)``: the harmonic mean of precision and recall; ``None`` without positives or alarms."""
    total = 2 * tp + fp + fn
    return 2 * tp / total if total else None


def measurable(rate: float, hours: float) -> bool:
    """Whether so many hours can show a rate at all: at that rate at least one false alarm would be expected."""
    return rate > 0 and rate * hours >= 1


def smallest_rate(hours: float) -> float | None:
    """The smallest rate an hour that so many hours can show, ``1 / hours``; ``None`` without hours."""
    return 1 / hours if hours > 0 else None


def threshold_at(rate: float, hours: float, benign: Iterable[float], candidates: Iterable[float]) -> float | None:
    """The lowest of the candidate thresholds at which false alarms stay within the budget.

    A false alarm is a benign pair whose highest score is at or above the threshold, counted once; the budget allows
    ``floor(rate · hours)`` of them. ``None`` when the budget is not measurable. When every candidate lets too many
    through, the next number above the highest benign score is the threshold. Scores of 0 never alarm.
    """
    if not measurable(rate, hours):
        return None
    ordered = sorted(benign)
    # 0.1 an hour over 30 hours is 3, although the product of the two floats is a little less.
    allowed = math.floor(rate * hours + 1e-9)
    for candidate in sorted({score for score in candidates if score > 0}):
        if len(ordered) - bisect_left(ordered, candidate) <= allowed:
            return candidate
    return math.nextafter(ordered[-1], math.inf) if ordered else math.inf


def positive_predictive_value(sensitivity: float, specificity: float, prevalence: float) -> float | None:
    """Of the alarms, the share that is right, where a share ``prevalence`` of all pairs is harmful.

    ``se·π / (se·π + (1 - sp)(1 - π))``, Bayes' theorem; ``None`` when there would be no alarm. Source: Altman and
    Bland (1994), "Diagnostic tests 2: predictive values", BMJ 309.
    """
    for name, share in (("sensitivity", sensitivity), ("specificity", specificity), ("prevalence", prevalence)):
        if not 0 <= share <= 1:
            raise ValueError(f"{name} {share} is no share. Give 0 to 1.")
    right = sensitivity * prevalence
    wrong = (1 - specificity) * (1 - prevalence)
    return right / (right + wrong) if right + wrong > 0 else None


#: From one harmful pair in 100,000 to every second one; real broadcasts lie far to the left.
PREVALENCES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.1, 0.2, 0.5)


class Predictive(msgspec.Struct, frozen=True, gc=False):
    """The predictive value at one prevalence; the interval pairs the low ends, and the high ends, of both rates."""

    prevalence: float
    value: Interval


def predictive_curve(
    tp: int, positives: int, fp: int, negatives: int, prevalences: Sequence[float] = PREVALENCES
) -> list[Predictive]:
    """Predictive value against prevalence from counts of pairs; empty when either kind of pair is missing."""
    if not positives or not negatives:
        return []
    sensitivity, specificity = wilson(tp, positives), wilson(negatives - fp, negatives)
    ends = [
        (se, sp)
        for se, sp in (
            (sensitivity.value, specificity.value),
            (sensitivity.low, specificity.low),
            (sensitivity.high, specificity.high),
        )
        if se is not None and sp is not None
    ]
    return [
        Predictive(prevalence, Interval(*(positive_predictive_value(se, sp, prevalence) for se, sp in ends)))
        for prevalence in prevalences
    ]
