"""A policy at work: counters, sequences, modes, and what rules do to levels and to what is asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_default import assess

from upstander.engine.assessment import Judgement, Mark
from upstander.model.signal import Signal
from upstander.model.vocabulary import Level, Tactic
from upstander.policy.judge import RulePolicy
from upstander.policy.reader import load

LABELS = ("gift", "dare", "secrecy")
NOW = 1_770_000_000_000
HEAD = Path(__file__).with_name("example.yaml").read_text().split("\ncounters:")[0]
DECLARED = """
counters:
  mine: {of: [gift, dare], within: 60s, by: viewer}
  all: {of: [dare], within: 60s, by: broadcast}
sequences:
  lure: {steps: [[gift], [dare, secrecy]], within: 60s, by: viewer}
  three: {steps: [[gift], [dare], [secrecy]], within: 60s, by: broadcast}
  twice: {steps: [[dare], [dare]], within: 60s, by: viewer}
rules:
"""


def policy(*rules: str) -> RulePolicy:
    return RulePolicy(load("p", HEAD + DECLARED + "\n".join(rules)))


def rule(when: str, does: str = "ask: [slow_mode]", name: str = "r", mode: str = "live") -> str:
    return f"  - id: {name}\n    mode: {mode}\n    when: '{when}'\n    why: because\n    {does}\n"


def marks(*found: tuple[int, str, str]) -> tuple[Mark, ...]:
    """``(seconds ago, viewer, label)``."""
    return tuple(Mark(NOW - int(ago * 1000), actor, label) for ago, actor, label in found)


def fires(when: str, *found: tuple[int, str, str], fresh: int = 1) -> bool:
    return bool(policy(rule(when)).judge(assess(marks=marks(*found), fresh=fresh)).fired)


def asked(judged: Judgement) -> list[str]:
    return [str(one.do) for one in judged.interventions]


# -- counters ---------------------------------------------------------------------------------------------------------


def test_a_counter_by_viewer_counts_what_this_viewer_did() -> None:
    found = ((30, "v", "gift"), (20, "other", "gift"), (10, "v", "secrecy"), (0, "v", "dare"))
    assert fires("counter.mine == 2", *found)


def test_a_counter_by_broadcast_counts_what_everybody_did() -> None:
    assert fires("counter.all == 3", (30, "a", "dare"), (20, "b", "dare"), (20, "b", "gift"), (0, "v", "dare"))


def test_a_window_holds_its_edge_and_nothing_older() -> None:
    assert fires("counter.mine == 1", (60, "v", "gift"), fresh=0)
    assert fires("counter.mine == 0", (60.001, "v", "gift"), fresh=0)


# -- sequences --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "fresh", "happened"),
    [
        ([(5, "v", "gift"), (0, "v", "dare")], 1, True),
        ([(5, "v", "dare"), (0, "v", "gift")], 1, False),  # the other way round
        ([(5, "v", "gift"), (3, "v", "dare"), (0, "v", "praise_hook")], 1, False),  # it ended earlier
        ([(5, "other", "gift"), (0, "v", "dare")], 1, False),  # another viewer's gift
        ([(60, "v", "gift"), (0, "v", "dare")], 1, True),  # the window's edge
        ([(60.001, "v", "gift"), (0, "v", "dare")], 1, False),
        ([(5, "v", "gift"), (4, "v", "praise_hook"), (0, "v", "secrecy")], 1, True),  # something in between
        ([(0, "v", "gift"), (0, "v", "dare")], 2, True),  # a gift with its text
        ([(0, "v", "dare"), (0, "v", "gift")], 2, True),  # at once: no order
        ([(0, "v", "dare")], 1, False),
    ],
)
def test_a_sequence_needs_its_order_its_window_and_its_viewer(
    found: list[tuple[int, str, str]], fresh: int, happened: bool
) -> None:
    assert fires("sequence.lure", *found, fresh=fresh) is happened


def test_a_sequence_of_a_broadcast_may_be_several_viewers_doing() -> None:
    assert fires("sequence.three", (9, "a", "gift"), (5, "b", "dare"), (0, "v", "secrecy"))
    assert not fires("sequence.three", (9, "a", "dare"), (5, "b", "gift"), (0, "v", "secrecy"))


def test_one_thing_is_not_two_steps() -> None:
    assert not fires("sequence.twice", (0, "v", "dare"))
    assert fires("sequence.twice", (9, "v", "dare"), (0, "v", "dare"))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.sampled_from("vw"), st.sampled_from(LABELS)), max_size=10),
    st.sampled_from(LABELS),
)  # fmt: skip
def test_sequences_are_what_a_plain_search_finds(before: list[tuple[int, str, str]], last: str) -> None:
    found = [*sorted(before, reverse=True), (0, "v", last)]
    recent = [(ago, who, what) for ago, who, what in found if ago <= 60]
    mine = [what for _, who, what in recent if who == "v"]
    assert fires("sequence.lure", *found) is (last != "gift" and "gift" in mine[:-1])
    assert fires("sequence.twice", *found) is (last == "dare" and "dare" in mine[:-1])
    labels = [what for *_, what in recent]
    three = last == "secrecy" and any("gift" in labels[:n] for n, what in enumerate(labels) if what == "dare")
    assert fires("sequence.three", *found) is three


def test_only_what_live_or_shadow_rules_use_makes_acts_be_judged() -> None:
    assert policy(rule("counter.mine > 1")).acts == {"gift"}
    assert policy(rule("counter.mine > 1", mode="shadow")).acts == {"gift"}
    assert policy(rule("counter.mine > 1", mode="off")).acts == set()
    assert policy(rule("sequence.lure")).acts == set(), "a gift does not end it"


# -- modes ------------------------------------------------------------------------------------------------------------


def test_a_shadow_rule_is_noted_and_does_nothing() -> None:
    plain = policy("  []").judge(assess())
    effect = "ask: [slow_mode, pause]\n    hold: true\n    level: emergency\n    propose: [ban_account]"
    shadow = policy(rule("true", effect, mode="shadow")).judge(assess())
    (fired,) = shadow.fired
    assert (fired.live, fired.ask, fired.level, fired.propose) == (
        False, ("hold_comment", "slow_mode", "pause"), Level.EMERGENCY, ("ban_account",),
    )  # fmt: skip
    assert (shadow.level, shadow.interventions, shadow.proposals) == (plain.level, plain.interventions, ())


def test_a_rule_that_is_off_is_not_even_asked() -> None:
    assert policy(rule("true", mode="off")).judge(assess()).fired == ()


def test_a_stopped_rule_is_as_a_shadow_rule() -> None:
    judged = policy(rule("true")).judge(assess(stopped=frozenset({"r"})))
    assert [fired.live for fired in judged.fired] == [False]
    assert "slow_mode" not in asked(judged)


# -- what rules do ----------------------------------------------------------------------------------------------------


def test_a_rule_holds_a_comment_that_the_levels_let_pass_and_says_so() -> None:
    praise = {"signals": (Signal(Tactic.PRAISE_HOOK, 1.0, "t"),), "evidence": {"praise_hook": 1.0}, "belief": 1.6}
    assert "hold_comment" not in asked(policy("  []").judge(assess(**praise)))
    held = policy(rule("true", "hold: true")).judge(assess(**praise))
    assert [(str(one.do), one.target, one.rule) for one in held.interventions] == [("hold_comment", "e", "r")]
    assert asked(policy(rule("true", "hold: true")).judge(assess(kind="speech", **praise))) == []


def test_what_the_levels_hold_is_not_put_down_to_a_rule() -> None:
    judged = policy(rule("true", "hold: true")).judge(assess(belief=2.0))
    assert [(str(one.do), one.rule) for one in judged.interventions] == [("hold_comment", "")]


def test_a_rule_raises_the_level_and_what_the_level_asks_for_comes_with_it() -> None:
    judged = policy(rule("true", "level: urgent")).judge(assess(belief=2.0))
    assert judged.level is Level.URGENT
    assert {"mute_viewer", "call_moderator"} <= set(asked(judged))
    assert (
        policy(rule("true", "level: notice")).judge(assess(belief=6.0, evidence={"threat": 3.0})).level is Level.URGENT
    )


def test_a_level_raised_on_an_event_that_shows_no_tactic_is_not_an_empty_word() -> None:
    report = {"kind": "user_report", "signals": (), "evidence": {}, "belief": 1.0}
    assert asked(policy("  []").judge(assess(**report))) == []
    raised = policy(rule("true", "level: concern")).judge(assess(**report))
    assert raised.level is Level.CONCERN
    assert "call_moderator" in asked(raised)


def test_rules_see_the_level_before_rules() -> None:
    first = rule("true", "level: emergency", name="first")
    second = rule("level >= CONCERN", name="second")
    assert [fired.id for fired in policy(first, second).judge(assess(belief=2.0)).fired] == ["first"]


def test_proposals_are_collected_once_and_left_to_a_person() -> None:
    judged = policy(
        rule("true", "propose: [ban_account, report_account]", name="a"),
        rule("true", "propose: [ban_account]", name="b"),
    ).judge(assess())
    assert judged.proposals == ("ban_account", "report_account")
    assert not set(asked(judged)) & {"ban_account", "report_account"}


def test_a_rules_own_cooldown_replaces_the_interventions() -> None:
    ago = {"issued": {"slow_mode": NOW - 30_000}, "pair_level": 4, "broadcast_level": 4}
    assert "slow_mode" not in asked(policy(rule("true")).judge(assess(**ago)))
    assert "slow_mode" in asked(policy(rule("true", "ask: [slow_mode]\n    cooldown: 30s")).judge(assess(**ago)))
    assert "slow_mode" not in asked(policy(rule("true", "ask: [slow_mode]\n    cooldown: 31s")).judge(assess(**ago)))


def test_a_viewer_who_is_muted_is_not_muted_again_and_a_voice_never() -> None:
    one = policy(rule("true", "ask: [mute_viewer, remove_viewer]"))
    assert "mute_viewer" in asked(one.judge(assess()))
    assert asked(one.judge(assess(muted=True))) == ["hold_comment", "remove_viewer"]
    assert not {"mute_viewer", "remove_viewer"} & set(asked(one.judge(assess(kind="speech", actor="\0voice"))))


def test_a_rule_that_cannot_be_evaluated_is_seen_and_stops_nothing() -> None:
    one = policy(rule("!muted", "ask: [pause]"))
    judged = one.judge(assess(muted="perhaps"))  # not what an engine hands over
    assert [(fired.live, fired.why) for fired in judged.fired] == [(False, "this rule could not be evaluated")]
    assert asked(judged) == ["hold_comment"]


def test_the_same_assessment_gives_the_same_judgement() -> None:
    one, a = policy(rule("counter.mine > 0", "ask: [slow_mode]")), assess(marks=marks((0, "v", "dare")), fresh=1)
    assert one.judge(a) == one.judge(a)
