"""The policy in force: levels and rules in words, how often each rule held, what presets ask for, a short back-test."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import msgspec
from starlette.responses import Response

from upstander.backtest import run as backtest
from upstander.backtest.tables import LIMITS, Section, Tried, sections
from upstander.console.web import Visit
from upstander.gateway.coverage import running_of
from upstander.gateway.intake import now_ms
from upstander.journal import store as journal
from upstander.model.decision import decode_decision
from upstander.people.audit import Act as Noted
from upstander.policy import coverage, presets
from upstander.policy.describe import Section as Words
from upstander.policy.describe import describe
from upstander.policy.judge import bundled_source
from upstander.policy.presets import PresetError
from upstander.policy.reader import read
from upstander.policy.schema import Tables

DAY_MS = 86_400_000
#: At most so many of the day's last decisions are counted, and so many of its last events tried out: the service
#: decides on the same machine meanwhile.
DECISIONS, EVENTS = 20_000, 20_000


class Held(msgspec.Struct, frozen=True):
    """How often a rule held within the last day: live, and only noted."""

    rule: str
    mode: str
    live: int
    noted: int


async def policy(visit: Visit) -> Response:
    """The policy in force."""
    await visit.note(Noted.POLICY_VIEW)
    return await _page(visit)


def _source(visit: Visit) -> tuple[str, str]:
    source = visit.console.service.intake.configuration.policy_source
    return source if source[1] else bundled_source()


async def _page(
    visit: Visit, status: int = 200, error: str = "", yaml: str = "", tried: tuple[Section, ...] = (), said: str = ""
) -> Response:
    service = visit.console.service
    tables, _ = read(*_source(visit))
    assert tables is not None  # it is in force
    held, counted = await asyncio.to_thread(_held, visit, tables)
    findings = await asyncio.to_thread(_findings, visit)
    described = describe(tables)
    return visit.page(
        "policy.html.j2",
        status,
        {
            "name": tables.name,
            "hash": service.intake.configuration.policy,
            "presets": service.intake.configuration.presets,
            "sections": described,
            "rules": held,
            "counted": counted,
            "coverage": findings,
            "back_test": tried,
        }
        if not error
        else None,
        error=error,
        tables=tables,
        file=_source(visit)[0],
        hash=service.intake.configuration.policy[:16],
        described=[each for each in described if not each.title.startswith("Rule ")],
        rules=[_ruled(each, held) for each in described if each.title.startswith("Rule ")],
        counted=counted,
        most=DECISIONS,
        findings=findings,
        yaml=yaml,
        tried=tried,
        said=said,
        limits=LIMITS,
        events=EVENTS,
    )


def _ruled(section: Words, held: list[Held]) -> dict[str, object]:
    name = section.title.removeprefix("Rule ").split(" ")[0]
    return {"section": section, "held": next((each for each in held if each.rule == name), None)}


def _held(visit: Visit, tables: Tables) -> tuple[list[Held], int]:
    """How often each rule held, over the decisions of the last day; how many these are."""
    live, noted = Counter[str](), Counter[str]()
    counted, since = 0, now_ms() - DAY_MS
    connection = journal.connect(visit.console.service.settings.journal_path, readonly=True)
    try:
        for platform in visit.platforms:
            sql = "SELECT at, body FROM entries WHERE kind = 'decision' AND platform = ? ORDER BY seq DESC LIMIT ?"
            for at, body in connection.execute(sql, (platform, DECISIONS)):
                if at < since:
                    break
                counted += 1
                # Most decisions rest on no rule: they need not be decoded.
                if b'rule"' not in body:
                    continue
                for reason in decode_decision(bytes(body)).reasons:
                    if reason.what in ("rule", "shadow_rule"):
                        (live if reason.what == "rule" else noted)[reason.source.removeprefix("rule.")] += 1
    finally:
        connection.close()
    return [Held(rule.id, rule.mode, live[rule.id], noted[rule.id]) for rule in tables.rules], counted


def _findings(visit: Visit) -> list[coverage.Finding]:
    """The rules of the presets in force, against what runs; computed once for each configuration."""
    service = visit.console.service
    configuration, known = service.intake.configuration, visit.console.coverage
    if configuration.hash not in known:
        try:
            chosen = presets.chosen(presets.shipped(), service.settings.presets.use)
        except PresetError:
            chosen = ()
        known.clear()
        known[configuration.hash] = list(coverage.coverage(chosen, running_of(service.settings, configuration)))
    return known[configuration.hash]


async def back_test(visit: Visit) -> Response:
    """Try another policy on the last events of the last day, beside the one in force. It changes nothing."""
    text = visit.text("policy")
    await visit.note(Noted.POLICY_VIEW, detail=f"back-test of {len(text):,} characters")
    tables, problems = read("policy", text)
    if tables is None:
        return await _page(visit, 422, f"Not a policy: {problems[0]}", text)
    if visit.console.testing.locked():
        return await _page(visit, 409, "Another back-test is running. Try again in a minute.", text)
    async with visit.console.testing:
        try:
            tried = await asyncio.to_thread(_try, visit, ("policy", text), tables)
        except backtest.BacktestError as error:
            return await _page(visit, 409, str(error)[:1].upper() + str(error)[1:], text)
    totals = tried.totals
    said = f"{totals.events:,} events of {totals.broadcasts:,} broadcasts, in {tried.seconds:.0f} s"
    return await _page(visit, yaml=text, tried=tuple(s for s in sections(tried) if s.key != "examples"), said=said)


def _try(visit: Visit, source: tuple[str, str], new: Tables) -> Tried:
    service = visit.console.service
    path, began = service.settings.journal_path, time.monotonic()
    old, _ = read(*_source(visit))
    assert old is not None
    whole = backtest.source(path)
    connection = journal.connect(path, readonly=True)
    try:
        sql = "SELECT coalesce(min(seq), 0) FROM (SELECT seq FROM entries WHERE kind = 'event' AND at > ? "
        sql += "ORDER BY seq DESC LIMIT ?)"
        first = connection.execute(sql, (now_ms() - DAY_MS, EVENTS)).fetchone()[0]
    finally:
        connection.close()
    part = msgspec.structs.replace(whole, begin=max(0, first - 1) if first else whole.end)
    configuration = service.intake.configuration
    # No examples: this page shows no chat, and names no broadcast.
    comparison, totals = backtest.run(configuration, configuration.with_policy(source), [part], examples=0)
    return Tried(
        old=old,
        new=new,
        old_file=_source(visit)[0],
        new_file=source[0],
        totals=totals,
        comparison=comparison,
        moderators=1,
        sources=("the last day",),
        seconds=time.monotonic() - began,
    )
