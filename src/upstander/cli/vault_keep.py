"""``upstander vault hold|release|delete|expire|rewrap|stamp``: what is kept, how long, under which key."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.vault_common import chosen, opened, person_option, reason_option
from upstander.cli.vault_read import case_option, json_option
from upstander.vault import stamps
from upstander.vault.errors import VaultError
from upstander.vault.keys import key_from_file, make_key_file

items_argument = click.argument("items", metavar="[ITEM]...", nargs=-1)
reference_option = click.option(
    "--reference", required=True, help="What the hold is known by, such as a warrant's number."
)


@click.command("hold")
@config_option
@items_argument
@case_option
@reference_option
@person_option
@reason_option
def hold_command(
    config: Path | None, data: str | None, items: tuple[str, ...], case: str, reference: str, by: str, why: str
) -> None:
    """Put items under a legal hold: nobody can delete them until it is released."""
    with opened(config, data) as vault:
        entry = vault.hold(chosen(vault, items, case), reference, by, why)
    click.echo(f"{len(entry.items):,} items are under the hold {reference!r}: ledger entry {entry.seq:,}")


@click.command("release")
@config_option
@items_argument
@case_option
@reference_option
@person_option
@reason_option
def release_command(
    config: Path | None, data: str | None, items: tuple[str, ...], case: str, reference: str, by: str, why: str
) -> None:
    """End a legal hold."""
    with opened(config, data) as vault:
        entry = vault.release(chosen(vault, items, case), reference, by, why)
    click.echo(f"{len(entry.items):,} items are no longer under the hold {reference!r}: ledger entry {entry.seq:,}")


@click.command("delete")
@config_option
@click.argument("item", metavar="ITEM")
@click.option("--second", metavar="NAME", default="", help="The second person, to delete it before its time.")
@person_option
@reason_option
def delete_command(config: Path | None, data: str | None, item: str, second: str, by: str, why: str) -> None:
    """Delete ITEM: its key is destroyed, then its bytes. The ledger keeps the tombstone, which proves the deletion.

    Refused under a legal hold, and before its time unless a second person stands by it.
    """
    with opened(config, data) as vault:
        entry = vault.delete(item, by, why, second)
    click.echo(f"deleted {entry.items[0]}: ledger entry {entry.seq:,} is its tombstone")


@click.command("expire")
@config_option
@click.option("--dry-run", "dry", is_flag=True, help="Only say what would be deleted.")
@person_option
@json_option
def expire_command(config: Path | None, data: str | None, dry: bool, by: str, as_json: bool) -> None:
    """Delete every item whose time is over and that is under no hold."""
    with opened(config, data) as vault:
        gone = vault.expire(by, dry=dry)
    if as_json:
        print_json({"deleted": [] if dry else gone, "due": gone})
        return
    for address in gone:
        click.echo(address)
    click.echo(f"{len(gone):,} items {'would be' if dry else 'were'} deleted")


@click.command("rewrap")
@config_option
@click.option("--new-key-file", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@person_option
@reason_option
def rewrap_command(config: Path | None, data: str | None, new_key_file: Path, by: str, why: str) -> None:
    """Wrap every item's key under the key in FILE, which is made when it is not there.

    Then name FILE as `key_file` under [vault] and destroy the old key: what a disk may still hold of deleted items'
    keys is then worthless.
    """
    with opened(config, data) as vault:
        key = key_from_file(new_key_file) if new_key_file.exists() else make_key_file(new_key_file)
        count = vault.rewrap(key, by, why)
    click.echo(f"{count:,} keys are wrapped under {new_key_file}")
    click.echo(f'now set key_file = "{new_key_file}" under [vault], and destroy the old key')


@click.command("stamp")
@config_option
@click.option("--url", help="The authority's address; overrides `timestamp_url`.")
@click.option(
    "--roots", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Its certificates (PEM)."
)
def stamp_command(config: Path | None, data: str | None, url: str | None, roots: Path | None) -> None:
    """Ask an RFC 3161 authority to time-stamp the ledger's head. It is sent a hash, nothing else."""
    settings = settings_of(config, data)
    where, trusted = url or settings.vault.timestamp_url, roots or Path(settings.vault.timestamp_roots or "-")
    if not where or str(trusted) == "-":
        raise Mistake(
            "no authority is configured. Set `timestamp_url` and `timestamp_roots`, or use --url and --roots."
        )
    with opened(config, data) as vault:
        size = vault.ledger.size()
        try:
            at = stamps.stamp(vault, where, stamps.roots_of(trusted))
        except VaultError as error:
            raise Mistake(str(error)) from None
    click.echo(f"{size:,} entries existed at {at.isoformat()}, says {where}")
