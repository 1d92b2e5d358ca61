"""PANC (Vogt, Leser and Akbik, "Early Detection of Sexual Predators in Chats", ACL 2021): CSV or datapack JSON.

The forms are those that the authors' published preparation code writes; the corpus itself cannot be shipped, so they
were not tried on it. CSV has the columns ``label, chatName, segment``; a datapack is one JSON object whose ``chats``
map a name to ``className`` and ``content``.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import textwrap
from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec

from upstander.evaluate.corpus import Case, CorpusError, Options, Times
from upstander.evaluate.readers.dialogue import MINUTE_MS, NOBODY, Clock, Line, case_of
from upstander.model.wire import EARLIEST_MS, LATEST_MS

CLASSES = {"predator": True, "non-predator": False}
#: A segment is many messages run together: it is cut into pieces of about a long chat line.
PIECE_CHARACTERS = 200
CHUNK_CHARACTERS = 256 * 1024
#: One chat may be this long; beyond that the file is no datapack.
MAX_CHAT_CHARACTERS = 64 * 1024 * 1024
#: A CSV field may be this long.
MAX_FIELD_CHARACTERS = 8 * 1024 * 1024


def read(stream: BinaryIO, file: str, options: Options) -> Iterator[Case]:
    """The chats, one at a time. Raises ``CorpusError`` with the line for a table or datapack that is broken."""
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="replace", newline="")
    start = text.read(1)
    while start.isspace():
        start = text.read(1)
    if start == "{":
        yield from _datapack(_Scanner(text, file, start), options)
    else:
        yield from _table(text, start, file, options)


# -- the table ---------------------------------------------------------------------------------------------------


class _Row(msgspec.Struct, frozen=True, gc=False):
    line: int
    harmful: bool
    chat: str
    segment: str


def _table(text: io.TextIOWrapper, start: str, file: str, options: Options) -> Iterator[Case]:
    """Rows that follow each other and name the same chat are one conversation."""
    for chat, rows in itertools.groupby(_rows(text, start, file, options), lambda row: row.chat):
        pieces, harmful = [], False
        for row in rows:
            harmful = harmful or row.harmful
            pieces += textwrap.wrap(row.segment, PIECE_CHARACTERS, break_on_hyphens=False)
        clock = Clock()
        lines = [Line(NOBODY, piece, clock.at(number // 2)) for number, piece in enumerate(pieces)]
        # Nothing says who wrote what: all of it is watched, in nobody's name.
        yield case_of(chat, lines, None, harmful, frozenset(), Times.SYNTHETIC, options)


def _rows(text: io.TextIOWrapper, start: str, file: str, options: Options) -> Iterator[_Row]:
    csv.field_size_limit(MAX_FIELD_CHARACTERS)
    head = text.readline()
    reader = csv.reader(itertools.chain([start + head], text), strict=True)
    try:
        names = [name.strip() for name in next(reader, [])]
        missing = [name for name in ("label", "chatName", "segment") if name not in names]
        if missing and missing != ["chatName"]:
            reason = f"line 1: the column {', '.join(f'`{name}`' for name in missing)} is missing"
            raise CorpusError(file, reason, "Name a table with the columns label, chatName and segment.")
        for row in reader:
            line = reader.line_num
            if not row:
                continue
            values = dict(zip(names, row, strict=False))
            label = values.get("label", "").strip()
            wrong = ""
            if len(row) != len(names):
                wrong = f"{len(row)} columns instead of {len(names)}"
            elif label not in CLASSES:
                wrong = f"the label {label[:40]!r} is neither predator nor non-predator"
            if wrong:
                options.complain(f"{file}: line {line}: {wrong}. The row is left out.")
                continue
            yield _Row(line, CLASSES[label], values.get("chatName", "").strip() or f"line-{line}", values["segment"])
    except csv.Error as error:
        reason = f"line {reader.line_num}: the table is broken ({error})"
        raise CorpusError(file, reason, "Quote every field, and double the quotes inside one.") from None


# -- the datapack ------------------------------------------------------------------------------------------------


class _Scanner:
    """Reads one JSON object member by member, so that a datapack need not fit into memory."""

    def __init__(self, text: io.TextIOWrapper, file: str, start: str) -> None:
        self._text, self._file = text, file
        self._buffer, self._at, self._lines = start, 0, 1
        self._decoder = json.JSONDecoder()

    def members(self) -> Iterator[str]:
        """The keys of the object that starts here. The caller takes each value (``value`` or ``members``)."""
        self._expect("{")
        if self._peek() == "}":
            self._at += 1
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise self._error("a key is no text")
            self._expect(":")
            yield key
            if self._peek() != ",":
                break
            self._at += 1
        self._expect("}")

    def value(self) -> Any:
        """The whole value that starts here."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except RecursionError:
                raise self._error("it is nested too deeply") from None
            except json.JSONDecodeError as error:
                if not self._fill():
                    raise self._error(error.msg) from None
                continue
            # A number at the end of what was read might go on.
            if end < len(self._buffer) or not self._fill():
                self._at = end
                return value

    def _peek(self) -> str:
        while True:
            while self._at < len(self._buffer):
                if not self._buffer[self._at].isspace():
                    return self._buffer[self._at]
                self._at += 1
            if not self._fill():
                return ""

    def _expect(self, mark: str) -> None:
        found = self._peek()
        if found != mark:
            raise self._error(f"{found!r} where {mark!r} should be" if found else "it ends too soon")
        self._at += 1

    def _fill(self) -> bool:
        """Read on; what was passed is dropped. Doubles what it reads, so that a long chat is not parsed too often."""
        self._lines += self._buffer.count("\n", 0, self._at)
        self._buffer, self._at = self._buffer[self._at :], 0
        if len(self._buffer) > MAX_CHAT_CHARACTERS:
            raise self._error(f"one value is longer than {MAX_CHAT_CHARACTERS:,} characters")
        more = self._text.read(max(CHUNK_CHARACTERS, len(self._buffer)))
        self._buffer += more
        return bool(more)

    def _error(self, reason: str) -> CorpusError:
        line = self._lines + self._buffer.count("\n", 0, self._at)
        fix = "Fetch or build the datapack again; it may have been cut off."
        return CorpusError(self._file, f"line {line}: the datapack is broken ({reason})", fix)


