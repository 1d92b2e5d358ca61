"""PAN-2012's XML: labels, hosts, times, and input that means harm."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest
from corpus_support import CHILD, PREDATOR, pan12, read
from hypothesis import given
from hypothesis import strategies as st

from upstander.evaluate.corpus import NO_HOST, Case, CorpusError, Format, Options, Times
from upstander.evaluate.readers.dialogue import NOBODY, Clock
from upstander.evaluate.readers.pan12 import read as read_pan12
from upstander.evaluate.readers.pan12 import read_predators
from upstander.model.events import BroadcastStarted, Comment

MINUTE_MS = 60_000


def cases(data: bytes, predators: list[str] | None = None) -> list[Case]:
    return read(data, Format.PAN12, [PREDATOR] if predators is None else predators)[0]


def comments(case: Case) -> list[Comment]:
    return [event for event in case.events if isinstance(event, Comment)]


def test_a_conversation_is_a_broadcast_whose_host_is_not_the_predator() -> None:
    data = pan12(
        ("c1", [(PREDATOR, "02:56", "hi"), (CHILD, "02:56", "hey"), (PREDATOR, "02:58", "are your parents home")]),
        ("c2", [("a", "10:00", "my build fails"), ("b", "10:01", "try it again")]),
    )
    harmful, benign = cases(data)
    assert (harmful.id, harmful.harmful, harmful.host) == ("c1", True, CHILD)
    assert harmful.harmful_actors == {PREDATOR}
    assert (benign.harmful, benign.host, benign.harmful_actors) == (False, "a", frozenset())
    start = harmful.events[0]
    assert isinstance(start, BroadcastStarted)
    assert (start.host, start.host_age_band) == (CHILD, "10_12")
    assert [c.text for c in comments(harmful)] == ["hi", "hey", "are your parents home"]
    assert harmful.dialogue
    assert harmful.times is Times.MINUTES


def test_lines_of_a_minute_stay_in_order_and_midnight_is_the_next_day() -> None:
    times = ["23:50", "23:50", "23:59", "00:10", "00:09", "08:00"]
    (case,) = cases(pan12(("c", [("a", time, f"line {n}") for n, time in enumerate(times)])))
    at = [c.at_ms for c in comments(case)]
    assert at == sorted(set(at))
    assert at[1] - at[0] == 1_000
    assert at[3] - at[0] == 20 * MINUTE_MS
    # One minute back is two lines out of order; it must not make a day of it.
    assert at[4] - at[3] == 1_000
    assert at[5] - at[0] == (8 * 60 + 10) * MINUTE_MS


@given(st.lists(st.one_of(st.none(), st.integers(0, 1_439)), max_size=40))
def test_a_clock_never_goes_back(minutes: list[int | None]) -> None:
    clock = Clock()
    moments = [clock.at(minute) for minute in minutes]
    assert moments == sorted(moments)


def test_missing_authors_and_texts() -> None:
    data = pan12(
        (
            "c",
            [(None, "01:00", "hello"), ("a", "01:01", None), ("a", "01:02", ""), ("a", None, "hi"), ("b", "1:3", "x")],
        )
    )
    found, said = read(data, Format.PAN12, [PREDATOR])
    assert [(c.actor, c.text) for c in comments(found[0])] == [(NOBODY, "hello"), ("a", "hi"), ("b", "x")]
    assert len(said) == 1
    assert "line 21: the time '1:3' is not HH:MM" in said[0]


def test_a_predator_alone_leaves_no_host() -> None:
    (case,) = cases(pan12(("c", [(PREDATOR, "01:00", "hello?")])))
    assert case.host == NO_HOST
    assert case.harmful


def test_texts_are_unescaped_once_more_than_xml_does() -> None:
    (case,) = cases(pan12(("c", [("a", "01:00", "don&apos;t &amp;lt; worry")])))
    assert comments(case)[0].text == "don't &lt; worry"


@pytest.mark.parametrize("change", [lambda d: b"\xef\xbb\xbf" + d, lambda d: d.replace(b"\n", b"\r\n")])
def test_byte_order_mark_and_crlf(change: object) -> None:
    data = pan12(("c", [("a", "01:00", "hello"), (PREDATOR, "01:01", "hi")]))
    (case,) = cases(change(data))  # type: ignore[operator]
    assert case.harmful
    assert comments(case)[0].text == "hello"


def test_truncated_xml_names_the_line_after_giving_what_was_whole() -> None:
    data = pan12(("c1", [("a", "01:00", "hello")]), ("c2", [("a", "01:00", "hello")]))
    cut = data[: data.index(b'"c2"')]
    given: list[str] = []
    with pytest.raises(CorpusError, match=r"corpus: line 10, column \d+: the XML is broken") as error:
        given.extend(case.id for case in _stream(cut))
    assert given == ["c1"]
    assert "cut off" in error.value.fix


def _stream(data: bytes) -> list[Case]:
    import io

    options = Options(complain=lambda _: None, predators=frozenset())
    return read_pan12(io.BytesIO(data), "corpus", options)  # type: ignore[return-value]


BOMB = b"""<?xml version="1.0"?>
<!DOCTYPE conversations [
 <!ENTITY a "haha">
 <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
 <!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">
]>
<conversations><conversation id="c"><message line="1"><text>&c;</text></message></conversation></conversations>"""
OUTSIDE = b"""<?xml version="1.0"?>
<!DOCTYPE conversations SYSTEM "file:///etc/hostname">
<conversations/>"""


@pytest.mark.parametrize("data", [BOMB, OUTSIDE])
def test_document_types_and_entities_are_refused(data: bytes) -> None:
    with pytest.raises(CorpusError, match="line 2: it declares a document type"):
        cases(data)


def test_another_root_is_refused() -> None:
    with pytest.raises(CorpusError, match="the root is <html>, not <conversations>"):
        cases(b"<html><body/></html>")


def test_without_the_list_of_predators_nothing_is_labelled() -> None:
    with pytest.raises(CorpusError, match="--predators"):
        read(pan12(), Format.PAN12)


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "defusedxml.common", None)
    with pytest.raises(CorpusError, match=r"upstander\[evaluate\]"):
        cases(pan12())


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Ten times the conversations must not take ten times the memory."""

    def peak(count: int) -> int:
        file = tmp_path / "pan.xml"
        file.write_bytes(pan12(*((f"c{n}", [("a", "01:00", "hello " * 20)] * 5) for n in range(count))))
        options = Options(complain=lambda _: None, predators=frozenset())
        with file.open("rb") as stream:
            tracemalloc.start()
            total = sum(1 for _ in read_pan12(stream, "pan.xml", options))
            used = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert total == count
        return used

    peak(200)
    assert peak(4_000) < 2 * peak(400)


def test_the_list_of_predators(tmp_path: Path) -> None:
    file = tmp_path / "predators.txt"
    file.write_bytes(b"\xef\xbb\xbf" + f"{PREDATOR}\r\n\r\n  {CHILD} \r\n".encode())
    assert read_predators(file) == {PREDATOR, CHILD}
    file.write_text("an id\n")
    with pytest.raises(CorpusError, match="line 1: 'an id' is no author id"):
        read_predators(file)
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CorpusError, match="cannot be read"):
        read_predators(file)
