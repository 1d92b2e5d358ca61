"""Which rules of the presets a running configuration meets, and what is missing where it does not. Pure: what runs is
handed in as ``Running``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec

from upstander.model.vocabulary import AgeBand, AgeSource, Intervention
from upstander.policy.effective import YOUNGEST
from upstander.policy.presets import SWITCHES, Feature, Kind, Preset, Requirement, Row, Status


class Declared(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What the platform does by itself. Upstander cannot see it: ``policy coverage`` takes your word, and says so.

    ``off_for_children``: features that the platform keeps off in children's broadcasts; ``minimum_host_age``: it lets
    nobody younger host; ``age_sources``: where it takes a host's age from; ``report_route``: viewers can report a
    broadcast, and the report comes here as ``user_report``; ``moderators_always``: people are on duty whenever one can
    broadcast.
    """

    off_for_children: tuple[Feature, ...] = ()
    minimum_host_age: Annotated[int, msgspec.Meta(ge=0, le=18)] = 0
    age_sources: tuple[AgeSource, ...] = ()
    report_route: bool = False
    moderators_always: bool = False


class Running(msgspec.Struct, frozen=True):
    """What runs, as far as rules are concerned.

    ``capabilities``: the platforms that have adapters, and what these can do; ``serves``: the interventions that each
    platform's adapters can carry out; ``served_by``: for an intervention, the capability that serves it best;
    ``starts``: what policy asks for when a broadcast of a band's host begins; ``report_calls``: a viewer's report of a
    child's broadcast calls a moderator; ``kept_days``: how long events and decisions are kept (None: for good).
    """

    capabilities: Mapping[str, frozenset[str]]
    serves: Mapping[str, frozenset[str]]
    served_by: Mapping[str, str]
    starts: Mapping[AgeBand, frozenset[str]]
    report_calls: bool
    kept_days: int | None
    declared: Declared


class Result(StrEnum):
    """What became of a rule."""

    MET = "met"
    PARTLY = "partly"
    NOT_MET = "not_met"
    PEOPLE = "cannot_be_checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One rule against what runs. ``why``: what is there; ``missing``: what is not, with the setting or capability to
    add; ``people``: what no software can do; ``declared``: it rests on the operator's word at least in part."""

    row: str
    preset: str
    measure: str
    jurisdiction: str
    status: Status
    example: bool
    result: Result
    why: tuple[str, ...]
    missing: tuple[str, ...]
    people: tuple[str, ...]
    declared: bool

    @property
    def fails(self) -> bool:
        """In force, and software lacks something. What people must do besides does not count, nor do house rules of
        other platforms."""
        return self.status is Status.IN_FORCE and not self.example and bool(self.missing)


class _Check:
    """One requirement: what is there, what is missing, and what the operator declared."""

    def __init__(self) -> None:
        self.there: list[str] = []
        self.missing: list[str] = []
        self.declared = False

    def of(self, holds: bool, there: str, missing: str) -> None:
        """Note one part of a requirement."""
        if holds:
            self.there.append(there)
        else:
            self.missing.append(missing)

    def take_word(self, there: str) -> None:
        """The operator says that the platform does it."""
        self.there, self.missing, self.declared = [f"declared in the settings: {there}"], [], True


def coverage(presets: Iterable[Preset], running: Running) -> tuple[Finding, ...]:
    """Every rule of the presets, in their order, against what runs."""
    return tuple(_finding(preset, row, running) for preset in presets for row in preset.rows)


def _finding(preset: Preset, row: Row, running: Running) -> Finding:
    checks = [_check(need, row, running) for need in row.requires]
    there = tuple(text for check in checks for text in check.there)
    missing = tuple(text for check in checks for text in check.missing)
    if not checks:
        result = Result.PEOPLE
    elif missing:
        result = Result.PARTLY if there else Result.NOT_MET
    else:
        result = Result.PARTLY if row.human_only else Result.MET
    return Finding(
        row=row.id,
        preset=preset.id,
        measure=row.measure,
        jurisdiction=row.jurisdiction,
        status=row.status,
        example=preset.example,
        result=result,
        why=there or (() if missing else ("software cannot tell",)),
        missing=missing,
        people=row.human_only,
        declared=any(check.declared for check in checks),
    )


