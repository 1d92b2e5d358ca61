"""Two policies on the same events, side by side: what is counted, and what came out otherwise. Pure: outcomes in."""

from __future__ import annotations

import heapq
from collections import Counter

import msgspec

from upstander.model.decision import Decision
from upstander.model.vocabulary import Intervention, Level

HOUR_MS = 3_600_000
#: What a person has to look at.
ALERTS = frozenset({str(Intervention.CALL_MODERATOR)})
#: How much an intervention weighs when examples are chosen: what stops a person or a broadcast first.
_WEIGHT = {"pause": 40, "remove_viewer": 30, "mute_viewer": 30, "call_moderator": 20}


class Outcome(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """What one policy made of the ``n``-th event: short enough to be sent from one process to another.

    ``rules``: the rules that held, and whether each was live; ``why``: the reasons in words; ``text`` only when it is
    to be shown.
    """

    n: int
    platform: str
    broadcast: str
    event: str
    at: int
    level: int
    asked: tuple[str, ...] = ()
    rules: tuple[tuple[str, bool], ...] = ()
    proposals: tuple[str, ...] = ()
    why: tuple[str, ...] = ()
    text: str = ""


def outcome_of(n: int, platform: str, decision: Decision, text: str = "") -> Outcome | None:
    """A decision as far as it is compared; None when nothing is to be said about it."""
    level = Level[decision.level.upper()]
    rules = tuple(
        (reason.source.removeprefix("rule."), reason.what == "rule")
        for reason in decision.reasons
        if reason.what in ("rule", "shadow_rule")
    )
    if level is Level.CLEAR and not decision.interventions and not rules:
        return None
    return Outcome(
        n,
        platform,
        decision.broadcast,
        decision.event,
        decision.at,
        int(level),
        tuple(str(asked.do) for asked in decision.interventions),
        rules,
        decision.proposals,
        tuple(reason.why for reason in decision.reasons if reason.what not in decision.exposures),
        text,
    )


class Side(msgspec.Struct):
    """What one policy came to."""

    decisions: int = 0
    levels: Counter[str] = msgspec.field(default_factory=Counter)
    asked: Counter[str] = msgspec.field(default_factory=Counter)
    proposals: Counter[str] = msgspec.field(default_factory=Counter)
    live: Counter[str] = msgspec.field(default_factory=Counter)
    shadow: Counter[str] = msgspec.field(default_factory=Counter)
    #: alerts by hour of the clock (epoch hours, UTC)
    hours: Counter[int] = msgspec.field(default_factory=Counter)

    @property
    def alerts(self) -> int:
        """How often a person was called."""
        return sum(self.asked[name] for name in ALERTS)

    def take(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.decisions += outcome.level > 0
        self.levels[Level(outcome.level).word] += 1
        self.asked.update(outcome.asked)
        self.proposals.update(outcome.proposals)
        for rule, live in outcome.rules:
            (self.live if live else self.shadow)[rule] += 1
        if ALERTS & set(outcome.asked):
            self.hours[outcome.at // HOUR_MS] += 1


class Example(msgspec.Struct, frozen=True):
    """A decision that came out otherwise. ``before`` and ``after``: what the old and the new policy made of it."""

    platform: str
    broadcast: str
    event: str
    before: str
    after: str
    gained: tuple[str, ...]
    lost: tuple[str, ...]
    why: tuple[str, ...]
    text: str = ""


class Comparison:
    """Takes the outcomes of both policies, event by event; holds counts and at most ``examples`` of each kind."""

    def __init__(self, examples: int) -> None:
        self.old, self.new = Side(), Side()
        self.gained = self.lost = 0
        self.came: Counter[str] = Counter()
        self.went: Counter[str] = Counter()
        #: (level before, level after): how many decisions
        self.moves: Counter[tuple[int, int]] = Counter()
        self._most = examples
        self._examples: dict[str, list[tuple[int, int, Example]]] = {"gained": [], "lost": []}

    def take(self, old: list[Outcome], new: list[Outcome]) -> None:
        """Take what both made of the same stretch of events, each in their order."""
        before, after = {o.n: o for o in old}, {o.n: o for o in new}
        for n in sorted(before.keys() | after.keys()):
            self._pair(before.get(n), after.get(n))

    def examples(self, kind: str) -> list[Example]:
        """The heaviest examples, ``gained`` or ``lost``, in the order of their events."""
        return [example for _, _, example in sorted(self._examples[kind], key=lambda entry: -entry[1])]

    def _pair(self, old: Outcome | None, new: Outcome | None) -> None:
        if old is not None:
            self.old.take(old)
        if new is not None:
            self.new.take(new)
        one = new or old
        assert one is not None
        a, b = old.level if old else 0, new.level if new else 0
        had, has = Counter(old.asked if old else ()), Counter(new.asked if new else ())
        came, went = has - had, had - has
        self.came.update(came)
        self.went.update(went)
        if a != b:
            self.moves[a, b] += 1
        if b > a or (came and not b < a):
            self.gained += 1
            self._keep("gained", one, old, new, came, went)
        elif b < a or went:
            self.lost += 1
            self._keep("lost", one, old, new, came, went)

    def _keep(
        self, kind: str, one: Outcome, old: Outcome | None, new: Outcome | None, came: Counter[str], went: Counter[str]
    ) -> None:
        a, b = old.level if old else 0, new.level if new else 0
        weight = 10 * abs(b - a) + max((_WEIGHT.get(name, 1) for name in came | went), default=0)
        kept = self._examples[kind]
        if not self._most or (len(kept) >= self._most and (weight, -one.n) < kept[0][:2]):
            return
        reasons = (new if kind == "gained" else old) or one
        example = Example(
            one.platform,
            one.broadcast,
            one.event,
            Level(a).word,
            Level(b).word,
            tuple(sorted(came)),
            tuple(sorted(went)),
            reasons.why,
            one.text,
        )
        # The number of an event is its own: two examples are never compared themselves.
        entry = (weight, -one.n, example)
        if len(kept) < self._most:
            heapq.heappush(kept, entry)
        else:
            heapq.heapreplace(kept, entry)
