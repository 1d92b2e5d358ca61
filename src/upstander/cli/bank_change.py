"""``upstander bank new|add|import|vote|withdraw|quarantine|release|delete``."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.captures import bank_files, made
from upstander.captures.banks import ACTIVE, OWN, QUARANTINED
from upstander.captures.bits import RADIUS
from upstander.captures.opening import open_recorded
from upstander.cli.bank_look import banks_of
from upstander.cli.common import Mistake, config_option, settings_of
from upstander.cli.vault_common import person_option, reason_option
from upstander.people.audit import Act


@click.command("new")
@config_option
@click.argument("name")
@click.option("--negative", is_flag=True, help="What is in it never matches, whatever other banks say.")
@click.option("--distance", type=click.IntRange(0, RADIUS), default=RADIUS, show_default=True,
              help="Up to so many of 256 bits a picture is like an entry.")  # fmt: skip
@person_option
def new_command(config: Path | None, data: str | None, name: str, negative: bool, distance: int, by: str) -> None:
    """Make a bank NAME. Its values are encrypted under the vault's key, which is made if there is none."""
    with banks_of(config, data) as banks:
        bank = banks.make(name, by, negative=negative, distance=distance)
    click.echo(f"bank {bank.name} is there. Next: upstander bank import {bank.name} FILE")


@click.command("add")
@config_option
@click.argument("bank")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.option("--broadcast", nargs=2, metavar="PLATFORM BROADCAST", help="A broadcast whose fingerprints are kept.")
@click.option("--from", "start", type=click.FloatRange(0), default=0.0, help="--broadcast: from this second on.")
@click.option("--to", "end", type=click.FloatRange(0), default=None, help="--broadcast: up to this second.")
@person_option
def add_command(
    config: Path | None,
    data: str | None,
    bank: str,
    files: tuple[Path, ...],
    broadcast: tuple[str, str] | None,
    start: float,
    end: float | None,
    by: str,
) -> None:
    """Add the fingerprints of FILES, or of a part of a broadcast, to BANK. The files are only read, and not kept.

    Pictures are also hashed letterboxed and cropped, so that they are recognised in live frames.
    """
    if bool(files) == bool(broadcast):
        raise Mistake("name files or --broadcast. See `upstander bank add --help`.")
    settings = settings_of(config, data)
    with banks_of(config, data) as banks:
        values = [value for path in files for value in made.of_file(path)]
        if broadcast is not None:
            recorded = open_recorded(settings, readonly=True)
            try:
                until = round(end * 1000) if end is not None else 1 << 35
                values.append(made.of_broadcast(recorded, *broadcast, round(start * 1000), until))
            finally:
                recorded.close()
        new = banks.take_in(bank, values, OWN)
        banks.note(Act.BANK_CHANGE, by, bank, f"{new} values added from {len(files) or 'a broadcast'}")
    click.echo(f"{new:,} new values in bank {bank}.")


@click.command("import")
@config_option
@click.argument("bank")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--format", "form", type=click.Choice(bank_files.FORMATS), default=None, help="Default: by its name.")
@click.option("--source", default=OWN, help="Who stands by these values; they can be withdrawn by it.")
@click.option("--replace", is_flag=True, help="The list is all that the source stands by: the rest is withdrawn.")
@person_option
def import_command(
    config: Path | None, data: str | None, bank: str, file: Path, form: str | None, source: str, replace: bool, by: str
) -> None:
    """Take the list in FILE into BANK: all of it, or nothing when a row is faulty."""
    with banks_of(config, data) as banks:
        banks.bank(bank)
        values = bank_files.read(file, form or "")
        with banks.transaction():
            new = banks.take_in(bank, values, source)
            gone = banks.leave_only(bank, source, values) if replace else 0
        banks.note(Act.BANK_CHANGE, by, bank, f"{new} new of {len(values)} values of {source}, {gone} withdrawn")
    click.echo(f"{new:,} new of {len(values):,} values in bank {bank}" + (f"; {gone:,} withdrawn." if gone else "."))


@click.command("vote")
@config_option
@click.argument("entry")
@click.option("--confirm/--dispute", "confirm", default=None, required=True, help="It is right, or it is not.")
@person_option
@reason_option
def vote_command(config: Path | None, data: str | None, entry: str, confirm: bool, by: str, why: str) -> None:
    """Confirm or dispute ENTRY; `upstander exchange votes` sends it back to where the entry came from."""
    with banks_of(config, data) as banks:
        banks.vote(entry, by, why, confirm=confirm)
    click.echo(f"entry {entry}: {'confirmed' if confirm else 'disputed'}. Send it with: upstander exchange votes NAME")


@click.command("withdraw")
@config_option
@click.argument("entry")
@person_option
@reason_option
def withdraw_command(config: Path | None, data: str | None, entry: str, by: str, why: str) -> None:
    """Withdraw ENTRY for good: its value is purged, a tombstone keeps it from coming back through an exchange."""
    with banks_of(config, data) as banks:
        banks.withdraw(entry, by, why)
    click.echo(f"entry {entry} is withdrawn and its value purged.")


@click.command("quarantine")
@config_option
@click.argument("entry")
@person_option
@reason_option
def quarantine_command(config: Path | None, data: str | None, entry: str, by: str, why: str) -> None:
    """Have ENTRY match nothing until somebody releases it."""
    with banks_of(config, data) as banks:
        banks.set_state(entry, QUARANTINED, by, why)
    click.echo(f"entry {entry} is quarantined.")


@click.command("release")
@config_option
@click.argument("entry")
@person_option
@reason_option
def release_command(config: Path | None, data: str | None, entry: str, by: str, why: str) -> None:
    """End the quarantine of ENTRY."""
    with banks_of(config, data) as banks:
        banks.set_state(entry, ACTIVE, by, why)
    click.echo(f"entry {entry} matches again.")


@click.command("delete")
@config_option
@click.argument("bank")
@click.option("--yes", is_flag=True, help="Do not ask.")
@person_option
@reason_option
def delete_command(config: Path | None, data: str | None, bank: str, yes: bool, by: str, why: str) -> None:
    """Delete BANK and its key: copies of its entries cannot be read by anybody then."""
    with banks_of(config, data) as banks:
        about = banks.bank(bank)
        if not yes:
            click.confirm(f"Delete bank {bank} with {about.active:,} entries?", abort=True)
        banks.remove(bank, by, why)
    click.echo(f"bank {bank} is deleted.")
