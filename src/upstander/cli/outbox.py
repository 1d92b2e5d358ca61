"""``upstander outbox``: where each intervention stands."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.journal import store
from upstander.outbox import actions
from upstander.outbox.actions import State

EXAMPLES = """
\b
Examples:
  upstander outbox
  upstander outbox --state failed
  upstander outbox --history 4f2e…
"""


@click.command("outbox", epilog=EXAMPLES)
@config_option
@click.option("--state", type=click.Choice([str(state) for state in State]), help="Only actions in this state.")
@click.option("--history", "history", metavar="ID", help="Every transition of one action.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def command(
    config: Path | None, data: str | None, state: str | None, history: str | None, limit: int, as_json: bool
) -> None:
    """Show the latest interventions and their state: pending, sent, acknowledged, failed or expired."""
    path = settings_of(config, data).journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    connection = store.connect(path, readonly=True)
    try:
        if history is not None:
            _history(actions.history(connection, history.rstrip("…")), history, as_json)
            return
        rows = actions.list_actions(connection, state, limit)
        counts = actions.counts(connection)
    finally:
        connection.close()
    if as_json:
        print_json({"counts": counts, "actions": [msgspec.to_builtins(row) for row in rows]})
        return
    console = Console()
    console.print("  ".join(f"{name} {count:,}" for name, count in counts.items()))
    if not rows:
        click.echo("No actions." if state is None else f"No actions are {state}.")
        return
    table = Table(box=None)
    for column in ("asked at (UTC)", "broadcast", "intervention", "state", "tries", "note"):
        table.add_column(column, overflow="fold", no_wrap=column not in ("broadcast", "note"))
    for row in rows:
        action = row.action
        asked = action.asked if action.doing in ("", action.asked) else f"{action.asked} → {action.doing}"
        table.add_row(_time(action.created_at), action.broadcast, asked, row.state, str(row.attempts), row.note)
    # Into a pipe or a file nothing is folded to fit a window that is not there.
    (console if console.is_terminal else Console(width=240)).print(table)


def _history(lines: list[tuple[int, str, str]], identifier: str, as_json: bool) -> None:
    if not lines:
        raise Mistake(f"no action has the id {identifier!r}. See `upstander outbox --json`.")
    if as_json:
        print_json([{"at": at, "state": state, "note": note} for at, state, note in lines])
        return
    for at, state, note in lines:
        click.echo(f"{_time(at)}  {state:<13} {note}")


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
