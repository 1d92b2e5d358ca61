"""The figures of the report, as SVG text. Each shows what a table beside it also says."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from typing import Any

from upstander.evaluate.corpus import CorpusError
from upstander.evaluate.metrics import Interval
from upstander.evaluate.results import Calibration, Point

#: Okabe and Ito's palette, which people with any common colour blindness can tell apart; dashes say it once more.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#AA4499", "#56688A", "#8C6D00", "#000000")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
MARKS = ("o", "s", "^", "D", "v", "P", "X")
#: Inches: as wide as a telephone shows, so that the words stay legible there.
SIZE = (4.4, 3.3)
#: matplotlib types its settings' names, which would mean importing it here.
_SETTINGS: Any = {
    "svg.fonttype": "none",
    # Names of parts would be random otherwise, and the same results would not give the same page.
    "svg.hashsalt": "upstander",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#d9dce3",
    "grid.linewidth": 0.6,
    "axes.edgecolor": "#59606e",
    "text.color": "#1c2330",
    "axes.labelcolor": "#1c2330",
    "xtick.color": "#3a4150",
    "ytick.color": "#3a4150",
    "axes.titlesize": 10,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def require() -> None:
    """See that figures can be drawn. Raises ``CorpusError`` that says what to install."""
    try:
        import matplotlib.figure  # noqa: F401, PLC0415
    except ImportError:
        reason = "the HTML report draws its figures with matplotlib, which is not installed"
        raise CorpusError("--html", reason, "Install it: pip install 'upstander[evaluate]'") from None


def _draw(paint: Callable[[Any], None], key: str, title: str) -> str:
    """One figure as an ``<svg>`` element that scales; ``title`` says for those who cannot see it what it shows."""
    require()
    import matplotlib  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=SIZE, layout="constrained")
        paint(figure.add_subplot())
        written = io.StringIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = written.getvalue()
    svg = svg[svg.index("<svg") :]
    # The report's own type, and the width of its column; matplotlib's metadata is of no use to a reader.
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.S)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    # Several figures share a page, and matplotlib counts the parts of each from 1.
    svg = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{title}"', 1)


def _whiskers(interval: Interval) -> tuple[list[float], list[float]]:
    value, low, high = interval.value or 0.0, interval.low or 0.0, interval.high or 0.0
    return [max(0.0, value - low)], [max(0.0, high - value)]


def reliability_figure(calibration: Calibration) -> str:
    """The reliability diagram: observed share against predicted probability, with intervals; empty without bins."""
    filled = [part for part in calibration.bins if part.predicted is not None and part.observed.value is not None]
    if not filled:
        return ""

    def paint(axes: Any) -> None:
        axes.plot([0, 1], [0, 1], color="#59606e", linestyle=":", linewidth=1, label="perfect")
        for number, part in enumerate(filled):
            axes.errorbar(
                [part.predicted],
                [part.observed.value],
                yerr=_whiskers(part.observed),
                fmt=MARKS[0],
                color=COLOURS[0],
                capsize=3,
                label="this data (95% interval)" if number == 0 else None,
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xlabel="predicted probability", ylabel="share harmful")
        axes.legend(loc="upper left")

    return _draw(
        paint, "reliability", "Reliability diagram: share of pairs that were harmful against predicted probability"
    )


def recall_figure(points: Sequence[Point]) -> str:
    """Recall at every operating point with its interval; empty when none has any."""
    shown = [point for point in points if point.recall.value is not None][::-1]
    if not shown:
        return ""

    def paint(axes: Any) -> None:
        for row, point in enumerate(shown):
            colour = COLOURS[0] if point.kind == "level" else COLOURS[1]
            mark = MARKS[0] if point.kind == "level" else MARKS[1]
            axes.errorbar([point.recall.value], [row], xerr=_whiskers(point.recall), fmt=mark, color=colour, capsize=3)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.6, len(shown) - 0.4), xlabel="recall (95% interval)")
        axes.set_yticks(range(len(shown)), [point.name for point in shown])
        axes.grid(visible=False, axis="y")

    return _draw(paint, "recall", "Recall at every operating point, with 95% intervals")


def delay_figure(points: Sequence[Point]) -> str:
    """The share of harmful pairs found within so many messages; empty when nothing was found."""
    shown = [point for point in points if point.reached]
    if not shown:
        return ""
    furthest = max(messages for point in shown for messages, _ in point.reached)

    def paint(axes: Any) -> None:
        for number, point in enumerate(shown):
            steps = [(0, 0.0), *point.reached]
            if steps[-1][0] < furthest:
                steps.append((furthest, steps[-1][1]))
            axes.step(
                [messages for messages, _ in steps],
                [share for _, share in steps],
                where="post",
                color=COLOURS[number % len(COLOURS)],
                linestyle=DASHES[number % len(DASHES)],
                linewidth=1.6,
                label=point.name,
            )
        axes.set(xlabel="viewer's messages since the first harmful one", ylabel="share of harmful pairs found")
        axes.set(ylim=(-0.02, 1.02), xlim=(0, max(furthest, 2) * 1.02))
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)

    return _draw(paint, "delay", "Share of harmful pairs found within a number of messages")


def predictive_figure(points: Sequence[Point]) -> str:
    """Predictive value against prevalence, its low end as a thin line; empty when it cannot be computed."""
    shown = [point for point in points if any(entry.value.value is not None for entry in point.predictive)]
    if not shown:
        return ""

    def paint(axes: Any) -> None:
        for number, point in enumerate(shown):
            entries = [entry for entry in point.predictive if entry.value.value is not None]
            places = [entry.prevalence for entry in entries]
            colour = COLOURS[number % len(COLOURS)]
            dashes = DASHES[number % len(DASHES)]
            best = [entry.value.value for entry in entries]
            axes.plot(places, best, color=colour, linestyle=dashes, linewidth=1.8, label=point.name)
            # Bands of several points would hide each other, and the high end is not what one should plan by.
            lows = [entry.value.low for entry in entries]
            axes.plot(places, lows, color=colour, linestyle=dashes, linewidth=0.7)
        axes.set_xscale("log")
        axes.set(ylim=(-0.02, 1.02), xlabel="share of pairs that are harmful", ylabel="share of alarms that are right")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)

    return _draw(paint, "predictive", "Share of alarms that are right against the share of pairs that are harmful")
