"""``upstander packs``: check packs, and see why a text fires."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from upstander.cli.common import Mistake, clear_errors, print_json, settings_of
from upstander.detect import lint, packs, trace
from upstander.detect.cache import cache_folder
from upstander.detect.excerpt import shown, underlined
from upstander.detect.lint import Report
from upstander.detect.normalise import Views, views
from upstander.detect.packfile import Problem
from upstander.detect.packs import PackError
from upstander.detect.text import TextDetector
from upstander.detect.trace import Found
from upstander.gateway.configuration import configuration_of
from upstander.model.signal import Signal
from upstander.model.vocabulary import MEANING

EXAMPLES = """
\b
Examples:
  upstander packs check
  upstander packs check my-packs --strict
  upstander packs explain "dont tell ur mom"
  upstander packs explain --who host "im home alone" --json
"""
_config = click.option(
    "--config",
    "config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The settings (TOML) that name the packs. Default: upstander.toml if there is one here.",
)


@click.group("packs", epilog=EXAMPLES)
def command() -> None:
    """Check packs of patterns, and see why a text fires or does not."""


# -- check -------------------------------------------------------------------------------------------------------


@command.command("check")
@click.argument("folder", required=False, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@_config
def check(folder: Path | None, strict: bool, as_json: bool, config: Path | None) -> None:
    """Find everything that is wrong with the packs in FOLDER (default: the settings' packs, or those that ship).

    Every example is tried, every pattern is compiled and searched with within limits of time and size. Exit status:
    0 when there is no error (with --strict: no warning either), 1 when there is, 2 when there is nothing to check.
    """
    settings = settings_of(config)
    chosen = folder or (Path(settings.packs) if settings.packs else None)
    with clear_errors():
        sources, unreadable = _sources(chosen) if chosen else (packs.bundled(), [])
    report = _check(sources, unreadable, quiet=as_json)
    errors, warnings = report.of("error"), report.of("warning")
    failed = bool(errors or (strict and warnings))
    if as_json:
        found = [msgspec.to_builtins(f.problem) | {"source": f.source} for f in report.findings]
        counts = msgspec.to_builtins(report.counts)
        total = {"ok": not failed, "files": report.files, "errors": errors, "warnings": warnings}
        print_json(total | {"problems": found, "counts": counts})
    else:
        _print_report(report, errors, warnings)
    if failed:
        raise click.exceptions.Exit(1)


def _sources(folder: Path) -> tuple[list[tuple[str, str]], list[Problem]]:
    """A folder's packs, and what is wrong with the files that cannot be read."""
    sources, unreadable = [], []
    for name, path in packs.files_in(folder):
        try:
            sources.append((name, packs.text_of(name, path)))
        except PackError as error:
            unreadable.append(Problem(file=error.file, line=error.line, reason=error.reason, fix=error.fix))
    for path in sorted(folder.rglob("*.yml")):
        name = path.relative_to(folder).as_posix()
        fix = "Name it `.yaml`: other files are not read."
        unreadable.append(Problem(file=name, line=1, reason="is no pack", fix=fix, severity="warning"))
    return sources, unreadable


def _check(sources: Sequence[tuple[str, str]], unreadable: Sequence[Problem], quiet: bool) -> Report:
    console = Console(stderr=True)
    columns = (TextColumn("trying patterns"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        return lint.check(
            sources,
            unreadable=unreadable,
            cache=cache_folder(),
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _print_report(report: Report, errors: int, warnings: int) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in report.findings:
        text = Text(finding.render() + "\n")
        style = "bold red" if finding.problem.severity == "error" else "yellow"
        text.highlight_words([f": {finding.problem.severity}:"], style)
        console.print(text)
    table = Table(box=None)
    table.add_column("language")
    table.add_column("label")
    for column in ("patterns", "fires", "spares"):
        table.add_column(column, justify="right")
    for count in report.counts:
        numbers = (str(count.patterns), str(count.fires), str(count.spares))
        table.add_row(count.language, count.label, *numbers)
    console.print(table)
    files = "1 file" if report.files == 1 else f"{report.files} files"
    style = "bold red" if errors else "yellow" if warnings else "green"
    console.print(f"[{style}]{errors} errors, {warnings} warnings[/] in {files}")


# -- explain -----------------------------------------------------------------------------------------------------


@command.command("explain")
@click.argument("text")
@click.option("--who", type=click.Choice(["viewer", "host"]), default="viewer", show_default=True, help="Who wrote it.")
@click.option("--folder", type=click.Path(path_type=Path), help="Packs of one's own instead of the settings'.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@_config
def explain(text: str, who: str, folder: Path | None, as_json: bool, config: Path | None) -> None:
    """Show how TEXT is read, which patterns fire, what calls them off, and the signals that come out."""
    settings = settings_of(config)
    if folder:
        settings = msgspec.structs.replace(settings, packs=str(folder))
    if not text.strip():
        raise Mistake("the text is empty. Give it in quotes.")
    with clear_errors():
        detector = configuration_of(settings).detector()
    seen = views(text)
    said = [pattern for pattern in detector.packs.patterns if pattern.who in (who, "anyone")]
    found = trace.trace(said, text, seen)
    signals = _signals(detector, text, who)
    if as_json:
        print_json(_as_json(text, who, seen, found, signals))
        return
    _print_explanation(text, seen, found, signals)


def _signals(detector: TextDetector, text: str, who: str) -> list[Signal]:
    return detector.viewer(text, host="") if who == "viewer" else list(detector.host(text).signals)


def _as_json(text: str, who: str, seen: Views, found: list[Found], signals: list[Signal]) -> dict[str, object]:
    patterns = [
        {
            "pattern": each.pattern.name,
            "label": each.pattern.label,
            "strength": each.pattern.strength,
            "view": each.view,
            "span": [each.start, each.end],
            "called_off_by": each.called_off or None,
        }
        for each in found
    ]
    shown_views = list(trace.every_view(seen))
    return {
        "text": text,
        "who": who,
        "views": shown_views,
        "patterns": patterns,
        "signals": msgspec.to_builtins(signals),
    }


def _print_explanation(text: str, seen: Views, found: list[Found], signals: list[Signal]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for index, view in enumerate(trace.every_view(seen)):
        console.print(Text.assemble((f"{_name(index):<10}", "dim"), shown(view)))
    for each in found:
        pattern = each.pattern
        console.print()
        strength = f"{pattern.strength:g} nats" if not each.called_off else "called off"
        style = "bold red" if not each.called_off else "dim"
        console.print(
            Text.assemble((pattern.name, style), f"  {pattern.label}  {strength}  in view {_name(each.view)}")
        )
        _underline(console, text, each.start, each.end, style)
        if each.called_off:
            console.print(Text(f"  by its unless {each.called_off}"))
            _underline(console, text, each.off_start, each.off_end, "yellow")
    console.print()
    if not signals:
        console.print("No signal comes out.")
    for signal in signals:
        why = signal.note or MEANING[signal.label]
        source = Text.assemble((f"{signal.label:<20}", "bold"), f"{signal.strength:5.2f}  {why}  ({signal.source})")
        console.print(source)
        if signal.near:
            console.print(Text(f'{"":<20} reads like "{shown(signal.near)}"', style="dim"))


def _underline(console: Console, text: str, start: int, end: int, style: str) -> None:
    """What is meant, underlined in the original: in colour on a terminal, with carets in a file or pipe."""
    if console.is_terminal:
        line = Text("  " + shown(text))
        line.stylize(f"{style} underline", start + 2, end + 2)
        console.print(line)
        return
    for line_of in underlined(text, start, end - start):
        console.print(Text("  " + line_of))


def _name(view: int) -> str:
    return "raw" if view == 0 else f"folded {view}"