def _datapack(scanner: _Scanner, options: Options) -> Iterator[Case]:
    found = False
    for key in scanner.members():
        if key != "chats":
            scanner.value()
            continue
        found = True
        for name in scanner.members():
            case = _chat(name, scanner.value(), scanner, options)
            if case is not None:
                yield case
    if not found:
        raise scanner._error("it has no `chats`")


def _chat(name: str, chat: Any, scanner: _Scanner, options: Options) -> Case | None:
    label = chat.get("className") if isinstance(chat, dict) else None
    content = chat.get("content") if isinstance(chat, dict) else None
    if label not in CLASSES or not isinstance(content, list):
        wrong = "`className` is neither predator nor non-predator" if label not in CLASSES else "`content` is no list"
        options.complain(f"{scanner._file}: chat {name[:60]}: {wrong}. The chat is left out.")
        return None
    messages = [m for m in content if isinstance(m, dict) and m.get("type") == "message"]
    written = [(_text(m.get("author")) or NOBODY, _text(m.get("body") or m.get("message")), m) for m in messages]
    written = [(author, text, message) for author, text, message in written if text]
    moments, times = _moments([message.get("time") for _, _, message in written])
    lines = [Line(author, text, at) for (author, text, _), at in zip(written, moments, strict=True)]
    predators = frozenset(author for author, _, message in written if message.get("isFromPredator") is True)
    harmful = CLASSES[label]
    authors = list(dict.fromkeys(line.author for line in lines))
    host = next((author for author in authors if author not in predators), None)
    if harmful and not predators:
        # Nobody says which of the two it is: both are watched, unless the datapack knows whose side is the child's.
        host = _text(chat.get("authorOnRightSide")) or None
    return case_of(name, lines, host, harmful, predators if harmful else frozenset(), times, options)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _moments(times: list[Any]) -> tuple[list[int], Times]:
    """Times as epoch milliseconds that never go back: dated ones as they are, others as times of day."""
    usable = [t for t in times if isinstance(t, int | float) and not isinstance(t, bool) and math.isfinite(t)]
    if len(usable) < len(times) or not usable:
        clock = Clock()
        return [clock.at(number // 2) for number in range(len(times))], Times.SYNTHETIC
    if all(EARLIEST_MS <= t < LATEST_MS for t in usable):
        return list(itertools.accumulate((int(t) for t in usable), max)), Times.RECORDED
    clock = Clock()
    return [clock.at(int(t) // MINUTE_MS % 1_440) for t in usable], Times.MINUTES
