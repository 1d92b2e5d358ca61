"""``upstander replay``: wire events in, decisions out, with nothing kept."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from upstander.cli.common import clear_errors, config_option, settings_of
from upstander.gateway.configuration import configuration_of
from upstander.journal.entries import reference
from upstander.model.decision import Decision, replay_line
from upstander.model.events import AnyEvent
from upstander.model.vocabulary import Level
from upstander.model.wire import MAX_EVENT_BYTES, WireError, read_events
from upstander.runtime import Runtime

EXAMPLES = """
\b
Examples:
  upstander replay broadcast.jsonl
  upstander replay broadcast.jsonl --json | jq .level
  tail -f events.jsonl | upstander replay - --json
  upstander replay broadcast.jsonl --speed 10
"""
#: A file larger than this shows a progress bar when a person is watching.
LONG = 2 * 1024 * 1024


class Summary(msgspec.Struct):
    """What a replay came to."""

    events: int = 0
    decisions: int = 0
    refused: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    levels: Counter[str] = msgspec.field(default_factory=Counter)
    tactics: Counter[str] = msgspec.field(default_factory=Counter)
    interventions: Counter[str] = msgspec.field(default_factory=Counter)

    def take(self, decision: Decision) -> None:
        """Count one decision."""
        self.decisions += 1
        self.levels[decision.level] += 1
        self.tactics.update(decision.tactics)
        self.interventions.update(asked.do for asked in decision.interventions)


@click.command("replay", epilog=EXAMPLES)
@click.argument("file", type=click.Path(allow_dash=True, exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One decision a line, as JSON; errors and summary go to stderr.")
@click.option("--all", "everything", is_flag=True, help="Every event, also those at level clear.")
@click.option("--speed", type=click.FloatRange(min=0.001), help="Play in time: 1 as it happened, 10 ten times faster.")
@config_option
def command(
    file: Path, as_json: bool, everything: bool, speed: float | None, config: Path | None, data: str | None
) -> None:
    """Read wire events (JSON Lines; - is standard input) and print the decision on each whose level is not clear.

    Lines that are no events are reported on standard error, with line, field, reason and fix, and the rest goes on.
    Exit status: 0, or 1 when a line was refused. Nothing is written to the data folder.
    """
    settings = settings_of(config, data)
    with clear_errors():
        runtime = Runtime(configuration_of(settings))
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    summary = Summary()
    began = time.perf_counter()
    stream: BinaryIO = sys.stdin.buffer if str(file) == "-" else file.open("rb")
    try:
        for event in _events(stream, file, summary, errors, speed):
            decision = runtime.observe("", event)
            if decision is not None:
                summary.take(decision)
            if decision is not None and (everything or decision.level != Level.CLEAR.word):
                _show(decision, as_json)
            elif everything:
                _show(_clear(event, runtime), as_json)
    finally:
        if stream is not sys.stdin.buffer:
            stream.close()
    sys.stdout.flush()
    summary.seconds = time.perf_counter() - began
    _summarise(summary, errors)
    if summary.refused:
        raise click.exceptions.Exit(1)


def _events(stream: BinaryIO, file: Path, summary: Summary, errors: Console, speed: float | None) -> Iterator[AnyEvent]:
    """Events that count: those of the right form, each once, at the pace asked for."""
    seen: set[int] = set()
    first_at, began = 0, time.monotonic()
    for _, _, event in read_events(_lines(stream, file, errors)):
        if isinstance(event, WireError):
            summary.refused += 1
            errors.print(f"[yellow]{file}[/]: ", end="")
            errors.print(str(event), markup=False)
            continue
        key = reference("", event.broadcast, event.id)
        if key in seen:
            summary.duplicates += 1
            continue
        seen.add(key)
        if speed is not None:
            first_at = first_at or event.at_ms
            due = began + (event.at_ms - first_at) / 1000 / speed
            time.sleep(max(0.0, due - time.monotonic()))
        summary.events += 1
        yield event


def _lines(stream: BinaryIO, file: Path, errors: Console) -> Iterator[bytes]:
    """Lines of bounded length, with a progress bar on long files when a person is watching."""
    size = 0 if str(file) == "-" else file.stat().st_size
    if size < LONG or not sys.stderr.isatty():
        yield from _bounded(stream)
        return
    columns = (TextColumn("replaying"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"), TimeRemainingColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("", total=size)
        for line in _bounded(stream):
            yield line
            progress.advance(task, len(line))


def _bounded(stream: BinaryIO) -> Iterator[bytes]:
    """Lines; of one that is far too long only the start is kept (enough to refuse it)."""
    while line := stream.readline(MAX_EVENT_BYTES + 2):
        if len(line) > MAX_EVENT_BYTES and not line.endswith(b"\n"):
            while (rest := stream.readline(1024 * 1024)) and not rest.endswith(b"\n"):
                pass
        yield line


def _clear(event: AnyEvent, runtime: Runtime) -> Decision:
    actor = getattr(event, "actor", None)
    versions = runtime.engine("").versions
    return Decision(event.id, event.broadcast, actor, event.at_ms, "clear", (), (), (), 0.0, 0.0, (), versions)


_STYLES = {"clear": "dim", "notice": "blue", "concern": "yellow", "urgent": "dark_orange", "emergency": "bold red"}
_CONSOLE = Console(highlight=False, soft_wrap=True)


def _show(decision: Decision, as_json: bool) -> None:
    if as_json:
        sys.stdout.buffer.write(msgspec.json.encode(replay_line(decision)) + b"\n")
        sys.stdout.buffer.flush()
        return
    style = _STYLES[decision.level]
    why = "; ".join(reason.why for reason in decision.reasons if reason.what not in decision.exposures)
    asked = ", ".join(asked.do for asked in decision.interventions)
    _CONSOLE.print(f"[{style}]{decision.level:<9}[/] ", end="")
    text = f"{decision.broadcast}  {decision.actor or '-'}  {decision.event}  {decision.belief:.1f}  {why}"
    _CONSOLE.print(text + (f"  -> {asked}" if asked else ""), markup=False)


def _summarise(summary: Summary, errors: Console) -> None:
    table = Table(title="replay", title_justify="left", show_header=False, box=None)
    table.add_column(style="dim")
    table.add_column(justify="right")
    rate = summary.events / summary.seconds if summary.seconds else 0.0
    rows = [("events", f"{summary.events:,}"), ("events/s", f"{rate:,.0f}")]
    rows += [(name, f"{value:,}") for name, value in (("refused", summary.refused), ("sent twice", summary.duplicates))]
    rows += [(level.word, f"{summary.levels[level.word]:,}") for level in list(Level)[:0:-1]]
    for name, value in rows:
        table.add_row(name, value)
    errors.print(table)
