"""Reading the wire: bytes to events, and errors that name the line, the field, the reason and the fix."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

import msgspec

from upstander.model.events import EVENT_TYPES, MAX_TEXT, AnyEvent, Event

#: An event longer than this many bytes is refused before it is parsed.
MAX_EVENT_BYTES = 128 * 1024
#: Times outside 2000-01-01 .. 2100-01-01 are refused: they are mistakes of unit or clock.
EARLIEST_MS = 946_684_800_000
LATEST_MS = 4_102_444_800_000

TYPE_NAMES: tuple[str, ...] = tuple(str(t.__struct_config__.tag) for t in EVENT_TYPES)
_FIELDS = {str(t.__struct_config__.tag): t.__struct_fields__ for t in EVENT_TYPES}
_DECODER: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_PLACE = re.compile(r"`\$\.?([^`]*)`")


class WireError(ValueError):
    """Input that is not an event.

    ``line`` counts from 1 in the input it came from (0: not known), ``field`` may be empty, ``reason`` says what
    is wrong and ``fix`` what to do about it.
    """

    def __init__(self, field: str, reason: str, fix: str, line: int = 0, event: str = "") -> None:
        self.line, self.field, self.reason, self.fix, self.event = line, field, reason, fix, event
        super().__init__(str(self))

    def __str__(self) -> str:
        where = f"line {self.line}: " if self.line else ""
        field = f"field `{self.field}`: " if self.field else ""
        return f"{where}{field}{self.reason}. {self.fix}"

    def as_dict(self) -> dict[str, object]:
        """The error for a machine: ``line, field, reason, fix`` and ``event`` (its id, when it could be read)."""
        return {
            "line": self.line,
            "field": self.field,
            "reason": self.reason,
            "fix": self.fix,
            "event": self.event,
        }


def decode_event(data: bytes, line: int = 0) -> AnyEvent:
    """One wire event from its JSON bytes, ``at`` in epoch milliseconds.

    Raises ``WireError`` for anything that is not exactly that; unknown fields are ignored.
    """
    if len(data) > MAX_EVENT_BYTES:
        raise WireError(
            "",
            f"the event is {len(data):,} bytes long",
            f"Send at most {MAX_EVENT_BYTES:,} bytes an event.",
            line,
        )
    try:
        event = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explain(data, error, line) from None
    event.at = _milliseconds(event, line)
    return event


def _decode(data: bytes) -> AnyEvent:
    try:
        return _DECODER.decode(data)
    except msgspec.DecodeError:
        # Half a surrogate pair is legal in JSON's grammar but no character; sent on purpose it must not keep a
        # comment from being read. It is read as U+FFFD; the journal keeps the line as it came.
        if b"\\u" not in data:
            raise
        mended = _ESCAPE.sub(_mend, data)
        if mended == data:
            raise
        return _DECODER.decode(mended)


#: A pair of surrogates, half of one, or any other escape (so that an escaped backslash is passed over whole).
_ESCAPE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\.")


def _mend(escape: re.Match[bytes]) -> bytes:
    found = escape.group()
    return rb"\ufffd" if len(found) == 6 and found[2:3] in b"dD" and found[1:2] == b"u" else found


def _milliseconds(event: Event, line: int) -> int:
    at = event.at
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            reason = f"{at[:40]!r} is not a time with a time zone"
            fix = 'Write RFC 3339, such as "2026-11-24T18:30:00.250Z", or epoch milliseconds.'
            raise WireError("at", reason, fix, line, event.id)
        # Integer arithmetic: a float timestamp would round the milliseconds.
        delta = moment.astimezone(UTC) - _EPOCH
        at = (delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000
    if not EARLIEST_MS <= at < LATEST_MS:
        fix = "Send epoch milliseconds between the years 2000 and 2100."
        if 946_684_800 <= at < 4_102_444_800:
            fix = f"This looks like seconds; did you mean {at * 1000}?"
        elif EARLIEST_MS <= at // 1000 < LATEST_MS:
            fix = f"This looks like microseconds; did you mean {at // 1000}?"
        raise WireError("at", f"the time {at} is out of range", fix, line, event.id)
    return at


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _explain(data: bytes, error: Exception, line: int) -> WireError:
    """Turn the parser's complaint into one that a platform's developer can act on."""
    try:
        parsed = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as bad:
        detail = str(bad).removeprefix("JSON is malformed: ")
        return WireError("", f"this is not JSON ({detail})", "Send one JSON object a line, in UTF-8.", line)
    if not isinstance(parsed, dict):
        kind = type(parsed).__name__
        return WireError("", f"this is a JSON {kind}, not an object", "Send one JSON object a line.", line)
    identifier = parsed.get("id")
    event = identifier[:256] if isinstance(identifier, str) else ""
    tag = parsed.get("type")
    if not isinstance(tag, str) or tag not in _FIELDS:
        if tag is None:
            return WireError("type", "the field is missing", f"Use one of: {', '.join(TYPE_NAMES)}.", line, event)
        near = difflib.get_close_matches(str(tag), TYPE_NAMES, 1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        return WireError(
            "type",
            f"{str(tag)[:40]!r} is no event type",
            f"{hint}Use one of: {', '.join(TYPE_NAMES)}.",
            line,
            event,
        )
    message = str(error)
    missing = re.search(r"missing required field `(\w+)`", message)
    if missing:
        name = missing.group(1)
        near = difflib.get_close_matches(name, [k for k in parsed if k not in _FIELDS[tag]], 1)
        hint = f"did you mean it by `{near[0]}`? " if near else ""
        return WireError(name, "the field is missing", f"{hint}Every `{tag}` needs it.", line, event)
    place = _PLACE.search(message)
    name = place.group(1) if place else ""
    reason = _PLACE.sub("", message).removesuffix(" - at ").strip()
    value = parsed.get(name)
    if isinstance(value, str) and len(value) > MAX_TEXT:
        return WireError(
            name,
            f"the text is {len(value):,} characters long",
            f"{reason}: shorten or split it.",
            line,
            event,
        )
    shown = "" if value is None else f", not {str(value)[:40]!r}"
    return WireError(
        name, f"{reason[:1].lower()}{reason[1:]}{shown}", f"See `{tag}` in the wire reference.", line, event
    )


def read_events(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes, AnyEvent | WireError]]:
    """Events from JSON Lines: ``(line number, its bytes, event or error)`` for each line that is not blank.

    One bad line never stops the rest: its error comes in its place.
    """
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line:
            continue
        try:
            yield number, line, decode_event(line, number)
        except WireError as error:
            yield number, line, error
