"""A policy's file read into types, with every error at its place. Pure: texts in, types out."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Callable, Collection, Iterator
from typing import TypeVar

import msgspec
import yaml

from upstander.model.vocabulary import AgeBand, Intervention, Level, Tactic
from upstander.policy.document import Document, PolicyError, Problem, did_you_mean
from upstander.policy.language import check
from upstander.policy.schema import (
    ACTS,
    ASKABLE,
    BY,
    DEADLINES,
    MAX_RULES,
    MAX_STEPS,
    MAX_WINDOW_MS,
    MODES,
    POLICY_VERSION,
    PROPOSALS,
    Budget,
    Counter,
    Rule,
    Sequence,
    Tables,
)
from upstander.policy.variables import PROTECTIONS, VARIABLES, Kind

T = TypeVar("T")
Entries = dict[str, tuple[yaml.Node, yaml.Node]]

_LEVELS = {level.word: level for level in Level if level is not Level.CLEAR}
_TACTICS = frozenset(str(tactic) for tactic in Tactic)
_ASKABLE = frozenset(str(intervention) for intervention in ASKABLE)
_OPTIONAL = ("budgets", "counters", "sequences", "rules")
_KEYS = (
    "name", "protection", "levels", "evidence", "crowd", "hold_at_notice", "steps", "cooldown", "on_deadline",
    *_OPTIONAL,
)  # fmt: skip
_EVIDENCE = ("seen", "severe_seen", "emergency_events", "directive")
_CROWD = ("viewers", "factor")
_RULE_KEYS = ("id", "mode", "when", "level", "hold", "ask", "propose", "why", "cooldown", "budget", "note")


def read(file: str, text: str, *, known: bool = False) -> tuple[Tables | None, list[Problem]]:
    """A policy and everything that is wrong with it (then without the policy).

    ``known``: its expressions were checked before (making the checker's parser takes half a second).
    """
    document = Document(file, text)
    if document.problems:
        return None, document.problems
    tables = _Reader(document, known).tables()
    if document.problems:
        return None, sorted(document.problems, key=lambda problem: (problem.line, problem.column))
    # Only what decides is hashed: moving a rule down a line must not make old decisions look different.
    essence = msgspec.structs.replace(tables, rules=tuple(msgspec.structs.replace(r, line=1) for r in tables.rules))
    plain = msgspec.json.encode([POLICY_VERSION, msgspec.to_builtins(essence, order="sorted")], order="sorted")
    return msgspec.structs.replace(tables, hash=hashlib.sha256(plain).hexdigest()), []


def load(file: str, text: str, *, known: bool = False) -> Tables:
    """A policy; raises ``PolicyError`` with all that is wrong. ``known``: as for ``read``."""
    tables, problems = read(file, text, known=known)
    if tables is None:
        raise PolicyError(problems)
    return tables


class _Reader:
    """Reads one document from top to bottom; what is wrong is noted there."""

    def __init__(self, document: Document, known: bool) -> None:
        self.d, self._known = document, known
        self.top = document.mapping(document.root, "a policy", _KEYS)
        document.require(document.root, self.top, "the policy", [key for key in _KEYS if key not in _OPTIONAL])

    def tables(self) -> Tables:
        """The policy."""
        d = self.d
        evidence, crowd = self._section("evidence", _EVIDENCE), self._section("crowd", _CROWD)
        counters = dict(self._declared("counters", self._counter))
        sequences = dict(self._declared("sequences", self._sequence))
        return Tables(
            name=d.text(self.top["name"][1], "`name`") if "name" in self.top else "",
            protection=self._each("protection", [str(band) for band in AgeBand], self._protection),
            levels=self._each("levels", PROTECTIONS, self._thresholds),
            seen=self._number(evidence, "seen", 0.01, 10.0),
            severe_seen=self._number(evidence, "severe_seen", 0.01, 10.0),
            emergency_events=self._whole(evidence, "emergency_events", 2, 100),
            directive=self._tactics(evidence["directive"][1] if "directive" in evidence else None),
            crowd=self._whole(crowd, "viewers", 2, 1000),
            crowd_factor=self._number(crowd, "factor", 1.0, 10.0),
            hold_at_notice=self._each("hold_at_notice", PROTECTIONS, lambda node, name: self._tactics(node)),
            steps=self._each("steps", PROTECTIONS, self._steps),
            cooldown=self._each("cooldown", sorted(_ASKABLE), lambda node, name: d.duration(node, f"`{name}`")),
            on_deadline=self._each(
                "on_deadline", PROTECTIONS, lambda node, name: d.word(node, "what becomes of it", DEADLINES)
            ),
            budgets=dict(self._declared("budgets", lambda node, name: self._budget(node), _ASKABLE)),
            counters=counters,
            sequences=sequences,
            rules=self._rules(counters, sequences),
        )

    # -- sections ----------------------------------------------------------------------------------------------------

    def _section(self, key: str, keys: Collection[str]) -> Entries:
        if key not in self.top:
            return {}
        entries = self.d.mapping(self.top[key][1], f"`{key}`", keys)
        self.d.require(self.top[key][1], entries, f"`{key}`", keys)
        return entries

    def _each(self, key: str, names: Collection[str], reader: Callable[[yaml.Node, str], T]) -> dict[str, T]:
        """A section that has an entry for each name."""
        return {name: reader(node, name) for name, (_, node) in self._section(key, names).items()}

    def _declared(
        self, key: str, reader: Callable[[yaml.Node, str], T], names: Collection[str] | None = None
    ) -> Iterator[tuple[str, T]]:
        """A section that may be missing, with names of one's own."""
        if key not in self.top:
            return
        for name, (where, node) in self.d.mapping(self.top[key][1], f"`{key}`", names).items():
            if not re.fullmatch("[a-z][a-z0-9_]{0,40}", name):
                self.d.say(where, f"the name `{name}` is odd", "Use lower case letters, digits and underscores.")
                continue
            yield name, reader(node, name)

    def _number(self, entries: Entries, key: str, low: float, high: float) -> float:
        return self.d.number(entries[key][1], f"`{key}`", low, high) if key in entries else low

    def _whole(self, entries: Entries, key: str, low: int, high: int) -> int:
        return self.d.whole(entries[key][1], f"`{key}`", low, high) if key in entries else low

    def _tactics(self, node: yaml.Node | None) -> frozenset[str]:
        return frozenset(self.d.words(node, "a tactic", _TACTICS))

    def _protection(self, node: yaml.Node, name: str) -> str:
        return self.d.word(node, f"the protection of {name}", PROTECTIONS)

    def _thresholds(self, node: yaml.Node, name: str) -> tuple[float, float, float, float]:
        entries = self.d.mapping(node, f"the levels of {name}", _LEVELS)
        self.d.require(node, entries, f"the levels of {name}", _LEVELS)
        before = len(self.d.problems)
        values = [self._number(entries, level, 0.1, 100.0) for level in _LEVELS]
        if len(self.d.problems) > before:
            values = []  # what cannot be read is neither high nor low
        for (lower, a), (higher, b) in itertools.pairwise(zip(_LEVELS, values, strict=False)):
            if b < a and higher in entries:
                self.d.say(entries[higher][1], f"`{higher}` is below `{lower}`", "Levels must not fall.")
        notice, concern, urgent, emergency = values or (0.1, 0.1, 0.1, 0.1)
        return notice, concern, urgent, emergency

    def _interventions(self, node: yaml.Node | None) -> tuple[Intervention, ...]:
        found = []
        for item in self.d.items(node, "what is asked for"):
            word = self.d.text(item, "an intervention")
            if word in PROPOSALS:
                fix = "Write it under `propose`: a person decides on accounts."
                self.d.say(item, f"`{word}` concerns a person's account, which the machine never acts on", fix)
            elif word and word not in _ASKABLE:
                self.d.say(item, f"`{word}` cannot be asked for", did_you_mean(word, _ASKABLE))
            elif word:
                found.append(Intervention(word))
        return tuple(found)

    def _steps(self, node: yaml.Node, name: str) -> dict[str, tuple[Intervention, ...]]:
        entries = self.d.mapping(node, f"the steps of {name}", _LEVELS)
        return {level: self._interventions(value) for level, (_, value) in entries.items()}

    def _budget(self, node: yaml.Node) -> Budget:
        entries = self.d.mapping(node, "a budget", ("minute", "day"))
        self.d.require(node, entries, "a budget", ("minute", "day"))
        return Budget(self._whole(entries, "minute", 1, 10_000_000), self._whole(entries, "day", 1, 10_000_000))

    # -- counters and sequences --------------------------------------------------------------------------------------

    def _window(self, entries: Entries) -> tuple[int, str]:
        within = self.d.duration(entries["within"][1], "`within`") if "within" in entries else 0
        if within > MAX_WINDOW_MS:
            self.d.say(entries["within"][1], "a window is at most 30m long", "Write 30m, or less.")
        return within, self.d.word(entries["by"][1], "`by`", BY) if "by" in entries else ""

    def _counter(self, node: yaml.Node, name: str) -> Counter:
        keys = ("of", "within", "by")
        entries = self.d.mapping(node, f"the counter {name}", keys)
        self.d.require(node, entries, f"the counter {name}", keys)
        of = self._labels(entries["of"][1], "what is counted") if "of" in entries else frozenset()
        within, by = self._window(entries)
        return Counter(of, within, by)

    def _labels(self, node: yaml.Node, what: str) -> frozenset[str]:
        """What can be counted; not nothing."""
        before = len(self.d.problems)
        found = frozenset(self.d.words(node, what, {*_TACTICS, *ACTS}))
        if not found and len(self.d.problems) == before:
            self.d.say(node, f"{what} is an empty list", f"Name tactics, or {', '.join(ACTS)}.")
        return found

    def _sequence(self, node: yaml.Node, name: str) -> Sequence:
        keys = ("steps", "within", "by")
        entries = self.d.mapping(node, f"the sequence {name}", keys)
        self.d.require(node, entries, f"the sequence {name}", keys)
        steps: tuple[frozenset[str], ...] = ()
        if "steps" in entries:
            where = entries["steps"][1]
            steps = tuple(self._labels(step, "a step") for step in self.d.items(where, "`steps`"))
            if not 2 <= len(steps) <= MAX_STEPS:
                self.d.say(where, f"a sequence has 2 to {MAX_STEPS} steps", "Write `[[gift], [dare]]`.")
        within, by = self._window(entries)
        return Sequence(steps, within, by)

    # -- rules -------------------------------------------------------------------------------------------------------

    def _rules(self, counters: dict[str, Counter], sequences: dict[str, Sequence]) -> tuple[Rule, ...]:
        if "rules" not in self.top:
            return ()
        declared = VARIABLES | {
            "counter": Kind("map", tuple(sorted(counters)), "int"),
            "sequence": Kind("map", tuple(sorted(sequences)), "bool"),
        }
        found: dict[str, Rule] = {}
        for node in self.d.items(self.top["rules"][1], "`rules`"):
            rule = self._rule(node, declared)
            if not rule.id:
                continue
            if rule.id in found:
                self.d.say(node, f"the rule id `{rule.id}` is taken", "Rename one of the two.")
            found[rule.id] = rule
        if len(found) > MAX_RULES:
            self.d.say(self.top["rules"][1], f"there are more than {MAX_RULES} rules", "Merge some.")
        return tuple(found.values())

    def _rule(self, node: yaml.Node, declared: dict[str, Kind]) -> Rule:
        d = self.d
        entries = d.mapping(node, "a rule", _RULE_KEYS)
        d.require(node, entries, "the rule", ("id", "when", "why"))

        def part(key: str) -> yaml.Node | None:
            return entries[key][1] if key in entries else None

        identifier = self._said(part("id"), "`id`") if "id" in entries else ""
        if identifier and not re.fullmatch("[a-z][a-z0-9_]{0,60}", identifier):
            d.say(part("id"), f"the id `{identifier}` is odd", "Use lower case letters, digits and underscores.")
        before = len(d.problems)
        when = d.text(part("when"), "`when`") if "when" in entries else ""
        unread = self._known or "when" not in entries or len(d.problems) > before
        fault = None if unread else check(when, declared)
        if fault is not None:
            d.say(part("when"), fault.reason, fault.fix, fault.start, fault.length)
        if not {"level", "hold", "ask", "propose"} & entries.keys():
            d.say(node, f"the rule `{identifier}` does nothing", "Give it `level`, `hold`, `ask` or `propose`.")
        hold = d.word(part("hold"), "`hold`", ("true", "false")) if "hold" in entries else "false"
        level = d.word(part("level"), "`level`", _LEVELS) if "level" in entries else ""
        return Rule(
            id=identifier,
            mode=d.word(part("mode"), "`mode`", MODES) if "mode" in entries else "live",
            when=when,
            why=self._said(part("why"), "`why`") if "why" in entries else "",
            level=int(_LEVELS[level]) if level else 0,
            hold=hold == "true",
            ask=self._interventions(part("ask")) if "ask" in entries else (),
            propose=d.words(part("propose"), "a proposal", PROPOSALS) if "propose" in entries else (),
            cooldown=d.duration(part("cooldown"), "`cooldown`") if "cooldown" in entries else 0,
            budget=self._budget(entries["budget"][1]) if "budget" in entries else None,
            line=node.start_mark.line + 1,
        )

    def _said(self, node: yaml.Node | None, what: str) -> str:
        """A text that says something."""
        before = len(self.d.problems)
        text = self.d.text(node, what).strip()
        if not text and len(self.d.problems) == before:
            self.d.say(node, f"{what} is empty", "Say it in a few words.")
        return text
