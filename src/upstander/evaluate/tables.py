"""Results as tables of words: what the terminal and the page both show, and why a table is empty."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from upstander.evaluate import latency
from upstander.evaluate.metrics import Interval
from upstander.evaluate.results import Data, Point, Results

DASH = "—"
#: The prevalences that a table has room for.
SHOWN_PREVALENCES = (1e-4, 1e-3, 0.01, 0.1)


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One table: what it says (``note``), its rows, and why there are none (``empty``). ``key`` names it in a page.

    A row shorter than ``heads`` says in its last cell why the rest cannot be told.
    """

    key: str
    title: str
    note: str
    heads: list[str]
    rows: list[list[str]]
    empty: str


def data_rows(data: Data) -> list[tuple[str, str]]:
    """What was evaluated, as names and values."""
    smallest = "none" if data.smallest_rate is None else f"{data.smallest_rate:,.3g} an hour"
    rows = [
        ("files", ", ".join(data.files)),
        ("format", ", ".join(data.formats)),
        (
            "broadcasts",
            f"{data.broadcasts:,} ({data.harmful:,} harmful, {data.benign:,} benign, {data.unlabelled:,} unlabelled)",
        ),
        ("pairs", f"{data.harmful_pairs:,} harmful, {data.benign_pairs:,} benign"),
        ("messages", f"{data.messages:,}"),
        ("broadcast-hours", f"{data.hours:,.2f} ({data.benign_hours:,.2f} benign)"),
        ("smallest rate shown", smallest),
        ("host's age band", f"{data.host_age_band} where the data names none"),
    ]
    return [*rows, *((f"{name} version", value) for name, value in data.versions.items())]


def sections(results: Results) -> list[Section]:
    """All tables, in the order they are read."""
    return [
        _recall(results),
        _delay(results),
        _early(results),
        _predictive(results),
        _calibration(results),
        _load(results),
        _slices(results),
        _tactics(results),
    ]


def _rows(results: Results, cells: Callable[[Point], list[str]]) -> list[list[str]]:
    """A row an operating point; of one without numbers, the reason."""
    return [[point.name, *([point.unavailable] if point.unavailable else cells(point))] for point in results.points]


def _recall(results: Results) -> Section:
    def cells(point: Point) -> list[str]:
        threshold = "policy" if point.threshold is None else f"{point.threshold:.3g} nats"
        recall = _counted(point.found, point.harmful, point.recall)
        return [threshold, recall, _rate(point.alarms, point.alarms_per_hour)]

    return Section(
        key="recall",
        title="Recall and false alarms",
        note="Harmful pairs that alarmed, and benign pairs that did (each once) per broadcast-hour (95% intervals). "
        "Levels are as the policy decides them; a budget's threshold is the lowest belief that keeps within it.",
        heads=["point", "threshold", "recall", "false alarms/h"],
        rows=_rows(results, cells),
        empty="there are no operating points",
    )


def _delay(results: Results) -> Section:
    def cells(point: Point) -> list[str]:
        delays = (point.delay_messages, point.delay_seconds)
        return [f"{point.found:,}", *(_amount(value) for delay in delays for value in (delay.median, delay.p90))]

    return Section(
        key="delay",
        title="Delay",
        note="Of the harmful pairs that were found: the viewer's own messages, and the seconds, from the first harmful "
        "message (or the first at all, where messages have no labels) to the alert. 1 message: caught at once.",
        heads=["point", "found", "messages: median", "90%", "seconds: median", "90%"],
        rows=_rows(results, cells) if any(point.found for point in results.points) else [],
        empty="nothing harmful was found" if results.data.harmful_pairs else "it takes harmful broadcasts",
    )


def _early(results: Results) -> Section:
    def cells(point: Point) -> list[str]:
        shares = [_list([value]) for value in (point.precision, point.f1)]
        early = [_list(list(values.values())) for values in (point.speed, point.f_latency)]
        return [*shares, *early, _list(list(point.erde.values()), 3)]

    halves = "/".join(map(str, latency.HALF_LIVES))
    deadlines = "/".join(map(str, latency.ERDE_DEADLINES))
    return Section(
        key="early",
        title="Earliness",
        note="Speed and F-latency (Vogt et al. 2021; higher is better) by the number of messages after which half the "
        "speed is lost; ERDE (Losada and Crestani 2016; lower is better) by its deadline in messages. Precision and "
        "F1 hold for this data's own mix of harmful and benign pairs.",
        heads=["point", "precision", "F1", f"speed {halves}", f"F-latency {halves}", f"ERDE {deadlines}"],
        rows=_rows(results, cells) if results.data.harmful_pairs else [],
        empty="it takes harmful broadcasts",
    )


