"""A back-test's results as tables of texts, for the terminal and for the page, and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import msgspec

from upstander.backtest.run import Totals
from upstander.model.vocabulary import Intervention, Level
from upstander.policy.compare import Comparison, Example, Side
from upstander.policy.schema import Tables

LIMITS = (
    "These broadcasts were watched when they happened: what was done then (a viewer muted, a host warned, a broadcast "
    "paused) shaped what came after. What would have come after other interventions is not in any journal: viewers and "
    "hosts would have acted otherwise.",
    "Comments that were held then are judged as if they had been seen, and pauses of the past are not replayed; orders "
    "of moderators are, under both policies alike.",
    "More or fewer alerts are neither better nor worse by themselves: read the examples, and have verdicts on them.",
)


class Tried(msgspec.Struct, frozen=True):
    """A back-test that was done. ``old`` and ``new``: the policies' names and files."""

    old: Tables
    new: Tables
    old_file: str
    new_file: str
    totals: Totals
    comparison: Comparison
    moderators: int
    sources: tuple[str, ...]
    seconds: float


class Section(msgspec.Struct, frozen=True):
    """A table: its first column are names, the others numbers (or words in the last, when ``wordy``)."""

    key: str
    title: str
    note: str
    heads: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    wordy: bool = False


def facts(tried: Tried) -> list[tuple[str, str]]:
    """What was compared, on what."""
    totals = tried.totals
    days = " to ".join(_day(at) for at in (totals.first_at, totals.last_at)) if totals.events else "none"
    return [
        ("old policy", f"{tried.old_file} ({tried.old.name}, {tried.old.hash[:16]})"),
        ("new policy", f"{tried.new_file} ({tried.new.name}, {tried.new.hash[:16]})"),
        ("events", f"{totals.events:,} of {totals.broadcasts:,} broadcasts, {days}; {totals.orders:,} orders"),
        ("hours", f"{totals.hours:,.1f} broadcast-hours; {totals.clock_hours:,} hours of the clock"),
        ("left out", f"{totals.refused:,} that were no events, {totals.duplicates:,} sent twice"),
        ("read from", ", ".join(tried.sources)),
    ]


def sections(tried: Tried) -> list[Section]:
    """All tables."""
    c = tried.comparison
    old, new = c.old, c.new
    moved = [
        (f"{Level(a).word} -> {Level(b).word}", f"{count:,}")
        for (a, b), count in sorted(c.moves.items(), key=lambda entry: -entry[1])
    ]
    rules = dict.fromkeys([rule.id for rule in (*tried.new.rules, *tried.old.rules)])
    modes = [{rule.id: rule.mode for rule in tables.rules} for tables in (tried.old, tried.new)]
    return [
        Section(
            "load",
            "What people would have had to look at",
            "An alert is a moderator called. Hours of the clock are those with events; silences of more than ten"
            " minutes are no broadcast-hours.",
            ("", "old", "new", "difference"),
            _load(tried),
        ),
        Section(
            "asked",
            "What would have been asked for",
            "Gained and lost: on how many events it is asked for by one policy alone.",
            ("intervention", "old", "new", "difference", "gained", "lost"),
            [
                (name.replace("_", " "), *_row(old.asked[name], new.asked[name]), *_each(c.came[name], c.went[name]))
                for name in map(str, Intervention)
                if old.asked[name] or new.asked[name]
            ],
        ),
        Section(
            "proposals",
            "What would have been left to a person",
            "Never done by the machine.",
            ("proposal", "old", "new", "difference"),
            _counts(old.proposals, new.proposals),
        ),
        Section(
            "levels",
            "Decisions by level",
            "",
            ("level", "old", "new", "difference"),
            [
                (level.word, *_row(old.levels[level.word], new.levels[level.word]))
                for level in list(Level)[:0:-1]
            ],
        ),
        Section("moves", "Levels that moved", "", ("old -> new", "decisions"), moved),
        Section(
            "rules",
            "Rules",
            "How often each held: live, and only noted (in shadow, or past its budget).",
            ("rule", "mode, old", "mode, new", "live, old", "live, new", "noted, old", "noted, new"),
            [
                (rule, modes[0].get(rule, "-"), modes[1].get(rule, "-"),
                 *_each(old.live[rule], new.live[rule], old.shadow[rule], new.shadow[rule]))
                for rule in rules
            ],
        ),
        Section("gained", f"Gained: {c.gained:,} decisions", "The heaviest of those stricter under the new policy.",
                _EXAMPLE_HEADS, _examples(c.examples("gained")), wordy=True),
        Section("lost", f"Lost: {c.lost:,} decisions", "The heaviest of those laxer under the new policy.",
                _EXAMPLE_HEADS, _examples(c.examples("lost")), wordy=True),
    ]  # fmt: skip


