"""``upstander report file|send|again|retract|outcome``."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import click

from upstander.cli.common import Mistake, config_option
from upstander.cli.report_common import json_option, office, report_argument, say
from upstander.cli.vault_common import person_option, reason_option
from upstander.reports.follow import send_now
from upstander.reports.office import OUTCOMES, Office


def _send(desk: Office) -> bool:
    """Work off what is due, unless a service does; whether it was done here."""
    try:
        send_now(desk.settings, desk)
    except BlockingIOError:
        return False
    except (sqlite3.Error, OSError) as error:
        raise Mistake(f"sending was cut short ({type(error).__name__}); it goes on where it stopped.") from None
    return True


@click.command("file")
@config_option
@report_argument
@click.option("--reference", metavar="TEXT", default="", help="Handed over by a person: the destination's reference.")
@click.option("--wait", is_flag=True, help="Do not send now: the service, or `report send`, does it.")
@person_option
@click.option("--why", "why", metavar="TEXT", default="", help="With --reference: how it was handed over.")
@json_option
def file_command(
    config: Path | None,
    data: str | None,
    report: str,
    reference: str,
    wait: bool,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Have the approved REPORT sent, and follow it: it ends filed, refused with a reason, or alarming."""
    with office(config, data) as desk:
        row = desk.hand_over(report, reference, by, why or "handed over") if reference else desk.file(report, by)
        if not wait:
            _send(desk)
            row = desk.store.find(row.id)
    say(row, as_json)


@click.command("send")
@config_option
def send_command(config: Path | None, data: str | None) -> None:
    """Work off what was filed, once, and raise alarms: for cron, where no service runs with [reports] enabled."""
    with office(config, data) as desk:
        done = _send(desk)
    click.echo("done" if done else "a running process sends them already")


@click.command("again")
@config_option
@report_argument
@person_option
@reason_option
@json_option
def again_command(config: Path | None, data: str | None, report: str, by: str, why: str, as_json: bool) -> None:
    """Have REPORT, which was given up, go on where it stood; without a number it is opened anew."""
    with office(config, data) as desk:
        row = desk.again(report, by, why)
        _send(desk)
        row = desk.store.find(row.id)
    say(row, as_json)


@click.command("retract")
@config_option
@report_argument
@person_option
@reason_option
@json_option
def retract_command(config: Path | None, data: str | None, report: str, by: str, why: str, as_json: bool) -> None:
    """Take REPORT back, also at its destination, as long as it is not finished there."""
    with office(config, data) as desk:
        row = desk.retract(report, by, why)
        if row.wish:
            _send(desk)
            row = desk.store.find(row.id)
    say(row, as_json)


@click.command("outcome")
@config_option
@report_argument
@click.argument("outcome", type=click.Choice(OUTCOMES))
@person_option
@reason_option
@json_option
def outcome_command(
    config: Path | None, data: str | None, report: str, outcome: str, by: str, why: str, as_json: bool
) -> None:
    """Note what became of REPORT: the destination's answer, or that there is none."""
    with office(config, data) as desk:
        row = desk.outcome(report, outcome, by, why)
    say(row, as_json)
