"""What the commands of ``upstander report`` share: the office, errors in one line, a report as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from upstander.cases.model import CaseError
from upstander.cli.common import Mistake, print_json, settings_of
from upstander.cli.vault_common import time_of
from upstander.model.vocabulary import Level
from upstander.reports.follow import office_of
from upstander.reports.model import ReportError
from upstander.reports.office import Office
from upstander.reports.store import Row
from upstander.vault.errors import VaultError

json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
report_argument = click.argument("report", metavar="REPORT")
_INNER = ("person", "content", "paged", "told", "version")


@contextmanager
def office(config: Path | None, data: str | None) -> Iterator[Office]:
    """The office that the options name."""
    try:
        with office_of(settings_of(config, data)) as opened:
            yield opened
    except (ReportError, CaseError, VaultError) as error:
        raise Mistake(str(error)) from None


def as_told(row: Row) -> dict[str, Any]:
    """A report as JSON: without what only the machine needs."""
    value: dict[str, Any] = msgspec.to_builtins(row)
    for name in _INNER:
        del value[name]
    return value | {"level": Level(row.level).word}


def say(row: Row, as_json: bool) -> None:
    """Where a report stands."""
    if as_json:
        print_json(as_told(row))
        return
    more = f", number {row.reference}" if row.reference else ""
    more += f", due by {time_of(row.due_at)} (UTC)" if row.due_at else ""
    click.echo(f"report {row.id} to {row.destination} is {row.state}{more}")
    if row.alarm:
        click.echo(f"  alarm: {row.alarm}")
    if row.words:
        click.echo(f"  {row.destination} said: {row.words}")
