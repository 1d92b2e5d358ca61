"""Labelled wire files: what makes a broadcast harmful, benign or unlabelled, and labels that are wrong."""

from __future__ import annotations

import json

import pytest
from corpus_support import benign_broadcast, comment, ended, harmful_broadcast, read, started, wire

from upstander.evaluate.corpus import NO_HOST, VOICE, Case, Format
from upstander.evaluate.readers.wire import LATE_LINES
from upstander.model.events import BroadcastStarted
from upstander.model.vocabulary import AgeBand, Tactic


def cases(data: bytes, **named: bool) -> list[Case]:
    found, said = read(data, Format.WIRE, **named)  # type: ignore[arg-type]
    assert said == []
    return found


def test_labels_make_a_broadcast_harmful_and_name_who_did_it() -> None:
    (case,) = cases(wire(*harmful_broadcast("b", language="en", slice_tags=["obfuscation:leet"])))
    assert case.harmful
    assert case.harmful_actors == {"x"}
    assert case.labels["b-3"] == {Tactic.SUPERVISION_PROBE}
    assert case.labels["b-1"] == frozenset()
    assert (case.host, case.language, case.slice_tags) == ("h", "en", {"obfuscation:leet"})
    assert case.hours == 1.0


@pytest.mark.parametrize(
    ("first", "second", "assume", "harmful"),
    [
        ({"label": "benign"}, {}, False, False),
        ({"label": "harmful"}, {}, False, True),
        ({}, {"label": []}, False, False),
        ({}, {}, False, None),
        ({}, {}, True, False),
        ({"label": "harmful"}, {"label": []}, True, True),
        ({"label": "benign"}, {"label": ["secrecy"]}, False, True),
    ],
)
def test_who_says_what(first: dict[str, object], second: dict[str, object], assume: bool, harmful: bool | None) -> None:
    data = wire(started("b", **first), comment("b", 1, "x", "hello", **second))
    (case,) = cases(data, assume_benign=assume)
    assert case.harmful is harmful


def test_interleaved_broadcasts_come_apart_and_an_event_sent_twice_counts_once() -> None:
    first, second = harmful_broadcast("a"), benign_broadcast("b")
    mixed = [event for pair in zip(first, second, strict=False) for event in pair] + first[-1:] + second[-1:]
    found = {case.id: case for case in cases(wire(*mixed, *mixed))}
    assert set(found) == {"a", "b"}
    assert len(found["a"].events) == len(first)
    assert found["b"].harmful is False


def test_an_ended_broadcast_is_given_before_the_file_ends_and_late_events_are_named() -> None:
    many = [comment("b", n, "v", "hi", n) for n in range(LATE_LINES + 1)]
    data = wire(started("a"), ended("a", 1), started("b", label="benign"), *many, comment("a", 9, "v", "late"))
    found, said = read(data, Format.WIRE)
    assert [case.id for case in found] == ["a", "b"]
    assert len(said) == 1
    assert "it ended long before this line" in said[0]
    again = wire(started("a"), ended("a", 1), started("b", label="benign"), *many, started("a") | {"id": "a-s2"})
    assert [case.id for case in cases(again)] == ["a", "b", "a"]


def test_a_broadcast_that_goes_on_after_its_end_is_one() -> None:
    restart = started("a") | {"id": "a-s2"}
    found = cases(wire(started("a"), ended("a", 1), restart, comment("a", 1, "v", "hi", 2)))
    assert [len(case.events) for case in found] == [4]


def test_the_band_is_given_where_the_data_names_none() -> None:
    data = wire(started("a", host_age_band="unknown"), started("b", host_age_band="adult"), comment("c", 1, "v", "hi"))
    found, _ = read(data, Format.WIRE, band=AgeBand.FROM_13_TO_15)
    starts = {case.id: case.events[0] for case in found}
    assert all(isinstance(start, BroadcastStarted) for start in starts.values())
    assert {name: start.host_age_band for name, start in starts.items()} == {  # type: ignore[union-attr]
        "a": "13_15",
        "b": "adult",
        "c": "13_15",
    }
    assert {case.id: case.host for case in found}["c"] == NO_HOST


def test_a_voice_in_the_stream_and_the_host() -> None:
    speech = {"type": "speech", "at": 1_770_000_000_000, "broadcast": "b", "text": "keep it secret"}
    other = speech | {"id": "1", "speaker": "other", "label": ["secrecy"]}
    host = speech | {"id": "2", "speaker": "host", "label": ["secrecy"]}
    (case,) = cases(wire(started("b"), other, host))
    assert case.harmful_actors == {VOICE}
    (alone,) = cases(wire(started("b"), host))
    assert alone.harmful
    assert alone.harmful_actors == frozenset()


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        (["secrets"], "did you mean `secrecy`?"),
        (["nothing like it"], "use some of: praise_hook"),
        ("harmful", "'harmful' is no label of a `comment`"),
        ([1], "expected `str`"),
        (3, "expected"),
    ],
)
def test_wrong_labels_are_named_with_line_and_fix(label: object, reason: str) -> None:
    found, said = read(wire(started("b"), comment("b", 1, "x", "hello", label=label)), Format.WIRE)
    assert len(found[0].events) == 1
    assert len(said) == 1
    assert said[0].startswith("corpus: line 2: field `label`")
    assert reason.lower() in said[0].lower()


def test_wrong_slice_tags() -> None:
    _, said = read(wire(started("b", slice_tags="leet")), Format.WIRE)
    assert "field `slice_tags`" in said[0]


def test_bad_lines_and_a_byte_order_mark() -> None:
    good = wire(started("b", label="benign"), comment("b", 1, "x", "hello"))
    data = b"\xef\xbb\xbf" + good.replace(b"\n", b"\r\n") + b"garbage\n" + b'{"a":"' + b"x" * 200_000 + b'"}\n'
    found, said = read(data, Format.WIRE)
    assert len(found[0].events) == 2
    assert ["line 3" in said[0], "line 4" in said[1]] == [True, True]


def test_a_labelled_file_is_an_ordinary_wire_file() -> None:
    from upstander.model.wire import WireError, read_events

    data = wire(*harmful_broadcast("b", label="harmful", slice_tags=["x"]))
    events = [event for _, _, event in read_events(data.splitlines())]
    assert not any(isinstance(event, WireError) for event in events)
    assert len(events) == len(data.splitlines())
    assert json.loads(data.splitlines()[0])["label"] == "harmful"
