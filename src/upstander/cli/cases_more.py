"""``upstander cases open|bulk|undo|follow|erase|verify``."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from upstander.cases import bulk, retention
from upstander.cases.check import Checked, check
from upstander.cases.desk import OUTCOMES, now_ms
from upstander.cases.follow import Follower
from upstander.cases.states import BULK, Act
from upstander.cli.cases_common import desk_of, json_option, say
from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.vault_common import person_option, reason_option
from upstander.journal import lookup, store
from upstander.settings import Settings
from upstander.vault import opening
from upstander.vault.check import anchors
from upstander.vault.ledger import Ledger
from upstander.vault.vault import LEDGER, Vault

MINUTE_MS = 60_000


@click.command("open")
@config_option
@click.argument("event", metavar="EVENT_ID")
@click.option("--platform", default="", help="The event's platform, when several have one of this id.")
@click.option("--broadcast", default="", help="The event's broadcast, when several have one of this id.")
@person_option
@reason_option
@json_option
def open_command(
    config: Path | None, data: str | None, event: str, platform: str, broadcast: str, by: str, why: str, as_json: bool
) -> None:
    """Ask for a case about the event EVENT_ID, on which something was decided. Its evidence is sealed."""
    settings = settings_of(config, data)
    path = _journal(settings)
    connection = store.connect(path, readonly=True)
    try:
        found = [told for told in lookup.find(connection, event, platform, broadcast) if told.decision]
    finally:
        connection.close()
    if len(found) != 1:
        what = "nothing was decided on" if not found else f"{len(found)} events are called"
        raise Mistake(f"{what} {event!r} in {path}. Check the id, --platform and --broadcast.")
    with desk_of(config, data) as desk:
        vault = _vault(settings)
        follower = Follower(settings, desk, vault)
        try:
            case = follower.ask(found[0].decision_seq, by, why)
        finally:
            follower.close()
            if vault is not None:
                vault.close()
    say(case, as_json)


def _journal(settings: Settings) -> Path:
    path = settings.journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    return path


def _vault(settings: Settings) -> Vault | None:
    return opening.open_vault(settings) if opening.exists(settings) else None


@click.command("bulk")
@config_option
@click.argument("act", type=click.Choice([str(act) for act in BULK]))
@click.argument("cases", metavar="CASE...", nargs=-1, required=True)
@click.option("--minutes", type=click.IntRange(1, 60 * 24 * 30), help="snooze: after how long they return.")
@click.option("--until", type=int, hidden=True, help="As the preview printed it.")
@click.option("--outcome", type=click.Choice(OUTCOMES), default=None, help="close: what it was; it teaches.")
@click.option("--do", "token", metavar="TOKEN", help="Carry out what the preview with this token showed.")
@person_option
@click.option("--why", "why", metavar="TEXT", default="", help="The reason, where the act needs one.")
@json_option
def bulk_command(
    config: Path | None,
    data: str | None,
    act: str,
    cases: tuple[str, ...],
    minutes: int | None,
    until: int | None,
    outcome: str | None,
    token: str | None,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Do ACT to many cases. Without --do it only shows what would become of each, and prints a token.

    With the token it does exactly that, or nothing when a case has changed meanwhile; `cases undo` takes it back.
    """
    # Whole minutes, so that a preview and what follows it mean the same time.
    later = until or ((now_ms() // MINUTE_MS + minutes) * MINUTE_MS if minutes else 0)
    plan = bulk.Plan(act=Act(act), cases=cases, by=by, why=why, until=later, outcome=outcome or "")
    with desk_of(config, data) as desk:
        if token:
            batch = bulk.apply(desk, plan, token)
            if as_json:
                print_json(msgspec.to_builtins(batch))
            else:
                click.echo(f"done to {len(batch.done):,} cases; to take it back: upstander cases undo {batch.id}")
            return
        shown = bulk.preview(desk, plan)
    if as_json:
        print_json(msgspec.to_builtins(shown) | {"until": later})
        return
    for effect in shown.effects:
        click.echo(f"{effect.case}  " + (effect.refused or f"{effect.state} -> {effect.becomes}"))
    more = f" --until {later}" if later else ""
    click.echo(f"nothing was done. To do it to {shown.doable:,} cases, add: --do {shown.token}{more}")


@click.command("undo")
@config_option
@click.argument("batch", metavar="BATCH")
@person_option
@reason_option
@json_option
def undo_command(config: Path | None, data: str | None, batch: str, by: str, why: str, as_json: bool) -> None:
    """Put the cases of a bulk action back as they were, save those that somebody has gone on with."""
    with desk_of(config, data) as desk:
        undone = bulk.undo(desk, batch, by, why)
    if as_json:
        print_json(undone)
        return
    click.echo(f"{len(undone.restored):,} cases are as they were")
    for case in undone.left:
        click.echo(f"{case} is not: somebody has gone on with it")


@click.command("follow")
@config_option
@json_option
def follow_command(config: Path | None, data: str | None, as_json: bool) -> None:
    """Open cases and seal evidence for what the journal holds by now, then end what is late (leases, snoozes, waits).

    A running service does this by itself where `enabled` is set under [cases]. It is safe to run again, and beside it.
    """
    settings = settings_of(config, data)
    _journal(settings)
    with desk_of(config, data) as desk:
        vault = opening.open_vault(settings)
        follower = Follower(settings, desk, vault)
        try:
            taken, late = follower.catch_up(), desk.sweep()
            retention.extend(desk, vault, settings)
            follower.anchor()
        finally:
            follower.close()
            vault.close()
    alarms = [step.case for step in late if step.act == Act.ALARM]
    if as_json:
        print_json({"decisions": taken, "late": len(late), "alarms": alarms})
        return
    click.echo(f"{taken:,} decisions led to cases; {len(late):,} cases were late, {len(alarms):,} of them alarming")
    for case in alarms:
        click.echo(f"ALARM  case {case} waits too long")


@click.command("erase")
@config_option
@click.option("--dry-run", "dry", is_flag=True, help="Only say which cases would be erased.")
@json_option
def erase_command(config: Path | None, data: str | None, dry: bool, as_json: bool) -> None:
    """Erase closed and filed cases whose time is over (`keep_days`, `keep_filed_days` under [cases]).

    Not while evidence of them is kept: run `upstander vault expire` first. A running service does this every hour.
    """
    settings = settings_of(config, data)
    with desk_of(config, data) as desk:
        vault = _vault(settings)
        try:
            found = [case.id for case in retention.due(desk, settings, vault)] if dry else []
            found = found if dry else retention.erase_due(desk, settings, vault)
        finally:
            if vault is not None:
                vault.close()
    if as_json:
        print_json({"erased": [] if dry else found, "due": found})
        return
    for name in found:
        click.echo(name)
    click.echo(f"{len(found):,} cases {'would be' if dry else 'were'} erased")


@click.command("verify")
@config_option
@json_option
def verify_command(config: Path | None, data: str | None, as_json: bool) -> None:
    """Check the history's chain, that every case is what its history says, and the anchors in the vault's ledger.

    Exit status: 0 when all is well, 1 when something was changed (it is named).
    """
    settings = settings_of(config, data)
    with desk_of(config, data) as desk:
        known = []
        if opening.exists(settings):
            ledger = Ledger(opening.folder_of(settings) / LEDGER)
            known = list(anchors(ledger))
            ledger.close()
        result = check(desk.store, known)
    if as_json:
        print_json(msgspec.to_builtins(result) | {"ok": result.ok})
    else:
        _told(result)
    if not result.ok:
        raise click.exceptions.Exit(1)


def _told(result: Checked) -> None:
    click.echo(f"steps {result.steps:,}, cases {result.cases:,}, anchors in the vault {result.anchors:,}")
    for finding in result.findings:
        click.echo(f"CHANGED  {finding}")
    if not result.anchors:
        click.echo("note: no anchor in the vault: that the end of the history was cut off would not show")
    click.echo("the cases are whole" if result.ok else "the cases are NOT whole")
    click.echo(f"head {result.head}")
