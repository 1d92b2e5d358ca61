"""Statistics agree with an independent library or a textbook example to 1e-9."""

from __future__ import annotations

import math

import krippendorff
import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.duration.survfunc import SurvfuncRight, survdiff

from upstander.study import agree, measures, survival
from upstander.study.codebook import shipped
from upstander.study.invented import code_again, invent

CLOSE = 1e-9


@given(base=st.integers(1, 10_000), data=st.data())
def test_wilson_agrees_with_scipy(base: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, base))
    found = measures.share(count, base)
    assert found is not None
    other = stats.binomtest(count, base).proportion_ci(0.95, method="wilson")
    assert (found.low, found.high) == pytest.approx((other.low, other.high), abs=CLOSE)


def test_wilson_agrees_with_the_example_of_newcombe() -> None:
    """Newcombe (1998), table I: 81 of 263, score method: 0.2553 to 0.3662."""
    found = measures.share(81, 263)
    assert found is not None
    assert (round(found.low, 4), round(found.high, 4)) == (0.2553, 0.3662)


@given(st.lists(st.lists(st.integers(20, 400), min_size=3, max_size=3), min_size=2, max_size=4))
def test_chi_square_and_cramers_v_agree_with_statsmodels(table: list[list[int]]) -> None:
    assume((stats.contingency.expected_freq(table) >= 5).all())
    found = measures.association(table)
    other = sm.stats.Table(np.array(table), shift_zeros=False).test_nominal_association()
    assert found is not None
    assert found.test == "chi-square"
    assert found.statistic == pytest.approx(other.statistic, rel=CLOSE, abs=CLOSE)
    assert found.p == pytest.approx(other.pvalue, abs=CLOSE)
    n, least = sum(map(sum, table)), min(len(table), 3) - 1
    assert found.effect == pytest.approx(math.sqrt(other.statistic / n / least), abs=CLOSE)


def test_fishers_exact_test_agrees_with_the_tea_lady() -> None:
    """Fisher's tea tasting, 3 of 4 right: p = 34/70, two-sided."""
    found = measures.association([[3, 1], [1, 3]])
    assert found is not None
    assert found.test == "Fisher's exact"
    assert found.p == pytest.approx(34 / 70, abs=CLOSE)
    assert found.odds_ratio == pytest.approx(9.0, abs=CLOSE)


def test_larger_tables_with_a_small_expected_count_are_tested_on_drawn_tables_always_the_same() -> None:
    table = [[20, 20, 20], [20, 20, 381]]
    found = measures.association(table)
    assert found is not None
    assert found.test.startswith("Fisher's exact, 9,999 tables")
    assert found.statistic is None
    assert found.p == pytest.approx(1 / 10_000)
    assert found == measures.association(table)


def test_a_table_with_one_used_column_is_not_tested() -> None:
    assert measures.association([[5, 0], [9, 0]]) is None


@given(st.lists(st.integers(0, 60), min_size=9, max_size=9))
def test_kappa_agrees_with_scikit_learn(cells: list[int]) -> None:
    table = np.array(cells).reshape(3, 3)
    first, second = np.repeat(np.indices((3, 3)).reshape(2, -1), cells, axis=1)
    if table.sum() == 0 or len({*first, *second}) < 2:
        return
    crossed = agree.cross([str(one) for one in first], [str(one) for one in second])
    found = agree.kappa("x", ("a", "b"), crossed)
    assert found.kappa == pytest.approx(cohen_kappa_score(first, second), abs=CLOSE)


def test_kappa_and_its_interval_agree_with_a_worked_example() -> None:
    """Fleiss, Cohen and Everitt (1969): 200 subjects in three classes; kappa 0.429, and the variance
    that their formula (13) gives, written out here term by term."""
    table = np.array([[106, 10, 4], [22, 28, 10], [2, 12, 6]])
    found = agree.kappa("x", ("a", "b"), table)
    p = table / table.sum()
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    observed, expected = np.trace(p), float(rows @ columns)
    kappa = (observed - expected) / (1 - expected)
    a = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in range(3))
    b = (1 - kappa) ** 2 * sum(p[i, j] * (columns[i] + rows[j]) ** 2 for i in range(3) for j in range(3) if i != j)
    c = (kappa - expected * (1 - kappa)) ** 2
    error = math.sqrt((a + b - c) / ((1 - expected) ** 2 * table.sum()))
    z = stats.norm.ppf(0.975)
    assert round(kappa, 3) == 0.429
    assert (found.kappa, found.low, found.high) == pytest.approx(
        (kappa, kappa - z * error, kappa + z * error), abs=CLOSE
    )


