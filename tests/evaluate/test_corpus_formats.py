"""Which kind of corpus a file is, by its content; and how long a broadcast lasted."""

from __future__ import annotations

import pytest
from corpus_support import chat, comment, datapack, message, pan12, read, started, wire

from upstander.evaluate.corpus import CorpusError, Format, detect


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (pan12(("c", [("a", "01:00", "hi")])), Format.PAN12),
        (b"\xef\xbb\xbf  \r\n<?xml version='1.0'?>", Format.PAN12),
        (wire(started("b")), Format.WIRE),
        (wire(started("b", title='{"chats": {'), comment("b", 1, "x", "hi")), Format.WIRE),
        (b'{"type": "comment", "broadcast": "b", "text": "', Format.WIRE),
        (datapack(c=chat("predator", message("a", "hi"))), Format.PANC),
        (b'{\n "datapackID": "PANC-test",\n', Format.PANC),
        (b'"label","chatName","segment"\r\n', Format.PANC),
        (b"segment,label\n", Format.PANC),
    ],
)
def test_the_format_shows_in_the_content(data: bytes, form: Format) -> None:
    assert detect(data, "f") is form


@pytest.mark.parametrize("data", [b"", b"hello\n", b"author,text\n", b"\x00\x01\x02", b"[1, 2]"])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(CorpusError, match="f: this is neither wire events"):
        detect(data, "f")


def test_hours_of_a_broadcast_and_of_a_chat_log() -> None:
    (live,), _ = read(wire(started("b"), comment("b", 1, "v", "hi", 7200)), Format.WIRE)
    assert live.hours == 2.0
    # A night between two lines counts for half an hour.
    (log,), _ = read(pan12(("c", [("a", "20:00", "hi"), ("b", "20:30", "hi"), ("a", "09:00", "hi")])), Format.PAN12, [])
    assert log.hours == 1.0
