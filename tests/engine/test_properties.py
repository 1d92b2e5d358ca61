"""What must hold for every stream: determinism, movability, monotony in harm, bounds."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strategies import HARMLESS, START, VIEWERS, engine, event, harmful, streams
from upstander.engine import belief
from upstander.engine.engine import Engine
from upstander.model.decision import Decision, decode_decision, encode_decision
from upstander.model.events import AnyEvent
from upstander.model.vocabulary import Level, Tactic


def decide(watcher: Engine, events: list[AnyEvent]) -> list[bytes]:
    decisions = [watcher.observe(e) for e in events]
    return [b"" if decision is None else encode_decision(decision) for decision in decisions]


@given(streams())
@settings(max_examples=150, deadline=None)
def test_the_same_events_give_the_same_decisions_bit_for_bit(events: list[AnyEvent]) -> None:
    one, other = engine(), None
    first = decide(one, events)
    other = engine()
    assert decide(other, events) == first
    assert other.snapshot() == one.snapshot()


@given(streams(), st.integers(0, 60))
@settings(max_examples=150, deadline=None)
def test_a_snapshot_anywhere_changes_nothing(events: list[AnyEvent], cut: int) -> None:
    whole = engine()
    expected = decide(whole, events)
    before = engine()
    found = decide(before, events[:cut])
    state = before.snapshot()
    after = engine()
    after.restore(state)
    assert after.snapshot() == state
    found += decide(after, events[cut:])
    assert found == expected
    assert after.snapshot() == whole.snapshot()


@given(streams())
@settings(max_examples=50, deadline=None)
def test_decisions_survive_their_encoding(events: list[AnyEvent]) -> None:
    watcher = engine()
    for e in events:
        decision = watcher.observe(e)
        if decision is not None:
            assert decode_decision(encode_decision(decision)) == decision
            assert decision.event == e.id
            assert decision.broadcast == e.broadcast


def _comments(texts: list[str], band: str = "10_12") -> list[AnyEvent]:
    start = event("broadcast_started", 0, START, "b", host="host", host_age_band=band)
    said = [event("comment", n, START + n * 1_000, "b", actor="v", text=text) for n, text in enumerate(texts, 1)]
    return [start, *said]


def _last(events: list[AnyEvent]) -> Decision | None:
    watcher = engine()
    decision = None
    for e in events:
        decision = watcher.observe(e)
    return decision


texts = st.lists(st.sampled_from(HARMLESS) | st.sampled_from(harmful()), min_size=1, max_size=12)


@given(texts, st.sampled_from(harmful()), st.integers(0, 12), st.sampled_from(harmful()))
@settings(max_examples=300, deadline=None)
def test_a_harmful_message_more_never_lowers_the_belief(said: list[str], extra: str, place: int, final: str) -> None:
    place = min(place, len(said))
    without = _comments([*said, final])
    # The extra message comes at the very time of its neighbour, so that no more time passes than without it.
    more = event("comment", 99, START + max(place, 1) * 1_000, "b", actor="v", text=extra)
    with_it = [*without[: place + 1], more, *without[place + 1 :]]
    before, after = _last(without), _last(with_it)
    assert before is not None
    assert after is not None
    assert after.belief >= before.belief
    assert Level[after.level.upper()] >= Level[before.level.upper()]


@given(texts, st.lists(st.sampled_from(HARMLESS), min_size=1, max_size=30), st.sampled_from(harmful()))
@settings(max_examples=150, deadline=None)
def test_harmless_messages_neither_raise_nor_dilute(said: list[str], padding: list[str], final: str) -> None:
    without = _comments([*said, final])
    at = without[-1].at_ms
    filler = [event("comment", 100 + n, at, "b", actor="v", text=text) for n, text in enumerate(padding)]
    before, after = _last(without), _last([*without[:-1], *filler, without[-1]])
    assert before is not None
    assert after is not None
    # A phrase split over messages is the exception: a filler may come between its pieces, or be taken for one.
    if not any(reason.view == "joined" for reason in (*before.reasons, *after.reasons)):
        assert after.belief == before.belief
    assert after.level == before.level


@given(st.lists(st.sampled_from(harmful()), min_size=1, max_size=10), st.integers(1, 40))
@settings(max_examples=40, deadline=None)
def test_flooding_is_bounded(said: list[str], times: int) -> None:
    decision = _last(_comments(said * times))
    assert decision is not None
    most = (len(Tactic) - 3) * belief.TACTIC_CAP + 3 * belief.SEVERE_CAP
    assert decision.belief <= belief.MAX_FACTOR * most + belief.STANDING_CAP + belief.REPORT_WEIGHT * belief.MAX_REPORTS


@given(streams())
@settings(max_examples=100, deadline=None)
def test_exposures_alone_never_alert(events: list[AnyEvent]) -> None:
    watcher = engine()
    for e in events:
        known = watcher.state.broadcasts.get(e.broadcast)
        by_host = getattr(e, "actor", None) == (known.host if known else None)
        if type(e).__name__ in ("Invite", "UserReport", "Gift", "Speech", "CaptureSeen") or (
            hasattr(e, "text") and not by_host
        ):
            continue  # only exposures are left: joins, frames, what the host says of themselves in comments
        decision = watcher.observe(e)
        assert decision is None or decision.level == "clear"


@given(streams())
@settings(max_examples=60, deadline=None)
def test_platforms_messages_survive_the_wire(events: list[AnyEvent]) -> None:
    from upstander.model.wire import decode_event

    for e in events:
        assert decode_event(msgspec.json.encode(e)) == e


@given(st.sampled_from(VIEWERS), st.lists(st.sampled_from(harmful()), min_size=3, max_size=8))
@settings(max_examples=40, deadline=None)
def test_a_level_above_notice_needs_two_tactics_or_a_severe_one(viewer: str, said: list[str]) -> None:
    watcher = engine()
    watcher.observe(event("broadcast_started", 0, START, "b", host="host", host_age_band="under_10"))
    shown: set[str] = set()
    for number, text in enumerate(said, 1):
        decision = watcher.observe(event("comment", number, START + number, "b", actor=viewer, text=text))
        assert decision is not None
        shown |= set(decision.tactics)
        if Level[decision.level.upper()] > Level.NOTICE:
            assert len(shown) >= 2 or shown & {"sexualised_request", "threat", "meet_up"}


@given(streams())
@settings(max_examples=100, deadline=None)
def test_the_reasons_add_up_to_the_belief(events: list[AnyEvent]) -> None:
    watcher = engine()
    for e in events:
        decision = watcher.observe(e)
        if decision is None or not decision.belief:
            continue
        terms = [reason.weight for reason in decision.reasons if reason.what not in decision.exposures]
        assert sum(terms) == pytest.approx(decision.belief, abs=0.1)
