"""A labelled corpus as one type, whatever file it comes from, and how the kind of a file is told by its content."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import BinaryIO

import msgspec

from upstander.model.events import AnyEvent, BroadcastStarted, Comment, Gift, Speech
from upstander.model.vocabulary import AgeBand, AgeSource, Tactic

#: Stands for the voice in a stream that is not the host's: it has no account.
VOICE = ""
#: Host of a broadcast that names none, so that everybody who writes in it is watched. No account is called this.
NO_HOST = "\x00no-host"
#: A chat log's silence counts as broadcast time up to this long: a night between two lines is no hour watched.
LONGEST_SILENCE_MS = 30 * 60_000
#: How much of a file is looked at to tell its kind.
HEAD_BYTES = 64 * 1024
_MS_PER_HOUR = 3_600_000


class CorpusError(ValueError):
    """A corpus that cannot be read at all: ``file`` (perhaps with a line), the ``reason`` and the ``fix``."""

    def __init__(self, file: str, reason: str, fix: str) -> None:
        self.file, self.reason, self.fix = file, reason, fix
        super().__init__(f"{file}: {reason}. {fix}")


class Format(StrEnum):
    """The kinds of corpus that can be read."""

    WIRE = "wire"
    PAN12 = "pan12"
    PANC = "panc"


class Times(StrEnum):
    """Where the times of a broadcast's events come from."""

    RECORDED = "recorded"
    #: to the minute, without a date: within a minute, lines are put one second apart
    MINUTES = "minutes"
    #: made up by the reader: delays in seconds and rates an hour mean little
    SYNTHETIC = "synthetic"


class Case(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One labelled broadcast or conversation.

    ``events`` are in the order they happened, the announcement first. ``harmful`` is ``None`` when nobody said.
    ``harmful_actors`` are the accounts that did harm (``VOICE`` for a voice in the stream); empty in a harmful case
    when they are not known. ``labels`` are tactics by event id; an empty set says that the event is benign.
    ``slice_tags`` are what results are sliced by, such as ``obfuscation:leet``. ``dialogue``: a chat log whose
    parties are all there from its first line on, unlike viewers who come and go.
    """

    id: str
    host: str
    events: list[AnyEvent]
    harmful: bool | None
    harmful_actors: frozenset[str] = frozenset()
    labels: dict[str, frozenset[Tactic]] = {}
    language: str = ""
    slice_tags: frozenset[str] = frozenset()
    times: Times = Times.RECORDED
    dialogue: bool = False

    @property
    def hours(self) -> float:
        """Broadcast-hours: from the first event to the last. In a chat log a silence counts for 30 minutes at most."""
        times = sorted(event.at_ms for event in self.events)
        if not times:
            return 0.0
        if not self.dialogue:
            return (times[-1] - times[0]) / _MS_PER_HOUR
        gaps = (later - earlier for earlier, later in itertools.pairwise(times))
        return sum(min(gap, LONGEST_SILENCE_MS) for gap in gaps) / _MS_PER_HOUR


class Options(msgspec.Struct, frozen=True):
    """How a corpus is read.

    ``band`` is the host's age band where the corpus names none, ``predators`` the author ids that PAN-2012 lists
    beside its XML, ``assume_benign`` whether broadcasts without any label count as benign, and ``complain`` takes
    one line about each thing that was left out.
    """

    complain: Callable[[str], None]
    band: AgeBand = AgeBand.FROM_10_TO_12
    predators: frozenset[str] | None = None
    assume_benign: bool = False


#: A reader: the file's bytes, its name for errors, and the options; gives the cases one by one.
Reader = Callable[[BinaryIO, str, Options], Iterator[Case]]


def speaker_of(event: AnyEvent, host: str) -> str | None:
    """Who said or wrote something in this event (``VOICE`` for a voice without account); ``None`` if nobody did."""
    if isinstance(event, Comment):
        return event.actor
    if isinstance(event, Gift):
        return event.actor if event.text else None
    if isinstance(event, Speech):
        return host if event.speaker == "host" else VOICE
    return None


def announcement(broadcast: str, host: str, at: int, band: AgeBand) -> BroadcastStarted:
    """The announcement of a broadcast whose corpus has none."""
    source = AgeSource.NONE if band is AgeBand.UNKNOWN else AgeSource.DECLARED
    return BroadcastStarted(
        id=f"{broadcast}:start", at=at, broadcast=broadcast, host=host, host_age_band=band, age_source=source
    )


def _complete_json(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def detect(head: bytes, file: str) -> Format:
    """The kind of a corpus by its first bytes. Raises ``CorpusError`` when it is none of them.

    XML is PAN-2012; a JSON object with ``chats`` or a CSV table with ``label, chatName, segment`` is PANC; JSON
    objects line by line are wire events.
    """
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<"):
        return Format.PAN12
    first, newline, _ = text.partition(b"\n")
    if text.startswith(b"{"):
        whole = bool(newline) and _complete_json(first)
        wire = b'"type"' in first and (whole or b'"broadcast"' in first)
        datapack = re.search(rb'"chats"\s*:\s*\{', text) is not None or b'"datapackID"' in text
        return Format.PANC if datapack and not wire else Format.WIRE
    names = next(csv.reader([first.decode("utf-8", "replace").strip()]), [])
    if {"label", "segment"} <= {name.strip() for name in names}:
        return Format.PANC
    raise CorpusError(
        file,
        "this is neither wire events (JSON Lines), nor PAN-2012 (XML), nor PANC (CSV or datapack JSON)",
        "Name its kind with --format, or convert it to labelled wire events (see the evaluation page of the docs).",
    )
