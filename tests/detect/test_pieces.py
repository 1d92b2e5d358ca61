"""What the model guesses at when a line is split over messages, and when it keeps quiet."""

from __future__ import annotations

from typing import Any

import pytest

from upstander.detect import packs
from upstander.detect.fragments import Joined
from upstander.detect.paraphrase import MAX_STRENGTH, SHARED_DOUBT, SOURCE, Found
from upstander.detect.text import TextDetector
from upstander.model.signal import Signal
from upstander.model.vocabulary import Tactic


class Model:
    """Doubts what holds the word "herb", and takes "herb garden" for secrecy."""

    parameters = None

    def __init__(self, doubt: float = 9.0) -> None:
        self.doubt, self.read_lines = doubt, [""][:0]

    def doubtful(self, text: str, least: float = 0.0) -> bool:
        return "herb" in text and self.doubt >= least

    def read(self, text: str, asked: frozenset[str] = frozenset()) -> list[Found]:
        self.read_lines.append(text)
        return [Found(Tactic.SECRECY, 5.0, "an example", True)] if "herb garden" in text else []


@pytest.fixture
def pack_set() -> packs.PackSet:
    head = "label: dare\nlanguage: en\nwho: viewer\nsource: x\n"
    return packs.load([("en/dare.yaml", head + "patterns: [{id: a, pattern: zzz, strength: 2, fires: [zzz]}]\n")])


def across(pack_set: packs.PackSet, model: Any, *joins: tuple[str, str, bool]) -> list[Signal]:
    detector = TextDetector(pack_set, None, model)
    made = [Joined(f"{before} {text}", len(before) + 1, ("e1",), shared) for before, text, shared in joins]
    text = joins[-1][1]
    found = detector.across(text, detector.look(text), made)
    assert found == detector.across(text, detector.look(text), made), "what is remembered changes nothing"
    return found


def test_a_line_in_two_messages_is_guessed_at(pack_set: packs.PackSet) -> None:
    [found] = across(pack_set, Model(), ("my herb", "garden", False))
    assert (found.label, found.source, found.view, found.events) == (Tactic.SECRECY, SOURCE, "joined", ("e1",))
    assert found.strength == MAX_STRENGTH
    assert (found.start, found.end, found.near) == (0, len("garden"), "an example")
    assert "one viewer" in found.note


def test_of_two_viewers_more_is_asked_and_less_is_made(pack_set: packs.PackSet) -> None:
    [found] = across(pack_set, Model(), ("my herb", "garden", True))
    assert 0 < found.strength < MAX_STRENGTH
    assert "two viewers" in found.note
    assert across(pack_set, Model(SHARED_DOUBT - 0.1), ("my herb", "garden", True)) == []


@pytest.mark.parametrize(("before", "text"), [("herb garden", "nice"), ("hello", "the herb garden")])
def test_what_a_piece_says_by_itself_is_not_said_again(pack_set: packs.PackSet, before: str, text: str) -> None:
    assert across(pack_set, Model(), (before, text, False)) == []


def test_what_leaves_no_doubt_is_not_read(pack_set: packs.PackSet) -> None:
    model = Model()
    assert across(pack_set, model, ("my rose", "garden", False)) == []
    assert model.read_lines == []


def test_whose_the_pieces_are_is_remembered_with_them(pack_set: packs.PackSet) -> None:
    detector = TextDetector(pack_set, None, Model(SHARED_DOUBT - 0.1))  # type: ignore[arg-type]
    seen = detector.look("garden")
    assert detector.across("garden", seen, [Joined("my herb garden", 8, ("e1",), True)]) == []
    assert detector.across("garden", seen, [Joined("my herb garden", 8, ("e1",), False)]) != []
