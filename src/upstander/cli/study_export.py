"""``upstander study export``: codings or settled items, for the hotline's own use."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.cli.study_shared import mistakes
from upstander.study import files
from upstander.study.folder import Study
from upstander.study.settle import settle

EXAMPLES = """
\b
Examples:
  upstander study export spring items.parquet            settled items
  upstander study export spring codings.csv --codings    every coding of every coder
"""


@click.command("export", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--codings", "all_codings", is_flag=True, help="Every coding, instead of settled items.")
def command(folder: Path, file: Path, all_codings: bool) -> None:
    """Write FILE (CSV, Parquet or JSON Lines). It holds single items: it is not for publishing."""
    with mistakes():
        study = Study(folder)
        if all_codings:
            frame = study.items().join(study.codings(), on="item_id").select(list(study.codebook.schema()))
        else:
            frame = settle(study).items
        files.write(frame, file)
    click.echo(f"{frame.height:,} rows in {file}. They are single items: publish tables, not this.")
