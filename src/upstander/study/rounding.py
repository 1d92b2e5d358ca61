"""What a printed percentage says about the count behind it, in exact arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction


def half_step(percent: str) -> Fraction:
    """Half of the last printed place, in percentage points."""
    decimals = len(percent.partition(".")[2])
    return Fraction(1, 2 * 10**decimals)


def count_range(percent: str, base: int) -> tuple[int, int]:
    """Lowest and highest count out of ``base`` that print as ``percent``; empty (low > high) when there is none.

    Both ways of rounding a tie count as the same print.
    """
    value, half = Fraction(percent), half_step(percent)
    low = math.ceil((value - half) * base / 100)
    return max(0, low), min(base, math.floor((value + half) * base / 100))


def base_range(percent: str, count: int) -> tuple[int, int] | None:
    """Lowest and highest base of which ``count`` prints as ``percent``; ``None`` when there is none."""
    value, half = Fraction(percent), half_step(percent)
    if value + half <= 0:
        return None
    low = max(count, math.ceil(count * 100 / (value + half)))
    if value <= half:
        return None
    high = math.floor(count * 100 / (value - half))
    return (low, high) if low <= high else None


def printed(count: int, base: int, like: str) -> str:
    """``count`` of ``base`` in percent, with the decimals of ``like`` (halves upwards)."""
    decimals = len(like.partition(".")[2])
    scale = 10**decimals
    units = math.floor(Fraction(100 * count, base) * scale + Fraction(1, 2))
    return f"{units // scale}.{units % scale:0{decimals}d}" if decimals else str(units)