def test_kappa_is_not_defined_when_all_values_are_the_same() -> None:
    assert agree.kappa("x", ("a", "b"), np.array([[50]])).kappa is None


def test_alpha_agrees_with_krippendorffs_own_examples() -> None:
    """Krippendorff (2011), example C: four observers, twelve units, values missing: 0.743 nominal, 0.815 ordinal, 0.849
    interval."""
    nan = np.nan
    data = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ]
    counts = np.array([[sum(coder[unit] == value for coder in data) for value in range(1, 6)] for unit in range(12)])
    scale = np.arange(1.0, 6.0)
    for metric, expected in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        value, low, high = agree.alpha(counts, metric, scale)  # type: ignore[arg-type]
        other = krippendorff.alpha(reliability_data=data, level_of_measurement=metric)
        assert value is not None
        assert round(value, 3) == expected
        assert value == pytest.approx(other, abs=CLOSE)
        assert low is not None
        assert high is not None
        assert low < value <= high


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(0, 3), min_size=4, max_size=4), min_size=2, max_size=30), st.data())
def test_alpha_agrees_with_the_krippendorff_library(rows: list[list[int]], data: st.DataObject) -> None:
    counts = np.array(rows)
    metric = data.draw(st.sampled_from(["nominal", "ordinal", "interval"]))
    usable = counts[counts.sum(axis=1) >= 2]
    value, _, _ = agree.alpha(counts, metric, np.arange(4.0), resamples=20)
    if not len(usable) or (usable.sum(axis=0) > 0).sum() < 2:
        assert value is None
        return
    domain = list(range(4))
    other = krippendorff.alpha(value_counts=counts, value_domain=domain, level_of_measurement=metric)
    assert value == pytest.approx(other, abs=CLOSE)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(25, 120))
def test_survival_curves_agree_with_statsmodels(seed: int, size: int) -> None:
    rng = np.random.default_rng(seed)
    days, gone = np.round(rng.exponential(20, size), 1) + 0.1, rng.random(size) < 0.7
    if not gone.any():
        return
    found = survival.curve("x", days, gone)
    other = SurvfuncRight(days, gone.astype(int))
    for day, up in zip(found.days, found.up, strict=True):
        if up is not None:
            before = other.surv_prob[other.surv_times <= day]
            assert up == pytest.approx(before[-1] if len(before) else 1.0, abs=CLOSE)


def test_survival_agrees_with_the_leukaemia_trial() -> None:
    """Freireich et al. (1963), 6-MP group, as in most textbooks: S(7) = 0.8067, S(10) = 0.7529, S(22) = 0.5378."""
    weeks = np.array([6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35], dtype=float)
    gone = np.array([1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0], dtype=bool)
    found = survival.curve("6-MP", weeks, gone, at=(6, 7, 10, 22))
    exact = [
        18 / 21,
        18 / 21 * 16 / 17,
        18 / 21 * 16 / 17 * 14 / 15,
        18 / 21 * 16 / 17 * 14 / 15 * 11 / 12 * 10 / 11 * 6 / 7,
    ]
    assert found.up == pytest.approx(exact, abs=CLOSE)
    assert [round(value or 0, 4) for value in found.up] == [0.8571, 0.8067, 0.7529, 0.5378]
    # Greenwood's variance on the log-log scale, by hand for week 10: deaths and numbers at risk 3/21, 1/17, 1/15.
    variance = 3 / (21 * 18) + 1 / (17 * 16) + 1 / (15 * 14)
    width = stats.norm.ppf(0.975) * math.sqrt(variance) / math.log(exact[2])
    assert (found.low[2], found.high[2]) == pytest.approx(
        (exact[2] ** math.exp(-width), exact[2] ** math.exp(width)), abs=CLOSE
    )


