"""How long items stay up: Kaplan-Meier curves (lifelines), read at fixed days so that no single item shows."""

from __future__ import annotations

import msgspec
import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.statistics import multivariate_logrank_test
from numpy.typing import NDArray

#: Days at which curves are read, which are also the ends of the periods in the table beside them.
DAYS = (1, 3, 7, 14, 30, 90)
_HOUR = 3_600_000.0


class Curve(msgspec.Struct, frozen=True):
    """The share still up after each of ``days`` (0 to 1) with 95% intervals (log-log Greenwood); ``None`` where nobody
    was watched for that long."""

    label: str
    items: int
    removed: int
    days: tuple[int, ...]
    up: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]
    median_days: float | None


def curve(label: str, days: NDArray[np.float64], removed: NDArray[np.bool_], at: tuple[int, ...] = DAYS) -> Curve:
    """The curve of items that were watched for ``days`` and ``removed`` at its end, or not (censored)."""
    pairs, many = np.unique(np.column_stack([days, removed]), axis=0, return_counts=True)
    fitted = KaplanMeierFitter().fit(pairs[:, 0], pairs[:, 1], weights=many)
    last = float(days.max())
    shown = [day for day in at if day <= last]
    up = fitted.survival_function_at_times(shown).to_numpy() if shown else np.array([])
    ends = fitted.confidence_interval_survival_function_
    rows = ends.index.searchsorted(shown, side="right") - 1
    low, high = (ends.iloc[rows, column].to_numpy() for column in (0, 1))
    rest = (None,) * (len(at) - len(shown))
    median = float(fitted.median_survival_time_)
    return Curve(
        label,
        len(days),
        int(removed.sum()),
        at,
        (*(float(value) for value in up), *rest),
        (*(_number(value) for value in low), *rest),
        (*(_number(value) for value in high), *rest),
        round(median, 1) if np.isfinite(median) else None,
    )


def logrank(days: NDArray[np.float64], groups: NDArray[np.integer], removed: NDArray[np.bool_]) -> tuple[float, float]:
    """The log-rank test across groups: its statistic and p value."""
    rows, many = np.unique(np.column_stack([days, groups, removed]), axis=0, return_counts=True)
    found = multivariate_logrank_test(rows[:, 0], rows[:, 1], rows[:, 2], weights=many)
    return float(found.test_statistic), float(found.p_value)


def watched(
    assessed: NDArray[np.float64], removed: NDArray[np.float64], seen: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Days that each item was watched (in whole hours, begun ones count), and whether it was gone then; NaN days for
    an item that nobody looked at again, or that was gone before.

    Times are epoch milliseconds, NaN where there is none.
    """
    gone = ~np.isnan(removed)
    hours = np.ceil((np.where(gone, removed, seen) - assessed) / _HOUR)
    return np.where(hours >= 0, hours / 24, np.nan), gone


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