def as_json(tried: Tried) -> dict[str, object]:
    """The result as one object."""
    c = tried.comparison
    return {
        "old": {"file": tried.old_file, "hash": tried.old.hash} | _side(c.old, tried),
        "new": {"file": tried.new_file, "hash": tried.new.hash} | _side(c.new, tried),
        "totals": msgspec.to_builtins(tried.totals),
        "moderators": tried.moderators,
        "moved": [
            {"old": Level(a).word, "new": Level(b).word, "decisions": n} for (a, b), n in sorted(c.moves.items())
        ],
        "gained": {"decisions": c.gained, "asked": c.came, "examples": msgspec.to_builtins(c.examples("gained"))},
        "lost": {"decisions": c.lost, "asked": c.went, "examples": msgspec.to_builtins(c.examples("lost"))},
        "seconds": round(tried.seconds, 2),
        "limits": LIMITS,
    }


def _side(side: Side, tried: Tried) -> dict[str, object]:
    return {
        "decisions": side.decisions,
        "levels": side.levels,
        "asked": side.asked,
        "proposals": side.proposals,
        "rules": {"live": side.live, "noted": side.shadow},
        "alerts": side.alerts,
        "alerts_per_broadcast_hour": _share(side.alerts, tried.totals.hours),
        "alerts_per_moderator_and_hour": _share(side.alerts, tried.totals.clock_hours * tried.moderators),
        "alerts_per_moderator_in_the_busiest_hour": _share(max(side.hours.values(), default=0), tried.moderators),
    }


_EXAMPLE_HEADS = ("event", "level", "asked for", "why")


def _examples(examples: Iterable[Example]) -> Sequence[tuple[str, ...]]:
    rows = []
    for one in examples:
        level = one.before if one.before == one.after else f"{one.before} -> {one.after}"
        asked = [f"+ {name.replace('_', ' ')}" for name in one.gained]
        asked += [f"- {name.replace('_', ' ')}" for name in one.lost]
        where = f"{one.platform}/{one.broadcast}" if one.platform else one.broadcast
        why = "; ".join(one.why) + (f' | "{one.text}"' if one.text else "")
        rows.append((f"{where} {one.event}", level, ", ".join(asked), why))
    return rows


def _load(tried: Tried) -> Sequence[tuple[str, ...]]:
    old, new, totals = tried.comparison.old, tried.comparison.new, tried.totals
    hours, shifts = totals.hours, totals.clock_hours * tried.moderators
    peak = [max(side.hours.values(), default=0) for side in (old, new)]
    people = "1 moderator" if tried.moderators == 1 else f"{tried.moderators} moderators"
    return [
        ("alerts", *_row(old.alerts, new.alerts)),
        ("alerts a broadcast-hour", *_ratio(old.alerts, new.alerts, hours)),
        (f"alerts a moderator and hour ({people})", *_ratio(old.alerts, new.alerts, shifts)),
        ("the same in the busiest hour", *_ratio(peak[0], peak[1], tried.moderators)),
        ("comments held", *_row(old.asked["hold_comment"], new.asked["hold_comment"])),
        ("decisions from notice on", *_row(old.decisions, new.decisions)),
    ]


def _row(old: int, new: int) -> tuple[str, str, str]:
    return f"{old:,}", f"{new:,}", f"{new - old:+,}" if new != old else "0"


def _each(*counts: int) -> tuple[str, ...]:
    return tuple(f"{count:,}" for count in counts)


def _counts(old: Counter[str], new: Counter[str]) -> Sequence[tuple[str, ...]]:
    return [(name.replace("_", " "), *_row(old[name], new[name])) for name in sorted(old | new)]


def _share(count: int, of: float) -> float | None:
    return round(count / of, 4) if of else None


def _ratio(old: int, new: int, of: float) -> tuple[str, str, str]:
    """Shares of something that may be nothing."""
    if not of:
        return "-", "-", "-"
    return f"{old / of:,.2f}", f"{new / of:,.2f}", f"{(new - old) / of:+,.2f}"


def _day(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d")
