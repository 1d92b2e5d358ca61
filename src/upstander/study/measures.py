"""Shares with Wilson intervals, association with effect sizes, standardised comparison: by scipy and statsmodels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np
import statsmodels.api as sm
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

#: Expected counts below this make the chi-square test a poor approximation (Cochran's rule).
EXPECTED = 5.0
#: Tables drawn for the exact test of a table larger than 2 by 2, and its seed.
DRAWS, SEED = 9_999, 20_180_514


class Share(msgspec.Struct, frozen=True):
    """``count`` of ``base``; ``value``, ``low`` and ``high`` from 0 to 1 (Wilson's 95% interval)."""

    count: int
    base: int
    value: float
    low: float
    high: float


class Association(msgspec.Struct, frozen=True):
    """Whether two fields go together. ``effect`` is Cramér's V (0 none, 1 full), with ``odds_ratio`` for 2 by 2."""

    test: str
    statistic: float | None
    freedom: int | None
    p: float
    effect: float
    n: int
    odds_ratio: float | None = None
    odds_low: float | None = None
    odds_high: float | None = None


class Standardised(msgspec.Struct, frozen=True):
    """Shares in groups (years) as if all had the same mix of strata; ``difference`` is last less first, with its 95%
    interval. ``crude`` is what the shares are without that."""

    groups: tuple[str, ...]
    crude: tuple[float, ...]
    shares: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    difference: float
    difference_low: float
    difference_high: float


def share(count: int, base: int) -> Share | None:
    """A share with Wilson's 95% interval; ``None`` of nothing."""
    if base == 0:
        return None
    low, high = proportion_confint(count, base, method="wilson")
    return Share(count, base, count / base, float(low), float(high))


def association(table: Sequence[Sequence[int]]) -> Association | None:
    """The test that suits a table of counts: chi-square; Fisher's exact test (for more than 2 by 2 by drawing tables
    with the same margins) where a count below 5 is expected. Empty rows and columns are left out; ``None`` when fewer
    than two of either remain."""
    counts = np.asarray(table, dtype=np.int64)
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return None
    chi = stats.chi2_contingency(counts, correction=False)
    effect = float(stats.contingency.association(counts, method="cramer"))
    n, square = int(counts.sum()), counts.shape == (2, 2)
    odds = _odds(counts) if square else (None, None, None)
    found: tuple[str, float | None, int | None, float]
    if (chi.expected_freq >= EXPECTED).all():
        found = ("chi-square", float(chi.statistic), int(chi.dof), float(chi.pvalue))
    elif square:
        found = ("Fisher's exact", None, None, float(stats.fisher_exact(counts).pvalue))
    else:
        draw = stats.MonteCarloMethod(n_resamples=DRAWS, rng=np.random.default_rng(SEED))
        drawn = float(stats.fisher_exact(counts, method=draw).pvalue)
        found = (f"Fisher's exact, {DRAWS:,} tables drawn", None, None, drawn)
    name, statistic, freedom, p = found
    ratio, low, high = odds
    return Association(name, statistic, freedom, p, effect, n, ratio, low, high)


def _odds(counts: NDArray[np.int64]) -> tuple[float | None, float | None, float | None]:
    if (counts == 0).any():
        return None, None, None
    table = sm.stats.Table2x2(counts.astype(float), shift_zeros=False)
    low, high = table.oddsratio_confint()
    return float(table.oddsratio), float(low), float(high)


def standardise(names: Sequence[str], hits: NDArray[np.int64], totals: NDArray[np.int64]) -> Standardised | None:
    """Direct standardisation to the mix of strata in all groups together.

    ``hits`` and ``totals``: a row a group, a column a stratum. A saturated linear model gives each cell's share; the
    standardised share is a contrast of its coefficients, with the robust (HC0) variance, which for shares is p(1-p)/n
    in each cell. ``None`` when a group lacks a stratum that others have: its share there would have to be made up.
    """
    used = totals.sum(axis=0) > 0
    hits, totals = hits[:, used], totals[:, used]
    if not used.any() or (totals == 0).any() or len(names) < 2:
        return None
    groups, strata = totals.shape
    weights = totals.sum(axis=0) / totals.sum()
    cells = np.arange(groups * strata)
    yes, no = hits.ravel(), (totals - hits).ravel()
    # One row for the hits of each cell and one for the rest, with their numbers as weights.
    design = np.eye(groups * strata)[np.concatenate([cells, cells])]
    outcome = np.concatenate([np.ones(groups * strata), np.zeros(groups * strata)])
    repeats = np.concatenate([yes, no])
    contrasts = np.kron(np.eye(groups), weights)
    fitted = sm.GLM(outcome[repeats > 0], design[repeats > 0], freq_weights=repeats[repeats > 0]).fit(cov_type="HC0")
    wanted = np.vstack([contrasts, contrasts[-1] - contrasts[0]])
    values = wanted @ fitted.params
    errors = np.sqrt(np.einsum("ij,jk,ik->i", wanted, fitted.cov_params(), wanted))
    z = float(stats.norm.ppf(0.975))
    low, high = values - z * errors, values + z * errors
    return Standardised(
        groups=tuple(names),
        crude=tuple(float(part.sum() / whole.sum()) for part, whole in zip(hits, totals, strict=True)),
        shares=tuple(map(float, values[:-1])),
        low=tuple(max(0.0, float(end)) for end in low[:-1]),
        high=tuple(min(1.0, float(end)) for end in high[:-1]),
        difference=float(values[-1]),
        difference_low=float(low[-1]),
        difference_high=float(high[-1]),
    )


def p_text(p: float) -> str:
    """A p value as papers print it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if not math.isnan(p) else "p not defined"
