"""What chat corpora share: turning the lines of a conversation into a broadcast, and times of day into moments."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from upstander.evaluate.corpus import NO_HOST, Case, Options, Times, announcement
from upstander.model.events import MAX_ID, MAX_TEXT, AnyEvent, Comment

#: Conversations without a date start on this day (2012-01-01, UTC): any day would do, only differences count.
DAY_ZERO_MS = 1_325_376_000_000
MINUTE_MS = 60_000
#: A step back of at most this many minutes is two lines out of order, not a day that passed.
JITTER_MINUTES = 30
#: What a message without an author is filed under.
NOBODY = "\x00no-author"


class Line(msgspec.Struct, frozen=True, gc=False):
    """One line of a conversation: who wrote what, and when (epoch milliseconds)."""

    author: str
    text: str
    at: int


class Clock:
    """Turns a conversation's times of day into moments that never go back.

    A time earlier than the one before it belongs to the next day; a small step back (half an hour) is taken as two
    lines out of order. Lines of one minute are put a second apart, so that their order shows.
    """

    def __init__(self) -> None:
        self._now = DAY_ZERO_MS
        self._minute: int | None = None

    def at(self, minute_of_day: int | None) -> int:
        """Epoch milliseconds of a line at this minute of its day (0 to 1439); ``None``: right after the line before."""
        step = 1_000
        if minute_of_day is not None and self._minute is None:
            # Lines without a time may have come before.
            self._now, step = max(self._now, DAY_ZERO_MS + minute_of_day * MINUTE_MS), 0
            self._minute = minute_of_day
        elif minute_of_day is not None and self._minute is not None:
            ahead = minute_of_day - self._minute
            if ahead < -JITTER_MINUTES:
                ahead += 1_440
            if 0 < ahead < 1_440 - JITTER_MINUTES:
                self._now, step = self._now - self._now % MINUTE_MS + ahead * MINUTE_MS, 0
                self._minute = minute_of_day
        # A busy minute must not run over into the next one, where it would push a later time back.
        room = MINUTE_MS - 1 - self._now % MINUTE_MS
        self._now += min(step, room)
        return self._now


def case_of(
    identifier: str,
    lines: Iterable[Line],
    host: str | None,
    harmful: bool,
    harmful_actors: frozenset[str],
    times: Times,
    options: Options,
    language: str = "",
) -> Case:
    """A conversation as a broadcast: ``host`` is one of its authors (``None``: nobody, all are watched)."""
    identifier = identifier[:MAX_ID]
    host = NO_HOST if host is None else host
    events: list[AnyEvent] = []
    for number, line in enumerate(lines, 1):
        if not events:
            events.append(announcement(identifier, host, line.at, options.band))
        text = line.text[:MAX_TEXT]
        events.append(
            Comment(id=f"{identifier}:{number}", at=line.at, broadcast=identifier, actor=line.author, text=text)
        )
    return Case(
        id=identifier,
        host=host,
        events=events,
        harmful=harmful,
        harmful_actors=harmful_actors,
        language=language,
        times=times,
        dialogue=True,
    )
