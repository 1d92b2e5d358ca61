"""The policy that ships, and what it must never say."""

from __future__ import annotations

import itertools

import pytest

from upstander.engine.assessment import Assessment
from upstander.model.signal import Signal
from upstander.model.vocabulary import HUMAN_ONLY, REVERSE, AgeBand, Intervention, Level, Tactic
from upstander.policy import judge
from upstander.policy.judge import bundled_source
from upstander.policy.reader import read

POLICY = judge.bundled()
TABLES = POLICY.tables


def assess(**changes: object) -> Assessment:
    values: dict[str, object] = {
        "event": "e", "kind": "comment", "actor": "v", "now": 1_770_000_000_000, "band": AgeBand.FROM_10_TO_12,
        "signals": (Signal(Tactic.DARE, 3.0, "t"),), "evidence": {"dare": 3.0}, "events": 1, "exposures": (),
        "belief": 3.0, "broadcast_belief": 0.0, "pressing": 0, "pair_level": 0, "broadcast_level": 0, "muted": False,
        "issued": {},
    }  # fmt: skip
    return Assessment(**(values | changes))  # type: ignore[arg-type]


def test_every_table_covers_every_age_band() -> None:
    assert set(TABLES.protection) == set(AgeBand)
    protections = set(TABLES.protection.values())
    for table in (TABLES.levels, TABLES.hold_at_notice, TABLES.steps, TABLES.on_deadline):
        assert set(table) == protections


def test_thresholds_rise_with_the_level_and_fall_with_age() -> None:
    order = [TABLES.levels[name] for name in ("child", "teen", "unknown", "adult")]
    for row in order:
        assert list(row) == sorted(row)
    for younger, older in itertools.pairwise(order):
        assert all(a <= b for a, b in zip(younger, older, strict=True))


def test_the_machine_never_orders_what_only_a_person_may() -> None:
    steps = {step for table in TABLES.steps.values() for row in table.values() for step in row}
    steps |= {step for rule in TABLES.rules for step in rule.ask}
    assert not steps & HUMAN_ONLY
    assert Intervention.END in HUMAN_ONLY
    assert set(TABLES.cooldown) >= steps


def test_every_intervention_says_what_undoes_it() -> None:
    assert set(REVERSE) == set(Intervention)
    for intervention, reverse in REVERSE.items():
        if reverse is not None and intervention is not Intervention.DELETE_COMMENT:
            assert REVERSE[reverse] is intervention


def test_one_tactic_however_strong_stays_at_notice_unless_it_is_severe() -> None:
    assert POLICY.judge(assess(belief=50.0)).level is Level.NOTICE
    severe = assess(belief=50.0, evidence={"threat": 6.0}, signals=(Signal(Tactic.THREAT, 6.0, "t"),))
    assert POLICY.judge(severe).level is Level.URGENT


@pytest.mark.parametrize(("events", "level"), [(1, Level.URGENT), (2, Level.URGENT), (3, Level.EMERGENCY)])
def test_an_emergency_takes_three_events(events: int, level: Level) -> None:
    evidence = {"threat": 6.0, "secrecy": 4.0, "dare": 4.0}
    assert POLICY.judge(assess(belief=50.0, evidence=evidence, events=events)).level is level


def test_a_crowd_counts_only_while_it_presses() -> None:
    assert POLICY.judge(assess(belief=0.5, broadcast_belief=50.0, pressing=2)).broadcast_level is Level.CLEAR
    assert POLICY.judge(assess(belief=0.5, broadcast_belief=50.0, pressing=3)).broadcast_level is Level.URGENT


def test_cooldowns_hold_back_repeats_until_the_level_rises() -> None:
    evidence = {"secrecy": 4.0, "dare": 4.0}
    now = 1_770_000_000_000
    recent = {"nudge_host": now - 1_000, "call_moderator": now - 1_000, "disable_gifts": now - 1_000}
    quiet = POLICY.judge(assess(belief=4.0, evidence=evidence, issued=recent, pair_level=2, broadcast_level=2))
    assert [a.do for a in quiet.interventions] == ["hold_comment"]
    risen = POLICY.judge(assess(belief=4.0, evidence=evidence, issued=recent, pair_level=1, broadcast_level=1))
    assert {"nudge_host", "call_moderator"} <= {a.do for a in risen.interventions}


@pytest.mark.parametrize("belief", [6.0, 50.0])
@pytest.mark.parametrize("muted", [False, True])
def test_distress_pauses_at_urgent_and_at_emergency_muted_or_not(belief: float, muted: bool) -> None:
    evidence = {"threat": 6.0, "secrecy": 4.0}
    a = assess(belief=belief, evidence=evidence, events=5, muted=muted, exposures=("distress",))
    judged = POLICY.judge(a)
    assert judged.level >= Level.URGENT
    assert "pause" in {asked.do for asked in judged.interventions}


def test_an_adults_chat_is_not_held_below_urgent() -> None:
    judged = POLICY.judge(assess(band=AgeBand.ADULT, belief=9.0, evidence={"secrecy": 4.0, "dare": 4.0}))
    assert judged.interventions == ()


def test_events_that_cannot_be_held_are_not() -> None:
    judged = POLICY.judge(assess(kind="speech", belief=4.0, evidence={"secrecy": 4.0, "dare": 4.0}))
    assert "hold_comment" not in {a.do for a in judged.interventions}


def test_a_voice_is_not_muted() -> None:
    evidence = {"threat": 6.0, "dare": 4.0}
    judged = POLICY.judge(assess(kind="speech", actor="\0voice", belief=20.0, evidence=evidence))
    assert judged.level is Level.URGENT
    assert "mute_viewer" not in {a.do for a in judged.interventions}


def test_the_policy_that_ships_passes_every_check_though_it_is_read_without_them() -> None:
    source = bundled_source()
    assert read(*source) == read(*source, known=True)
    assert read(*source)[1] == []
