"""How common something is on one's own platform: a stratified sample of broadcasts for people to review, drawn with a
sealed seed; Horvitz-Thompson estimates (svy); what detectors miss, by capture-recapture."""

from __future__ import annotations

import hashlib
import hmac
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import polars as pl
import statsmodels.api as sm
import svy
from scipy import stats
from statsmodels.tools.sm_exceptions import PerfectSeparationWarning

from upstander.study.errors import StudyError


class Sealed(msgspec.Struct, frozen=True):
    """A seed that was fixed before anybody knew the broadcasts. ``commitment`` (SHA-256 of the seed) is published or
    given to a third person first; the ``seed`` is shown after the sample, and anyone can draw it again."""

    commitment: str
    seed: str

    @classmethod
    def of(cls, seed: str) -> Sealed:
        """Seal a seed."""
        return cls(hashlib.sha256(seed.encode()).hexdigest(), seed)


def opened(commitment: str, seed: str) -> None:
    """See that a seed is the one that was committed to. Raises ``StudyError``."""
    if not hmac.compare_digest(commitment, Sealed.of(seed).commitment):
        fix = "Use the seed that was sealed; a sample drawn with another one is not the one that was announced"
        raise StudyError("seed", f"its SHA-256 is not {commitment}", fix)


class Estimate(msgspec.Struct, frozen=True):
    """A total or a share with its design-based standard error and 95% interval; ``n`` reviewed of ``population``."""

    what: str
    value: float
    error: float
    low: float
    high: float
    n: int
    population: int


class Missed(msgspec.Struct, frozen=True):
    """``found`` by any detector, ``total`` estimated with its 95% interval, and the ``missed``."""

    method: str
    found: int
    total: float
    low: float
    high: float
    missed: float
    fit: float | None = None


def draw(frame: pl.DataFrame, sizes: Mapping[str, int], sealed: Sealed) -> pl.DataFrame:
    """Draw from each stratum so many broadcasts without replacement: those with the lowest HMAC of their id under the
    seed. ``frame``: ``broadcast`` and ``stratum``, both text. Returns them with ``population`` and ``weight``.

    Raises ``StudyError`` when a broadcast is there twice, or a stratum is unknown or too small.
    """
    if frame["broadcast"].is_duplicated().any() or frame.null_count().sum_horizontal()[0]:
        raise StudyError(
            "broadcasts", "one is there twice, or a value is empty", "List each broadcast and stratum once"
        )
    counts = dict(frame.group_by("stratum").len().iter_rows())
    missing = [name for name in counts if name not in sizes]
    if missing:
        reason = f"stratum {missing[0]!r} has no sample size"
        raise StudyError("sizes", reason, "Sample every stratum: what is never sampled cannot be estimated")
    parts = []
    for name, size in sorted(sizes.items()):
        if not 2 <= size <= counts.get(name, 0):
            reason = f"{size} of stratum {name!r}, which has {counts.get(name, 0)}"
            raise StudyError(
                "sizes", reason, "Draw at least 2 of each stratum (for an interval) and no more than it has"
            )
        inside = frame.filter(pl.col("stratum") == name)
        key = sealed.seed.encode()
        marks = [hmac.new(key, one.encode(), hashlib.sha256).hexdigest() for one in inside["broadcast"]]
        chosen = inside.with_columns(pl.Series("mark", marks)).sort("mark").head(size).drop("mark")
        weight = counts[name] / size
        parts.append(chosen.with_columns(pl.lit(counts[name]).alias("population"), pl.lit(weight).alias("weight")))
    return pl.concat(parts)


def estimate(sample: pl.DataFrame) -> tuple[Estimate, Estimate]:
    """Horvitz-Thompson total, and the share, of broadcasts that people found ``positive`` (0 or 1).

    ``sample``: a row a reviewed broadcast, with ``stratum``, ``population`` (of the stratum) and ``positive``. Weights
    follow from how many of each stratum were reviewed. The interval of the share is the logit one, which stays between
    0 and 1. Raises ``StudyError`` when fewer than two of a stratum were reviewed.
    """
    sizes = sample.group_by("stratum").agg(pl.len().alias("n"), pl.col("population").n_unique().alias("kinds"))
    if (sizes["n"] < 2).any() or (sizes["kinds"] > 1).any():
        fix = "Review at least two broadcasts of each stratum, and give each stratum one population"
        raise StudyError("sample", "a stratum has one reviewed broadcast, or several populations", fix)
    if not sample["positive"].is_in([0, 1]).all():
        raise StudyError(
            "sample", "`positive` is not 0 or 1 everywhere", "Write 1 for found by review, 0 for not found"
        )
    data = sample.join(sizes, on="stratum").with_columns((pl.col("population") / pl.col("n")).alias("weight"))
    design = svy.Design(stratum="stratum", wgt="weight", pop_size="population")
    surveyed = svy.Sample(data=data.with_columns(pl.col("positive").cast(pl.Float64)), design=design)
    population = int(sample.unique("stratum")["population"].sum())
    total, mean = _single(surveyed.estimation.total("positive")), _single(surveyed.estimation.mean("positive"))
    if sample["positive"].n_unique() == 1:
        low, high = _none_found(sample, everywhere=bool(sample["positive"][0]))
    else:
        low, high = _logit(float(mean.est), float(mean.se), mean.df)
    return (
        Estimate(
            "total", float(total.est), float(total.se), low * population, high * population, data.height, population
        ),
        Estimate("share", float(mean.est), float(mean.se), low, high, data.height, population),
    )


