"""A policy at work: from what is believed to a level and what is asked for. Pure."""

from __future__ import annotations

import hashlib
import re
from importlib.resources import files

import cel
import msgspec

from upstander.engine.assessment import CAPTURES, Assessment, FiredRule, Judgement, Mark, Start
from upstander.model.decision import Asked
from upstander.model.vocabulary import SEVERE_TACTICS, AgeBand, AgeSource, Exposure, Intervention, Level, Tactic
from upstander.policy.effective import Effective
from upstander.policy.language import compile_expression
from upstander.policy.reader import load
from upstander.policy.schema import ACTS, Budget, Counter, Rule, Sequence, Tables

I = Intervention  # noqa: E741 - keeps the code readable

_NO_EVIDENCE = {str(tactic): 0.0 for tactic in Tactic}
_LEVEL_NUMBERS = {level.name: int(level) for level in Level}
_USED = re.compile(r"\b(counter|sequence)\s*(?:\.\s*(\w+)|\[\s*[\"'](\w+)[\"']\s*\])")
#: Asked for again when the level has risen, although they were asked for a moment ago.
_AGAIN = (I.CALL_MODERATOR, I.NUDGE_HOST)


def bundled_source() -> tuple[str, str]:
    """The policy that ships, as ``(file, YAML)``."""
    return "default.yaml", (files("upstander.policy") / "default.yaml").read_text(encoding="utf-8")


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What the numbers reach, and what the evidence lets them reach, before rules.

    ``seen``: the tactics of which enough was shown; ``severe``: a severe one among them; ``directive``: how many try
    to move the host.
    """

    protection: str
    reached: Level
    ceiling: Level
    crowd_reached: Level
    crowd_ceiling: Level
    seen: tuple[str, ...]
    severe: bool
    directive: int

    @property
    def level(self) -> Level:
        """The pair's level."""
        return min(self.reached, self.ceiling)

    @property
    def crowd_level(self) -> Level:
        """The whole audience's level."""
        return min(self.crowd_reached, self.crowd_ceiling)


