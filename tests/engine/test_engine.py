"""What the engine does in the cases that a moderator would name."""

from __future__ import annotations

import sys

import pytest

from strategies import START, engine, event
from upstander.engine import belief, lifecycle
from upstander.engine.belief import add, decay
from upstander.engine.engine import GRACE_MS, Engine
from upstander.model.decision import Decision
from upstander.model.order import Order
from upstander.model.vocabulary import Intervention


def start(watcher: Engine, broadcast: str = "b", band: str = "10_12", at: int = START, **fields: object) -> None:
    watcher.observe(event("broadcast_started", 0, at, broadcast, host="host", host_age_band=band, **fields))


_COUNTER = iter(range(1, 10_000_000))


def say(watcher: Engine, text: str, actor: str = "v", broadcast: str = "b", at: int = START) -> Decision | None:
    return watcher.observe(event("comment", next(_COUNTER), at, broadcast, actor=actor, text=text))


def asked(decision: Decision | None) -> set[str]:
    assert decision is not None
    return {str(a.do) for a in decision.interventions}


def test_pressure_builds_up_to_urgent_and_mutes_the_viewer() -> None:
    watcher = engine()
    start(watcher)
    assert say(watcher, "nice drawing") is None
    first = say(watcher, "how old are you")
    assert first is not None
    assert first.level in ("clear", "notice")
    second = say(watcher, "are your parents home")
    assert second is not None
    # A child may be asked their age by anyone: it counts less than a tactic that is seen, so one is seen so far.
    assert second.level in ("notice", "concern", "urgent")
    third = say(watcher, "dont tell anyone, add me on snap its our secret")
    assert third is not None
    assert third.level in ("urgent", "emergency")
    assert {"hold_comment"} <= asked(third)
    assert "mute_viewer" in asked(second) | asked(third)
    held = say(watcher, "hello?")
    assert asked(held) == {"hold_comment"}
    assert held is not None
    assert [r.what for r in held.reasons if r.what == "muted"]


def test_one_message_never_makes_an_emergency_nor_stops_a_broadcast() -> None:
    watcher = engine()
    start(watcher, band="under_10")
    text = "ur so pretty, do a spin and ill send a gift, dont tell your mom, are your parents home? add me on snap"
    decision = say(watcher, text)
    assert decision is not None
    assert decision.level == "urgent"
    assert "pause" not in asked(decision)


def test_a_muted_viewer_cannot_stop_the_broadcast_but_a_crowd_can() -> None:
    watcher = engine()
    start(watcher)
    levels = []
    for text in ("do a spin for me and ill send a gift", "dont tell your mom", "are your parents home", "do it now"):
        decision = say(watcher, text, actor="troll")
        levels.append(decision.level if decision else "clear")
        assert decision is None or "pause" not in asked(decision)
    assert "emergency" in levels
    pauses = [
        say(watcher, "everyone is waiting, stand up and turn around, ill send a gift", actor=f"v{n}", at=START + n)
        for n in range(6)
    ]
    assert any("pause" in asked(decision) for decision in pauses if decision)


def test_distress_while_urgent_pauses() -> None:
    watcher = engine()
    start(watcher)
    watcher.observe(event("speech", 1, START, "b", speaker="host", text="please stop you are scaring me"))
    say(watcher, "are your parents home")
    decision = say(watcher, "dont tell anyone or ill tell everyone at your school, do a spin")
    assert decision is not None
    assert decision.level == "urgent"
    assert "pause" in asked(decision)


@pytest.mark.parametrize(("band", "level"), [("10_12", "notice"), ("adult", "clear")])
def test_the_younger_the_host_the_stricter(band: str, level: str) -> None:
    watcher = engine()
    start(watcher, band=band)
    decision = say(watcher, "are your parents home")
    assert decision is not None
    assert decision.level == level


def test_what_the_host_says_of_their_age_makes_protection_stricter_never_looser() -> None:
    watcher = engine()
    start(watcher, band="unknown")
    decision = say(watcher, "im eleven", actor="host")
    assert decision is not None
    assert "stated_age" in decision.exposures
    assert watcher.state.broadcasts["b"].band == "10_12"
    start(watcher, band="adult")
    assert watcher.state.broadcasts["b"].band == "10_12"


