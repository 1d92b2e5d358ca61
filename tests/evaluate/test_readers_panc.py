"""PANC as CSV and as datapack, as the published preparation code writes them."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from typing import Any

import pytest
from corpus_support import chat, datapack, message, read

from upstander.evaluate.corpus import NO_HOST, Case, CorpusError, Format, Options, Times
from upstander.evaluate.readers import panc
from upstander.model.events import Comment

DATED_MS = 1_100_000_000_000


def cases(data: bytes) -> list[Case]:
    found, said = read(data, Format.PANC)
    assert said == []
    return found


def lines(case: Case) -> list[tuple[str, str]]:
    return [(event.actor, event.text) for event in case.events if isinstance(event, Comment)]


def table(*rows: tuple[str, ...], head: tuple[str, ...] = ("label", "chatName", "segment")) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerows([head, *rows])
    return text.getvalue().encode()


def test_a_datapack_names_predators_by_message() -> None:
    data = datapack(
        c1=chat(
            "predator",
            message("p", "hi", DATED_MS, True),
            None,
            {"type": "separator"},
            message("k", "hey", DATED_MS + 5_000, False),
            message("p", "", DATED_MS + 6_000, True),
            message("p", "are your parents home", DATED_MS + 4_000, True),
        ),
        c2=chat("non-predator", message("a", "hello", 60_000.0), message("b", "hi", 120_000.0)),
    )
    harmful, benign = cases(data)
    assert (harmful.harmful, harmful.host, harmful.harmful_actors) == (True, "k", {"p"})
    assert lines(harmful) == [("p", "hi"), ("k", "hey"), ("p", "are your parents home")]
    assert harmful.times is Times.RECORDED
    assert [event.at_ms - DATED_MS for event in harmful.events[1:]] == [0, 5_000, 5_000]
    assert (benign.harmful, benign.host, benign.times) == (False, "a", Times.MINUTES)


def test_a_datapack_that_does_not_say_who() -> None:
    unknown = chat("predator", message("a", "hi"), message("b", "hello"))
    first, second = cases(datapack(c1=unknown, c2=unknown | {"authorOnRightSide": "b"}))
    assert (first.host, first.harmful_actors, first.times) == (NO_HOST, frozenset(), Times.SYNTHETIC)
    assert second.host == "b"


def test_wrong_chats_are_named_and_the_rest_goes_on() -> None:
    data = datapack(c1=chat("maybe"), c2={"className": "predator"}, c3=chat("non-predator", message("a", "hi")))
    found, said = read(data, Format.PANC)
    assert [case.id for case in found] == ["c3"]
    assert ["c1" in said[0], "c2" in said[1]] == [True, True]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"chats": {"c": {"className": "predator"', "line 1: the datapack is broken"),
        (b'{"chats": {"c" {}}}', "line 1"),
        (b'{\n"chats":\n{"c": nope}}', "line 3"),
        (b'{"chats": {"c": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"other": 1}', "it has no `chats`"),
        (b'{"chats": {}', "it ends too soon"),
        (b"{1: 2}", "Expecting|a key is no text"),
    ],
)
def test_broken_datapacks(data: bytes, reason: str) -> None:
    with pytest.raises(CorpusError, match=reason):
        cases(data)


def test_an_empty_datapack_and_a_byte_order_mark() -> None:
    assert cases(b'\xef\xbb\xbf\r\n{"chats": {}}') == []


def test_a_datapack_is_read_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the size of a piece, the chats are the same; and not all of them are in memory at once."""
    chats = {f"c{n}": chat("non-predator", message("a", f"hello {n} é"), message("b", "x" * 50)) for n in range(40)}
    data = json.dumps({"n": 12345, "chats": chats, "end": -1.5}, ensure_ascii=False, indent=1).encode()
    whole = cases(data)
    assert len(whole) == 40
    for size in (1, 7, 4096):
        monkeypatch.setattr(panc, "CHUNK_CHARACTERS", size)
        assert cases(data) == whole


def test_memory_does_not_grow_with_the_datapack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panc, "CHUNK_CHARACTERS", 16 * 1024)

    def peak(count: int) -> int:
        chats: dict[str, Any] = {f"c{n}": chat("non-predator", message("a", "hello " * 100)) for n in range(count)}
        stream = io.BytesIO(json.dumps({"chats": chats}).encode())
        del chats
        tracemalloc.start()
        total = sum(1 for _ in panc.read(stream, "pack", Options(complain=print)))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert total == count
        return used

    peak(50)
    assert peak(2_000) < 2 * peak(200)


def test_a_chat_beyond_all_measure_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(panc, "MAX_CHAT_CHARACTERS", 1_000)
    monkeypatch.setattr(panc, "CHUNK_CHARACTERS", 100)
    with pytest.raises(CorpusError, match="longer than 1,000"):
        cases(datapack(c=chat("predator", message("a", "x" * 5_000))))


def test_rows_of_one_chat_are_one_conversation() -> None:
    found = cases(
        table(
            ("non-predator", "c1-0", 'he said "hi", and left'),
            ("non-predator", "c1-0", "two\nlines"),
            ("predator", "c2", "are your parents home"),
        )
    )
    assert [(case.id, case.harmful) for case in found] == [("c1-0", False), ("c2", True)]
    assert [text for _, text in lines(found[0])] == ['he said "hi", and left', "two lines"]
    assert all(case.host == NO_HOST and not case.harmful_actors for case in found)
    assert all(case.times is Times.SYNTHETIC for case in found)


def test_a_long_segment_becomes_lines_of_chat() -> None:
    (case,) = cases(table(("predator", "c", "word " * 2_000)))
    assert len(lines(case)) > 40
    assert all(len(text) <= panc.PIECE_CHARACTERS for _, text in lines(case))


def test_columns_in_another_order_and_without_a_name() -> None:
    data = b"\xef\xbb\xbf" + table(("hello", "non-predator"), head=("segment", "label"))
    (case,) = cases(data)
    assert case.harmful is False
    assert case.id == "line-2"


def test_wrong_rows_are_named_and_the_rest_goes_on() -> None:
    data = table(("maybe", "c1", "x"), ("predator", "c2"), ("non-predator", "c3", "hi"))
    found, said = read(data, Format.PANC)
    assert [case.id for case in found] == ["c3"]
    assert "line 2: the label 'maybe'" in said[0]
    assert "line 3: 2 columns instead of 3" in said[1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a,b\n1,2\n", "`label`, `chatName`, `segment` is missing"),
        (b"", "missing"),
        (b'label,segment\n"x" y,z\n', "line 2"),
    ],
)
def test_broken_tables(data: bytes, reason: str) -> None:
    with pytest.raises(CorpusError, match=reason):
        cases(data)
