"""Circuit breakers: no budget is ever overdrawn, one page tells of it, and what cools down comes again in time."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import START, configuration, event
from upstander.engine import breakers
from upstander.engine.breakers import DAY_MS, MINUTE_MS, TRIP_MS, Window, spend, stopped
from upstander.engine.engine import Engine
from upstander.model.decision import Decision
from upstander.policy.judge import RulePolicy, bundled_source
from upstander.policy.reader import load
from upstander.policy.schema import Budget

MIDNIGHT = START // DAY_MS * DAY_MS
PROBE = "are your parents home"


# -- the windows ------------------------------------------------------------------------------------------------------


def spent(windows: dict[str, Window], limit: Budget, times: list[int]) -> list[int]:
    """The times at which one was there to spend."""
    return [at for at in times if not stopped(windows, "x", at) and not spend(windows, "x", limit, at)]


def test_a_minutes_budget_is_there_again_when_the_breaker_closes() -> None:
    windows: dict[str, Window] = {}
    limit = Budget(2, 100)
    assert spent(windows, limit, [MIDNIGHT, MIDNIGHT + 1, MIDNIGHT + 2]) == [MIDNIGHT, MIDNIGHT + 1]
    until = MIDNIGHT + 2 + TRIP_MS
    assert stopped(windows, "x", until - 1)
    assert not stopped(windows, "x", until)
    assert spent(windows, limit, [until, until + 1, until + 2]) == [until, until + 1]


def test_a_budget_within_bounds_never_trips() -> None:
    windows: dict[str, Window] = {}
    times = [MIDNIGHT + n * MINUTE_MS // 2 for n in range(100)]
    assert spent(windows, Budget(2, 100), times) == times


def test_a_days_budget_stops_until_midnight() -> None:
    windows: dict[str, Window] = {}
    times = [MIDNIGHT + n * MINUTE_MS for n in range(10)]
    assert spent(windows, Budget(5, 3), times) == times[:3]
    assert stopped(windows, "x", MIDNIGHT + DAY_MS - 1)
    assert not stopped(windows, "x", MIDNIGHT + DAY_MS)


def test_it_is_said_once_why_and_every_key_has_a_budget_of_its_own() -> None:
    windows: dict[str, Window] = {}
    assert spend(windows, "a", Budget(1, 9), MIDNIGHT) == ""
    assert "a was asked for 1 times within a minute" in spend(windows, "a", Budget(1, 9), MIDNIGHT)
    assert spend(windows, "b", Budget(1, 9), MIDNIGHT) == ""
    assert not stopped(windows, "b", MIDNIGHT)


def test_a_breaker_that_tripped_in_a_wrong_future_is_closed_when_the_clock_is_put_right() -> None:
    windows: dict[str, Window] = {}
    future = MIDNIGHT + 3_000 * DAY_MS
    assert spent(windows, Budget(1, 9), [future, future]) == [future]
    assert stopped(windows, "x", future)
    assert not stopped(windows, "x", MIDNIGHT)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from((0, 1, 20_000, 59_999, 60_000, 700_000, DAY_MS // 2)), max_size=120),
    st.integers(1, 6),
    st.integers(1, 12),
)
def test_never_more_than_the_budget_in_any_minute_or_day(gaps: list[int], minute: int, day: int) -> None:
    windows: dict[str, Window] = {}
    at, times = MIDNIGHT, []
    for gap in gaps:
        at += gap
        times.append(at)
    found = spent(windows, Budget(minute, day), times)
    assert max(Counter(at // MINUTE_MS for at in found).values(), default=0) <= minute
    assert max(Counter(at // DAY_MS for at in found).values(), default=0) <= day
    assert found[:1] == times[:1]


# -- in the engine ----------------------------------------------------------------------------------------------------


def rules(text: str) -> str:
    """The policy that ships, with these rules alone."""
    source = bundled_source()[1]
    return source[: source.index("rules:")] + "rules:\n" + text


def watcher(text: str) -> Engine:
    return Engine(configuration().detector(), RulePolicy(load("p", rules(text))))


def say(engine: Engine, number: int, broadcast: str, actor: str = "v", text: str = PROBE, at: int = START) -> Decision:
    decision = engine.observe(event("comment", number, at, broadcast, actor=actor, text=text))
    assert decision is not None
    return decision


def by_rule(decision: Decision, rule: str) -> list[str]:
    return [str(asked.do) for asked in decision.interventions if asked.rule == rule]


RUNAWAY = """\
  - id: everything
    when: level >= CLEAR
    ask: [slow_mode]
    why: a rule that fires on everything
    budget: {minute: 5, day: 1000}