def test_an_announcement_that_knows_nothing_keeps_the_declared_band() -> None:
    watcher = engine()
    start(watcher, band="10_12")
    start(watcher, band="unknown")
    assert watcher.state.broadcasts["b"].band == "10_12"


def test_a_verified_adult_may_joke_about_their_age() -> None:
    watcher = engine()
    start(watcher, band="adult", age_source="verified")
    say(watcher, "im 12", actor="host")
    assert watcher.state.broadcasts["b"].band == "unknown"


def test_an_estimate_needs_frames_that_agree_over_time() -> None:
    watcher = engine()
    start(watcher, band="unknown")
    for n in range(4):
        watcher.observe(event("frame", n, START + n * 1_000, "b", faces=1, age_bands=["10_12"]))
    assert watcher.state.broadcasts["b"].band == "unknown"
    for n in range(4, 40):
        watcher.observe(event("frame", n, START + n * 1_000, "b", faces=1, age_bands=["10_12"]))
    assert watcher.state.broadcasts["b"].band == "10_12"
    assert "alone" in watcher.state.broadcasts["b"].exposures


def test_a_viewers_record_follows_them_but_alone_it_means_nothing() -> None:
    watcher = engine()
    start(watcher, "b1")
    start(watcher, "b2")
    say(watcher, "are your parents home", broadcast="b1")
    say(watcher, "dont tell your mom", broadcast="b1")
    assert say(watcher, "hello", broadcast="b2") is None
    known = say(watcher, "how old are you", broadcast="b2")
    fresh = say(watcher, "how old are you", actor="somebody else", broadcast="b2")
    assert known is not None
    assert fresh is not None
    assert known.belief > fresh.belief
    assert "standing" in {reason.what for reason in known.reasons}


def test_an_aside_to_another_viewer_weighs_less() -> None:
    watcher = engine()
    start(watcher)
    aside = say(watcher, "@kit how old are you", actor="a")
    direct = say(watcher, "how old are you", actor="b")
    assert aside is not None
    assert direct is not None
    assert aside.belief < direct.belief


def test_reports_reach_notice_but_not_more() -> None:
    watcher = engine()
    start(watcher)
    levels = set()
    for n in range(20):
        decision = watcher.observe(event("user_report", n, START, "b", actor=f"r{n}", subject="v", reason="mean"))
        assert decision is not None
        levels.add(decision.level)
    assert levels == {"clear", "notice"}


def test_an_unmuted_viewer_is_heard_again() -> None:
    watcher = engine()
    start(watcher)
    say(watcher, "do a spin and ill send a gift")
    assert say(watcher, "hi") is not None
    watcher.order(Order("o1", START, "b", Intervention.UNMUTE_VIEWER, "a person", "a mistake", "v"))
    assert say(watcher, "hi") is None


def test_late_events_count_and_do_not_turn_the_clock_back() -> None:
    watcher = engine()
    start(watcher)
    say(watcher, "are your parents home", at=START + 60_000)
    decision = say(watcher, "dont tell your mom", at=START + 1_000)
    assert decision is not None
    assert decision.at == START + 60_000
    assert {"supervision_probe"} <= {reason.what for reason in decision.reasons}


def test_one_event_from_the_future_does_not_erase_what_is_believed() -> None:
    watcher = engine()
    start(watcher)
    before = say(watcher, "are your parents home", at=START + 1_000)
    say(watcher, "hi", at=START + 90 * 86_400_000)
    after = say(watcher, "dont tell your mom", at=START + 2_000)
    assert before is not None
    assert after is not None
    assert after.at == START + 2_000
    assert after.belief > before.belief


def test_a_clock_that_really_moved_is_followed() -> None:
    watcher = engine()
    start(watcher)
    later = START + 30 * 86_400_000
    for n in range(10):
        say(watcher, "hi", at=later + n)
    assert watcher.state.broadcasts["b"].now == later + 9
    for n in range(40):
        say(watcher, "hi", at=START + n)
    assert watcher.state.broadcasts["b"].now == START + 39


