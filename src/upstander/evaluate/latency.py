"""How early an alert comes: the latency-weighted F1 and the early-risk detection error. Pure functions."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from upstander.evaluate.metrics import f1

#: Messages after which half the speed is lost: the published 90 (the median chat of PANC has so many), and what a
#: live stream needs.
HALF_LIVES = (90, 10, 5)
#: Messages after which the error of an alert is half that of a miss.
ERDE_DEADLINES = (5, 50)


def penalty(messages: float, half: float) -> float:
    """The latency penalty of an alert after so many messages (1: at the first one).

    ``penalty(k) = -1 + 2 / (1 + exp(-p(k - 1)))`` with ``p = ln 3 / (k_half - 1)``, so that it is 0 for ``k = 1``
    and 1/2 for ``k = k_half``. An alert before the first message counts as one at the first. Raises ``ValueError``
    for ``half`` of 1 or less. Source: Vogt, Leser and Akbik (2021), "Early Detection of Sexual Predators in Chats",
    after Sadeque, Xu and Bethard (2018), "Measuring the latency of depression detection in social media".
    """
    if half <= 1:
        raise ValueError(f"half the speed cannot be lost after {half} messages. Give more than 1.")
    k = max(messages, 1.0)
    return -1 + 2 / (1 + math.exp(-math.log(3) / (half - 1) * (k - 1)))


def speed(messages: Sequence[float], half: float) -> float | None:
    """``1 - median penalty`` over the true positives' latencies in messages; ``None`` when there are none.

    Source: the same.
    """
    if not messages:
        return None
    return 1 - statistics.median(penalty(k, half) for k in messages)


def f_latency(messages: Sequence[float], fp: int, fn: int, half: float) -> float | None:
    """``F1 · speed``: 0 when nothing harmful was found, ``None`` when there is nothing to find and no alarm.

    Source: the same.
    """
    score = f1(len(messages), fp, fn)
    if score is None:
        return None
    return score * (speed(messages, half) or 0.0)


def latency_cost(messages: float, deadline: float) -> float:
    """``lc_o(k) = 1 - 1 / (1 + exp(k - o))``: near 0 long before ``o`` messages, 1/2 at ``o``, near 1 long after."""
    # Written so that neither side overflows.
    gap = messages - deadline
    return 1 / (1 + math.exp(-gap)) if gap >= 0 else math.exp(gap) / (1 + math.exp(gap))


def erde(messages: Sequence[float], fp: int, fn: int, tn: int, deadline: float) -> float | None:
    """The early-risk detection error ERDE_o: the mean cost over all pairs, from 0 (best) to 1; ``None`` without any.

    A true positive costs ``lc_o(k)``, a miss 1, a false alarm the share of harmful pairs, a true negative nothing.
    Source: Losada and Crestani (2016), "A Test Collection for Research on Depression and Language Use", with the
    false alarm's cost as they set it.
    """
    if min(fp, fn, tn) < 0:
        raise ValueError(f"{min(fp, fn, tn)} is no count. Give 0 or more.")
    positives = len(messages) + fn
    total = positives + fp + tn
    if not total:
        return None
    # Clipped: a sum of many shares can end a rounding error above 1.
    return min(1.0, (sum(latency_cost(k, deadline) for k in messages) + fn + fp * positives / total) / total)
