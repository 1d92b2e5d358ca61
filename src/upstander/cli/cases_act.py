"""``upstander cases claim|release|handover|note|verdict|snooze|escalate|approve|refuse|file|close|reopen``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from upstander.cases.desk import OUTCOMES, now_ms
from upstander.cases.states import Act
from upstander.cli.cases_common import case_argument, desk_of, json_option, say
from upstander.cli.common import config_option
from upstander.cli.vault_common import person_option, reason_option
from upstander.model.vocabulary import Tactic

MINUTE_MS = 60_000
outcome_option = click.option("--outcome", type=click.Choice(OUTCOMES), default=None, help="What it was.")
tactic_option = click.option(
    "--tactic", "tactics", multiple=True, type=click.Choice([str(t) for t in Tactic]), help="What the moderator saw."
)


def _do(
    config: Path | None, data: str | None, case: str, act: Act, by: str, why: str, as_json: bool, **given: Any
) -> None:
    with desk_of(config, data) as desk:
        done = desk.act(case, act, by, why, **given)
    say(done, as_json)


def _plain(name: str, act: Act, text: str, needs_reason: bool) -> click.Command:
    """A command that needs a case, a person and perhaps a reason, and nothing else."""

    def run(config: Path | None, data: str | None, case: str, by: str, why: str, as_json: bool) -> None:
        _do(config, data, case, act, by, why, as_json)

    run.__doc__ = text
    function: Callable[..., Any] = json_option(run)
    if needs_reason:
        function = reason_option(function)
    else:
        function = click.option("--why", "why", metavar="TEXT", default="", help="A reason, if there is one.")(function)
    return click.command(name)(config_option(case_argument(person_option(function))))


claim_command = _plain("claim", Act.CLAIM, "Take CASE for a while (`lease_minutes`); claim it again to go on.", False)
release_command = _plain("release", Act.RELEASE, "Give CASE back to the queue.", False)
note_command = _plain("note", Act.NOTE, "Write something down about CASE (--why holds the note).", True)
escalate_command = _plain("escalate", Act.ESCALATE, "Propose to report the person; a second person approves.", True)
approve_command = _plain("approve", Act.APPROVE, "Approve what somebody else has escalated.", True)
reopen_command = _plain("reopen", Act.REOPEN, "Put a closed or filed CASE back into the queue.", True)
refuse_command = _plain("refuse", Act.REFUSE, "Refuse an escalation; CASE goes back to the queue.", True)


@click.command("handover")
@config_option
@case_argument
@click.option("--to", "to", metavar="NAME", required=True, help="Whom to.")
@person_option
@click.option("--why", "why", metavar="TEXT", default="", help="A reason, if there is one.")
@json_option
def handover_command(
    config: Path | None, data: str | None, case: str, to: str, by: str, why: str, as_json: bool
) -> None:
    """Hand CASE over: from now on somebody else holds it."""
    _do(config, data, case, Act.HAND_OVER, by, why, as_json, to=to)


@click.command("verdict")
@config_option
@case_argument
@click.option("--outcome", type=click.Choice(OUTCOMES), required=True, help="What it was.")
@tactic_option
@person_option
@reason_option
@json_option
def verdict_command(
    config: Path | None,
    data: str | None,
    case: str,
    outcome: str,
    tactics: tuple[str, ...],
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Judge CASE's last decision. The running service passes the verdict on to the journal, where it teaches."""
    seen = tuple(map(Tactic, tactics))
    _do(config, data, case, Act.VERDICT, by, why, as_json, outcome=outcome, tactics=seen)


@click.command("snooze")
@config_option
@case_argument
@click.option("--minutes", type=click.IntRange(1, 60 * 24 * 30), required=True, help="After how long it returns.")
@person_option
@reason_option
@json_option
def snooze_command(
    config: Path | None, data: str | None, case: str, minutes: int, by: str, why: str, as_json: bool
) -> None:
    """Put CASE aside; it returns to the queue by itself."""
    _do(config, data, case, Act.SNOOZE, by, why, as_json, until=now_ms() + minutes * MINUTE_MS)


@click.command("file")
@config_option
@case_argument
@click.option("--reference", required=True, help="The report's id at its destination.")
@person_option
@reason_option
@json_option
def file_command(
    config: Path | None, data: str | None, case: str, reference: str, by: str, why: str, as_json: bool
) -> None:
    """Note that the approved report about CASE was filed."""
    _do(config, data, case, Act.FILE, by, why, as_json, reference=reference)


@click.command("close")
@config_option
@case_argument
@outcome_option
@tactic_option
@person_option
@reason_option
@json_option
def close_command(
    config: Path | None,
    data: str | None,
    case: str,
    outcome: str | None,
    tactics: tuple[str, ...],
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Close CASE. With --outcome it is a verdict too, which teaches."""
    seen = tuple(map(Tactic, tactics))
    _do(config, data, case, Act.CLOSE, by, why, as_json, outcome=outcome or "", tactics=seen)
