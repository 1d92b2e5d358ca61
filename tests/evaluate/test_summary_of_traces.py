"""From traces to results: hand-made traces, figures that can be checked on paper, and what cannot be computed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from upstander.evaluate.corpus import Times
from upstander.evaluate.metrics import NOTHING
from upstander.evaluate.results import Point, Results
from upstander.evaluate.run import ANYONE, CaseTrace, Crossing, TacticCount, Trace
from upstander.evaluate.summary import About, summarise
from upstander.evaluate.tables import data_rows, sections

ABOUT = About(files=["f"], formats=["wire"], host_age_band="10_12", versions={"engine": "1"})


def pair(actor: str, harmful: bool | None, *heights: tuple[float, int]) -> Trace:
    """A pair whose belief rose to each height after so many messages; a level for each 2 nats."""
    beliefs = [Crossing(height, after, after, after * 10.0) for height, after in heights]
    levels = {min(4, int(height // 2)): (after, after * 10.0) for height, after in reversed(heights) if height >= 2}
    crossings = [Crossing(float(level), after, after, at) for level, (after, at) in sorted(levels.items())]
    last = heights[-1][0] if heights else 0.0
    return Trace(actor=actor, harmful=harmful, messages=9, last=last, beliefs=beliefs, levels=crossings)


def case(
    identifier: str, harmful: bool | None, *pairs: Trace, hours: float = 1.0, quiet: int = 0, **named: object
) -> CaseTrace:
    fields: dict[str, object] = {
        "language": "en",
        "slice_tags": frozenset(),
        "times": Times.RECORDED,
        "dialogue": False,
    }
    return CaseTrace(
        id=identifier,
        harmful=harmful,
        hours=hours,
        messages=10,
        pairs=list(pairs),
        quiet=quiet,
        **(fields | named),  # type: ignore[arg-type]
    )


def point(results: Results, name: str) -> Point:
    return next(point for point in results.points if point.name == name)


#: Four harmful pairs, of whom one shows nothing; ten benign hours, two pairs that show something and six quiet ones.
CASES = [
    case("h1", True, pair("x", True, (3.0, 1), (7.0, 4)), pair("y", False, (9.0, 1)), slice_tags=frozenset({"leet"})),
    case("h2", True, pair("x", True, (5.0, 2))),
    case("h3", True, pair("x", True, (2.5, 3)), language="es"),
    case("h4", True, pair("x", True), language="es"),
    case("b1", False, pair("v", False, (4.0, 5)), hours=6.0, quiet=2),
    case("b2", False, pair("w", False, (1.0, 2)), hours=4.0, quiet=4, language=""),
]


def test_recall_delay_and_false_alarms_by_hand() -> None:
    results = summarise(CASES, ABOUT)
    # A budget of 0.1 an hour over ten hours allows one false alarm: everything above 1 nat.
    at = point(results, "at 0.1/h")
    assert at.threshold == 2.5
    assert (at.found, at.harmful, at.alarms, at.benign) == (3, 4, 1, 8)
    assert at.recall.value == 0.75
    assert at.alarms_per_hour.value == 0.1
    assert (at.delay_messages.median, at.delay_messages.p90) == (2, 3)
    assert (at.delay_seconds.median, at.delay_seconds.p90) == (20.0, 30.0)
    assert at.precision == 0.75
    assert at.f1 == 0.75
    assert at.reached == [(1, 0.25), (2, 0.5), (3, 0.75)]
    # The y of h1 did score 9, but it is in a harmful broadcast and nobody said what it did: it counts as nothing.
    assert point(results, "at 1/h").threshold == 1.0
    assert point(results, "at 1/h").alarms == 2


def test_a_budget_beyond_the_data_has_a_reason_instead_of_numbers() -> None:
    results = summarise(CASES, ABOUT)
    at = point(results, "at 0.01/h")
    assert at.unavailable == "not measurable with 10.0 benign hours; it takes 100"
    assert (at.recall, at.threshold, at.f1) == (NOTHING, None, None)
    assert results.data.smallest_rate == 0.1
    assert any("0.1 an hour" in limit for limit in results.limits)


def test_levels_as_decided() -> None:
    results = summarise(CASES, ABOUT)
    assert [(p.name, p.found, p.alarms) for p in results.points if p.kind == "level"] == [
        ("notice", 3, 1),
        ("concern", 2, 1),
        ("urgent", 1, 0),
        ("emergency", 0, 0),
    ]
    assert [(row.level, row.alerts) for row in results.load] == [
        ("notice", 5),
        ("concern", 4),
        ("urgent", 2),
        ("emergency", 1),
    ]
    # 14 hours in all; a shift is eight.
    assert results.load[0].per_hour.value == 5 / 14
    assert results.load[0].per_shift == 8 * 5 / 14


def test_slices() -> None:
    results = summarise(CASES, ABOUT)
    found = {(row.by, row.name): row for row in results.slices if row.point == "concern"}
    assert set(found) == {("language", "en"), ("language", "es"), ("language", "not stated"), ("tag", "leet")}
    assert (found["language", "es"].found, found["language", "es"].harmful) == (0, 2)
    assert found["language", "es"].alarms_per_hour == NOTHING
    assert (found["language", "en"].found, found["language", "en"].harmful, found["language", "en"].hours) == (
        2,
        2,
        6.0,
    )
    assert found["tag", "leet"].recall.value == 1.0


def test_calibration_counts_quiet_pairs_too() -> None:
    found = summarise(CASES, ABOUT).calibration
    assert (found.n, found.prior) == (12, 4 / 12)
    assert sum(part.n for part in found.bins) == 12
    assert found.ece is not None


def test_tactics_are_added_up() -> None:
    one, two = case("a", True), case("b", True)
    one.tactics = {"secrecy": TacticCount(both=3, missed=1, wrong=0)}
    two.tactics = {"secrecy": TacticCount(both=1, missed=0, wrong=4)}
    (row,) = summarise([one, two], ABOUT).tactics
    assert (row.labelled, row.seen, row.recall.value, row.precision.value) == (5, 8, 0.8, 0.5)


def test_nothing_at_all() -> None:
    results = summarise([], ABOUT)
    assert all(p.recall == NOTHING for p in results.points)
    assert results.data.smallest_rate is None
    assert {s.key: bool(s.rows) for s in sections(results)} == {
        "recall": True,
        "delay": False,
        "early": False,
        "predictive": False,
        "calibration": False,
        "load": False,
        "slices": False,
        "tactics": False,
    }
    assert all(s.empty for s in sections(results))
    assert ("smallest rate shown", "none") in data_rows(results.data)


def test_only_harmful_and_only_benign() -> None:
    harmful = summarise(CASES[:4], ABOUT)
    assert point(harmful, "notice").recall.value == 0.75
    assert point(harmful, "notice").alarms_per_hour == NOTHING
    assert point(harmful, "at 1/h").unavailable
    assert harmful.calibration.ece is None
    benign = summarise(CASES[4:], ABOUT)
    assert point(benign, "notice").recall == NOTHING
    assert point(benign, "notice").erde == {"5": None, "50": None}
    assert point(benign, "at 0.1/h").alarms_per_hour.value == 0.1
    assert any("Nothing in the data is labelled harmful" in limit for limit in benign.limits)


def test_the_limits_say_what_the_data_is() -> None:
    odd = [
        case("a", True, pair(ANYONE, True, (3.0, 1)), dialogue=True),
        case("b", False, times=Times.SYNTHETIC),
        case("c", False, times=Times.MINUTES),
        case("d", None, pair("v", None, (3.0, 1))),
    ]
    odd[1].failures = 2
    results = summarise(odd, About(files=[], formats=[], host_age_band="adult", versions={}, left_out=3))
    text = " ".join(results.limits)
    for part in (
        "no label",
        "made up",
        "to the minute",
        "chat logs",
        "who did harm",
        "3 lines",
        "failed on 2",
        "adult",
    ):
        assert part in text
    assert results.data.unlabelled == 1
    # The unlabelled pair is neither a hit nor a false alarm, but a moderator would have had to look.
    assert point(results, "notice").alarms == 0
    assert results.load[0].alerts == 2


HEIGHTS = st.lists(st.floats(0.1, 12).map(lambda h: round(h, 1)), max_size=3)


@given(st.lists(st.tuples(st.booleans(), HEIGHTS, st.floats(0, 200)), max_size=12))
def test_whatever_the_traces_recall_grows_with_the_budget_and_shares_are_shares(
    made: list[tuple[bool, list[float], float]],
) -> None:
    cases = []
    for number, (harmful, heights, hours) in enumerate(made):
        rising = [(height, n + 1) for n, height in enumerate(sorted(set(heights)))]
        cases.append(case(str(number), harmful, pair("x", harmful, *rising), hours=hours))
    results = summarise(cases, ABOUT)
    recalls = [p.recall.value for p in results.points if p.kind == "budget" and p.recall.value is not None]
    assert recalls == sorted(recalls)
    for p in results.points:
        shares = [*p.speed.values(), *p.f_latency.values(), *p.erde.values(), p.precision, p.f1]
        assert all(share is None or 0 <= share <= 1 for share in shares)
        assert p.alarms <= p.benign
        assert p.found <= p.harmful
    assert all(row for section in sections(results) for row in section.rows)
