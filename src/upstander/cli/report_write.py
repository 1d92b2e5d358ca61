"""``upstander report draft|approve|refuse``."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from upstander.cli.cases_common import case_argument
from upstander.cli.common import Mistake, config_option
from upstander.cli.report_common import json_option, office, report_argument, say
from upstander.cli.vault_common import person_option, reason_option
from upstander.reports import facts as facts_module
from upstander.reports.destinations import ALL
from upstander.reports.facts import Facts
from upstander.reports.model import ReportError
from upstander.reports.words import INCIDENTS


@click.command("draft")
@config_option
@case_argument
@click.option("--to", "destination", type=click.Choice(list(ALL)), required=True, help="The destination.")
@click.option(
    "--facts",
    "path",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="What the platform knows beside the evidence (JSON; - reads standard input).",
)
@click.option("--incident", type=click.Choice(list(INCIDENTS)), help="What kind of incident (default: enticement).")
@click.option("--urgent", metavar="TEXT", default="", help="Why it cannot wait: it is read at once.")
@person_option
@reason_option
@json_option
def draft_command(
    config: Path | None,
    data: str | None,
    case: str,
    destination: str,
    path: Path | None,
    incident: str | None,
    urgent: str,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Build a report about CASE, which you hold, and seal it. Escalates the case. A second person approves it."""
    known = _facts(path)
    if incident:
        known = msgspec.structs.replace(known, incident=incident)
    if urgent:
        known = msgspec.structs.replace(known, urgent=urgent)
    with office(config, data) as desk:
        row = desk.draft(case, destination, known, by, why)
    say(row, as_json)
    if not as_json:
        click.echo(f'  look at it: upstander report show {row.id} --why "…"')


def _facts(path: Path | None) -> Facts:
    if path is None:
        return Facts()
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
        return facts_module.read(content)
    except OSError as error:
        raise Mistake(f"{path}: cannot be read ({error.strerror}). Name a JSON file.") from None
    except ReportError as error:
        raise Mistake(f"{path}: {error}") from None


@click.command("approve")
@config_option
@report_argument
@person_option
@reason_option
@json_option
def approve_command(config: Path | None, data: str | None, report: str, by: str, why: str, as_json: bool) -> None:
    """Approve REPORT, as somebody else than who drafted it, and with it the escalation of its case."""
    with office(config, data) as desk:
        row = desk.approve(report, by, why)
    say(row, as_json)


@click.command("refuse")
@config_option
@report_argument
@person_option
@reason_option
@json_option
def refuse_command(config: Path | None, data: str | None, report: str, by: str, why: str, as_json: bool) -> None:
    """Refuse REPORT: it is not sent, and its case goes back to be worked on."""
    with office(config, data) as desk:
        row = desk.disapprove(report, by, why)
    say(row, as_json)
