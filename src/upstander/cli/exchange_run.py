"""``upstander exchange list|fetch|votes|ask``."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from upstander.captures.bulk import files_of
from upstander.captures.exchanges.fetch import Fetched, fetch, send_votes
from upstander.captures.exchanges.opening import find, open_exchange, open_shield
from upstander.captures.pictures import prints
from upstander.cli.bank_look import banks_of
from upstander.cli.captures_common import json_option, mistakes
from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.vault_common import person_option, time_of


@click.command("list")
@config_option
@json_option
def list_command(config: Path | None, data: str | None, as_json: bool) -> None:
    """Exchanges in the settings, the bank each fills, and when it was last fetched."""
    settings = settings_of(config, data)
    rows = []
    with banks_of(config, data) as banks:
        for one in settings.exchanges:
            sql = "SELECT at FROM checkpoints WHERE exchange = ?"
            found = banks.connection.execute(sql, (one.name,)).fetchone()
            rows.append({"name": one.name, "kind": one.kind, "bank": one.bank, "fetched_at": found[0] if found else 0})
    if as_json:
        print_json(rows)
        return
    table = Table("exchange", "kind", "bank", "last page (UTC)", box=None)
    for row in rows:
        table.add_row(str(row["name"]), str(row["kind"]), str(row["bank"]), time_of(int(row["fetched_at"])))
    Console().print(table) if rows else click.echo("There is no exchange under [[exchanges]] in the settings.")


@click.command("fetch")
@config_option
@click.argument("name")
@person_option
@json_option
def fetch_command(config: Path | None, data: str | None, name: str, by: str, as_json: bool) -> None:
    """Take in what changed at exchange NAME since the last run, a page at a time; deletions are followed."""
    with banks_of(config, data) as banks:
        one = find(settings_of(config, data), name)
        if not one.bank:
            raise Mistake(f"`bank` of exchange {name} is missing. Name the bank it fills; make it with `bank new`.")
        exchange, http = open_exchange(one)
        console = Console(stderr=True)
        try:
            with console.status("asking") as status:

                def told(done: Fetched) -> None:
                    status.update(f"{done.pages:,} pages, {done.new:,} new, {done.withdrawn:,} withdrawn")

                done = fetch(banks, name, one.bank, exchange, by, told)
        finally:
            http.close()
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.pages:,} pages: {done.new:,} new entries in bank {one.bank}, {done.withdrawn:,} withdrawn.")
    if done.unread:
        click.echo(f"{done.unread:,} values could not be read and were left out. Tell who runs the exchange.")


@click.command("votes")
@config_option
@click.argument("name")
def votes_command(config: Path | None, data: str | None, name: str) -> None:
    """Send confirmations and disputes that were not sent yet to exchange NAME."""
    with banks_of(config, data) as banks:
        one = find(settings_of(config, data), name)
        exchange, http = open_exchange(one)
        try:
            sent = send_votes(banks, name, one.bank, exchange)
        finally:
            http.close()
    click.echo(f"{sent:,} votes sent to {name}.")


@click.command("ask")
@config_option
@click.argument("name")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@json_option
def ask_command(config: Path | None, data: str | None, name: str, files: tuple[Path, ...], as_json: bool) -> int:
    """Ask Arachnid Shield NAME about FILES: they are hashed here, only hashes are sent. Exit status 1: one is known."""
    with mistakes():
        shield, http = open_shield(find(settings_of(config, data), name))
        rows = []
        try:
            for path in files_of(files):
                found = list(dict.fromkeys(one.pdq for one in prints(path)))
                known = [one.classification for one in shield.ask(found) if one.known]
                rows.append({"file": str(path), "pictures": len(found), "known": len(known), "as": sorted(set(known))})
        finally:
            http.close()
    for row in rows:
        if as_json:
            print_json(row)
        else:
            click.echo(f"{row['file']}: {row['known']} of {row['pictures']} pictures known {row['as'] or ''}".rstrip())
    return int(any(row["known"] for row in rows))
