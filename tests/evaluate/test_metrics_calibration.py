"""Reliability tables and calibration errors, by hand and by their bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.evaluate import calibration


def test_the_table_by_hand() -> None:
    probabilities, outcomes = [0.05, 0.15, 0.15, 0.95, 1.0], [False, False, True, True, True]
    table = calibration.reliability(probabilities, outcomes)
    assert [part.n for part in table] == [1, 2, 0, 0, 0, 0, 0, 0, 0, 2]
    assert table[1].predicted == pytest.approx(0.15)
    assert table[1].observed.value == 0.5
    assert table[2].predicted is None
    assert table[9].predicted == pytest.approx(0.975)
    # 1/5·|0 - 0.05| + 2/5·|0.5 - 0.15| + 2/5·|1 - 0.975|
    assert calibration.ece(probabilities, outcomes) == pytest.approx(0.16)


def test_what_says_what_it_means_has_no_error() -> None:
    outcomes = [True] * 25 + [False] * 75
    assert calibration.ece([0.25] * 100, outcomes) == pytest.approx(0.0)
    assert calibration.ece([1.0, 0.0], [False, True]) == 1.0
    assert calibration.ece([], []) is None


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="1 probabilities for 2 outcomes"):
        calibration.reliability([0.5], [True, False])
    with pytest.raises(ValueError, match="0 bins"):
        calibration.reliability([], [], 0)
    with pytest.raises(ValueError, match=r"1\.5 is no probability"):
        calibration.reliability([1.5], [True])
    with pytest.raises(ValueError, match="nan is no probability"):
        calibration.reliability([math.nan], [True])


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans())), st.integers(1, 30))
def test_every_prediction_is_in_one_bin(pairs: list[tuple[float, bool]], bins: int) -> None:
    probabilities, outcomes = [p for p, _ in pairs], [outcome for _, outcome in pairs]
    table = calibration.reliability(probabilities, outcomes, bins)
    assert sum(part.n for part in table) == len(pairs)
    assert all(part.predicted is None or -1e-9 <= part.predicted <= 1 + 1e-9 for part in table)
    error = calibration.ece(probabilities, outcomes, bins)
    assert error is None if not pairs else error is not None and -1e-9 <= error <= 1 + 1e-9


def test_a_belief_as_a_probability() -> None:
    assert calibration.probability(0.0, 0.01) == pytest.approx(0.01)
    # One to 99 against, times e**3 in favour.
    odds = math.exp(3.0) / 99
    assert calibration.probability(3.0, 0.01) == pytest.approx(odds / (1 + odds))
    assert calibration.probability(5_000.0, 0.5) == 1.0
    assert calibration.probability(-5_000.0, 0.5) == 0.0
    with pytest.raises(ValueError, match="prior of 1"):
        calibration.probability(1.0, 1)
