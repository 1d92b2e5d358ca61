"""``upstander cases list|show|related|levels``. Every look is noted before anything is shown."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cases import queue
from upstander.cases import related as related_cases
from upstander.cases.desk import now_ms
from upstander.cases.model import Case, Step
from upstander.cases.states import State
from upstander.cli.cases_common import as_told, case_argument, desk_of, json_option
from upstander.cli.common import Mistake, config_option, print_json
from upstander.cli.vault_common import person_option, time_of
from upstander.model.vocabulary import Level

why_option = click.option("--why", "why", metavar="TEXT", default="", help="Why you look; it is kept for good.")


@click.command("list")
@config_option
@click.option(
    "--state", type=click.Choice([str(state) for state in State]), help="Only this state. Default: the queue."
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--after", metavar="PLACE", default="", help="The next page: the place that the last page ended with.")
@person_option
@json_option
def list_command(
    config: Path | None, data: str | None, state: str | None, limit: int, after: str, by: str, as_json: bool
) -> None:
    """A page of the queue: alarms first, then the gravest, then who waits longest. It names nobody."""
    with desk_of(config, data) as desk:
        cases = desk.page(by, State(state) if state else None, _place(after), limit)
        counts = queue.counts(desk)
    lines = [queue.line_of(case) for case in cases]
    place = f"{lines[-1].rank}:{lines[-1].id}" if len(lines) == limit else ""
    if as_json:
        print_json({"counts": counts, "cases": lines, "next": place})
        return
    click.echo("  ".join(f"{name} {count:,}" for name, count in counts.items() if count) or "no cases")
    if not lines:
        return
    table = Table(box=None)
    for column in ("case", "level", "host", "state", "waits", "tactics"):
        table.add_column(column, no_wrap=column != "tactics")
    for line in lines:
        held = f"{line.state} by {line.holder}" if line.holder else line.state
        alarm = "ALARM " if line.alarm else ""
        table.add_row(line.id, line.level, line.band, alarm + held, _waits(line), ", ".join(line.tactics))
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)
    if place:
        click.echo(f"more: --after {place}")


def _place(text: str) -> tuple[int, str]:
    rank, _, identifier = text.partition(":")
    if text and not (rank.isascii() and rank.isdigit() and len(rank) < 19):
        raise Mistake(f"--after {text!r} is no place. Give the one that the last page ended with.")
    return (int(rank), identifier) if text else (-1, "")


def _waits(line: queue.Line) -> str:
    minutes = max(0, now_ms() - line.opened_at) // 60_000
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"


@click.command("show")
@config_option
@case_argument
@person_option
@why_option
@json_option
def show_command(config: Path | None, data: str | None, case: str, by: str, why: str, as_json: bool) -> None:
    """CASE (its id, or the first 4 digits or more) with whom it is about and its whole history."""
    with desk_of(config, data) as desk:
        shown = desk.view(case, by, why)
        history = desk.store.history(shown.id)
    if as_json:
        print_json({"case": as_told(shown), "history": history})
        return
    for name, value in _facts(shown):
        click.echo(f"{name:<12}{value}")
    click.echo()
    for step in history:
        click.echo(_told(step))


def _facts(case: Case) -> list[tuple[str, str]]:
    facts = [
        ("case", case.id),
        ("state", f"{case.state}" + (f", held by {case.holder}" if case.holder else "")),
        ("alarm", f"since {time_of(case.alarm)}" if case.alarm else ""),
        ("level", f"{Level(case.level).word}, {case.belief:.2f} nats, {case.decisions:,} decisions"),
        ("tactics", ", ".join(case.tactics)),
        ("platform", case.platform),
        ("broadcast", case.broadcast),
        ("host", f"{case.host or '-'} ({case.band})"),
        ("viewer", case.viewer or "- (the broadcast as a whole)"),
        ("last event", f"{case.event}  (see: upstander explain)"),
        ("report", case.report),
        ("outcome", case.outcome),
    ]
    return [(name, value) for name, value in facts if value]


def _told(step: Step) -> str:
    becomes = f" -> {step.after['state']}" if "state" in step.after and step.before else ""
    to = f" {step.to}" if step.to else ""
    return f"{time_of(step.at)}  {step.act}{to}{becomes}, by {step.by}" + (f": {step.why}" if step.why else "")


@click.command("related")
@config_option
@case_argument
@person_option
@why_option
@json_option
def related_command(config: Path | None, data: str | None, case: str, by: str, why: str, as_json: bool) -> None:
    """Cases about the same viewer, or in which the same words were written, however disguised."""
    with desk_of(config, data) as desk:
        shown = desk.view(case, by, why or "looking for related cases")
        found = related_cases.related(desk, shown)
    if as_json:
        print_json(found)
        return
    for each in found:
        click.echo(f"{each.id}  {Level(each.level).word:<9}  {each.state:<9}  {time_of(each.opened_at)}  {each.why}")
    if not found:
        click.echo("No related cases.")


@click.command("levels")
@config_option
@click.option("--days", type=click.IntRange(1, 400), default=14, show_default=True)
@json_option
def levels_command(config: Path | None, data: str | None, days: int, as_json: bool) -> None:
    """Time from a case's opening to the first look at it, day by day, beside the target."""
    with desk_of(config, data) as desk:
        found = queue.service(desk, days)
    if as_json:
        print_json(msgspec.to_builtins(found))
        return
    click.echo(f"target: a look within {found.target_s // 60} min")
    click.echo(
        f"waiting now: {found.waiting:,}" + (f", the longest {found.longest_s / 60:.0f} min" * bool(found.waiting))
    )
    table = Table(box=None)
    for column in ("day (UTC)", "looks", "median", "90%", "worst", "within"):
        table.add_column(column, justify="right")
    for day in found.days:
        times = (f"{each:,.0f} s" for each in (day.median_s, day.p90_s, day.worst_s))
        table.add_row(day.day, f"{day.looks:,}", *times, f"{day.within:.0%}")
    if found.days:
        Console().print(table)
