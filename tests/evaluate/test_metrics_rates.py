"""Rates, intervals, budgets and predictive values against published and hand-computed figures."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.evaluate import metrics

SCORES = st.lists(st.floats(0, 20).map(lambda score: round(score, 1)), max_size=30)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    # Newcombe (1998), "Two-sided confidence intervals for the single proportion", table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_as_published(successes: int, n: int, low: float, high: float) -> None:
    found = metrics.wilson(successes, n)
    assert found.value == successes / n
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


@given(st.integers(0, 10_000), st.integers(1, 10_000))
def test_an_interval_holds_its_estimate(successes: int, more: int) -> None:
    found = metrics.wilson(successes, successes + more)
    assert found.low is not None
    assert found.high is not None
    assert 0 <= found.low <= successes / (successes + more) <= found.high <= 1


def test_wilson_of_nothing_and_of_nonsense() -> None:
    assert metrics.wilson(0, 0) == metrics.NOTHING
    assert metrics.wilson(5, 5).high == 1.0
    with pytest.raises(ValueError, match="5 of 4 is no proportion"):
        metrics.wilson(5, 4)


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Exact limits of a Poisson count (Garwood 1936): Byar's approximation is within a hundredth of them.
    [(0, 0.0, 3.689), (1, 0.0253, 5.572), (10, 4.795, 18.39), (100, 81.36, 121.6)],
)
def test_rates_against_exact_limits(count: int, low: float, high: float) -> None:
    found = metrics.events_per_hour(count, 2.0)
    assert found.value == count / 2
    assert found.low == pytest.approx(low / 2, rel=0.01, abs=0.01)
    assert found.high == pytest.approx(high / 2, rel=0.01)


def test_rates_of_no_hours_and_of_nonsense() -> None:
    assert metrics.events_per_hour(3, 0.0) == metrics.NOTHING
    with pytest.raises(ValueError, match="-1 is no count"):
        metrics.events_per_hour(-1, 1.0)


def test_median_and_ninetieth_percentile() -> None:
    assert metrics.spread([]) == metrics.Spread(0, None, None)
    assert metrics.spread([7]) == metrics.Spread(1, 7, 7)
    assert metrics.spread([4, 1, 2, 3]) == metrics.Spread(4, 2.5, 4)
    assert metrics.spread(list(range(1, 11))) == metrics.Spread(10, 5.5, 9)


def test_f1_by_hand() -> None:
    # Precision 6/8, recall 6/10: harmonic mean 2/3.
    assert metrics.f1(6, 2, 4) == pytest.approx(2 / 3)
    assert metrics.f1(0, 0, 0) is None
    assert metrics.f1(0, 0, 5) == 0.0


def test_what_so_many_hours_can_show() -> None:
    assert metrics.smallest_rate(50.0) == 0.02
    assert metrics.smallest_rate(0.0) is None
    assert metrics.measurable(0.02, 50.0)
    assert not metrics.measurable(0.01, 50.0)
    assert metrics.threshold_at(0.01, 50.0, [1.0], [1.0]) is None


def test_the_threshold_of_a_budget_by_hand() -> None:
    benign = [0.0, 1.0, 2.0, 2.0, 5.0]
    candidates = [1.0, 1.5, 2.0, 3.0, 5.0, 8.0]
    # Ten hours: a budget of 0.1 an hour allows one false alarm, 0.3 three, 0.4 four.
    assert metrics.threshold_at(0.1, 10, benign, candidates) == 3.0
    assert metrics.threshold_at(0.3, 10, benign, candidates) == 1.5
    assert metrics.threshold_at(0.4, 10, benign, candidates) == 1.0
    # Every candidate lets all four through: just above the highest benign score, then.
    assert metrics.threshold_at(0.1, 10, [4.0] * 4, [1.0, 4.0]) == math.nextafter(4.0, math.inf)
    assert metrics.threshold_at(1.0, 10, [], []) == math.inf
    # The product of 0.1 and 30 is a little over 3 or under, by the float; three are allowed.
    assert metrics.threshold_at(0.1, 30, [1.0] * 3, [1.0]) == 1.0


@given(benign=SCORES, harmful=SCORES, hours=st.floats(1, 2000), rates=st.lists(st.floats(0.001, 10), min_size=2))
def test_recall_never_falls_when_the_budget_grows(
    benign: list[float], harmful: list[float], hours: float, rates: list[float]
) -> None:
    recalls = []
    for rate in sorted(rates):
        threshold = metrics.threshold_at(rate, hours, benign, [*benign, *harmful])
        if threshold is not None:
            recalls.append(sum(score >= threshold for score in harmful))
            assert sum(score >= threshold for score in benign) <= rate * hours + 1e-6
    assert recalls == sorted(recalls)


def test_predictive_value_as_published() -> None:
    # Altman and Bland (1994), "Diagnostic tests 2": liver scans, 231 of 258 abnormal and 54 of 86 normal read right.
    sensitivity, specificity = 231 / 258, 54 / 86
    assert metrics.positive_predictive_value(sensitivity, specificity, 258 / 344) == pytest.approx(0.88, abs=0.005)
    assert metrics.positive_predictive_value(sensitivity, specificity, 0.25) == pytest.approx(0.45, abs=0.01)
    assert metrics.positive_predictive_value(0.0, 1.0, 0.5) is None
    assert metrics.positive_predictive_value(0.9, 1.0, 1e-5) == 1.0
    with pytest.raises(ValueError, match="prevalence 2 is no share"):
        metrics.positive_predictive_value(0.9, 0.9, 2)


def test_the_curve_against_prevalence() -> None:
    curve = metrics.predictive_curve(80, 100, 5, 1000)
    assert [entry.prevalence for entry in curve] == list(metrics.PREVALENCES)
    values = [entry.value.value for entry in curve]
    assert values == sorted(values)  # type: ignore[type-var]
    for entry in curve:
        assert entry.value.low < entry.value.value < entry.value.high  # type: ignore[operator]
    assert metrics.predictive_curve(0, 0, 5, 1000) == []
