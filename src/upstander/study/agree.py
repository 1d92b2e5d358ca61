"""How far coders agree: observed agreement, Cohen's kappa, Krippendorff's alpha, and drift over time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np
import polars as pl
import statsmodels.api as sm
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import cohens_kappa

from upstander.study.codebook import Codebook
from upstander.study.measures import Share, share

#: Resamples of items for the interval of alpha, and their seed.
RESAMPLES, SEED = 2_000, 20_180_514
Metric = Literal["nominal", "ordinal", "interval"]
Floats = NDArray[np.float64]


class Kappa(msgspec.Struct, frozen=True):
    """Cohen's kappa of two coders on one field, with its 95% interval; ``None`` where it is not defined (both coders
    gave every item the same value)."""

    field: str
    coders: tuple[str, str]
    n: int
    agreement: Share
    kappa: float | None
    low: float | None
    high: float | None


class Alpha(msgspec.Struct, frozen=True):
    """Krippendorff's alpha of all coders on one field. The interval is of ``RESAMPLES`` bootstrap samples of items."""

    field: str
    metric: Metric
    items: int
    codings: int
    alpha: float | None
    low: float | None
    high: float | None


class Drift(msgspec.Struct, frozen=True):
    """One coder's agreement with others on all judged fields, month by month; ``odds_a_month``: by which factor the
    odds of agreeing change each month, with its 95% interval and p value (binomial GLM); ``None`` with fewer than
    three months, or fewer than two that have a disagreement."""

    coder: str
    months: tuple[str, ...]
    agreement: tuple[Share, ...]
    odds_a_month: float | None
    low: float | None
    high: float | None
    p: float | None


def kappas(codings: pl.DataFrame, codebook: Codebook) -> list[Kappa]:
    """Kappa of every pair of coders who coded the same items, on every judged field."""
    doubled = codings.filter(pl.col("item_id").is_duplicated())
    found = []
    for first, second in itertools.combinations(sorted(doubled["coder_id"].unique()), 2):
        pair = doubled.filter(pl.col("coder_id") == first).join(
            doubled.filter(pl.col("coder_id") == second), on="item_id", suffix=" 2"
        )
        for field in codebook.judged if pair.height else ():
            both = pair.select(pl.col(field.name).cast(pl.String), pl.col(f"{field.name} 2").cast(pl.String))
            table = cross(both[field.name].to_list(), both[f"{field.name} 2"].to_list())
            found.append(kappa(field.name, (first, second), table))
    return found


def cross(first: Sequence[str], second: Sequence[str]) -> NDArray[np.int64]:
    """The square table of two coders' values, all values that occur in order."""
    values = {value: at for at, value in enumerate(sorted({*first, *second}))}
    table = np.zeros((len(values), len(values)), dtype=np.int64)
    np.add.at(table, ([values[value] for value in first], [values[value] for value in second]), 1)
    return table


def kappa(field: str, coders: tuple[str, str], table: NDArray[np.int64]) -> Kappa:
    """Kappa of a square table of counts; a row a value of the first coder, a column one of the second."""
    n, same = int(table.sum()), int(np.trace(table))
    agreement = share(same, n)
    if agreement is None:
        raise ValueError("kappa of no items")
    if min((table.sum(axis=0) > 0).sum(), (table.sum(axis=1) > 0).sum()) < 2 and same == n:
        return Kappa(field, coders, n, agreement, None, None, None)
    with np.errstate(invalid="ignore"):
        # Where coders agree on everything, rounding can leave the variance just below zero.
        found = cohens_kappa(table)
    low, high = (None if math.isnan(end) else float(end) for end in (found.kappa_low, found.kappa_upp))
    return Kappa(field, coders, n, agreement, float(found.kappa), low, high)


def alphas(codings: pl.DataFrame, codebook: Codebook) -> list[Alpha]:
    """Alpha of every judged field, over items with two or more codings."""
    doubled = codings.filter(pl.col("item_id").is_duplicated())
    found = []
    for field in codebook.judged if doubled.height else ():
        metric: Metric = "interval" if field.kind == "integer" else "ordinal" if field.ordered else "nominal"
        values = doubled[field.name]
        names = list(field.values) if field.kind == "choice" else sorted(values.drop_nulls().unique().to_list())
        codes = {str(name): at for at, name in enumerate(names)}
        frame = doubled.select("item_id", pl.col(field.name).cast(pl.String).replace_strict(codes).alias("code"))
        counts = np.zeros((frame["item_id"].n_unique(), len(names)), dtype=np.int64)
        np.add.at(counts, (frame["item_id"].rank("dense").to_numpy() - 1, frame["code"].to_numpy()), 1)
        scale = np.array(names, dtype=float) if metric == "interval" else np.arange(len(names), dtype=float)
        value, low, high = alpha(counts, metric, scale)
        found.append(Alpha(field.name, metric, len(counts), int(counts.sum()), value, low, high))
    return found