def _single(found: svy.Estimate | list[svy.Estimate]) -> Any:
    """The one number of an estimate without groups."""
    return (found[0] if isinstance(found, list) else found).estimates[0]


def _logit(value: float, error: float, freedom: float | None) -> tuple[float, float]:
    """An interval on the logit scale, with the design's degrees of freedom."""
    if error == 0:
        return value, value
    t = float(stats.t.ppf(0.975, freedom)) if freedom else float(stats.norm.ppf(0.975))
    middle, width = math.log(value / (1 - value)), t * error / (value * (1 - value))
    low, high = (1 / (1 + math.exp(-(middle + sign * width))) for sign in (-1, 1))
    return low, high


def _none_found(sample: pl.DataFrame, everywhere: bool) -> tuple[float, float]:
    """An interval when none (or all) were positive: the stratum that was sampled most thinly bounds them all (its exact
    binomial bound), which is wide, and honest."""
    fewest = int(sample.group_by("stratum").len()["len"].min() or 0)  # type: ignore[arg-type]
    bound = float(stats.binomtest(0, fewest).proportion_ci(0.95, method="exact").high)
    return (1 - bound, 1.0) if everywhere else (0.0, bound)


def missed_by_two(first: int, second: int, both: int) -> Missed:
    """Chapman's estimate from two detectors that work independently: ``first`` and ``second`` found so many, ``both``
    of them together. Seber's variance, log-normal interval that is never below what was found."""
    if both > min(first, second) or min(first, second, both) < 0:
        raise StudyError("detectors", f"both found {both}, more than one of them did", "Count what both found")
    total = (first + 1) * (second + 1) / (both + 1) - 1
    found = first + second - both
    variance = (first + 1) * (second + 1) * (first - both) * (second - both) / ((both + 1) ** 2 * (both + 2))
    unseen = total - found
    if unseen <= 0:
        return Missed("Chapman", found, total, float(found), float(found), 0.0)
    factor = math.exp(float(stats.norm.ppf(0.975)) * math.sqrt(math.log(1 + variance / unseen**2)))
    return Missed("Chapman", found, total, found + unseen / factor, found + unseen * factor, unseen)


def missed_by_many(histories: Mapping[str, int]) -> Missed:
    """Log-linear estimate from three detectors or more: how many were found with each history, such as ``101`` (found
    by the first and the third). A Poisson model with the pairs of detectors whose interaction lowers the AIC.

    Raises ``StudyError`` for histories that do not fit together.
    """
    lists = {len(history) for history in histories}
    if len(lists) != 1 or min(lists) < 3 or any(set(history) - {"0", "1"} for history in histories):
        raise StudyError(
            "histories", "they are not all words of 0 and 1 for the same three detectors or more", "See 101"
        )
    many = lists.pop()
    seen = ["".join(bits) for bits in itertools.product("01", repeat=many) if "1" in bits]
    counts = np.array([histories.get(history, 0) for history in seen], dtype=float)
    if "0" * many in histories or counts.sum() == 0:
        raise StudyError(
            "histories", "what nobody found is given, or nothing was found", "Leave out the history of zeros"
        )
    bits = np.array([[int(bit) for bit in history] for history in seen], dtype=float)
    pairs = list(itertools.combinations(range(many), 2))
    best, best_aic = _loglinear(counts, bits, ()), math.inf
    for size in range(len(pairs)):
        for chosen in itertools.combinations(pairs, size):
            fitted = _loglinear(counts, bits, chosen)
            if fitted.aic < best_aic - 1e-9:
                best, best_aic = fitted, float(fitted.aic)
    unseen = math.exp(float(best.params[0]))
    error = float(best.bse[0])
    z = float(stats.norm.ppf(0.975))
    found = int(counts.sum())
    low, high = unseen * math.exp(-z * error), unseen * math.exp(z * error)
    return Missed("log-linear", found, found + unseen, found + low, found + high, unseen, float(best.aic))


def _loglinear(counts: np.ndarray, bits: np.ndarray, pairs: Sequence[tuple[int, int]]) -> sm.GLM:
    together = [bits[:, one] * bits[:, other] for one, other in pairs]
    design = np.column_stack([np.ones(len(bits)), bits, *together])
    with warnings.catch_warnings():
        # A model that fits exactly is what is looked for here, not a fault.
        warnings.simplefilter("ignore", PerfectSeparationWarning)
        return sm.GLM(counts, design, family=sm.families.Poisson()).fit()