class RulePolicy:
    """Judges by one policy file, and by presets when a broadcast begins."""

    def __init__(self, tables: Tables, presets: Effective | None = None) -> None:
        self.tables = tables
        self.hash = tables.hash
        self.presets = presets
        if presets is not None:
            self.hash = hashlib.sha256(f"{tables.hash} {presets.hash}".encode()).hexdigest()
        self._active = [(rule, compile_expression(rule.when)) for rule in tables.rules if rule.mode != "off"]
        used = {(kind, name or quoted) for rule, _ in self._active for kind, name, quoted in _USED.findall(rule.when)}
        self._counters = {name: c for name, c in tables.counters.items() if ("counter", name) in used}
        self._sequences = {name: s for name, s in tables.sequences.items() if ("sequence", name) in used}
        #: What no rule names need not be handed over: that is what costs most.
        self._named = {name for rule, _ in self._active for name in re.findall(r"\w+", rule.when)}
        self._budgets: dict[str, Budget] = tables.budgets | {
            f"rule:{rule.id}": rule.budget for rule in tables.rules if rule.budget is not None
        }
        ends = [sequence.steps[-1] for sequence in self._sequences.values()]
        watched = [counter.of for counter in self._counters.values()] + ends
        #: Events without words that some rule wants to judge, beside those that show a tactic.
        self.acts = frozenset(act for act in ACTS if any(act in labels for labels in watched))
        self.acts |= {act for act in CAPTURES if any(f'"{act}"' in rule.when for rule, _ in self._active)}

    def budget(self, key: str) -> Budget | None:
        """How often an intervention, or a rule (``rule:id``), may be asked for."""
        return self._budgets.get(key)

    def on_deadline(self, band: AgeBand) -> str:
        """What becomes of a comment whose decision is late: ``allow``, ``hold`` or ``block``."""
        return self.tables.on_deadline[self.tables.protection[band]]

    def at_start(self, band: AgeBand, age_source: AgeSource) -> Start:
        """What the presets ask for from the first moment of a broadcast by such a host."""
        if self.presets is None:
            return Start()
        asked = tuple(self.presets.starting_interventions(band))
        hosting = self.presets.may_host(band, age_source)
        why = f"from the start, for hosts of this age: {', '.join(name.replace('_', ' ') for name in asked)}"
        return Start(asked, f"{why} ({self.presets.starting_from(band)})", "" if hosting.allowed else hosting.why)

    def judge(self, assessment: Assessment) -> Judgement:
        """The pair's level, the broadcast's level, and what to ask for."""
        a = assessment
        standing = self.standing(a)
        crowd = standing.crowd_level
        before = max(standing.level, Level.NOTICE) if a.muted else standing.level
        fired = self._rules(a, standing, before)
        live = [rule for rule, shown in fired if shown.live]
        level = max([before, *(Level(rule.level) for rule in live)])
        # What a capture shows concerns the broadcast; a level's steps protect a host from viewers.
        fresh = bool(a.signals) or (level > before and a.kind not in CAPTURES)
        asked = self._asked(a, standing.protection, level, crowd, live, fresh)
        proposals = tuple(dict.fromkeys(name for rule in live for name in rule.propose))
        return Judgement(level, crowd, tuple(asked), tuple(shown for _, shown in fired), proposals)

    # -- levels ------------------------------------------------------------------------------------------------------

    def _reached(self, belief: float, protection: str, factor: float = 1.0) -> Level:
        return Level(sum(belief >= threshold * factor for threshold in self.tables.levels[protection]))

    def standing(self, a: Assessment) -> Standing:
        """What is reached. A level above ``notice`` needs two distinct tactics, or a severe one; a crowd's pressure can
        reach what no single viewer does."""
        t = self.tables
        protection = t.protection[a.band]
        seen = tuple(sorted(tactic for tactic, evidence in a.evidence.items() if evidence >= t.seen))
        severe = any(a.evidence.get(tactic, 0.0) >= t.severe_seen for tactic in SEVERE_TACTICS)
        directive = sum(tactic in t.directive for tactic in seen)
        ceiling = Level.NOTICE
        if severe or (len(seen) >= 2 and directive):
            ceiling = Level.URGENT
        elif len(seen) >= 2:
            ceiling = Level.CONCERN
        if a.events >= t.emergency_events and ((severe and len(seen) >= 2) or directive >= 3):
            ceiling = Level.EMERGENCY
        crowd_ceiling = Level.CLEAR
        if a.pressing >= t.crowd and a.signals:
            shown_severe = any(signal.label in SEVERE_TACTICS for signal in a.signals)
            crowd_ceiling = Level.EMERGENCY if shown_severe else Level.URGENT
        return Standing(
            protection,
            self._reached(a.belief, protection),
            ceiling,
            self._reached(a.broadcast_belief, protection, t.crowd_factor),
            crowd_ceiling,
            seen,
            severe,
            directive,
        )

    # -- rules -------------------------------------------------------------------------------------------------------

    def _rules(self, a: Assessment, standing: Standing, level: Level) -> list[tuple[Rule, FiredRule]]:
        if not self._active:
            return []
        context = cel.Context(self._variables(a, standing, level))
        fired = []
        for rule, program in self._active:
            why, live = rule.why, rule.mode == "live" and rule.id not in a.stopped
            try:
                if not program.execute(context):
                    continue
            except Exception:
                # The checker lets nothing through that can fail, but for numbers beyond all measure. Should one get
                # there: the levels must go on without the rule, and whoever reads the decision must see it.
                why, live = "this rule could not be evaluated", False
            fired.append((rule, FiredRule(rule.id, live, why, _asks(rule), rule.level, rule.propose)))
        return fired

    def _variables(self, a: Assessment, standing: Standing, level: Level) -> dict[str, object]:
        values: dict[str, object] = {
            **_LEVEL_NUMBERS,
            "kind": a.kind,
            "protection": standing.protection,
            "band": str(a.band),
            "level": int(level),
            "crowd_level": int(standing.crowd_level),
            "belief": a.belief,
            "crowd_belief": a.broadcast_belief,
            "pressing": a.pressing,
            "events": a.events,
            "muted": a.muted,
            "tactics": [str(signal.label) for signal in a.signals],
            "seen": list(standing.seen),
            "evidence": {**_NO_EVIDENCE, **a.evidence},
            "exposures": list(a.exposures),
            "counter": {name: _count(counter, a) for name, counter in self._counters.items()},
            "sequence": {name: _happened(sequence, a) for name, sequence in self._sequences.items()},
        }
        return {name: value for name, value in values.items() if name in self._named}

    # -- what is asked for -------------------------------------------------------------------------------------------

    def _holds(self, a: Assessment, protection: str, level: Level) -> bool:
        if a.kind not in ("comment", "gift"):
            return False
        if a.muted:
            return True
        if level >= Level.CONCERN and protection != "adult":
            return bool(a.signals)
        if level == Level.NOTICE:
            held = self.tables.hold_at_notice[protection]
            return any(signal.label in held for signal in a.signals)
        return level >= Level.URGENT and bool(a.signals)

    def _asked(
        self, a: Assessment, protection: str, level: Level, crowd: Level, live: list[Rule], fresh: bool
    ) -> list[Asked]:
        asked = []
        holding = [rule.id for rule in live if rule.hold and a.kind in ("comment", "gift")]
        if self._holds(a, protection, level):
            asked.append(Asked(I.HOLD_COMMENT, a.event))
        elif holding:
            asked.append(Asked(I.HOLD_COMMENT, a.event, holding[0]))
        highest = max(level, crowd)
        risen = level > a.pair_level or highest > a.broadcast_level
        for step, rule in self._steps(a, protection, level, crowd, live, fresh):
            concerns_viewer = step in (I.MUTE_VIEWER, I.WARN_VIEWER, I.REMOVE_VIEWER)
            if concerns_viewer and (not a.actor or a.actor[0] == "\0"):
                continue
            if step is I.MUTE_VIEWER and (a.muted or (rule is None and level < Level.URGENT)):
                continue
            wanted = Asked(step, a.actor if concerns_viewer else "", rule.id if rule else "")
            last = a.issued.get(wanted.key)
            wait = rule.cooldown if rule and rule.cooldown else self.tables.cooldown.get(step, 0)
            cooling = last is not None and a.now - last < wait
            if (not cooling or (risen and step in _AGAIN)) and wanted.key not in {other.key for other in asked}:
                asked.append(wanted)
        return asked

    def _steps(
        self, a: Assessment, protection: str, level: Level, crowd: Level, live: list[Rule], fresh: bool
    ) -> list[tuple[Intervention, Rule | None]]:
        """What the level asks for (when the event is ``fresh``: it shows something, or a rule raised the level), then
        what rules ask for (with the rule)."""
        highest = max(level, crowd)
        own = list(self.tables.steps[protection].get(highest.word, ())) if fresh else []
        distressed = Exposure.DISTRESS in a.exposures and highest >= Level.URGENT
        if distressed and I.PAUSE not in own:
            own.append(I.PAUSE)
        elif a.muted and not distressed and crowd < Level.EMERGENCY and I.PAUSE in own:
            # What a muted viewer writes reaches nobody: it must not be a switch by which a troll stops a broadcast.
            own.remove(I.PAUSE)
        if crowd >= Level.CONCERN:
            own.append(I.SLOW_MODE)
        return [(step, None) for step in own] + [(step, rule) for rule in live for step in rule.ask]


