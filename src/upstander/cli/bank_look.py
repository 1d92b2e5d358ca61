"""``upstander bank list|show|export``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from upstander.captures import bank_files
from upstander.captures.banks import Banks
from upstander.captures.opening import open_banks
from upstander.cli.captures_common import json_option, mistakes
from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.vault_common import person_option, reason_option, time_of


@contextmanager
def banks_of(config: Path | None, data: str | None) -> Iterator[Banks]:
    """The banks that the options name."""
    with mistakes():
        banks = open_banks(settings_of(config, data))
        try:
            yield banks
        finally:
            banks.close()


@click.command("list")
@config_option
@json_option
def list_command(config: Path | None, data: str | None, as_json: bool) -> None:
    """Banks: how many entries match, are quarantined, were withdrawn."""
    with banks_of(config, data) as banks:
        found = banks.all()
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("There are no banks. Make one with: upstander bank new NAME")
        return
    table = Table("bank", "active", "quarantined", "withdrawn", "distance", "made (UTC)", box=None)
    for bank in found:
        name = f"{bank.name} (negative)" if bank.negative else bank.name
        counts = (f"{n:,}" for n in (bank.active, bank.quarantined, bank.withdrawn))
        table.add_row(name, *counts, str(bank.distance), time_of(bank.at))
    Console().print(table)


@click.command("show")
@config_option
@click.argument("bank")
@person_option
@reason_option
@json_option
def show_command(config: Path | None, data: str | None, bank: str, by: str, why: str, as_json: bool) -> None:
    """Entries of BANK with their values. Who looked, and why, stands in the ledger before anything is shown."""
    with banks_of(config, data) as banks:
        entries = banks.read(bank, by, why)
    if as_json:
        print_json(entries)
        return
    for entry in entries:
        value = entry.value if len(entry.value) <= 64 else entry.value[:60] + "…"
        click.echo(f"{entry.id}  {entry.kind:8} {value}  {', '.join(entry.sources)}  {entry.state}")


@click.command("export")
@config_option
@click.argument("bank")
@click.option("--to", "to", type=click.Path(path_type=Path, dir_okay=False), help="The file; else standard output.")
@click.option("--format", "form", type=click.Choice(bank_files.FORMATS), default="csv", show_default=True)
@person_option
@reason_option
def export_command(
    config: Path | None, data: str | None, bank: str, to: Path | None, form: str, by: str, why: str
) -> None:
    """Write what is active in BANK as a list, mode 600. Who did, and why, stands in the ledger before."""
    with banks_of(config, data) as banks:
        entries = [entry for entry in banks.read(bank, by, f"export: {why}") if entry.state == "active"]
        body = bank_files.write(entries, form)
    if to is None:
        sys.stdout.buffer.write(body)
        return
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Mistake(f"{to} cannot be made ({error.strerror}). Name a new file.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    click.echo(f"{len(entries):,} entries written to {to}.")
