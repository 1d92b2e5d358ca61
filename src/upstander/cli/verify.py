"""``upstander verify``: is the journal whole, and does it replay to the same decisions?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.gateway.configuration import configuration_of
from upstander.journal import store
from upstander.journal.recovery import Verification, verify
from upstander.runtime import Configuration

EXAMPLES = """
\b
Examples:
  upstander verify
  upstander verify --data upstander-data/demo
  upstander verify --json --expect-head 5f0c…
"""


@click.command("verify", epilog=EXAMPLES)
@config_option
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@click.option("--expect-head", metavar="HASH", help="Fail unless the last hash is this one (kept from an earlier run).")
def command(config: Path | None, data: str | None, as_json: bool, expect_head: str | None) -> None:
    """Check the journal's hash chain, and that replaying it from the first event gives the same decisions.

    It reads only, and may run while the service does. The chain shows that nothing inside the journal was changed;
    that nothing was cut off at its end shows only against a head hash kept elsewhere (--expect-head).
    Exit status: 0 when all is well, 1 when not.
    """
    settings = settings_of(config, data)
    path = settings.journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    with clear_errors():
        result = _run(path, configuration_of(settings), quiet=as_json)
    cut = expect_head is not None and not result.head.startswith(expect_head.rstrip("…").lower())
    if as_json:
        print_json(msgspec.to_builtins(result) | {"ok": result.ok and not cut, "head_as_expected": not cut})
    else:
        _print(result, cut)
    if not result.ok or cut:
        raise click.exceptions.Exit(1)


def _run(path: Path, configuration: Configuration, quiet: bool) -> Verification:
    connection = store.connect(path, readonly=True)
    total = store.head(connection)[0]
    connection.close()
    console = Console(stderr=True)
    columns = (TextColumn("verifying"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=total)
        return verify(path, configuration, lambda count: progress.update(task, completed=count))


def _print(result: Verification, cut: bool) -> None:
    console = Console(highlight=False)
    good, bad = "[green]yes[/]", "[bold red]NO[/]"
    console.print(f"entries    {result.entries:,} ({result.events:,} events, {result.decisions:,} decisions)")
    whole = bad + f" (entry {result.broken_at:,} does not fit)" if result.broken_at else good
    console.print(f"chain whole    {whole}")
    same = bad + f" ({len(result.differences):,} differ)" if result.differences else good
    console.print(f"decided the same    {same}")
    for seq, event in result.differences[:10]:
        console.print(f"  entry {seq:,}, event {event or '?'}", markup=False)
    if result.foreign:
        console.print(
            f"[yellow]{result.foreign:,} events were decided by another release, or after some that were: "
            "only their chain is checked[/]"
        )
    if result.engine_failures:
        console.print(f"[yellow]the engine failed on {result.engine_failures:,} events (the same ones as then)[/]")
    if cut:
        console.print("[bold red]the head is not the expected one: entries were cut off or replaced[/]")
    console.print(f"head    {result.head}")
