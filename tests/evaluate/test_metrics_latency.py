"""Latency-weighted F1 and the early-risk detection error, by hand and by their bounds."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.evaluate import latency

LATENCIES = st.lists(st.integers(1, 100_000), max_size=30)
COUNTS = st.integers(0, 1_000)


@pytest.mark.parametrize("half", latency.HALF_LIVES)
def test_the_penalty_is_nothing_at_the_first_message_and_a_half_where_it_should_be(half: int) -> None:
    assert latency.penalty(1, half) == 0
    assert latency.penalty(0, half) == 0
    assert latency.penalty(half, half) == pytest.approx(0.5)
    # exp(-2 ln 3) = 1/9, so twice as far the penalty is -1 + 2/(10/9) = 0.8.
    assert latency.penalty(2 * half - 1, half) == pytest.approx(0.8)
    assert latency.penalty(1_000_000, half) == pytest.approx(1.0)


def test_half_the_speed_cannot_be_lost_at_once() -> None:
    with pytest.raises(ValueError, match="after 1 messages"):
        latency.penalty(5, 1)


def test_speed_and_f_latency_by_hand() -> None:
    # Median of the penalties 0, 0.5 and 0.8 is 0.5; two misses and one false alarm make F1 = 6 / 9.
    assert latency.speed([1, 10, 19], 10) == pytest.approx(0.5)
    assert latency.f_latency([1, 10, 19], 1, 2, 10) == pytest.approx(1 / 3)
    assert latency.speed([], 10) is None
    assert latency.f_latency([], 0, 3, 10) == 0.0
    assert latency.f_latency([], 0, 0, 10) is None


@given(LATENCIES, COUNTS, COUNTS, st.sampled_from(latency.HALF_LIVES))
def test_speed_and_f_latency_are_shares(messages: list[int], fp: int, fn: int, half: int) -> None:
    found = latency.speed(messages, half)
    assert found is None if not messages else found is not None and 0 <= found <= 1
    score = latency.f_latency(messages, fp, fn, half)
    assert score is None or 0 <= score <= 1


@given(st.integers(1, 500), st.integers(1, 500), st.sampled_from(latency.HALF_LIVES))
def test_later_is_never_faster(first: int, more: int, half: int) -> None:
    assert latency.penalty(first + more, half) >= latency.penalty(first, half)


def test_the_cost_of_waiting_by_hand() -> None:
    assert latency.latency_cost(5, 5) == 0.5
    assert latency.latency_cost(6, 5) == pytest.approx(1 - 1 / (1 + math.e))
    assert latency.latency_cost(1, 50) == pytest.approx(0, abs=1e-12)
    assert latency.latency_cost(1_000_000, 5) == 1.0
    assert latency.latency_cost(0, 1_000_000) == 0.0


def test_erde_by_hand() -> None:
    # Two found (costs 1/2 and nearly 0), one missed (1), one false alarm (3 harmful of 10), six left in peace.
    expected = (0.5 + latency.latency_cost(1, 5) + 1 + 3 / 10) / 10
    assert latency.erde([5, 1], 1, 1, 6, 5) == pytest.approx(expected)
    assert latency.erde([], 0, 4, 0, 5) == 1.0
    assert latency.erde([], 0, 0, 9, 5) == 0.0
    assert latency.erde([], 0, 0, 0, 5) is None
    with pytest.raises(ValueError, match="-1 is no count"):
        latency.erde([], -1, 0, 0, 5)


@given(LATENCIES, COUNTS, COUNTS, COUNTS, st.sampled_from(latency.ERDE_DEADLINES))
def test_erde_is_a_share(messages: list[int], fp: int, fn: int, tn: int, deadline: int) -> None:
    found = latency.erde(messages, fp, fn, tn, deadline)
    assert found is None or 0 <= found <= 1
