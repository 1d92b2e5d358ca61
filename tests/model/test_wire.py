"""The wire: what is accepted, and errors that name the line, the field, the reason and the fix."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.model.events import EVENT_TYPES, MAX_TEXT, Comment
from upstander.model.wire import MAX_EVENT_BYTES, TYPE_NAMES, WireError, decode_event, read_events

COMMENT = {"type": "comment", "id": "c", "at": 1_770_000_000_000, "broadcast": "b", "actor": "v", "text": "hi"}


def raw(**changes: object) -> bytes:
    merged = {key: value for key, value in (COMMENT | changes).items() if value is not ...}
    return msgspec.json.encode(merged)


@pytest.mark.parametrize(
    ("at", "milliseconds"),
    [
        (1_770_000_000_000, 1_770_000_000_000),
        ("2026-11-24T18:30:00.250Z", 1_795_545_000_250),
        ("2026-11-24T19:30:00.250+01:00", 1_795_545_000_250),
        ("2026-11-24T18:30:00Z", 1_795_545_000_000),
    ],
)
def test_times_are_rfc3339_or_epoch_milliseconds(at: object, milliseconds: int) -> None:
    assert decode_event(raw(at=at)).at == milliseconds


@pytest.mark.parametrize(
    ("line", "field", "says", "fix"),
    [
        (b"\xff\xfe\x00garbage", "", "not JSON", "one JSON object"),
        (b"[1, 2]", "", "JSON list", "one JSON object"),
        (b"[" * 100_000, "", "not JSON", "one JSON object"),
        (b'{"a":' * 20_000, "", "not JSON", "one JSON object"),
        (raw(type=...), "type", "missing", "broadcast_started"),
        (raw(type="coment"), "type", "no event type", "did you mean `comment`"),
        (raw(type=7), "type", "no event type", "Use one of"),
        (raw(id=...), "id", "missing", "needs it"),
        (raw(id=""), "id", "length >= 1", "wire reference"),
        (raw(actor=...), "actor", "missing", "needs it"),
        (raw(text=..., txt="hi"), "text", "missing", "by `txt`"),
        (raw(text=5), "text", "got `int`", "wire reference"),
        (raw(text="x" * (MAX_TEXT + 1)), "text", "4,001 characters", "shorten or split"),
        (raw(at="yesterday"), "at", "not a time", "RFC 3339"),
        (raw(at="2026-11-24T18:30:00"), "at", "time zone", "RFC 3339"),
        (raw(at=1_770_000_000), "at", "out of range", "did you mean 1770000000000"),
        (raw(at=1_770_000_000_000_000), "at", "out of range", "did you mean 1770000000000"),
        (raw(at=-1), "at", "out of range", "between the years"),
        (raw(at=1e30), "at", "got `float`", "wire reference"),
        (raw(type="gift", value=-1), "value", ">= 0.0", "wire reference"),
        (raw(type="invite", channel="tea"), "channel", "matching regex", "wire reference"),
        (raw(type="broadcast_started", host="h", host_age_band="12"), "host_age_band", "invalid enum", "reference"),
        (raw()[:-3], "", "not JSON", "object"),
    ],
)  # fmt: skip
def test_every_error_names_line_field_reason_and_fix(line: bytes, field: str, says: str, fix: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_event(line, 7)
    error = caught.value
    assert error.line == 7
    assert error.field == field
    assert says in error.reason
    assert fix in error.fix
    assert str(error).startswith("line 7: ")
    assert set(error.as_dict()) == {"line", "field", "reason", "fix", "event"}


def test_an_event_of_ten_megabytes_is_refused_unread() -> None:
    with pytest.raises(WireError, match="bytes long"):
        decode_event(raw(text="x" * 10_000_000))
    assert MAX_EVENT_BYTES < 10_000_000


def test_unknown_fields_are_ignored_and_nul_is_text() -> None:
    event = decode_event(raw(future_field={"a": [1]}, text="a\0b"))
    assert isinstance(event, Comment)
    assert event.text == "a\0b"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"are your\ud800 parents home", "are your\ufffd parents home"),
        (rb"\uDC00\uD83D\uDE00", "\ufffd\U0001f600"),
        (rb"\ud83d\ud83d\ude00", "\ufffd\U0001f600"),
        (rb"a\\ud800", "a\\ud800"),
        (rb"\\\udfff!", "\\\ufffd!"),
    ],
)
def test_half_a_surrogate_does_not_keep_a_comment_from_being_read(written: bytes, read: str) -> None:
    event = decode_event(raw(text="TEXT").replace(b"TEXT", written))
    assert isinstance(event, Comment)
    assert event.text == read


def test_one_bad_line_never_stops_the_rest() -> None:
    lines = [raw(id="1"), b"", b"rubbish", b"   ", raw(id="2"), b"\x00\x01", raw(type="?"), raw(id="3")]
    found = list(read_events(lines))
    assert [n for n, _, _ in found] == [1, 3, 5, 6, 7, 8]
    assert [e.id for _, _, e in found if not isinstance(e, WireError)] == ["1", "2", "3"]


@given(st.binary(max_size=300))
def test_any_bytes_give_an_event_or_an_error(data: bytes) -> None:
    for _, _, event in read_events(data.split(b"\n")):
        assert isinstance(event, WireError) or event.id


keys = st.sampled_from(["type", "id", "at", "text", "x"])
scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)


def containers(inner: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5)


@given(st.recursive(scalars, containers, max_leaves=12))
def test_any_json_gives_an_event_or_an_error(value: object) -> None:
    if isinstance(value, dict):
        value = COMMENT | value
    try:
        decode_event(msgspec.json.encode(value))
    except WireError as error:
        assert error.reason
        assert error.fix


def test_the_wire_has_exactly_the_types_of_the_design() -> None:
    assert len(EVENT_TYPES) == len(TYPE_NAMES) == 14
    assert TYPE_NAMES[0] == "broadcast_started"
