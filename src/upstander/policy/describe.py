"""A policy in words: what ``upstander policy explain`` shows. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from upstander.model.vocabulary import Level
from upstander.policy.judge import Standing
from upstander.policy.schema import Budget, Rule, Tables

_WORDS = [level.word for level in Level if level is not Level.CLEAR]
_UNITS = ((86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms"))


class Section(msgspec.Struct, frozen=True):
    """A title and lines below it, each with a name."""

    title: str
    lines: list[tuple[str, str]]


def duration(milliseconds: int) -> str:
    """A duration as it is written in a policy: ``90s``, ``5m``."""
    for size, unit in _UNITS:
        if milliseconds % size == 0 and (milliseconds >= size or size == 1):
            return f"{milliseconds // size}{unit}"
    raise AssertionError(milliseconds)


def plain(name: object) -> str:
    """A name of the vocabulary as words."""
    return str(name).replace("_", " ")


def listed(names: Iterable[object]) -> str:
    """Names as words, with commas."""
    return ", ".join(plain(name) for name in names) or "nothing"


def budget(limit: Budget) -> str:
    """A budget in words."""
    return f"{limit.minute:,} a minute and {limit.day:,} a day on one platform"


def bands(tables: Tables, protection: str) -> str:
    """The age bands under a protection."""
    return ", ".join(band.replace("_", "-") for band, name in tables.protection.items() if name == protection)


def effect(rule: Rule) -> str:
    """What a rule does when it holds."""
    parts = [f"level at least {Level(rule.level).word}"] if rule.level else []
    parts += ["hold the comment"] if rule.hold else []
    parts += [f"ask for {listed(rule.ask)}"] if rule.ask else []
    parts += [f"leave to a person: {listed(rule.propose)}"] if rule.propose else []
    return "; ".join(parts)


def describe(tables: Tables) -> list[Section]:
    """The whole policy, section by section."""
    used = [name for name in tables.levels if name in tables.protection.values()]
    ladder = [(name, f"{_ladder(tables.levels[name])}  (hosts: {bands(tables, name)})") for name in used]
    needs = [
        ("seen", f"a tactic counts from {tables.seen:g} nats; a severe one as such from {tables.severe_seen:g}"),
        ("concern", "two tactics, or a severe one"),
        ("urgent", "two tactics, one of them directive, or a severe one"),
        ("directive", listed(sorted(tables.directive))),
        ("emergency", f"{tables.emergency_events} events that showed something, and three directive tactics, or a "
         "severe one beside another"),
        ("crowd", f"{tables.crowd} viewers pressing within a minute, and {tables.crowd_factor:g} times the nats"),
    ]  # fmt: skip
    held = [
        (name, f"at notice: {listed(sorted(tables.hold_at_notice[name]))}; from "
         f"{'urgent' if name == 'adult' else 'concern'} on: what shows a tactic; everything of a muted viewer")
        for name in used
    ]  # fmt: skip
    steps = [
        (f"{name}, {level}", listed(found)) for name in used for level, found in tables.steps[name].items() if found
    ]
    sections = [
        Section("Levels (nats of belief)", ladder),
        Section("What a level needs besides", needs),
        Section("Comments that are held", held),
        Section("What is asked for", steps),
        Section("Not again within", [(plain(name), duration(wait)) for name, wait in tables.cooldown.items()]),
        Section("A comment whose decision is late", [(name, tables.on_deadline[name]) for name in used]),
        Section("Budgets", [(plain(name), budget(limit)) for name, limit in tables.budgets.items()]),
        Section("Counters", [(n, f"{listed(sorted(c.of))} within {duration(c.within)}, by {c.by}")
                             for n, c in tables.counters.items()]),
        Section("Sequences", [(n, f"{', then '.join(' or '.join(map(plain, sorted(step))) for step in s.steps)} within "
                               f"{duration(s.within)}, by {s.by}") for n, s in tables.sequences.items()]),
    ]  # fmt: skip
    return [section for section in sections if section.lines] + [_rule(rule) for rule in tables.rules]


def _ladder(thresholds: tuple[float, float, float, float]) -> str:
    return ", ".join(f"{word} {value:g}" for word, value in zip(_WORDS, thresholds, strict=True))


def _rule(rule: Rule) -> Section:
    lines = [("why", rule.why), ("when", " ".join(rule.when.split())), ("then", effect(rule))]
    lines += [("cooldown", duration(rule.cooldown))] if rule.cooldown else []
    lines += [("budget", budget(rule.budget))] if rule.budget else []
    return Section(f"Rule {rule.id} ({rule.mode})", lines)


# -- one decision ------------------------------------------------------------------------------------------------------


def why_this_level(tables: Tables, standing: Standing, belief: float, events: int) -> str:
    """What the belief reaches, what the evidence lets it reach, and why not more."""
    reached = standing.reached
    if reached is Level.CLEAR:
        return f"belief {belief:.1f} is below notice ({tables.levels[standing.protection][0]:g})"
    said = f"belief {belief:.1f} reaches {reached.word}"
    if standing.ceiling < reached:
        return f"{said}, but {_lacking(tables, standing, events)}: {standing.ceiling.word} at most"
    if reached is Level.EMERGENCY:
        return f"{said}, and the evidence allows it"
    return f"{said}; {Level(reached + 1).word} begins at {tables.levels[standing.protection][reached]:g}"


def _lacking(tables: Tables, standing: Standing, events: int) -> str:
    if standing.ceiling is Level.NOTICE:
        return f"only one tactic was seen ({plain(standing.seen[0])})" if standing.seen else "no tactic was seen enough"
    if standing.ceiling is Level.CONCERN:
        return f"none of what was seen tries to move the host ({listed(standing.seen)})"
    if events < tables.emergency_events:
        return f"only {events} of {tables.emergency_events} events showed something"
    return f"neither three directive tactics nor a severe one beside another were seen ({listed(standing.seen)})"


def why_this_crowd(tables: Tables, standing: Standing, belief: float, pressing: int) -> str:
    """The same of the whole audience; empty when its belief reaches nothing."""
    reached = standing.crowd_reached
    if reached is Level.CLEAR:
        return ""
    said = f"the audience's belief {belief:.1f} reaches {reached.word}"
    if pressing < tables.crowd:
        return f"{said}, but {pressing} of {tables.crowd} viewers press: it does not count"
    if standing.crowd_ceiling is Level.CLEAR:
        return f"{said}, but this event shows no tactic: it does not count"
    if standing.crowd_ceiling < reached:
        return f"{said}, but this event shows no severe tactic: {standing.crowd_ceiling.word} at most"
    return said
