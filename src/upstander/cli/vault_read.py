"""``upstander vault init|list|show|export``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.vault_common import chosen, opened, person_option, reason_option, time_of
from upstander.vault import opening, package
from upstander.vault.errors import VaultError
from upstander.vault.page import moment, told

case_option = click.option("--case", "case", metavar="ID", default="", help="All items of this case (its whole id).")
json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")


@click.command("init")
@config_option
@person_option
@json_option
def init_command(config: Path | None, data: str | None, by: str, as_json: bool) -> None:
    """Make the vault and, unless the settings name another, a key file of mode 600.

    Whoever has lost the key has lost the evidence: keep a copy of it somewhere safe, apart from the data folder.
    """
    settings = settings_of(config, data)
    try:
        vault = opening.create_vault(settings, by)
    except VaultError as error:
        raise Mistake(str(error)) from None
    made = {"vault": vault.identifier, "public_key": vault.signer.public, "folder": str(opening.folder_of(settings))}
    vault.close()
    if settings.vault.key == "file":
        made["key_file"] = str(opening.key_file_of(settings))
    if as_json:
        print_json(made)
        return
    click.echo(f"made the vault {made['vault']} in {made['folder']}")
    click.echo(f"public key    {made['public_key']}")
    if "key_file" in made:
        click.echo(f"key file      {made['key_file']}  (copy it to a safe place: without it nothing can be read)")


@click.command("list")
@config_option
@case_option
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@person_option
@click.option("--why", "why", metavar="TEXT", default="looking at the list", help="The reason; it is kept for good.")
@json_option
def list_command(
    config: Path | None, data: str | None, case: str, limit: int, by: str, why: str, as_json: bool
) -> None:
    """List items, the latest first, without their contents. That you looked is noted."""
    with opened(config, data) as vault:
        items = vault.listing(by, why, case, limit)
    if as_json:
        print_json(items)
        return
    if not items:
        click.echo("No items." if not case else f"No items of case {case}.")
        return
    table = Table(box=None)
    for column in ("item", "what", "case", "bytes", "sealed (UTC)", "kept until", "state"):
        table.add_column(column, no_wrap=True)
    for item in items:
        state = "deleted" if item.deleted_at else f"hold: {', '.join(item.holds)}" if item.holds else "kept"
        times = time_of(item.sealed_at), time_of(item.keep_until)
        table.add_row(item.address[:16], item.part, item.case, f"{item.size:,}", *times, state)
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


@click.command("show")
@config_option
@click.argument("item", metavar="ITEM")
@click.option("--custody", is_flag=True, help="Its chain of custody in place of its content.")
@person_option
@reason_option
def show_command(config: Path | None, data: str | None, item: str, custody: bool, by: str, why: str) -> None:
    """Show the content of ITEM (an address, or its first 8 digits or more), as JSON. That you looked is noted.

    An item `media` is a Matroska file: send it to one (`> clip.mkv`), where the law allows that.
    """
    with opened(config, data) as vault:
        row = vault.find(item)
        if custody:
            vault.listing(by, why, row.case)
            for line in map(told, vault.ledger.about(row.address)):
                click.echo(f"{moment(line['at'])}  {line['seq']:>6}  {line['what']}, by {line['by']}: {line['why']}")
            return
        if row.part == "media" and sys.stdout.isatty():
            raise Mistake(f"item {row.address[:16]} is a Matroska file. Send it to one: … > clip.mkv")
        content = vault.read(row.address, by, why)
    if row.part == "media":
        sys.stdout.buffer.write(content)
        return
    sys.stdout.buffer.write(msgspec.json.format(content, indent=2) + b"\n")


@click.command("export")
@config_option
@click.argument("items", metavar="[ITEM]...", nargs=-1)
@case_option
@click.option("--to", "target", type=click.Path(path_type=Path, dir_okay=False), required=True, metavar="FILE")
@click.option("--recipient", default="", help="For whom the package is.")
@person_option
@reason_option
@json_option
def export_command(
    config: Path | None,
    data: str | None,
    items: tuple[str, ...],
    case: str,
    target: Path,
    recipient: str,
    by: str,
    why: str,
    as_json: bool,
) -> None:
    """Write a package of one case's items: contents, hashes, proofs, chain of custody, and a page to read.

    What is in it is not encrypted: hand it over by a way that is.
    """
    if target.exists():
        raise Mistake(f"{target} is there already. Name another file with --to.")
    with opened(config, data) as vault:
        rows = [row for row in chosen(vault, items, case) if not (case and row.deleted)]
        made = package.export(vault, rows, by, why, recipient)
        public = vault.signer.public
    try:
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Mistake(f"{target} cannot be written ({error.strerror}). Name another file with --to.") from None
    if as_json:
        print_json({"package": str(target), "bytes": len(made), "items": len(rows), "public_key": public})
        return
    click.echo(f"wrote {target}: {len(rows):,} items, {len(made):,} bytes")
    click.echo(f"to check it elsewhere: upstander vault verify {target} --signer {public}")
