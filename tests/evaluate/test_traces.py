"""What is kept of a case: where scores first reached a height, counted in messages and seconds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from corpus_support import (
    CHILD,
    PREDATOR,
    START_MS,
    benign_broadcast,
    comment,
    harmful_broadcast,
    pan12,
    read,
    started,
    wire,
)

from upstander.evaluate import run
from upstander.evaluate.corpus import VOICE, Case, Format
from upstander.evaluate.run import ANYONE, CaseTrace, Trace, trace_all, trace_case
from upstander.model.decision import Decision
from upstander.model.events import AnyEvent
from upstander.model.vocabulary import Level, Tactic
from upstander.runtime import current


class Scripted:
    """Stands in for the engine: the decisions are written down, by event id as (belief, level)."""

    def __init__(
        self, script: dict[str, tuple[float, str]], tactics: dict[str, tuple[Tactic, ...]] | None = None
    ) -> None:
        self.script, self.tactics = script, tactics or {}
        self.engines: dict[str, object] = {}
        self.failures = 0

    def observe(self, platform: str, event: AnyEvent) -> Decision | None:
        self.engines[platform] = self
        if event.id not in self.script:
            return None
        belief, level = self.script[event.id]
        actor = getattr(event, "subject", None) or getattr(event, "actor", None)
        shown = self.tactics.get(event.id, ())
        return Decision(event.id, event.broadcast, actor, event.at_ms, level, shown, (), (), belief, 0.0, (), {})


def trace(case: Case, script: dict[str, tuple[float, str]], **named: Any) -> CaseTrace:
    scripted = Scripted(script, **named)
    found = trace_case(scripted, case)  # type: ignore[arg-type]
    assert scripted.engines == {}, "an engine was left behind: the next case would not get a fresh one"
    return found


def wire_case(*events: dict[str, Any]) -> Case:
    (case,), said = read(wire(*events), Format.WIRE)
    assert said == []
    return case


def pair(found: CaseTrace, actor: str) -> Trace:
    return next(trace for trace in found.pairs if trace.actor == actor)


def test_crossings_count_from_the_first_labelled_message() -> None:
    case = wire_case(*harmful_broadcast("b"))
    script = {"b-3": (2.0, "notice"), "b-4": (1.5, "notice"), "b-5": (6.0, "urgent")}
    found = trace(case, script)
    bad = pair(found, "x")
    assert bad.harmful
    assert bad.messages == 4
    # b-1 is the viewer's own small talk before: it counts for the latency, not for the delay.
    assert [(c.height, c.latency, c.own, c.seconds) for c in bad.beliefs] == [(2.0, 2, 1, 0.0), (6.0, 4, 3, 40.0)]
    assert [(c.height, c.own) for c in bad.levels] == [(Level.NOTICE, 1), (Level.URGENT, 3)]
    assert bad.last == 6.0
    assert bad.crossing(2.5) is bad.beliefs[1]
    assert bad.crossing(6.1) is None
    assert bad.reached(Level.CONCERN) is bad.levels[1]
    assert bad.reached(Level.EMERGENCY) is None
    assert found.quiet == 1
    assert found.messages == 5


def test_an_alert_before_the_first_harmful_message_was_seen_coming() -> None:
    found = trace(wire_case(*harmful_broadcast("b")), {"b-1": (3.0, "concern")})
    (crossing,) = pair(found, "x").beliefs
    assert (crossing.latency, crossing.own, crossing.seconds) == (1, 0, 0.0)


def test_without_labels_of_messages_the_first_one_counts() -> None:
    case = wire_case(started("b", label="harmful"), *(comment("b", n, "x", "hi", n) for n in range(3)))
    found = trace(case, {"b-2": (1.0, "notice")})
    (crossing,) = pair(found, ANYONE).beliefs
    assert (crossing.own, crossing.seconds) == (3, 2.0)


def test_messages_of_the_host_count_for_the_latency_and_of_others_do_not() -> None:
    host = comment("b", 2, "h", "thanks", 2)
    talk = {"type": "speech", "id": "sp", "at": START_MS + 3_000, "broadcast": "b", "text": "hello", "speaker": "host"}
    before = comment("b", 0, "h", "welcome", 0)
    events = [
        before,
        comment("b", 1, "x", "hi", 1),
        host,
        talk,
        comment("b", 3, "y", "hi", 4),
        comment("b", 4, "x", "hi", 5),
    ]
    found = trace(wire_case(started("b", label="benign"), *events), {"b-4": (1.0, "notice")})
    # Two by x, two by the host since x came; neither the welcome before nor y.
    assert pair(found, "x").beliefs[0].latency == 4


def test_in_a_chat_log_everything_counts_for_the_latency() -> None:
    lines = [(CHILD, "01:00", "hi"), (CHILD, "01:00", "hello?"), (PREDATOR, "01:01", "hey")]
    (case,), _ = read(pan12(("c", lines)), Format.PAN12, [PREDATOR])  # type: ignore[arg-type]
    (crossing,) = pair(trace(case, {"c:3": (2.0, "notice")}), PREDATOR).beliefs
    assert (crossing.latency, crossing.own) == (3, 1)


def test_harmful_pairs_that_nothing_was_seen_of_are_kept_and_others_only_counted() -> None:
    found = trace(wire_case(*harmful_broadcast("b")), {})
    assert [(t.actor, t.harmful, t.highest) for t in found.pairs] == [("x", True, 0.0)]
    assert found.quiet == 1
    calm = trace(wire_case(*benign_broadcast("b")), {"b-1": (1.0, "notice")})
    assert [(t.actor, t.harmful) for t in calm.pairs] == [("v1", False)]
    assert calm.quiet == 3


def test_others_in_a_harmful_broadcast_are_not_called_harmful() -> None:
    found = trace(wire_case(*harmful_broadcast("b")), {"b-2": (5.0, "urgent")})
    assert pair(found, "friend").harmful is False


def test_exposures_of_the_host_and_decisions_without_worry_leave_no_trace() -> None:
    case = wire_case(started("b", label="benign"), comment("b", 1, "h", "i am alone"), comment("b", 2, "v", "hi"))
    assert trace(case, {"b-1": (4.0, "notice"), "b-2": (0.0, "clear")}).pairs == []


def test_a_voice_and_a_reported_viewer() -> None:
    speech = {"type": "speech", "id": "1", "at": START_MS, "broadcast": "b", "text": "secret", "speaker": "other"}
    report = {"type": "user_report", "id": "2", "at": START_MS, "broadcast": "b", "actor": "r", "subject": "x"}
    found = trace(
        wire_case(started("b"), speech | {"label": ["secrecy"]}, report), {"1": (2.0, "notice"), "2": (1.0, "notice")}
    )
    assert {t.actor: t.harmful for t in found.pairs} == {VOICE: True, "x": False}
    assert pair(found, "x").messages == 0


def test_labels_are_compared_with_the_tactics_seen() -> None:
    tactics = {"b-3": (Tactic.SUPERVISION_PROBE, Tactic.SECRECY), "b-1": (Tactic.DARE,)}
    found = trace(wire_case(*harmful_broadcast("b")), dict.fromkeys(tactics, (1.0, "notice")), tactics=tactics)
    assert {name: (c.both, c.missed, c.wrong) for name, c in found.tactics.items()} == {
        "supervision_probe": (1, 0, 0),
        "secrecy": (0, 1, 1),
        "off_platform": (0, 1, 0),
        "dare": (0, 0, 1),
    }


def test_the_engine_itself_and_that_processes_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [e for n in range(5) for e in (*harmful_broadcast(f"a{n}"), *benign_broadcast(f"b{n}"))]
    found, _ = read(wire(*events), Format.WIRE)
    alone = list(trace_all(current(), found))
    assert [trace.id for trace in alone] == [case.id for case in found]
    assert all(pair(t, "x").reached(Level.NOTICE) is not None for t in alone if t.harmful)
    assert not any(t.pairs for t in alone if not t.harmful)
    # A fresh engine each: the same viewer's record in one broadcast adds nothing in the next.
    beliefs = {tuple(c.height for c in pair(t, "x").beliefs) for t in alone if t.harmful}
    assert len(beliefs) == 1
    monkeypatch.setattr(run, "BATCH", 3)
    assert list(trace_all(current(), found, workers=2)) == alone


def test_a_fault_of_the_engine_is_counted() -> None:
    class Failing(Scripted):
        def observe(self, platform: str, event: AnyEvent) -> None:
            self.failures += event.id == "b-1"

    found = trace_case(Failing({}), wire_case(*benign_broadcast("b")))  # type: ignore[arg-type]
    assert found.failures == 1
    assert json.dumps(found.hours)
