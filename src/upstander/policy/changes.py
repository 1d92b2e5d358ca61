"""What changed from one policy to another, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import msgspec

from upstander.model.vocabulary import Level
from upstander.policy.describe import budget, duration, effect, listed, plain
from upstander.policy.schema import Budget, Counter, Rule, Sequence, Tables

_LEVELS = [level.word for level in Level if level is not Level.CLEAR]


class Change(msgspec.Struct, frozen=True):
    """One difference: in which section, of what, and how it was and is (empty: it was not there, or is gone)."""

    section: str
    name: str
    before: str
    after: str

    def __str__(self) -> str:
        name = f"{self.section}: {self.name}" if self.name else self.section
        if not self.before:
            return f"{name}: new: {self.after}"
        if not self.after:
            return f"{name}: gone: {self.before}"
        return f"{name}: {self.before} -> {self.after}"


def changes(before: Tables, after: Tables) -> list[Change]:
    """Every difference that can change a decision, in the order of the file."""
    return [change for change in _all(before, after) if change.before != change.after]


def _all(a: Tables, b: Tables) -> Iterable[Change]:
    yield Change("name", "", a.name, b.name)
    yield from _by_key("protection", a.protection, b.protection, str, plain)
    for protection in a.levels:
        for level, old, new in zip(_LEVELS, a.levels[protection], b.levels[protection], strict=True):
            yield Change("levels", f"{protection}, {level}", f"{old:g}", f"{new:g}")
    for name in ("seen", "severe_seen", "emergency_events"):
        yield Change("evidence", plain(name), f"{getattr(a, name):g}", f"{getattr(b, name):g}")
    yield _names("evidence", "directive", a.directive, b.directive)
    yield Change("crowd", "viewers", str(a.crowd), str(b.crowd))
    yield Change("crowd", "factor", f"{a.crowd_factor:g}", f"{b.crowd_factor:g}")
    for protection in a.hold_at_notice:
        yield _names("held at notice", protection, a.hold_at_notice[protection], b.hold_at_notice[protection])
    for protection in a.steps:
        for level in _LEVELS:
            old_steps, new_steps = a.steps[protection].get(level, ()), b.steps[protection].get(level, ())
            yield _names("steps", f"{protection}, {level}", old_steps, new_steps)
    yield from _by_key("cooldown", a.cooldown, b.cooldown, duration, plain)
    yield from _by_key("a late decision", a.on_deadline, b.on_deadline, str, plain)
    yield from _by_key("budget", a.budgets, b.budgets, budget, plain)
    yield from _by_key("counter", a.counters, b.counters, _counter, str)
    yield from _by_key("sequence", a.sequences, b.sequences, _sequence, str)
    yield from _rules(a.rules, b.rules)


def _names(section: str, name: str, before: Collection[Any], after: Collection[Any]) -> Change:
    """Lists are compared by what is in them; what came and went is said when both hold something."""
    old, new = {str(entry) for entry in before}, {str(entry) for entry in after}
    if old == new:
        same = isinstance(before, frozenset) or tuple(before) == tuple(after)
        return Change(section, name, "", "") if same else Change(section, name, listed(before), listed(after))
    came, went = sorted(new - old), sorted(old - new)
    said = [f"with {listed(came)}"] if came else []
    said += [f"without {listed(went)}"] if went else []
    return Change(section, name, listed(sorted(old)), f"{listed(sorted(new))} ({', '.join(said)})")


def _by_key(
    section: str, before: Mapping[str, Any], after: Mapping[str, Any], said: Any, name: Any
) -> Iterable[Change]:
    for key in dict.fromkeys((*before, *after)):
        old = said(before[key]) if key in before else ""
        yield Change(section, name(key), old, said(after[key]) if key in after else "")


def _counter(counter: Counter) -> str:
    return f"{listed(sorted(counter.of))} within {duration(counter.within)}, by {counter.by}"


def _sequence(sequence: Sequence) -> str:
    steps = ", then ".join(" or ".join(map(plain, sorted(step))) for step in sequence.steps)
    return f"{steps} within {duration(sequence.within)}, by {sequence.by}"


def _rules(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> Iterable[Change]:
    old, new = {rule.id: rule for rule in before}, {rule.id: rule for rule in after}
    for key in dict.fromkeys((*old, *new)):
        section = f"rule {key}"
        if key not in new:
            yield Change(section, "", _whole(old[key]), "")
        elif key not in old:
            yield Change(section, "", "", _whole(new[key]))
        else:
            for part, said in _PARTS.items():
                yield Change(section, part, said(old[key]), said(new[key]))
    kept = [key for key in old if key in new]
    yield _order(kept, [key for key in new if key in old])


def _order(before: list[str], after: list[str]) -> Change:
    """Which rule stands first decides which of two is said to have asked, and pays for it."""
    if before == after:
        return Change("order of the rules", "", "", "")
    return Change("order of the rules", "", ", ".join(before), ", ".join(after))


def _whole(rule: Rule) -> str:
    return f"{rule.mode}, when {' '.join(rule.when.split())}: {effect(rule)}"


def _limit(limit: Budget | None) -> str:
    return budget(limit) if limit else "none"


_PARTS: dict[str, Callable[[Rule], str]] = {
    "mode": lambda rule: rule.mode,
    "when": lambda rule: " ".join(rule.when.split()),
    "then": effect,
    "why": lambda rule: rule.why,
    "cooldown": lambda rule: duration(rule.cooldown) if rule.cooldown else "the intervention's",
    "budget": lambda rule: _limit(rule.budget),
}
