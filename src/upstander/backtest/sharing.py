"""Two processes with the same packs and model read each text once between them: either tells what shows nothing.

What they tell only fills the detectors' memory of texts that were read, which changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from multiprocessing.connection import Connection

from upstander.detect.memory import MAX_CHARACTERS
from upstander.detect.text import TextDetector
from upstander.model.events import AnyEvent, Comment
from upstander.model.order import Order

#: Events that are read ahead: their texts must all be remembered until the engine comes to them.
AHEAD = 2_000

Happening = tuple[str, AnyEvent | Order]


class Sharing:
    """One of the two. ``first`` reads every other text from the first on, the other one the rest."""

    def __init__(self, detector: TextDetector, other: Connection, *, first: bool) -> None:
        self._detector = detector
        self._other: Connection | None = other
        self._begin = 0 if first else 1

    def ahead(self, happenings: Iterator[Happening]) -> Iterator[Happening]:
        """The same happenings; before each stretch of them both have read half of its texts."""
        while stretch := list(islice(happenings, AHEAD)):
            if self._other is not None:
                self._read([one.text for _, one in stretch if type(one) is Comment and len(one.text) <= MAX_CHARACTERS])
            yield from stretch

    def _read(self, texts: list[str]) -> None:
        distinct = list(dict.fromkeys(texts))
        mine, theirs = distinct[self._begin :: 2], distinct[1 - self._begin :: 2]
        told = bytes(self._shows_nothing(text) for text in mine)
        try:
            assert self._other is not None
            self._other.send_bytes(told)
            heard = self._other.recv_bytes()
        except (OSError, EOFError):
            self._other = None  # the other one has ended: this one goes on alone
            return
        for text, nothing in zip(theirs, heard, strict=True):
            if nothing:
                self._detector.remember_quiet(text)

    def _shows_nothing(self, text: str) -> bool:
        try:
            return not self._detector.viewer(text, "")
        except Exception:
            return False  # the engine meets the same fault in its place, where it is counted