def _predictive(results: Results) -> Section:
    rows = []
    for point in results.points:
        values = {entry.prevalence: entry.value for entry in point.predictive}
        if values:
            rows.append([point.name, *(_percent(values[prevalence]) for prevalence in SHOWN_PREVALENCES)])
    return Section(
        key="predictive",
        title="Alarms that are right, by prevalence",
        note="The share of alarms that is right (positive predictive value) where so many pairs in all are harmful. "
        "Real broadcasts lie towards the left, where even a rare false alarm outnumbers the right ones.",
        heads=["point", *(f"1 in {1 / prevalence:,.0f}" for prevalence in SHOWN_PREVALENCES)],
        rows=rows,
        empty="it takes both harmful and benign broadcasts",
    )


def _calibration(results: Results) -> Section:
    found = results.calibration
    rows = [
        [f"{part.low:.1f} to {part.high:.1f}", f"{part.n:,}", _number(part.predicted), _percent(part.observed)]
        for part in found.bins
        if part.n
    ]
    note = "The last belief of each pair as a probability: logistic(belief - prior log odds against)"
    if rows:
        note += f", with this data's own share of harmful pairs ({_number(found.prior)}) as the prior. "
        note += f"Expected calibration error {_number(found.ece)} with {len(found.bins)} bins"
    return Section(
        key="calibration",
        title="Calibration",
        note=f"{note}.",
        heads=["predicted", "pairs", "mean predicted", "share harmful"],
        rows=rows,
        empty="it takes both harmful and benign broadcasts",
    )


def _load(results: Results) -> Section:
    rows = [
        [row.level, f"{row.alerts:,}", _interval(row.per_hour), _number(row.per_shift)]
        for row in results.load
        if row.per_hour.value is not None
    ]
    return Section(
        key="load",
        title="A moderator's load",
        note="Pairs that reached at least a level, in all broadcasts, labelled or not: per hour of one broadcast, and "
        "per shift of 8 hours with one broadcast (times the number of broadcasts one moderator covers).",
        heads=["level", "alerts", "per broadcast-hour", "per 8-hour shift"],
        rows=rows,
        empty="the data spans no time",
    )


def _slices(results: Results) -> Section:
    rows = [
        [
            f"{row.by}: {row.name}",
            row.point,
            _counted(row.found, row.harmful, row.recall),
            _rate(row.alarms, row.alarms_per_hour),
        ]
        for row in results.slices
    ]
    return Section(
        key="slices",
        title="By language and tag",
        note="The same, for part of the data: languages as the broadcasts state them, and the tags they carry.",
        heads=["slice", "point", "recall", "false alarms/h"],
        rows=rows,
        empty="there are no broadcasts",
    )


def _tactics(results: Results) -> Section:
    rows = [
        [row.tactic, f"{row.labelled:,}", _percent(row.recall), f"{row.seen:,}", _percent(row.precision)]
        for row in results.tactics
    ]
    return Section(
        key="tactics",
        title="Tactics in labelled events",
        note="Of the events labelled with a tactic, the share in which it was seen; of the labelled events in which it "
        "was seen, the share labelled with it.",
        heads=["tactic", "labelled", "seen when labelled", "seen", "labelled when seen"],
        rows=rows,
        empty="no event has a label of its own",
    )


def _number(value: float | None) -> str:
    return DASH if value is None else f"{value:.3g}"


def _amount(value: float | None) -> str:
    return DASH if value is None else f"{value:,.4g}"


def _list(values: Sequence[float | None], digits: int = 2) -> str:
    return " / ".join(DASH if value is None else f"{value:.{digits}f}" for value in values)


def _interval(interval: Interval) -> str:
    if interval.value is None or interval.low is None or interval.high is None:
        return DASH
    return f"{interval.value:.3g} ({interval.low:.3g} to {interval.high:.3g})"


def _percent(interval: Interval) -> str:
    if interval.value is None or interval.low is None or interval.high is None:
        return DASH
    return f"{100 * interval.value:.3g}% ({100 * interval.low:.3g} to {100 * interval.high:.3g})"


def _counted(count: int, total: int, interval: Interval) -> str:
    return f"{count:,}/{total:,}: {_percent(interval)}" if total else DASH


def _rate(count: int, interval: Interval) -> str:
    return DASH if interval.value is None else f"{count:,}: {_interval(interval)}"