"""


def test_a_runaway_rule_is_only_noted_once_its_budget_is_spent() -> None:
    engine = watcher(RUNAWAY)
    decisions = [say(engine, n, f"b{n}") for n in range(20)]
    assert [bool(by_rule(decision, "everything")) for decision in decisions] == [True] * 5 + [False] * 15
    pages = [asked for decision in decisions for asked in decision.interventions if asked.do == "page_operator"]
    assert [page.target for page in pages] == ["rule:everything"]
    whats = [[reason.what for reason in decision.reasons if "rule" in reason.what] for decision in decisions]
    assert whats == [["rule"]] * 5 + [["shadow_rule"]] * 15
    assert "breaker" in [reason.what for reason in decisions[5].reasons]
    assert [decision.level for decision in decisions] == [decisions[0].level] * 20, "levels go on without the rule"


def test_to_hold_while_the_cooldown_runs_spends_nothing() -> None:
    engine = watcher(RUNAWAY)
    decisions = [say(engine, n, "one broadcast", actor=f"v{n}") for n in range(20)]
    assert sum(bool(by_rule(decision, "everything")) for decision in decisions) == 1
    assert engine.state.budgets["rule:everything"].in_minute == 1
    assert not [a for d in decisions for a in d.interventions if a.do == "page_operator"]


def test_a_rule_that_takes_the_place_of_a_stopped_one_pays_too() -> None:
    second = RUNAWAY.replace("id: everything", "id: second").replace("minute: 5", "minute: 3")
    engine = watcher(RUNAWAY + second)
    decisions = [say(engine, n, f"b{n}") for n in range(20)]
    assert sum(bool(by_rule(decision, "everything")) for decision in decisions) == 5
    assert sum(bool(by_rule(decision, "second")) for decision in decisions) == 3
    assert [asked.target for d in decisions for asked in d.interventions if asked.do == "page_operator"] == [
        "rule:everything",
        "rule:second",
    ]


def test_an_interventions_budget_holds_for_rules_and_levels_together() -> None:
    text = rules(RUNAWAY.replace("minute: 5", "minute: 50")).replace(
        "budgets:\n", "budgets:\n  slow_mode: {minute: 3, day: 10}\n"
    )
    engine = Engine(configuration().detector(), RulePolicy(load("p", text)))
    decisions = [say(engine, n, f"b{n}") for n in range(10)]
    asked = [asked for decision in decisions for asked in decision.interventions]
    assert sum(one.do == "slow_mode" for one in asked) == 3
    assert [one.target for one in asked if one.do == "page_operator"] == ["slow_mode"]


@pytest.mark.parametrize("effect", ["level: concern", "propose: [ban_account]"])
def test_raising_the_level_and_proposing_spend_too(effect: str) -> None:
    engine = watcher(RUNAWAY.replace("ask: [slow_mode]", effect))
    decisions = [say(engine, n, f"b{n}") for n in range(8)]
    live = [any(reason.what == "rule" for reason in decision.reasons) for decision in decisions]
    assert live == [True] * 5 + [False] * 3
    if effect.startswith("level"):
        assert [decision.level for decision in decisions[4:6]] == ["concern", "notice"]
    else:
        assert [decision.proposals for decision in decisions[4:6]] == [("ban_account",), ()]


def test_the_breaker_closes_again_and_pages_again() -> None:
    engine = watcher(RUNAWAY)
    pages, number, at = 0, 0, START
    for _ in range(2):
        for _ in range(7):
            number += 1
            pages += sum(a.do == "page_operator" for a in say(engine, number, f"b{number}", at=at).interventions)
        for _ in range(TRIP_MS // 1_000):  # the engine's clock gains a second an event at most
            number, at = number + 1, at + 1_000
            engine.observe(event("comment", number, at, "quiet", actor="w", text="hi"))
    assert pages == 2


def test_budgets_survive_a_snapshot_and_another_policy() -> None:
    engine = watcher(RUNAWAY)
    for n in range(7):
        say(engine, n, f"b{n}")
    again = watcher(RUNAWAY)
    again.restore(engine.snapshot())
    assert not by_rule(say(again, 100, "b100"), "everything")
    again.configure(
        configuration().detector(), RulePolicy(load("p", rules(RUNAWAY.replace("minute: 5", "minute: 50"))))
    )
    assert not by_rule(say(again, 101, "b101"), "everything"), "a reload is no way around a breaker"


def test_a_window_of_an_older_snapshot_is_still_a_window() -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(Window(1, 2, 3, 4, 5)), type=breakers.Window) == Window(
        1, 2, 3, 4, 5
    )


# -- cooldowns --------------------------------------------------------------------------------------------------------


def test_the_same_is_asked_for_once_however_many_rules_and_levels_want_it() -> None:
    twice = RUNAWAY.replace("id: everything", "id: again").replace("minute: 5", "minute: 50")
    decision = say(watcher(RUNAWAY + twice), 1, "b")
    assert [str(asked.do) for asked in decision.interventions].count("slow_mode") == 1


def test_what_cools_down_is_asked_for_again_after_it_and_when_the_level_rises() -> None:
    engine = watcher(RUNAWAY.replace("ask: [slow_mode]", "ask: [call_moderator]").replace("minute: 5", "minute: 500"))
    engine.observe(event("broadcast_started", 0, START, "b", host="host", host_age_band="10_12"))

    def called(number: int, text: str, at: int) -> bool:
        decision = say(engine, number, "b", text=text, at=at)
        return "call_moderator" in {str(asked.do) for asked in decision.interventions}

    assert called(1, "how old are you", START)
    first = engine.state.broadcasts["b"].level
    assert called(2, "are your parents home, dont tell anyone", START + 1_000), "the level has risen"
    assert engine.state.broadcasts["b"].level > first
    level = engine.state.broadcasts["b"].level
    assert not called(3, "how old are you", START + 2_000) or engine.state.broadcasts["b"].level > level
    assert called(4, "how old are you", START + 620_000), "the cooldown is over"
