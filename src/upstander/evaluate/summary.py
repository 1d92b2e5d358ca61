"""From traces to results: counts the pairs at every operating point, sweeping thresholds over the recorded scores."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from upstander.evaluate import calibration as calibrating
from upstander.evaluate import latency, metrics
from upstander.evaluate.corpus import Times
from upstander.evaluate.metrics import NOTHING, Spread
from upstander.evaluate.results import Calibration, Data, Load, Point, Results, Slice, TacticRow
from upstander.evaluate.run import ANYONE, CaseTrace, Crossing, TacticCount, Trace
from upstander.model.vocabulary import Level

#: False alarms per broadcast-hour at which recall is stated.
BUDGETS = (0.01, 0.1, 1.0)
LEVELS = (Level.NOTICE, Level.CONCERN, Level.URGENT, Level.EMERGENCY)
SHIFT_HOURS = 8
#: Slices are shown at the level that first calls a moderator, and at every budget that can be measured.
SLICED_LEVEL = Level.CONCERN
#: Below so many harmful pairs, a recall's interval is wider than most differences anyone cares about.
FEW_PAIRS = 100

_Cross = Callable[[Trace], Crossing | None]


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller knows about a run: see ``Data``."""

    files: list[str]
    formats: list[str]
    host_age_band: str
    versions: dict[str, str]
    left_out: int = 0


class _Pairs(msgspec.Struct):
    """Pairs that count at an operating point: harmful ones, and those of benign broadcasts."""

    harmful: list[Trace]
    benign: list[Trace]
    quiet: int
    hours: float

    @classmethod
    def of(cls, cases: Iterable[CaseTrace]) -> _Pairs:
        """Those of some cases. Others in a harmful broadcast count as neither: nobody has said what they did."""
        pairs = cls([], [], 0, 0.0)
        for case in cases:
            if case.harmful:
                pairs.harmful += [trace for trace in case.pairs if trace.harmful]
            elif case.harmful is False:
                pairs.benign += case.pairs
                pairs.quiet += case.quiet
                pairs.hours += case.hours
        return pairs

    @property
    def benign_count(self) -> int:
        return len(self.benign) + self.quiet


def summarise(cases: Sequence[CaseTrace], about: About, thresholds: Sequence[float] = ()) -> Results:
    """The results of all cases, at the levels, the budgets and any ``thresholds`` (nats) asked for.

    Pure: the same traces always give the same results.
    """
    pairs = _Pairs.of(cases)
    points = [_level_point(level, pairs) for level in LEVELS]
    points += [_budget_point(rate, pairs) for rate in BUDGETS]
    points += [_point(f"{height:g} nats", "threshold", pairs, _at_belief(height), height) for height in thresholds]
    data = _data(cases, pairs, about)
    return Results(
        data=data,
        points=points,
        load=_load(cases),
        calibration=_calibration(pairs),
        slices=_slices(cases, points),
        tactics=_tactics(cases),
        limits=_limits(data, cases),
    )


def _data(cases: Sequence[CaseTrace], pairs: _Pairs, about: About) -> Data:
    benign = [case for case in cases if case.harmful is False]
    return Data(
        files=about.files,
        formats=about.formats,
        host_age_band=about.host_age_band,
        versions=about.versions,
        broadcasts=len(cases),
        harmful=sum(case.harmful is True for case in cases),
        benign=len(benign),
        unlabelled=sum(case.harmful is None for case in cases),
        messages=sum(case.messages for case in cases),
        harmful_pairs=len(pairs.harmful),
        benign_pairs=pairs.benign_count,
        hours=sum(case.hours for case in cases),
        benign_hours=pairs.hours,
        synthetic_hours=sum(case.hours for case in benign if case.times is Times.SYNTHETIC),
        minute_hours=sum(case.hours for case in benign if case.times is Times.MINUTES),
        smallest_rate=metrics.smallest_rate(pairs.hours),
        dialogues=sum(case.dialogue for case in cases),
        left_out=about.left_out,
        failures=sum(case.failures for case in cases),
    )


# -- operating points --------------------------------------------------------------------------------------------


