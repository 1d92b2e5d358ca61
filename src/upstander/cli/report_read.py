"""``upstander report status|show|list|export|numbers|check``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json
from upstander.cli.report_common import as_told, json_option, office, report_argument, say
from upstander.cli.vault_common import person_option, reason_option, time_of
from upstander.model.vocabulary import Level
from upstander.reports import destinations, numbers, schema
from upstander.reports.cybertip import Unknown, Unreached
from upstander.reports.destinations.base import shown
from upstander.reports.follow import client_of
from upstander.reports.states import State


@click.command("status")
@config_option
@report_argument
@json_option
def status_command(config: Path | None, data: str | None, report: str, as_json: bool) -> None:
    """Where REPORT stands, and each step that led there."""
    with office(config, data) as desk:
        row = desk.store.find(report)
        steps = desk.store.history(row.id)
    if as_json:
        print_json(as_told(row) | {"history": [msgspec.to_builtins(step) for step in steps]})
        return
    say(row, False)
    for step in steps:
        click.echo(
            f"  {time_of(step.at)} {step.by}: {step.act} -> {step.state}" + (f" ({step.why})" if step.why else "")
        )


@click.command("show")
@config_option
@report_argument
@person_option
@reason_option
@json_option
def show_command(config: Path | None, data: str | None, report: str, by: str, why: str, as_json: bool) -> None:
    """What REPORT says, field by field, with what is missing and why it matters. The look is in the ledger."""
    with office(config, data) as desk:
        row, found = desk.read(report, by, why)
    where = destinations.named(row.destination)
    fields = shown(where, found)
    if as_json:
        told = [msgspec.to_builtins(field) | {"missing": field.missing} for field in fields]
        print_json(as_told(row) | {"fields": told})
        return
    say(row, False)
    click.echo(f"{where.title}. {where.note}")
    for field in fields:
        if field.value:
            click.echo(f"\n{field.what} [{field.name}]\n  " + field.value.replace("\n", "\n  "))
    lacking = [field for field in fields if field.missing]
    if lacking:
        click.echo("\nMissing:")
        for field in lacking:
            click.echo(f"  {field.what} [{field.name}]{' (needed)' if field.need == 'required' else ''}: {field.why}")


@click.command("list")
@config_option
@click.option("--state", type=click.Choice(list(State)), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@json_option
def list_command(config: Path | None, data: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """Reports, alarms first, then the latest: no names."""
    where, values = ("state = ?", (state,)) if state else ("1", ())
    with office(config, data) as desk:
        rows = desk.store.select(where, values, limit, "alarm_at = 0, drafted_at DESC, id")
    if as_json:
        print_json([as_told(row) for row in rows])
        return
    table = Table("report", "to", "state", "level", "case", "drafted (UTC)", "number", "alarm", box=None)
    for row in rows:
        level = Level(row.level).word
        table.add_row(
            row.id,
            row.destination,
            str(row.state),
            level,
            row.case[:8],
            time_of(row.drafted_at),
            row.reference,
            row.alarm,
        )
    Console().print(table)


@click.command("export")
@config_option
@report_argument
@click.option("--to", "path", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@person_option
@reason_option
def export_command(config: Path | None, data: str | None, report: str, path: Path, by: str, why: str) -> None:
    """Write the package of the approved REPORT (a ZIP): fields, form, and evidence where it is asked for."""
    with office(config, data) as desk:
        row, content = desk.export(report, by, why)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise Mistake(f"{path}: cannot be written ({error.strerror}). Name a new file.") from None
    click.echo(f"{path}: report {row.id} for {row.destination}. It is not encrypted: hand it over by a way that is.")


@click.command("numbers")
@config_option
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Drafted on or after this day (UTC).")
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Drafted before this day (UTC).")
@json_option
def numbers_command(
    config: Path | None, data: str | None, since: click.DateTime | None, until: click.DateTime | None, as_json: bool
) -> None:
    """Numbers for a transparency report: by destination, from first signal to filed, and what became of them."""
    with office(config, data) as desk:
        made = numbers.transparency(desk.store.connection, *_span(since, until))
    if as_json:
        print_json(made)
        return
    table = Table("to", "filed", "refused", "retracted", "open", "median h", "90% h", "outcomes", "awaiting", box=None)
    for each in made:
        outcomes = ", ".join(f"{name} {count}" for name, count in each.outcomes.items())
        hours = ["-" if value is None else f"{value:g}" for value in (each.median_hours, each.p90_hours)]
        counts = map(str, (each.filed, each.refused, each.retracted, each.open))
        table.add_row(each.destination, *counts, *hours, outcomes or "-", str(each.awaiting))
    Console().print(table)


def _span(since: object, until: object) -> tuple[int, int]:
    from datetime import UTC, datetime  # noqa: PLC0415 (click gives naive days)

    days = [each.replace(tzinfo=UTC).timestamp() if isinstance(each, datetime) else None for each in (since, until)]
    return int((days[0] or 0) * 1000), int(days[1] * 1000) if days[1] is not None else 1 << 62


@click.command("check")
@config_option
@click.option("--fetch", is_flag=True, help="Fetch the live schema: from then on it is preferred.")
@json_option
def check_command(config: Path | None, data: str | None, fetch: bool, as_json: bool) -> None:
    """Is the history whole; does the CyberTipline answer under this name and password; which schema is in force."""
    with office(config, data) as desk:
        findings = desk.store.check()
        folder, said, live = desk.settings.folder, "not set up", False
        if desk.settings.reports.ncmec.username:
            client = client_of(desk.settings.reports.ncmec)
            try:
                answer = client.status()
                said = answer.said
                if fetch and answer.ok:
                    schema.keep(folder, client.xsd())
            except (Unreached, Unknown) as error:
                said = f"does not answer ({error})"
            finally:
                client.close()
        live = schema.current(folder).live
    if as_json:
        print_json({"history": findings, "cybertipline": said, "live_schema": live})
    else:
        click.echo(f"history: {'; '.join(findings) or 'whole'}")
        click.echo(f"CyberTipline: {said}")
        click.echo(f"schema: {'the live one' if live else 'the one that ships, written from the documentation'}")
    sys.exit(1 if findings else 0)