def test_the_log_rank_test_agrees_with_statsmodels() -> None:
    rng = np.random.default_rng(4)
    days, gone, groups = rng.exponential(10, 300), rng.random(300) < 0.6, rng.integers(0, 3, 300)
    statistic, p = survival.logrank(days, groups, gone)
    assert (statistic, p) == pytest.approx(survdiff(days, gone.astype(int), groups), rel=1e-8)


def test_items_found_gone_before_assessment_or_never_seen_again_have_no_time() -> None:
    day = 86_400_000.0
    days, gone = survival.watched(
        np.array([0.0, 0.0, 5 * day, 0.0]), np.array([3 * day, np.nan, 2 * day, np.nan]),
        np.array([day, 4 * day, np.nan, np.nan]),
    )  # fmt: skip
    assert days[:2].tolist() == [3.0, 4.0]
    assert np.isnan(days[2:]).all()
    assert gone.tolist() == [True, False, True, False]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(1, 300)), min_size=6, max_size=6))
def test_direct_standardisation_agrees_with_the_textbook_formula(cells: list[tuple[int, int]]) -> None:
    hits = np.array([one for one, _ in cells]).reshape(2, 3)
    totals = hits + np.array([other for _, other in cells]).reshape(2, 3)
    found = measures.standardise(["2024", "2025"], hits, totals)
    assert found is not None
    weights, shares = totals.sum(axis=0) / totals.sum(), hits / totals
    value = shares @ weights
    error = np.sqrt((weights**2 * shares * (1 - shares) / totals).sum(axis=1))
    z = stats.norm.ppf(0.975)
    assert found.shares == pytest.approx(value, abs=CLOSE)
    assert found.low == pytest.approx(np.maximum(0, value - z * error), abs=1e-8)
    difference = float(value[1] - value[0])
    assert found.difference == pytest.approx(difference, abs=CLOSE)
    assert found.difference_high == pytest.approx(difference + z * math.hypot(*error), abs=1e-8)


def test_a_year_without_a_stratum_is_not_standardised() -> None:
    assert measures.standardise(["a", "b"], np.array([[1, 0], [2, 1]]), np.array([[4, 0], [9, 3]])) is None


def test_agreement_and_drift_of_invented_coders() -> None:
    items = invent(600)
    codings = pl.concat([items, code_again(items, 1.0, 0.2)])
    by_field = {one.field: one for one in agree.alphas(codings, shipped())}
    assert by_field["age_band"].alpha == 1.0
    category = by_field["category"]
    assert category.metric == "ordinal"
    assert category.alpha is not None
    assert category.low is not None
    assert 0.5 < category.low < category.alpha < 1
    pairs = [one for one in agree.kappas(codings, shipped()) if one.field == "category"]
    assert {one.coders for one in pairs} == {("ada", "bo"), ("ada", "cy"), ("bo", "cy")}
    drifts = agree.drifts(codings, shipped())
    assert [one.coder for one in drifts] == ["ada", "bo", "cy"]
    assert all(one.p is not None and one.low is not None for one in drifts)


def test_drift_is_found_when_a_coder_gets_worse() -> None:
    items = invent(3000).with_columns(pl.lit("ada").alias("coder_id"))
    again = code_again(items, 1.0, 0.0)
    since = (pl.col("assessed_at").dt.year() - 2024) * 12 + pl.col("assessed_at").dt.month()
    slip = pl.Series(np.random.default_rng(1).random(3000) * 60) < again.select(since.alias("s"))["s"]
    worse = pl.when(slip).then(pl.lit("C")).otherwise(pl.col("category").cast(pl.String))
    codings = pl.concat([items, again.with_columns(worse.cast(items.schema["category"]).alias("category"))])
    bo = next(one for one in agree.drifts(codings, shipped()) if one.coder == "bo")
    assert bo.high is not None
    assert bo.high < 1