def _level_point(level: Level, pairs: _Pairs) -> Point:
    return _point(level.word, "level", pairs, _at_level(level))


def _budget_point(rate: float, pairs: _Pairs) -> Point:
    name = f"at {rate:g}/h"
    candidates = (crossing.height for trace in (*pairs.harmful, *pairs.benign) for crossing in trace.beliefs)
    threshold = metrics.threshold_at(rate, pairs.hours, [trace.highest for trace in pairs.benign], candidates)
    if threshold is None:
        why = f"not measurable with {pairs.hours:,.1f} benign hours; it takes {1 / rate:,.0f}"
        return Point(
            name=name,
            kind="budget",
            unavailable=why,
            recall=NOTHING,
            alarms_per_hour=NOTHING,
            delay_messages=Spread(0, None, None),
            delay_seconds=Spread(0, None, None),
        )
    return _point(name, "budget", pairs, _at_belief(threshold), threshold)


def _at_level(level: Level) -> _Cross:
    return lambda trace: trace.reached(level)


def _at_belief(threshold: float) -> _Cross:
    return lambda trace: trace.crossing(threshold)


def _point(name: str, kind: str, pairs: _Pairs, cross: _Cross, threshold: float | None = None) -> Point:
    found = [crossing for crossing in map(cross, pairs.harmful) if crossing is not None]
    alarms = sum(cross(trace) is not None for trace in pairs.benign)
    harmful, benign = len(pairs.harmful), pairs.benign_count
    missed = harmful - len(found)
    latencies = [crossing.latency for crossing in found]
    return Point(
        name=name,
        kind=kind,
        threshold=threshold,
        found=len(found),
        harmful=harmful,
        recall=metrics.wilson(len(found), harmful),
        alarms=alarms,
        benign=benign,
        alarms_per_hour=metrics.events_per_hour(alarms, pairs.hours),
        precision=len(found) / (len(found) + alarms) if found or alarms else None,
        f1=metrics.f1(len(found), alarms, missed),
        delay_messages=metrics.spread([crossing.own for crossing in found]),
        delay_seconds=metrics.spread([crossing.seconds for crossing in found]),
        reached=_reached([crossing.own for crossing in found], harmful),
        speed={str(half): latency.speed(latencies, half) for half in latency.HALF_LIVES},
        f_latency={
            # Without harmful pairs there is nothing to be early for.
            str(half): latency.f_latency(latencies, alarms, missed, half) if harmful else None
            for half in latency.HALF_LIVES
        },
        erde={
            str(deadline): latency.erde(latencies, alarms, missed, benign - alarms, deadline) if harmful else None
            for deadline in latency.ERDE_DEADLINES
        },
        predictive=metrics.predictive_curve(len(found), harmful, alarms, benign),
    )


def _reached(delays: Sequence[int], harmful: int) -> list[tuple[int, float]]:
    ordered = sorted(delays)
    last = {delay: count for count, delay in enumerate(ordered, 1)}
    return [(delay, count / harmful) for delay, count in last.items()]


# -- the rest ----------------------------------------------------------------------------------------------------


def _load(cases: Sequence[CaseTrace]) -> list[Load]:
    hours = sum(case.hours for case in cases)
    rows = []
    for level in LEVELS:
        alerts = sum(trace.reached(level) is not None for case in cases for trace in case.pairs)
        rate = metrics.events_per_hour(alerts, hours)
        rows.append(Load(level.word, alerts, rate, None if rate.value is None else rate.value * SHIFT_HOURS))
    return rows


def _calibration(pairs: _Pairs) -> Calibration:
    harmful, benign = len(pairs.harmful), pairs.benign_count
    n = harmful + benign
    if not harmful or not benign:
        return Calibration(n, None, None, [])
    prior = harmful / n
    beliefs = [trace.last for trace in (*pairs.harmful, *pairs.benign)] + [0.0] * pairs.quiet
    probabilities = [calibrating.probability(belief, prior) for belief in beliefs]
    outcomes = [True] * harmful + [False] * benign
    table = calibrating.reliability(probabilities, outcomes)
    return Calibration(n, prior, calibrating.ece(probabilities, outcomes), table)


