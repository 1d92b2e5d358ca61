"""A class with a simulated stream, as plain state: who is in (by nothing but a token), what is shown, tagged, chosen.

No clock, no network, no storage: ``server`` brings those. When the class ends, nothing of it is left.
"""

from __future__ import annotations

import secrets
from collections import Counter
from enum import StrEnum

import msgspec

from upstander.teach.lines import Line, line_of
from upstander.teach.scripts import Choice, Script

#: Letters and digits that nobody confuses on a projector.
ALPHABET = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 6
MOST_PUPILS = 60
#: With fewer pupils than this, counts could point to one of them: only whether a tag was given is shown.
SMALLEST = 5
PACES = (0.5, 1.0, 2.0)
SHORTEST_S, LONGEST_S = 0.6, 4.0


class Phase(StrEnum):
    """Where the class is."""

    LOBBY = "lobby"
    PLAYING = "playing"
    PAUSED = "paused"
    FROZEN = "frozen"
    CHOOSING = "choosing"
    ENDED = "ended"
    DEBRIEF = "debrief"
    OVER = "over"


class Refusal(ValueError):
    """What was asked cannot be done now; the message is a key of ``interface`` or says why."""


class Pupil(msgspec.Struct):
    """One pupil: tags by event index, choices by point index."""

    tags: dict[int, str] = msgspec.field(default_factory=dict)
    choices: dict[int, Choice] = msgspec.field(default_factory=dict)


class Results(msgspec.Struct, frozen=True):
    """What the class has said, without saying who. ``tags``: counts by event index and tag; with few pupils each 1."""

    pupils: int
    few: bool
    tags: dict[int, dict[str, int]]
    choices: dict[int, dict[Choice, int]]
    chosen: int


class Classroom:
    """One class. Every method either changes the state or raises ``Refusal`` and changes nothing."""

    def __init__(self, script: Script, code: str = "") -> None:
        self.script = script
        self.code = code or "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        self.phase = Phase.LOBBY
        #: how many events are shown
        self.position = 0
        self.point: int | None = None
        self.pace = 1.0
        self.pupils: dict[str, Pupil] = {}

    # -- pupils ----------------------------------------------------------------------------------------------------

    def join(self) -> str:
        """Let a pupil in; returns the token that stands for them in this class only."""
        if self.phase is Phase.OVER:
            raise Refusal("class_over")
        if len(self.pupils) >= MOST_PUPILS:
            raise Refusal("join_full")
        token = secrets.token_urlsafe(12)
        self.pupils[token] = Pupil()
        return token

    def tag(self, token: str, index: int, tag: str | None) -> None:
        """A pupil says what a line shows, or takes that back (``None``)."""
        if self.phase not in (Phase.PLAYING, Phase.PAUSED, Phase.CHOOSING, Phase.ENDED):
            raise Refusal("lines can be tagged while the stream is shown")
        if not 0 <= index < self.position or not line_of(self.script, index).taggable:
            raise Refusal("there is no such line to tag")
        if tag is None:
            self.pupils[token].tags.pop(index, None)
        elif tag in self.script.story.tags:
            self.pupils[token].tags[index] = tag
        else:
            raise Refusal("there is no such tag in this script")

    def choose(self, token: str, choice: Choice) -> None:
        """A pupil says what the host should do; the last word counts."""
        if self.phase is not Phase.CHOOSING or self.point is None:
            raise Refusal("there is nothing to choose now")
        self.pupils[token].choices[self.point] = choice

    # -- the teacher -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin, or go on after a pause or a freeze."""
        if self.phase not in (Phase.LOBBY, Phase.PAUSED, Phase.FROZEN):
            raise Refusal("the stream is not waiting to be started")
        self.phase = self._resting()

    def pause(self, freeze: bool = False) -> None:
        """Stop for a while; ``freeze`` also stops tagging, so that all look at the screen."""
        if self.phase not in (Phase.PLAYING, Phase.PAUSED, Phase.FROZEN, Phase.CHOOSING):
            raise Refusal("the stream is not running")
        self.phase = Phase.FROZEN if freeze else Phase.PAUSED

    def set_pace(self, pace: float) -> None:
        """How fast lines come: one of ``PACES``."""
        if pace not in PACES:
            raise Refusal(f"the pace is one of {', '.join(map(str, PACES))}")
        self.pace = pace

    def step(self) -> int:
        """Show the next event; returns its index. The class then chooses, when a point comes after it."""
        if self.phase not in (Phase.PLAYING, Phase.PAUSED) or self.position >= len(self.script.steps):
            raise Refusal("no line can be shown now")
        index = self.position
        self.position += 1
        self.point = self.script.point_after(index)
        if self.point is not None:
            self.phase = Phase.CHOOSING
        elif self.position == len(self.script.steps):
            self.phase = Phase.ENDED
        return index

    def go_on(self) -> int:
        """Close the choice; returns the index of the point it was about."""
        if self.phase is not Phase.CHOOSING or self.point is None:
            raise Refusal("there is no choice to close")
        closed, self.point = self.point, None
        self.phase = self._resting()
        return closed

    def look_back(self) -> None:
        """Go to the debrief, from wherever the class is."""
        if self.phase in (Phase.LOBBY, Phase.OVER):
            raise Refusal("there is nothing to look back at")
        self.phase = Phase.DEBRIEF

    def end(self) -> None:
        """End the class and forget everyone in it."""
        self.phase = Phase.OVER
        self.pupils.clear()

    def _resting(self) -> Phase:
        """The phase that the class is in when nothing holds it."""
        if self.point is not None:
            return Phase.CHOOSING
        return Phase.ENDED if self.position == len(self.script.steps) else Phase.PLAYING

    # -- what is shown ---------------------------------------------------------------------------------------------

    def delay_s(self) -> float:
        """Seconds until the next event is due, from when the last one was shown."""
        if self.position in (0, len(self.script.steps)):
            return 0.0
        steps = self.script.steps
        gap = (steps[self.position].event.at_ms - steps[self.position - 1].event.at_ms) / 1000
        return min(max(gap, SHORTEST_S), LONGEST_S) / self.pace

    def lines(self) -> list[Line]:
        """All lines shown so far."""
        return [line_of(self.script, index) for index in range(self.position)]

    def results(self) -> Results:
        """What the class has said so far."""
        few = len(self.pupils) < SMALLEST
        tags: dict[int, Counter[str]] = {}
        choices: dict[int, Counter[Choice]] = {}
        for pupil in self.pupils.values():
            for index, tag in pupil.tags.items():
                tags.setdefault(index, Counter())[tag] += 1
            for point, choice in pupil.choices.items():
                choices.setdefault(point, Counter())[choice] += 1
        chosen = 0 if self.point is None else choices.get(self.point, Counter()).total()
        return Results(
            pupils=len(self.pupils),
            few=few,
            tags={index: {tag: 1 if few else n for tag, n in found.items()} for index, found in sorted(tags.items())},
            choices={point: {each: 1 if few else n for each, n in found.items()} for point, found in choices.items()},
            chosen=chosen,
        )
