"""How captures spread: trees of sightings, and what can be counted of them. Small counts are withheld."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from upstander.captures.sightings import Sighting

DAY_MS = 86_400_000
#: Counts from one to one below this are not shown.
THRESHOLD = 5
_COLOUR, _INK = "#0072B2", "#1c2330"
_SETTINGS: Any = {"svg.fonttype": "none", "svg.hashsalt": "upstander", "font.size": 9, "axes.spines.top": False,
             "axes.spines.right": False, "text.color": _INK, "axes.labelcolor": _INK, "font.family": "sans-serif",
             "font.sans-serif": ["DejaVu Sans"]}  # fmt: skip


class Node(msgspec.Struct, frozen=True):
    """A sighting in its tree. ``sure``: its parent was entered; otherwise it stands at the root by itself."""

    id: str
    depth: int
    site_type: str
    country: str
    seen_at: int
    removed_at: int


class Counted(msgspec.Struct, frozen=True):
    """Figures over sightings. Days from first sighting of a capture; ``None``: too few to say."""

    captures: int
    sightings: int
    linked: int
    deepest: int
    by_site: dict[str, int | None]
    by_country: dict[str, int | None]
    adverts: int | None
    median_lag_days: float | None
    median_removal_days: float | None
    still_up: int | None


def tree(sightings: Sequence[Sighting]) -> list[Node]:
    """One capture's sightings, each after the one it came from, earliest first."""
    below: dict[str, list[Sighting]] = defaultdict(list)
    known = {one.id for one in sightings}
    for one in sorted(sightings, key=lambda one: (one.seen_at, one.id)):
        below[one.parent if one.parent in known else ""].append(one)
    found: list[Node] = []
    waiting = [(one, 0) for one in reversed(below[""])]
    while waiting:
        one, depth = waiting.pop()
        found.append(Node(one.id, depth, one.site_type, one.country, one.seen_at, one.removed_at))
        waiting += [(child, depth + 1) for child in reversed(below[one.id])]
    return found


def trees(sightings: Sequence[Sighting]) -> dict[str, list[Node]]:
    """The trees of all captures."""
    own: dict[str, list[Sighting]] = defaultdict(list)
    for one in sightings:
        own[one.capture].append(one)
    return {capture: tree(found) for capture, found in sorted(own.items())}


def dot(sightings: Sequence[Sighting]) -> str:
    """The trees as a Graphviz graph: types of sites and days, no addresses."""
    lines = ["digraph spread {", "  rankdir=LR; node [shape=box, fontname=sans];"]
    for capture, nodes in trees(sightings).items():
        start = min(node.seen_at for node in nodes)
        lines.append(f'  subgraph "cluster_{capture}" {{ label="{capture}";')
        for node in nodes:
            day = (node.seen_at - start) // DAY_MS
            lines.append(f'    "{node.id}" [label="{node.site_type} {node.country}\\nday {day}"];')
        lines.append("  }")
    lines += [f'  "{one.parent}" -> "{one.id}";' for one in sightings if one.parent]
    return "\n".join([*lines, "}", ""])


def lags(sightings: Sequence[Sighting]) -> list[float]:
    """Days from a capture's first sighting to each later one."""
    first: dict[str, int] = {}
    for one in sightings:
        first[one.capture] = min(first.get(one.capture, one.seen_at), one.seen_at)
    return sorted((one.seen_at - first[one.capture]) / DAY_MS for one in sightings if one.seen_at > first[one.capture])


def counted(sightings: Sequence[Sighting], threshold: int = THRESHOLD) -> Counted:
    """What can be said of all of them."""

    def shown(count: int) -> int | None:
        return count if count == 0 or count >= threshold else None

    def middle(values: list[float]) -> float | None:
        return round(values[len(values) // 2], 2) if len(values) >= threshold else None

    removals = sorted((one.removed_at - one.seen_at) / DAY_MS for one in sightings if one.removed_at)
    all_trees = trees(sightings)
    return Counted(
        len(all_trees),
        len(sightings),
        sum(bool(one.parent) for one in sightings),
        max((node.depth for nodes in all_trees.values() for node in nodes), default=0),
        {name: shown(n) for name, n in Counter(one.site_type for one in sightings).most_common()},
        {name: shown(n) for name, n in Counter(one.country for one in sightings).most_common()},
        shown(sum(one.advert == "yes" for one in sightings)),
        middle(lags(sightings)),
        middle(removals),
        shown(sum(not one.removed_at for one in sightings)),
    )


def figures(sightings: Sequence[Sighting], threshold: int = THRESHOLD) -> dict[str, str]:
    """Figures as SVG: ``spread`` over time, ``sites`` by type, ``lag`` from the first sighting. What is too little to
    be shown is not drawn."""
    made = {}
    with mpl.rc_context(_SETTINGS):
        if len(sightings) >= threshold:
            made["spread"] = _steps([one.seen_at / DAY_MS for one in sightings], "sightings so far", "day")
        later = lags(sightings)
        if len(later) >= threshold:
            made["lag"] = _steps([0.0, *later], "later sightings so far", "days since the capture's first sighting")
        sites = {name: n for name, n in counted(sightings, threshold).by_site.items() if n}
        if sites:
            figure = Figure(figsize=(5.2, 0.5 + 0.32 * len(sites)))
            axes = figure.add_subplot()
            names = list(sites)[::-1]
            axes.barh([name.replace("_", " ") for name in names], [sites[name] for name in names], color=_COLOUR)
            axes.set_xlabel("sightings")
            made["sites"] = _svg(figure)
    return made


def _steps(values: list[float], label: str, below: str) -> str:
    figure = Figure(figsize=(5.2, 2.8))
    axes = figure.add_subplot()
    ordered = sorted(values)
    start = ordered[0]
    axes.step([value - start for value in ordered], range(1, len(ordered) + 1), where="post", color=_COLOUR)
    axes.set_xlabel(below if below != "day" else "days since the first sighting of any capture")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    return _svg(figure)


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", bbox_inches="tight", metadata={"Date": None})
    return out.getvalue()
