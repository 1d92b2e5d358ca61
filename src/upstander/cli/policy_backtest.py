"""``upstander policy backtest``: what another policy would have made of broadcasts of the past."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from upstander.backtest.report import as_html
from upstander.backtest.run import BacktestError, run, source
from upstander.backtest.tables import LIMITS, Section, Tried, as_json, facts, sections
from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.cli.policy_file import source_of, tables_of
from upstander.gateway.configuration import configuration_of
from upstander.settings import Settings

EXAMPLES = """
\b
Examples:
  upstander policy backtest --policy my-policy.yaml
  upstander policy backtest --policy my-policy.yaml --moderators 4 --html backtest.html
  upstander policy backtest --policy b.yaml --against a.yaml broadcast.jsonl --json
"""
_policy = click.Path(path_type=Path, dir_okay=False)


@click.command("backtest", epilog=EXAMPLES)
@click.argument("files", nargs=-1, metavar="[JOURNAL or WIREFILE]...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--policy", "new", required=True, metavar="FILE", type=_policy, help="The policy to try.")
@click.option("--against", "old", metavar="FILE", type=_policy, help="The policy to compare it with. Default: as set.")
@click.option("--moderators", type=click.IntRange(1), default=1, show_default=True, help="How many share the alerts.")
@click.option("--examples", type=click.IntRange(0, 1000), default=10, show_default=True, help="Examples of each kind.")
@click.option("--limit", type=click.IntRange(1), help="At most so many events.")
@click.option("--texts", is_flag=True, help="Show what was written in the examples.")
@click.option("--json", "as_object", is_flag=True, help="The result as one JSON object.")
@click.option("--html", type=_policy, metavar="FILE", help="Write the result as a web page, too.")
@config_option
def backtest(
    files: tuple[Path, ...], new: Path, old: Path | None, moderators: int, examples: int, limit: int | None,
    texts: bool, as_object: bool, html: Path | None, config: Path | None, data: str | None,
) -> None:  # fmt: skip
    """Run two policies over the data folder's journal (or the files named) side by side, and compare what comes out.

    Both use the packs and the model of the settings, one process each. Nothing is written but the page. It may run
    while the service does. Exit status: 0, 1 when a policy is broken, 2 when something is not there.
    """
    settings = settings_of(config, data)
    sources = (source_of(old, settings), source_of(new, settings))
    before, after = (tables_of(each) for each in sources)
    paths = files or (_journal(settings),)
    began = time.monotonic()
    with clear_errors():
        configuration = configuration_of(settings)
        try:
            with _progress(quiet=as_object) as progress:
                comparison, totals = run(
                    configuration.with_policy(sources[0]),
                    configuration.with_policy(sources[1]),
                    [source(path) for path in paths],
                    limit=limit or 0,
                    examples=examples,
                    texts=texts,
                    progress=progress,
                )
        except BacktestError as error:
            raise Mistake(str(error)) from None
    tried = Tried(
        old=before,
        new=after,
        old_file=sources[0][0],
        new_file=sources[1][0],
        totals=totals,
        comparison=comparison,
        moderators=moderators,
        sources=tuple(map(str, paths)),
        seconds=time.monotonic() - began,
    )
    if html is not None:
        try:
            html.write_text(as_html(tried), encoding="utf-8")
        except OSError as error:
            raise Mistake(f"{html} cannot be written ({error.strerror}). Name another file with --html.") from None
    if as_object:
        print_json(as_json(tried))
    else:
        _print(tried)


def _journal(settings: Settings) -> Path:
    path = settings.journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name a journal, wire files, or the data folder with --data.")
    return path


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[float], None]]:
    console = Console(stderr=True)
    columns = (TextColumn("trying"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task("", total=1.0)
        yield lambda done: bar.update(task, completed=done)


def _print(tried: Tried) -> None:
    console = Console(highlight=False)
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, said in facts(tried):
        grid.add_row(name, Text(said))
    console.print(grid)
    for section in sections(tried):
        if section.rows:
            console.print(Text(f"\n{section.title}", style="bold"))
            console.print(_table(section))
    if tried.totals.failures:
        console.print(Text(f"The engine failed on {tried.totals.failures:,} events.", style="yellow"))
    console.print(Text("\nLimits", style="bold"))
    for limit in LIMITS:
        console.print(Text(f"- {limit}", style="dim"))


def _table(section: Section) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, head in enumerate(section.heads):
        words = number == 0 or section.wordy
        table.add_column(head, justify="left" if words else "right", overflow="fold", header_style="dim")
    for row in section.rows:
        table.add_row(*map(Text, row))
    return table
