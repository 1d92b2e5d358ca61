"""Two policies side by side: what is counted, what was gained and lost, and which examples are kept."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import engine, event
from upstander.policy.compare import HOUR_MS, Comparison, Outcome, outcome_of

ASKABLE = ("hold_comment", "nudge_host", "call_moderator", "mute_viewer", "pause")


def outcome(n: int, level: int = 0, asked: tuple[str, ...] = (), **fields: object) -> Outcome:
    return Outcome(n, "", "b", f"e{n}", n * 1_000, level, asked, **fields)  # type: ignore[arg-type]


def compared(old: list[Outcome], new: list[Outcome], examples: int = 10) -> Comparison:
    comparison = Comparison(examples)
    comparison.take(old, new)
    return comparison


def test_what_is_stricter_is_gained_and_what_is_laxer_is_lost() -> None:
    old = [
        outcome(1, 1),
        outcome(2, 2, ("nudge_host",)),
        outcome(3, 1),
        outcome(4, 1, ("hold_comment",)),
        outcome(5, 1),
    ]
    new = [outcome(1, 2), outcome(2, 2, ("nudge_host", "pause")), outcome(3, 1), outcome(4, 1), outcome(6, 1)]
    found = compared(old, new)
    assert (found.gained, found.lost) == (3, 2)
    assert [example.event for example in found.examples("gained")] == ["e1", "e2", "e6"]
    assert [example.event for example in found.examples("lost")] == ["e4", "e5"]
    assert dict(found.moves) == {(1, 2): 1, (1, 0): 1, (0, 1): 1}
    assert (dict(found.came), dict(found.went)) == ({"pause": 1}, {"hold_comment": 1})


def test_alerts_are_counted_by_the_hour() -> None:
    called = [
        Outcome(n, "", "b", f"e{n}", hour * HOUR_MS + n, 2, ("call_moderator",)) for n, hour in enumerate((5, 5, 7))
    ]
    side = compared(called, []).old
    assert (side.alerts, dict(side.hours)) == (3, {5: 2, 7: 1})


def test_rules_are_counted_live_and_noted() -> None:
    found = compared(
        [], [outcome(1, 1, (), rules=(("a", True), ("b", False))), outcome(2, 1, (), rules=(("a", False),))]
    )
    assert (dict(found.new.live), dict(found.new.shadow)) == ({"a": 1}, {"b": 1, "a": 1})


def test_the_heaviest_examples_are_kept_and_no_more_than_asked_for() -> None:
    new = [outcome(n, 1) for n in range(50)] + [outcome(60, 4, ("pause",)), outcome(61, 3, ("mute_viewer",))]
    found = compared([], new, examples=3)
    assert [example.event for example in found.examples("gained")] == ["e0", "e60", "e61"]
    assert found.gained == 52
    assert compared([], new, examples=0).examples("gained") == []


_OUTCOMES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 4), st.lists(st.sampled_from(ASKABLE), unique=True).map(tuple)),
    unique_by=lambda entry: entry[0],
).map(lambda entries: [outcome(*entry) for entry in sorted(entries)])  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(_OUTCOMES, _OUTCOMES, st.integers(1, 40))
def test_the_counts_add_up_however_the_events_are_cut(old: list[Outcome], new: list[Outcome], cut: int) -> None:
    whole, parts = compared(old, new), Comparison(10)
    for part in range(0, 41, cut):
        within = range(part, part + cut)
        parts.take([o for o in old if o.n in within], [o for o in new if o.n in within])
    assert (whole.old, whole.new, whole.gained, whole.lost) == (parts.old, parts.new, parts.gained, parts.lost)
    assert whole.examples("gained") == parts.examples("gained")
    for name in ASKABLE:
        assert whole.new.asked[name] - whole.old.asked[name] == whole.came[name] - whole.went[name]
    turned = compared(new, old)
    assert turned.came == whole.went
    if not any(o.level for o in old + new):
        assert whole.gained + whole.lost >= turned.gained - turned.lost


def test_a_policy_against_itself_changes_nothing() -> None:
    same = [outcome(n, n % 5, ("hold_comment",)) for n in range(20)]
    found = compared(same, same)
    assert (found.gained, found.lost, dict(found.moves)) == (0, 0, {})


def test_what_is_sent_says_what_was_decided_and_no_text_unless_asked() -> None:
    watcher = engine()
    watcher.observe(event("broadcast_started", 0, 1_770_000_000_000, "b", host="host", host_age_band="10_12"))
    text = "are your parents home, dont tell anyone"
    decision = watcher.observe(event("comment", 1, 1_770_000_001_000, "b", actor="v", text=text))
    assert decision is not None
    found = outcome_of(7, "site", decision)
    assert found is not None
    assert (found.n, found.platform, found.event, found.text) == (7, "site", "e1", "")
    assert "hold_comment" in found.asked
    assert found.level >= 2
    assert not any(text in why for why in found.why)
    exposed = watcher.observe(event("comment", 2, 1_770_000_002_000, "b", actor="host", text="im home alone"))
    assert exposed is not None
    assert outcome_of(8, "site", exposed) is None
