"""PAN-2012 Sexual Predator Identification: one XML file of conversations, and a list of predators' author ids.

Source: Inches and Crestani, "Overview of the International Sexual Predator Identification Competition at PAN-2012".
The XML is read as a stream, and any document type or entity in it is refused.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from xml.etree.ElementTree import ParseError

import msgspec

from upstander.evaluate.corpus import Case, CorpusError, Options, Times
from upstander.evaluate.readers.dialogue import NOBODY, Clock, Line, case_of
from upstander.model.events import MAX_TEXT

CHUNK_BYTES = 64 * 1024
#: Of a text only this much is kept while it is read: an escaped character is at most some ten times as long.
KEPT_CHARACTERS = 10 * MAX_TEXT
_TIME = re.compile(r"\s*(\d{1,2}):(\d{2})\s*")
_FIELDS = ("author", "time", "text")


class _Message(msgspec.Struct):
    place: int
    author: str = ""
    time: str = ""
    text: str = ""


class _Conversation(msgspec.Struct):
    id: str
    place: int
    messages: list[_Message] = []


class _Target:
    """What the parser tells about: collects conversations until they are taken. Unknown elements are passed over."""

    def __init__(self, file: str) -> None:
        self.file, self.parser = file, None
        self.done: list[_Conversation] = []
        self._depth = 0
        self._open: _Conversation | None = None
        self._field = ""
        self._parts: list[str] = []
        self._size = 0

    def _place(self) -> int:
        return int(self.parser.parser.CurrentLineNumber) if self.parser is not None else 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element opens."""
        self._depth += 1
        if self._depth == 1 and tag != "conversations":
            fix = "Name the corpus' XML, which starts with <conversations>."
            raise CorpusError(self.file, f"line {self._place()}: the root is <{tag}>, not <conversations>", fix)
        if tag == "conversation":
            self._open = _Conversation(attributes.get("id", "").strip(), self._place())
        elif tag == "message" and self._open is not None:
            self._open.messages.append(_Message(self._place()))
        elif tag in _FIELDS and self._open is not None and self._open.messages:
            self._field, self._parts, self._size = tag, [], 0

    def data(self, text: str) -> None:
        """Characters inside an element."""
        if self._field and self._size < KEPT_CHARACTERS:
            self._parts.append(text)
            self._size += len(text)

    def end(self, tag: str) -> None:
        """An element closes."""
        self._depth -= 1
        if self._open is None:
            return
        if tag == self._field:
            setattr(self._open.messages[-1], tag, "".join(self._parts).strip())
            self._field = ""
        elif tag == "conversation":
            self.done.append(self._open)
            self._open = None


def read_predators(path: Path) -> frozenset[str]:
    """The author ids in the corpus' companion file, one a line. Raises ``CorpusError`` when it is no such file."""
    fix = "Name the text file that lists one author id a line."
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(str(path), f"it cannot be read ({error})", fix) from None
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        author = line.strip()
        if len(author.split()) > 1 or author.startswith("<"):
            raise CorpusError(str(path), f"line {number}: {author[:40]!r} is no author id", fix)
        if author:
            found.append(author)
    return frozenset(found)


def read(stream: BinaryIO, file: str, options: Options) -> Iterator[Case]:
    """The conversations, one at a time; memory does not grow with the file.

    A conversation is harmful when a predator wrote in it. Its host is the first author who is no predator; without
    a predator, whoever wrote first. Raises ``CorpusError`` with the line for XML that is broken, cut off or
    carries a document type. Messages without an author are kept, those without a text are left out.
    """
    if options.predators is None:
        fix = "Name the corpus' list of predators' author ids with --predators."
        raise CorpusError(file, "the labels of PAN-2012 are in a file of their own", fix)
    target = _Target(file)
    parser, refused = _safe_parser(target)
    target.parser = parser
    try:
        while chunk := stream.read(CHUNK_BYTES):
            parser.feed(chunk)
            for conversation in target.done:
                yield _case(conversation, file, options, options.predators)
            target.done.clear()
        parser.close()
    except refused as error:
        what = {"DTDForbidden": "document type", "EntitiesForbidden": "entity"}.get(type(error).__name__, "reference")
        reason = f"line {target._place()}: it declares a {what}, by which XML can fill memory or read other files"
        raise CorpusError(file, reason, "Remove the declaration; the published corpus has none.") from None
    except ParseError as error:
        line, column = error.position
        reason = f"line {line}, column {column}: the XML is broken ({str(error).split(':')[0]})"
        raise CorpusError(file, reason, "Fetch the file again; it may have been cut off.") from None


def _safe_parser(target: _Target) -> tuple[Any, type[Exception]]:
    """A parser that refuses document types and entities, and what it raises then."""
    try:
        from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]  # noqa: PLC0415
        from defusedxml.ElementTree import XMLParser  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        raise CorpusError(
            target.file, "reading XML safely needs defusedxml", "Install it: pip install 'upstander[evaluate]'"
        ) from None
    return XMLParser(target=target, forbid_dtd=True), DefusedXmlException


def _case(conversation: _Conversation, file: str, options: Options, predators: frozenset[str]) -> Case:
    identifier = conversation.id
    if not identifier:
        identifier = f"line-{conversation.place}"
        options.complain(f"{file}: line {conversation.place}: a conversation has no id. It is called {identifier}.")
    clock = Clock()
    lines = []
    for message in conversation.messages:
        at = clock.at(_minute(message, file, options))
        # The corpus escapes its texts once more than XML does.
        text = html.unescape(message.text).strip()
        if text:
            lines.append(Line(message.author or NOBODY, text, at))
    authors = list(dict.fromkeys(line.author for line in lines))
    harmful = frozenset(authors) & predators
    host = next((author for author in authors if author not in harmful), None)
    return case_of(identifier, lines, host, bool(harmful), harmful, Times.MINUTES, options)


def _minute(message: _Message, file: str, options: Options) -> int | None:
    if not message.time:
        return None
    found = _TIME.fullmatch(message.time)
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        reason = f"the time {message.time[:20]!r} is not HH:MM"
        options.complain(f"{file}: line {message.place}: {reason}. The time of the message before is taken.")
        return None
    return int(found[1]) * 60 + int(found[2])
