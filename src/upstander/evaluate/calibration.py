"""Whether a probability means what it says: reliability table and expected calibration error. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from upstander.evaluate.metrics import Interval, wilson

BINS = 10


class Bin(msgspec.Struct, frozen=True, gc=False):
    """What became of the predictions from ``low`` (included) to ``high`` (excluded, but for the last bin).

    ``n`` predictions, their mean ``predicted`` (``None`` when empty), and the ``observed`` share that came true.
    """

    low: float
    high: float
    n: int
    predicted: float | None
    observed: Interval


def probability(belief: float, prior: float) -> float:
    """A belief as a probability, for a population in which a share ``prior`` is harmful.

    A belief is a sum of log-likelihood ratios in nats, so Bayes' theorem in log odds gives
    ``logistic(belief - ln((1 - prior) / prior))``: the belief less the prior log odds against. Exposures and a
    viewer's standing scale and add to a belief beyond what a likelihood ratio would; what that costs is what the
    reliability table shows. Raises ``ValueError`` unless ``0 < prior < 1``.
    """
    if not 0 < prior < 1:
        raise ValueError(f"a prior of {prior} leaves nothing to learn. Give more than 0 and less than 1.")
    odds = belief - math.log((1 - prior) / prior)
    return 1 / (1 + math.exp(-odds)) if odds >= 0 else math.exp(odds) / (1 + math.exp(odds))


def reliability(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """The reliability table: predictions in ``bins`` bins of equal width, and what came true in each.

    ``probabilities`` (0 to 1) and ``outcomes`` are of one length, one entry a prediction. Raises ``ValueError`` when
    they are not. Source: DeGroot and Fienberg (1983), "The Comparison and Evaluation of Forecasters".
    """
    if len(probabilities) != len(outcomes):
        reason = f"{len(probabilities)} probabilities for {len(outcomes)} outcomes"
        raise ValueError(f"{reason}. Give one outcome a probability.")
    if bins < 1:
        raise ValueError(f"{bins} bins hold nothing. Give 1 or more.")
    wrong = next((p for p in probabilities if not 0 <= p <= 1), None)
    if wrong is not None:
        raise ValueError(f"{wrong} is no probability. Give 0 to 1.")
    totals, counts, trues = [0.0] * bins, [0] * bins, [0] * bins
    for p, outcome in zip(probabilities, outcomes, strict=True):
        index = min(int(p * bins), bins - 1)
        totals[index] += p
        counts[index] += 1
        trues[index] += outcome
    return [
        Bin(
            low=index / bins,
            high=(index + 1) / bins,
            n=counts[index],
            predicted=totals[index] / counts[index] if counts[index] else None,
            observed=wilson(trues[index], counts[index]),
        )
        for index in range(bins)
    ]


def ece(probabilities: Sequence[float], outcomes: Sequence[bool], bins: int = BINS) -> float | None:
    """The expected calibration error, 0 to 1: ``sum over bins of (n/N) · |observed - predicted|``; ``None`` without
    predictions. It depends on the bins, so name them beside it.

    Source: Naeini, Cooper and Hauskrecht (2015), "Obtaining Well Calibrated Probabilities Using Bayesian Binning".
    """
    total = len(probabilities)
    if not total:
        return None
    gaps = 0.0
    for part in reliability(probabilities, outcomes, bins):
        if part.predicted is not None and part.observed.value is not None:
            gaps += part.n / total * abs(part.observed.value - part.predicted)
    return gaps