def _check(need: Requirement, row: Row, running: Running) -> _Check:
    check = _Check()
    declared = running.declared
    match need.kind:
        case Kind.INTERVENTION:
            _intervention(check, need, row, running)
        case Kind.CAPABILITY:
            lacking = [name for name, able in running.capabilities.items() if need.name not in able]
            _served(check, need.name, need.name, lacking, running)
        case Kind.PLATFORM_OFF:
            plain = need.name.replace("_", " ")
            fix = f'have the platform keep {plain} off for children, then add "{need.name}" to'
            there = f"the platform keeps {plain} off for children"
            _by_word(check, need.name in declared.off_for_children, there, fix, "off_for_children")
        case Kind.MINIMUM_HOST_AGE:
            _minimum_age(check, need.number, running)
        case Kind.AGE_SOURCES:
            sources, wanted = declared.age_sources, ", ".join(f'"{source}"' for source in need.sources)
            enough = bool(sources) and set(sources) <= set(need.sources)
            fix = f"have the platform take a host's age from these alone: {wanted}; then name those it uses in"
            _by_word(check, enough, f"a host's age is {' or '.join(sources)}", fix, "age_sources")
        case Kind.PRESERVATION_DAYS:
            kept = running.kept_days
            there = "events and decisions are kept " + (f"{kept} days" if kept is not None else "for good")
            check.of(kept is None or kept >= need.number, there, f"{there}: keep them {need.number} days")
        case Kind.REPORT_ROUTE:
            there = "a viewer's report of a child's broadcast calls a moderator"
            fix = (
                "a report of a broadcast (`user_report` about its host) is recorded, but calls nobody: the policy must"
            )
            check.of(running.report_calls, there, f"{fix} ask for `call_moderator`")
            fix = "have the platform offer the report and send it as `user_report`, then set"
            _by_word(check, declared.report_route, "viewers can report a broadcast", fix, "report_route")
        case Kind.MODERATOR_AVAILABLE:
            lacking = [name for name, able in running.serves.items() if "call_moderator" not in able]
            _served(check, "call_moderator", "call_moderator", lacking, running)
            fix = "have people on duty whenever one can broadcast, then set"
            _by_word(check, declared.moderators_always, "moderators are always on duty", fix, "moderators_always")
    return check


def _by_word(check: _Check, holds: bool, there: str, fix: str, key: str) -> None:
    if holds:
        check.declared = True
    value = "" if key in ("off_for_children", "age_sources") else " = true"
    check.of(holds, f"declared in the settings: {there}", f"{fix} `{key}{value}` under [presets.platform]")


def _intervention(check: _Check, need: Requirement, row: Row, running: Running) -> None:
    feature = SWITCHES.get(need.name)
    if feature in running.declared.off_for_children:
        check.take_word(f"the platform keeps {feature} off for children")
        return
    word = f', or have the platform keep it off and add "{feature}" to `off_for_children`' if feature else ""
    if need.name not in set(Intervention):
        check.missing.append(f"this release has no intervention `{need.name}`: update it{word}")
        return
    if need.default_on:
        late = [band for band in row.age_bands if need.name not in running.starts[band]]
        bands = ", ".join(band.replace("_", "-") for band in late)
        fix = f"the policy does not ask for `{need.name}` when a broadcast begins (host: {bands}): have it do so{word}"
        check.of(not late, f"the policy asks for `{need.name}` when a broadcast begins", fix)
    lacking = [name for name, able in running.serves.items() if need.name not in able]
    _served(check, need.name, running.served_by.get(need.name, need.name), lacking, running)


def _served(check: _Check, name: str, capability: str, lacking: Sequence[str], running: Running) -> None:
    """Whether every platform has an adapter for it. No adapter at all is no platform that could do it."""
    if not running.capabilities:
        check.missing.append(f'no adapter: add [[adapters]] with "{capability}" in its `capabilities`')
        return
    able = [platform for platform in running.capabilities if platform not in lacking]
    if able:
        check.there.append(f"`{name}` can be carried out on {', '.join(able)}")
    if lacking:
        where = ", ".join(lacking)
        check.missing.append(f'no adapter of {where} can: add one with "{capability}" in its `capabilities`')


def _minimum_age(check: _Check, years: int, running: Running) -> None:
    declared = running.declared.minimum_host_age
    if declared >= years:
        check.take_word(f"nobody under {declared} may host")
        return
    young = [band for band in AgeBand if band is not AgeBand.UNKNOWN and YOUNGEST[band] < years]
    stopped = all("pause" in running.starts[band] for band in young)
    fix = f"nothing keeps a host under {years} from broadcasting: have the platform refuse them, then set"
    there = f"the policy pauses a broadcast at its start when the host is under {years}"
    check.of(stopped, there, f"{fix} `minimum_host_age = {years}` under [presets.platform]")
