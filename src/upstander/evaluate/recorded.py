"""Recorded chat played to the engine: how often ordinary talk raises an alert, and what raised it.

No line of a recording is labelled: an alert here is a false alarm only until someone has read it. Each file is one
broadcast, and its authors are viewers; what is known of the host is the caller's choice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from upstander.detect.paraphrase import SOURCE as PARAPHRASE
from upstander.evaluate.functional import START_MS
from upstander.evaluate.proportions import Proportion
from upstander.model.decision import Decision
from upstander.model.events import MAX_ID, MAX_TEXT, BroadcastStarted, Comment
from upstander.model.vocabulary import AgeBand, AgeSource, Level
from upstander.runtime import Runtime

#: Between two messages of a recording without times (milliseconds): a busy, readable chat.
PACE_MS = 1_000
#: The host's account: no author can be called so, for platforms do not allow a space in a name.
HOST = "the host"
#: More alerts at ``notice`` and above than this per 10,000 messages, and moderators stop reading them.
MAX_NOTICE = 1.0
MAX_URGENT = 0


class ChatError(ValueError):
    """A recording that cannot be used: file, line (from 1), reason and fix."""

    def __init__(self, file: str, line: int, reason: str, fix: str) -> None:
        super().__init__(f"{file}:{line}: {reason}. {fix}")


class Message(msgspec.Struct, frozen=True):
    """One message: its author, its text, and when it came (epoch milliseconds), where that is recorded."""

    author: Annotated[str, msgspec.Meta(min_length=1)]
    text: str
    t_ms: Annotated[int, msgspec.Meta(ge=0)] | None = None


class Alert(msgspec.Struct, frozen=True):
    """A decision at ``notice`` or above: where it stands in the recording, what was said, why it was raised.

    ``views`` and ``sources``: which views of this message's text showed something, and to which patterns or models.
    """

    file: str
    line: int
    level: str
    author: str
    text: str
    reasons: tuple[str, ...]
    views: tuple[str, ...]
    sources: tuple[str, ...]

    @property
    def folded_only(self) -> bool:
        """Whether patterns found it, and only in a normalised view: without normalisation there were no alert."""
        return self.views == ("folded",)

    @property
    def paraphrase_only(self) -> bool:
        """Whether nothing but the paraphrase model's second thought showed it."""
        return self.sources == (PARAPHRASE,)


class Played(msgspec.Struct):
    """What one or several recordings came to, with one kind of host.

    ``levels``: decisions on messages that showed a tactic, by level. ``muted``: messages that raised nothing but came
    from a viewer muted before. ``second_thoughts``: messages that the paraphrase model read.
    """

    band: AgeBand
    messages: int = 0
    muted: int = 0
    second_thoughts: int = 0
    levels: Counter[str] = msgspec.field(default_factory=Counter)
    alerts: list[Alert] = msgspec.field(default_factory=list)

    def at_least(self, level: Level) -> Proportion:
        """Messages whose decision reached a level, of all messages."""
        return Proportion(sum(self.levels[other.word] for other in Level if other >= level), self.messages)


def read(path: Path) -> Iterator[tuple[int, Message]]:
    """Messages of a recording in JSON Lines, with their line numbers; raises ``ChatError`` or ``OSError``."""
    decode = msgspec.json.Decoder(Message).decode
    with path.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                yield number, decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                fix = 'A line is {"author": …, "text": …} and may have "t_ms" (epoch milliseconds).'
                raise ChatError(path.name, number, str(error), fix) from None


def play(paths: Sequence[Path], runtime: Runtime, band: AgeBand) -> Played:
    """Play recordings to a new engine, one broadcast each; raises ``ChatError`` or ``OSError``."""
    runtime.engines.clear()
    engine = runtime.engine("recorded")
    detector = runtime.detector
    before = detector.second_thoughts
    played = Played(band)
    source = AgeSource.NONE if band is AgeBand.UNKNOWN else AgeSource.DECLARED
    for index, path in enumerate(paths):
        broadcast, at = f"recording{index}", START_MS
        started = False
        for number, message in read(path):
            at = message.t_ms or at + PACE_MS
            if not started:
                started = True
                engine.observe(
                    BroadcastStarted(
                        id="start", at=at, broadcast=broadcast, host=HOST, host_age_band=band, age_source=source
                    )
                )
            comment = Comment(
                id=f"c{number}",
                at=at,
                broadcast=broadcast,
                actor=message.author[:MAX_ID],
                text=message.text[:MAX_TEXT],
            )
            played.messages += 1
            decision = engine.observe(comment)
            if decision is not None:
                _count(played, decision, path, number, message)
    played.second_thoughts = detector.second_thoughts - before
    return played


def _count(played: Played, decision: Decision, path: Path, number: int, message: Message) -> None:
    if not decision.tactics:
        # Held because its author is muted: this message raised nothing itself.
        played.muted += 1
        return
    played.levels[decision.level] += 1
    if decision.level == Level.CLEAR.word:
        return
    why = tuple(reason.why for reason in decision.reasons if reason.what not in decision.exposures)
    views = tuple(sorted({reason.view for reason in decision.reasons if reason.view}))
    sources = tuple(sorted({reason.source for reason in decision.reasons if reason.view}))
    alert = Alert(path.name, number, decision.level, message.author, message.text, why, views, sources)
    played.alerts.append(alert)