def _asks(rule: Rule) -> tuple[str, ...]:
    return (*((str(I.HOLD_COMMENT),) if rule.hold else ()), *map(str, rule.ask))


def _within(marks: tuple[Mark, ...], a: Assessment, within: int, by: str) -> list[Mark]:
    return [mark for mark in marks if a.now - mark.at <= within and (by != "viewer" or mark.actor == a.actor)]


def _count(counter: Counter, a: Assessment) -> int:
    return sum(mark.label in counter.of for mark in _within(a.marks, a, counter.within, counter.by))


def _happened(sequence: Sequence, a: Assessment) -> bool:
    """Whether this event ends the sequence: its last step is one of the event's own marks.

    Each mark stands for one step. What one event shows happened at once, so that its marks count in any order.
    """
    split = max(0, len(a.marks) - a.fresh)
    own = [mark.label for mark in _within(a.marks[split:], a, sequence.within, sequence.by)]
    if not any(label in sequence.steps[-1] for label in own):
        return False
    done = 0
    for mark in _within(a.marks[:split], a, sequence.within, sequence.by):
        if done < len(sequence.steps) - 1 and mark.label in sequence.steps[done]:
            done += 1
    return _assigned(sequence.steps[done:], own)


def _assigned(steps: tuple[frozenset[str], ...], labels: list[str]) -> bool:
    """Whether each step can have a label of its own."""
    if not steps:
        return True
    return any(
        label in steps[-1] and _assigned(steps[:-1], labels[:place] + labels[place + 1 :])
        for place, label in enumerate(labels)
    )


def bundled() -> RulePolicy:
    """The policy that ships."""
    return RulePolicy(load(*bundled_source()))
