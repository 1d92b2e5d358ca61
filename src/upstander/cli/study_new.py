"""``upstander study new``: a study's folder, with a key for domains and a seed for double coding."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from upstander.cli.study_shared import mistakes
from upstander.study import folder as folders
from upstander.study.invented import fill

EXAMPLES = """
\b
Examples:
  upstander study new spring --title "Captures found in spring"
  upstander study new spring --title "…" --threshold 10 --double 0.2
  upstander study new practice --title "Practice" --invented 2000
"""


@click.command("new", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--title", required=True, help="As it stands on the report.")
@click.option(
    "--threshold", type=click.IntRange(2, 100), default=5, show_default=True, help="Counts below it are small."
)
@click.option("--invented", type=click.IntRange(0, 5_000_000), default=0, help="So many invented items, to practise.")
@click.option(
    "--double", type=click.FloatRange(0, 1), default=0.1, show_default=True, help="Share that two people code."
)
def command(folder: Path, title: str, threshold: int, double: float, invented: int) -> None:
    """Make a study in FOLDER. Its `domain.key` hashes domains: keep it secret, and keep a copy."""
    with mistakes():
        today = datetime.now(UTC).date()
        study = folders.create(folder, title, today, {"threshold": threshold, "double_share": double})
        if invented:
            fill(study, invented)
            click.echo(f"It holds {invented:,} invented items, coded by invented coders: for practice only.")
    click.echo(f"{folder} is a study, by codebook {study.about.codebook}. Next: upstander study coder {folder} NAME")