def test_beliefs_fade() -> None:
    watcher = engine()
    start(watcher)
    now = say(watcher, "how old are you")
    later = say(watcher, "how old are you", at=START + belief.PAIR_HALF_LIFE_S * 10_000)
    assert now is not None
    assert later is not None
    assert later.belief == pytest.approx(now.belief, rel=0.01)


def test_an_ended_broadcast_counts_late_events_then_lets_go() -> None:
    watcher = engine()
    start(watcher)
    watcher.observe(event("broadcast_ended", 1, START + 1_000, "b"))
    assert watcher.status("b") == "live"
    assert say(watcher, "are your parents home", at=START + 2_000) is not None
    assert say(watcher, "are your parents home", at=START + 1_000 + GRACE_MS + 1) is None
    assert watcher.status("b") == "ended"
    start(watcher, at=START + 200_000)
    assert watcher.status("b") == "live"
    assert say(watcher, "are your parents home", at=START + 200_001) is not None


def test_idle_and_ended_broadcasts_are_released() -> None:
    watcher = engine()
    for n in range(500):
        start(watcher, f"old{n}")
    for n in range(0, 500, 2):
        watcher.observe(event("broadcast_ended", 1, START + 1_000, f"old{n}"))
    # The engine's clock gains at most a second an event: four hours of a busy broadcast.
    for second in range(0, 4 * 3_600):
        say(watcher, "hi", broadcast="live", at=START + second * 1_000)
    assert set(watcher.state.broadcasts) == {"live"}
    assert len(watcher.state.minutes) <= 3
    assert watcher.status("old0") == "ended"
    assert watcher.status("old1") == "unknown"


def test_a_flood_of_accounts_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "MAX_PAIRS", 400)
    watcher = engine()
    start(watcher)
    say(watcher, "do a spin and ill send a gift, dont tell your mom", actor="grave")
    for n in range(3_000):
        say(watcher, "how old are you", actor=f"v{n}")
    assert len(watcher.state.broadcasts["b"].pairs) <= 400
    assert "grave" in watcher.state.broadcasts["b"].pairs


def test_decay_is_exact_at_its_half_life_and_never_grows() -> None:
    assert decay(belief.PAIR_HALF_LIFE_S, belief.PAIR_HALF_LIFE_S * 1_000) == pytest.approx(0.5, abs=1e-12)
    assert decay(belief.PAIR_HALF_LIFE_S, 3 * belief.PAIR_HALF_LIFE_S * 1_000) == pytest.approx(0.125, abs=1e-12)
    assert decay(belief.PAIR_HALF_LIFE_S, -5) == 1.0
    assert decay(belief.PAIR_HALF_LIFE_S, sys.maxsize) == 0.0
    values = [decay(belief.VIEWER_HALF_LIFE_S, s * 1_000) for s in range(0, 200_000, 997)]
    assert values == sorted(values, reverse=True)


def test_beliefs_fade_however_often_something_is_said() -> None:
    """Events every 700 ms must not stop the decay, which counts whole seconds."""
    watcher = engine()
    start(watcher)
    first = say(watcher, "are your parents home", actor="a")
    assert first is not None
    for n in range(2_000):
        say(watcher, "how old are you", actor="b", at=START + n * 700)
    broadcast = watcher.state.broadcasts["b"]
    last = say(watcher, "how old are you", actor="b", at=START + 1_400_000)
    assert last is not None
    # 1,400 s at a half-life of 900 s leave a third of what the first viewer added; the second is at their cap.
    assert broadcast.belief < first.broadcast_belief * 0.4 + belief.VIEWER_SHARE_CAP * 1.5


def test_cooldowns_are_remembered_for_a_bounded_number_of_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    from upstander.engine import judging as module

    monkeypatch.setattr(module, "MAX_ISSUED", 50)
    watcher = engine()
    start(watcher)
    for n in range(300):
        say(watcher, "do a spin and ill send a gift, dont tell your mom", actor=f"v{n}")
    assert len(watcher.state.broadcasts["b"].issued) <= 50


def test_evidence_saturates() -> None:
    value = 0.0
    for _ in range(1_000):
        grown = add(value, 3.0, belief.TACTIC_CAP)
        assert value <= grown <= belief.TACTIC_CAP
        value = grown