def _slices(cases: Sequence[CaseTrace], points: Sequence[Point]) -> list[Slice]:
    groups: dict[tuple[str, str], list[CaseTrace]] = defaultdict(list)
    for case in cases:
        groups["language", case.language or "not stated"].append(case)
        for tag in case.slice_tags:
            groups["tag", tag].append(case)
    crosses = {SLICED_LEVEL.word: _at_level(SLICED_LEVEL)}
    crosses |= {point.name: _at_belief(point.threshold) for point in points if point.threshold is not None}
    rows = []
    for (by, name), members in sorted(groups.items()):
        pairs = _Pairs.of(members)
        for point, cross in crosses.items():
            found = sum(cross(trace) is not None for trace in pairs.harmful)
            alarms = sum(cross(trace) is not None for trace in pairs.benign)
            row = Slice(
                by=by,
                name=name,
                point=point,
                found=found,
                harmful=len(pairs.harmful),
                recall=metrics.wilson(found, len(pairs.harmful)),
                alarms=alarms,
                benign=pairs.benign_count,
                hours=pairs.hours,
                alarms_per_hour=metrics.events_per_hour(alarms, pairs.hours),
            )
            rows.append(row)
    return rows


def _tactics(cases: Sequence[CaseTrace]) -> list[TacticRow]:
    totals: dict[str, TacticCount] = defaultdict(TacticCount)
    for case in cases:
        for tactic, count in case.tactics.items():
            total = totals[tactic]
            total.both += count.both
            total.missed += count.missed
            total.wrong += count.wrong
    rows = []
    for tactic, count in sorted(totals.items()):
        labelled, seen = count.both + count.missed, count.both + count.wrong
        recall, precision = metrics.wilson(count.both, labelled), metrics.wilson(count.both, seen)
        rows.append(TacticRow(tactic, labelled, seen, recall, precision))
    return rows


def _limits(data: Data, cases: Sequence[CaseTrace]) -> list[str]:
    """What keeps the numbers from meaning more than they do."""
    said = [
        f"{data.harmful_pairs:,} harmful and {data.benign_pairs:,} benign pairs in {data.broadcasts:,} broadcasts, "
        f"{data.benign_hours:,.1f} benign hours. The figures are for this data and for hosts of the age band "
        f"{data.host_age_band} where the data names none.",
    ]
    if any(metrics.measurable(rate, data.benign_hours) for rate in BUDGETS):
        said.append("The thresholds of the budgets were chosen on the data they are judged on, which flatters them.")
    if data.smallest_rate is not None:
        said.append(f"The smallest false-alarm rate that so many hours can show is {data.smallest_rate:,.3g} an hour.")
    if not data.harmful_pairs:
        said.append("Nothing in the data is labelled harmful: recall, delay and calibration cannot be computed.")
    elif data.harmful_pairs < FEW_PAIRS:
        said.append(f"{data.harmful_pairs:,} harmful pairs are few: read the intervals, not the shares.")
    if not data.benign:
        said.append("Nothing in the data is benign: false alarms, precision and calibration cannot be computed.")
    if data.unlabelled:
        said.append(f"{data.unlabelled:,} broadcasts have no label: they count for a moderator's load only.")
    if data.synthetic_hours:
        said.append(f"The times of {data.synthetic_hours:,.1f} benign hours are made up: rates an hour mean little.")
    if data.minute_hours:
        said.append(f"The times of {data.minute_hours:,.1f} benign hours are known to the minute and have no date.")
    if data.dialogues:
        said.append(
            f"{data.dialogues:,} of the broadcasts are chat logs between few people, not live streams; silences in "
            "them count for 30 minutes at most."
        )
    if any(trace.actor == ANYONE for case in cases for trace in case.pairs):
        said.append("Some harmful broadcasts do not say who did harm: any viewer's alert in them counts as found.")
    if data.left_out:
        said.append(f"{data.left_out:,} lines or chats could not be read and were left out.")
    if data.failures:
        said.append(f"The engine failed on {data.failures:,} events; they count as undecided.")
    return said
