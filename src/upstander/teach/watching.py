"""The real engine watches a class's stream along, so that the class can compare what it saw with what Upstander saw."""

from __future__ import annotations

import msgspec

from upstander import runtime
from upstander.detect.paraphrase import SOURCE as GUESS
from upstander.model.decision import Decision
from upstander.model.vocabulary import Intervention, Level, Tactic
from upstander.nudge.cards import INTERNATIONAL
from upstander.nudge.cards import shipped as shipped_cards
from upstander.nudge.choose import choose
from upstander.nudge.payload import Card
from upstander.teach.bands import HOSTS
from upstander.teach.classroom import Results
from upstander.teach.lines import Line, line_of
from upstander.teach.scripts import KIND, Script

LEVELS = tuple(level.word for level in Level)
#: By whether the class and whether the engine noticed a line.
AGREE = {(True, True): "agree_yes", (True, False): "agree_class", (False, True): "agree_engine"}


class Seen(msgspec.Struct, frozen=True):
    """What the engine made of one event: level, the tactics that the event showed, those it only guesses, and why."""

    level: str
    tactics: tuple[Tactic, ...]
    maybe: tuple[Tactic, ...]
    why: tuple[str, ...]


class Row(msgspec.Struct, frozen=True):
    """One line of the comparison: what the class tagged (counts), what the engine saw, what the script says of it."""

    line: Line
    tags: dict[str, int]
    seen: Seen | None
    shows: tuple[Tactic, ...]
    agree: str


class Comparison(msgspec.Struct, frozen=True):
    """The comparison of a whole stream. ``card`` is the first nudge that the host would have seen."""

    rows: tuple[Row, ...]
    highest: str
    card: Card | None


class Watch:
    """Shows one script to an engine of its own, event by event, in the script's own time."""

    def __init__(self, configured: runtime.Runtime, script: Script, key: str, country: str = INTERNATIONAL) -> None:
        self._runtime, self._key = configured, key
        self._engine, self._script, self._country = configured.engine(key), script, country
        self.seen: dict[int, Seen] = {}
        self.card: Card | None = None
        self.position = 0

    def up_to(self, position: int) -> None:
        """Let the engine observe the events before ``position`` that it has not seen yet."""
        for index in range(self.position, position):
            decision = self._engine.observe(self._script.steps[index].event)
            if decision is not None:
                self._take(index, decision)
        self.position = max(self.position, position)

    def close(self) -> None:
        """Drop the engine and all it believes."""
        self._runtime.engines.pop(self._key, None)

    def _take(self, index: int, decision: Decision) -> None:
        # Reasons that begin with "earlier" repeat what older events showed: those have rows of their own.
        here = [
            each for each in decision.reasons if each.what in decision.tactics and not each.why.startswith("earlier")
        ]
        here.sort(key=lambda reason: -reason.weight)
        sure = tuple(dict.fromkeys(Tactic(each.what) for each in here if each.source != GUESS))
        maybe = tuple(tactic for tactic in decision.tactics if tactic not in sure)
        self.seen[index] = Seen(decision.level, sure, maybe, tuple(each.why for each in here))
        asked = any(each.do is Intervention.NUDGE_HOST for each in decision.interventions)
        if asked and self.card is None:
            story, cards, none = self._script.story, shipped_cards(), "0" * 32
            band, country = HOSTS[story.band], self._country
            self.card = choose(
                cards, decision.tactics, band, story.language, country, {}, now=decision.at, identifier=none
            )


def compare(script: Script, watch: Watch | None, results: Results, position: int) -> Comparison:
    """What class and engine saw of the first ``position`` events; lines that nobody marked are left out."""
    rows = []
    for index, step in enumerate(script.steps[:position]):
        tags, seen = results.tags.get(index, {}), watch.seen.get(index) if watch else None
        if seen is not None and not (seen.tactics or seen.maybe):
            seen = None
        if not tags and seen is None and not step.teaching.shows:
            continue
        by_class, by_engine = any(tag != KIND for tag in tags), seen is not None
        agree = AGREE.get((by_class, by_engine), "")
        rows.append(Row(line_of(script, index), tags, seen, step.teaching.shows, agree))
    levels = [each.level for at, each in (watch.seen.items() if watch else ()) if at < position]
    highest = max(levels, key=LEVELS.index, default=LEVELS[0])
    return Comparison(tuple(rows), highest, watch.card if watch else None)