def alpha(
    counts: NDArray[np.int64], metric: Metric, scale: Floats, resamples: int = RESAMPLES
) -> tuple[float | None, float | None, float | None]:
    """Krippendorff's alpha and its 95% bootstrap interval; ``None`` where it is not defined (one value only).

    ``counts``: a row an item, a column a value, how many coders gave it. ``scale``: the values' positions. Written out
    here since the libraries that compute it are GPL, or lack ordinal data; tests compare it with one of them.
    """
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return None, None, None
    kinds, many = np.unique(counts, axis=0, return_counts=True)
    distance = _distances(metric, scale)
    # What each kind of item adds to the coincidences (Krippendorff 2011): its pairs of values, over its codings less 1.
    pairs = (np.einsum("ui,uj->uij", kinds, kinds) - np.einsum("ui,ij->uij", kinds, np.eye(len(scale)))) / (
        kinds.sum(axis=1) - 1
    )[:, None, None]

    def value(weights: Floats) -> float:
        coincidences = np.tensordot(weights, pairs, axes=1)
        totals = coincidences.sum(axis=1)
        n = totals.sum()
        apart = distance(totals)
        expected = totals @ apart @ totals
        return float(1 - (n - 1) * (coincidences * apart).sum() / expected) if expected > 0 else math.nan

    point = value(many.astype(float))
    if math.isnan(point):
        return None, None, None
    drawn = np.random.default_rng(SEED).multinomial(len(counts), many / len(counts), size=resamples)
    samples = [found for found in map(value, drawn.astype(float)) if not math.isnan(found)]
    if not samples:
        return point, None, None
    low, high = np.quantile(samples, [0.025, 0.975])
    return point, float(low), float(high)


def _distances(metric: Metric, scale: Floats) -> Callable[[Floats], Floats]:
    """Squared distances between values, given how often each occurs (which only ordinal data needs)."""
    if metric == "nominal":
        return lambda _: 1 - np.eye(len(scale))
    if metric == "interval":
        return lambda _: (scale[:, None] - scale[None, :]) ** 2

    def ordinal(totals: Floats) -> Floats:
        middle = np.cumsum(totals) - totals / 2
        return np.asarray((middle[:, None] - middle[None, :]) ** 2)

    return ordinal


def drifts(codings: pl.DataFrame, codebook: Codebook) -> list[Drift]:
    """Each coder's agreement with the others, by month of the coder's own assessment."""
    doubled = codings.filter(pl.col("item_id").is_duplicated())
    judged = [field.name for field in codebook.judged]
    pairs = doubled.join(doubled, on="item_id", suffix=" 2").filter(pl.col("coder_id") != pl.col("coder_id 2"))
    if not pairs.height:
        return []
    same = pl.sum_horizontal((pl.col(name) == pl.col(f"{name} 2")).cast(pl.Int64) for name in judged)
    by_month = (
        pairs.select("coder_id", pl.col("assessed_at").dt.strftime("%Y-%m").alias("month"), same.alias("same"))
        .group_by("coder_id", "month")
        .agg(pl.col("same").sum(), (pl.len() * len(judged)).alias("all"))
        .sort("coder_id", "month")
    )
    found = []
    for (coder,), rows in by_month.group_by("coder_id", maintain_order=True):
        months = rows["month"].to_list()
        shares = [share(hits, total) for hits, total in rows.select("same", "all").iter_rows()]
        trend = _trend(months, rows["same"].to_numpy(), rows["all"].to_numpy())
        found.append(Drift(str(coder), tuple(months), tuple(one for one in shares if one), *trend))
    return found


def _trend(
    months: Sequence[str], same: NDArray[np.int64], total: NDArray[np.int64]
) -> tuple[float | None, float | None, float | None, float | None]:
    if len(months) < 3 or ((total - same) > 0).sum() < 2:
        return None, None, None, None
    at = np.array([12 * int(month[:4]) + int(month[5:7]) for month in months], dtype=float)
    design = np.column_stack([np.ones(len(at)), at - at[0]])
    fitted = sm.GLM(np.column_stack([same, total - same]), design, family=sm.families.Binomial()).fit()
    low, high = fitted.conf_int()[1]
    return float(np.exp(fitted.params[1])), float(np.exp(low)), float(np.exp(high)), float(fitted.pvalues[1])
