"""``upstander study report``: all tables and figures at once, protected together."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from upstander.cli.common import Mistake, print_json
from upstander.cli.study_shared import mistakes
from upstander.study.folder import Study
from upstander.study.report import Report, gather

EXAMPLES = """
\b
Examples:
  upstander study report spring --html spring.html --pdf spring.pdf
  upstander study report spring --unit unique --threshold 10 --html spring.html
  upstander study report spring --json > spring.json
"""


@click.command("report", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--html", "html", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--pdf", "pdf", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE")
@click.option("--unit", type=click.Choice(["item", "unique"]), default="item", show_default=True)
@click.option("--threshold", type=click.IntRange(2, 100), help="Counts below it are small. Default: the study's.")
@click.option("--json", "as_json", is_flag=True, help="The same figures on standard output.")
def command(folder: Path, html: Path | None, pdf: Path | None, unit: str, threshold: int | None, as_json: bool) -> None:
    """Make a study's report: tables, figures, methods, limits and words.

    Small counts are withheld across all its tables at once, so publish whole reports, and one for each set of items.
    """
    if not (html or pdf or as_json):
        raise Mistake("say what to make: --html FILE, --pdf FILE or --json.")
    with mistakes():
        today = datetime.now(UTC).date()
        report = gather(Study(folder), today, "unique" if unit == "unique" else "item", threshold)
        _write(report, html, pdf)
    if as_json:
        print_json(report)
    for path in (html, pdf):
        if path is not None:
            click.echo(f"{path}: {path.stat().st_size:,} bytes.", err=as_json)


def _write(report: Report, html: Path | None, pdf: Path | None) -> None:
    """Each form is loaded only when it is asked for: they take a second each."""
    try:
        if html is not None:
            from upstander.study.page import as_html  # noqa: PLC0415

            html.write_text(as_html(report), encoding="utf-8")
        if pdf is not None:
            from upstander.study.pdf import as_pdf  # noqa: PLC0415

            pdf.write_bytes(as_pdf(report))
    except OSError as error:
        raise Mistake(f"{error.filename} cannot be written ({error.strerror}). Name another file.") from None
