"""``upstander teach list``, ``show`` and ``check``: the lessons that there are, read and checked."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table

from upstander.cli.common import Mistake, print_json
from upstander.cli.teach_common import country_option, language_option, mistakes, today_option
from upstander.nudge import readability
from upstander.nudge.lint import Fault
from upstander.teach import lessons as lesson_files
from upstander.teach import newsletter, scripts
from upstander.teach.bands import bound
from upstander.teach.document import as_markdown, document_of
from upstander.teach.lint import Lint, texts_to_measure
from upstander.teach.lint_stream import StreamLint
from upstander.teach.statistics import read_statistics


@click.command("list")
@click.option("--language", help="Only lessons in this language.")
@click.option("--json", "as_json", is_flag=True)
def list_command(language: str | None, as_json: bool) -> None:
    """List the lessons that ship: id, language, for whom, how long, and until when they are reviewed."""
    with mistakes():
        found = [each.front for each in lesson_files.shipped().values() if language in (None, each.front.language)]
    if not found:
        raise Mistake(f"there are no lessons in {language!r}. `upstander teach list` shows all.")
    if as_json:
        print_json([msgspec.to_builtins(front) for front in found])
        return
    table = Table(box=None)
    for column in ("lesson", "language", "for", "minutes", "title", "review by"):
        table.add_column(column, no_wrap=column in ("lesson", "review by"), overflow="fold")
    for front in found:
        row = (front.id, front.language, front.band.years, str(front.minutes), front.title, str(front.review_by))
        table.add_row(*row)
    Console().print(table)


@click.command("show")
@click.argument("lesson")
@language_option
@country_option
@click.option("--markdown", "as_markdown_text", is_flag=True, help="Print Markdown, not a page for the terminal.")
def show_command(lesson: str, language: str, country: str, as_markdown_text: bool) -> None:
    """Print a whole lesson: objectives, safeguarding notes, activities, cards, exit check, parent sheet, help."""
    with mistakes():
        text = as_markdown(document_of(lesson_files.find(lesson_files.shipped(), lesson, language), country))
    if as_markdown_text:
        click.echo(text)
        return
    Console().print(Markdown(text))


@click.command("check")
@click.option(
    "--lessons",
    "folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Check lessons of your own: a folder with LANGUAGE/shared.yaml and LANGUAGE/*.md. Default: those that ship.",
)
@today_option
@click.option("--json", "as_json", is_flag=True)
def check_command(folder: Path | None, today: date, as_json: bool) -> int:
    """Check lessons against the template, and scripts, newsletter topics and figures that ship.

    Exit status 1 when something is wrong.
    """
    with mistakes():
        lessons = lesson_files.read_lessons(folder) if folder else lesson_files.shipped()
        faults = Lint(lessons, today).faults()
        if folder is None:
            faults += _other_faults(lessons, today)
    rows = reading_levels(lessons) if readability.available() else []
    if as_json:
        print_json({"lessons": len(lessons), "faults": [str(fault) for fault in faults], "reading": rows})
        return 1 if faults else 0
    for fault in faults:
        click.echo(str(fault))
    if rows:
        table = Table(box=None)
        for column in rows[0]:
            table.add_column(column)
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        console = Console()
        (console if console.is_terminal else Console(width=140)).print(table)
    else:
        click.echo(readability.INSTALL)
    click.echo(f"{len(lessons)} lessons, {len(faults)} faults.")
    return 1 if faults else 0


def _other_faults(lessons: lesson_files.Lessons, today: date) -> list[Fault]:
    """What is wrong with the scripts, topics and figures that ship."""
    lint, figures = StreamLint(today), read_statistics()
    return [
        *lint.of_scripts(scripts.shipped(), lessons),
        *lint.of_topics(newsletter.shipped(), figures),
        *lint.of_statistics(figures),
    ]


def reading_levels(lessons: lesson_files.Lessons) -> list[dict[str, str | float]]:
    """By lesson and what is read of it: the measure, its value, and the bound of those who read it."""
    rows: list[dict[str, str | float]] = []
    for (language, identifier), lesson in lessons.items():
        for what, (text, band) in texts_to_measure(lesson).items():
            limit = bound(language, band)
            if limit is None:
                continue
            scale = readability.MEASURES[language]
            rows.append(
                {
                    "lesson": identifier,
                    "language": language,
                    "read": what,
                    "by": band.years,
                    "measure": scale.name,
                    "value": readability.measure(text, language),
                    "bound": f"{'≥' if scale.higher_is_easier else '≤'} {limit:g}",
                }
            )
    return rows
