"""Texts that showed nothing are remembered: that makes reading faster and changes nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from strategies import configuration, streams
from upstander.detect import memory
from upstander.detect.memory import Memory
from upstander.engine.engine import Engine
from upstander.model.events import AnyEvent
from upstander.policy.judge import bundled


class Forgetful(Memory[object]):
    """Remembers nothing."""

    def keep(self, text: str, value: object) -> None:
        pass


REMEMBERS, FORGETS = configuration().detector(), configuration().detector()
FORGETS._quiet, FORGETS._apart = (Forgetful(), Forgetful()), Forgetful()  # type: ignore[assignment]


@settings(max_examples=40, deadline=None)
@given(streams())
def test_remembering_texts_changes_no_decision(events: list[AnyEvent]) -> None:
    one, other = Engine(REMEMBERS, bundled()), Engine(FORGETS, bundled())
    assert [one.observe(each) for each in events] == [other.observe(each) for each in events]
    assert one.snapshot() == other.snapshot()


def test_a_viewer_who_is_suspected_is_read_again() -> None:
    """What shows nothing from a stranger may show something from one who showed a tactic before."""
    for text in ("hello there", "so what grade", "u there?"):
        assert REMEMBERS.viewer(text, "host") == FORGETS.viewer(text, "host")
        assert REMEMBERS.viewer(text, "host", suspected=True) == FORGETS.viewer(text, "host", suspected=True)


def test_it_stays_bounded_and_keeps_what_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "TEXTS", 10)
    kept: Memory[int] = Memory()
    kept.keep("again", 1)
    for number in range(100):
        kept.keep(f"once {number}", number)
        assert kept.get("again") == 1
        assert len(kept._now) + len(kept._before) <= 20
    assert kept.get("once 0") is None
    kept.keep("x" * (memory.MAX_CHARACTERS + 1), 1)
    assert kept.get("x" * (memory.MAX_CHARACTERS + 1)) is None
