"""A share of lines with the interval that its number of lines allows."""

from __future__ import annotations

import msgspec

from upstander.evaluate.metrics import wilson


class Proportion(msgspec.Struct, frozen=True):
    """``hits`` of ``total``."""

    hits: int = 0
    total: int = 0

    def __add__(self, other: Proportion) -> Proportion:
        return Proportion(self.hits + other.hits, self.total + other.total)

    @property
    def share(self) -> float:
        """0.0 to 1.0; 0.0 of nothing."""
        return self.hits / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval; (0, 1) of nothing."""
        found = wilson(self.hits, self.total)
        return (0.0, 1.0) if found.low is None or found.high is None else (found.low, found.high)

    def as_json(self) -> dict[str, object]:
        """``hits``, ``total``, ``share`` and ``interval``, rounded to four places."""
        interval = [round(end, 4) for end in self.interval]
        return {"hits": self.hits, "total": self.total, "share": round(self.share, 4), "interval": interval}

    def percent(self) -> str:
        """``91.2% (85-95)``, or a dash for nothing."""
        if not self.total:
            return "-"
        low, high = self.interval
        return f"{self.share:.1%} ({low * 100:.0f}-{high * 100:.0f})"
