"""The figures of a report, as SVG. Each shows what a table beside it also says; what is withheld is not drawn."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from upstander.study.measures import Standardised
from upstander.study.survival import Curve
from upstander.study.tables import Compared, Table, Tables
from upstander.study.words import field_name, level_name

#: Okabe and Ito's palette, which people with any common colour blindness can tell apart; hatches, dashes say it again.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000")
HATCHES = ("", "////", "....", "xxxx", "----", "\\\\\\\\", "++++")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
MARKS = ("o", "s", "^", "D", "v", "P", "X")
INK = "#1c2330"
#: Curves drawn at once; more cannot be told apart.
MOST = 6
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "upstander",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#d9dce3",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#59606e",
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": "#3a4150",
    "ytick.color": "#3a4150",
    "hatch.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


class Drawing(msgspec.Struct, frozen=True):
    """One figure: ``svg`` (an ``<svg>`` element with a white ground) and what it says under it."""

    key: str
    svg: str
    caption: str


def draw(tables: Tables) -> dict[str, Drawing]:
    """All figures that what is published allows, by the key of the table that each stands beside."""
    found: dict[str, Drawing | None] = {}
    for key in ("age", "category", "site"):
        found[key] = _bars(tables.table(key))
    found["age_category"] = _stacks(tables.table("age_category"))
    found |= {compared.key: _years(compared) for compared in tables.comparisons}
    found["curves"] = _curves(tables.removal.curves)
    return {key: drawing for key, drawing in found.items() if drawing}


def _svg(paint: Callable[[Any], None], key: str, title: str, height: float) -> str:
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(6.0, height), layout="constrained")
        paint(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", facecolor="white", metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    # Several figures share a page, and matplotlib counts the parts of each from 1.
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def _bars(table: Table) -> Drawing | None:
    lines = [line for line in table.lines if not line.sums]
    shown = [(line.label, line.entries[0].share) for line in lines if line.entries[0].share]
    if not shown:
        return None
    shares = [share for _, share in shown if share]

    def paint(axes: Any) -> None:
        places = range(len(shown))
        values = [share.value for share in shares]
        errors = [[s.value - s.low for s in shares], [s.high - s.value for s in shares]]
        axes.barh(places, values, color=COLOURS[0], height=0.62)
        axes.errorbar(values, places, xerr=errors, fmt="none", ecolor=INK, elinewidth=1.1, capsize=3)
        for place, share in zip(places, shares, strict=True):
            axes.annotate(f"{share.value:.1%}", (share.high, place), (4, 0), textcoords="offset points", va="center")
        axes.set_yticks(places, [level_name(label) for label, _ in shown])
        axes.invert_yaxis()
        axes.set_xlim(0, min(1.18, max(share.high for share in shares) * 1.2))
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="x")
        axes.set_xlabel(f"share of n = {table.n:,}")

    missing = "" if len(shown) == len(lines) else " Withheld lines are not drawn."
    caption = f"{table.title}. n = {table.n:,} {table.unit}. Whiskers: 95% intervals (Wilson).{missing}"
    return Drawing(table.key, _svg(paint, table.key, table.title, 0.9 + 0.3 * len(shown)), caption)


def _stacks(table: Table) -> Drawing | None:
    lines = [line for line in table.lines if not line.sums and line.base and all(e.share for e in line.entries)]
    if not lines:
        return None

    def paint(axes: Any) -> None:
        left = [0.0] * len(lines)
        for at, head in enumerate(table.heads):
            widths = [share.value for line in lines if (share := line.entries[at].share)]
            axes.barh(
                range(len(lines)), widths, left=left, height=0.66, label=level_name(head), color=COLOURS[at],
                hatch=HATCHES[at], edgecolor="white", linewidth=0.8,
            )  # fmt: skip
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.set_yticks(range(len(lines)), [f"{level_name(line.label)}  (n = {line.base:,})" for line in lines])
        axes.invert_yaxis()
        axes.set_xlim(0, 1)
        axes.xaxis.set_major_formatter(PercentFormatter(1))
        axes.set_xlabel(f"share of each line: {field_name(table.columns_are)}")
        axes.legend(ncols=len(table.heads), loc="lower left", bbox_to_anchor=(0, 1.0))

    drawn = sum(line.base or 0 for line in lines)
    caption = f"{table.title}. {drawn:,} of n = {table.n:,} {table.unit}; lines with a withheld count are not drawn."
    return Drawing(table.key, _svg(paint, table.key, table.title, 1.2 + 0.34 * len(lines)), caption)


def _years(compared: Compared) -> Drawing | None:
    result = compared.result
    if result is None:
        return None

    def paint(axes: Any, found: Standardised = result) -> None:
        places = range(len(found.groups))
        errors = [
            [value - low for value, low in zip(found.shares, found.low, strict=True)],
            [high - value for value, high in zip(found.shares, found.high, strict=True)],
        ]
        axes.errorbar(
            places, found.shares, yerr=errors, color=COLOURS[0], marker=MARKS[0], linestyle=DASHES[0], capsize=3,
            label="standardised, with 95% interval",
        )  # fmt: skip
        axes.plot(places, found.crude, color=COLOURS[5], marker=MARKS[1], linestyle=DASHES[1], label="as observed")
        axes.set_xticks(places, found.groups)
        axes.set_ylim(0, min(1, max((*found.high, *found.crude)) * 1.25))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid(axis="y")
        axes.set_ylabel("share")
        axes.set_xlabel(f"year of assessment, n = {compared.n:,}")
        axes.legend(loc="lower left")

    return Drawing(
        compared.key, _svg(paint, compared.key, compared.title, 3.1), f"{compared.title}. n = {compared.n:,}."
    )


def _curves(curves: tuple[Curve, ...]) -> Drawing | None:
    if not curves:
        return None
    drawn = (curves[0], *sorted(curves[1:], key=lambda curve: -curve.items)[: MOST - 1])

    def paint(axes: Any) -> None:
        for at, curve in enumerate(drawn):
            points = [(0.0, 1.0), *((day, up) for day, up in zip(curve.days, curve.up, strict=True) if up is not None)]
            label = f"{level_name(curve.label)} (n = {curve.items:,})"
            days, up = zip(*points, strict=True)
            axes.plot(days, up, label=label, color=COLOURS[at], linestyle=DASHES[at], marker=MARKS[at], markersize=4)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(left=0)
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.grid()
        axes.set_xlabel("days since assessment")
        axes.set_ylabel("share still up")
        axes.legend(loc="upper right")

    followed = curves[0].items
    caption = (
        f"How long captures stay up, read at fixed days (Kaplan-Meier); lines between the marks only guide the eye. "
        f"n = {followed:,} that were looked at again; the {len(drawn) - 1} kinds of site with most."
    )
    return Drawing("curves", _svg(paint, "curves", "Share still up by days since assessment", 3.4), caption)
