"""``upstander study import``: items to code, or coded items, checked before anything is taken in."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.cli.common import print_json
from upstander.cli.study_shared import mistakes
from upstander.study.folder import Study, read_rows
from upstander.study.validate import Fault

EXAMPLES = """
\b
Examples:
  upstander study import spring items.csv        no `coder_id`: items to code
  upstander study import spring coded.parquet    with `coder_id`: codings

\b
Exit status: 0 all rows were taken in; 1 a row has a fault, and nothing was; 2 the file or study cannot be read.
"""


@click.command("import", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True)
def command(folder: Path, file: Path, as_json: bool) -> int:
    """Take the rows of FILE (CSV, Parquet or JSON Lines) into a study: all of them, or none.

    Columns are the codebook's fields. A column `domain` is hashed under the study's key and not kept.
    """
    with mistakes():
        study = Study(folder)
        frame, first = read_rows(file, study)
        found = study.check(frame, first)
        items, codings = (0, 0) if found else study.take_in(frame)
    if as_json:
        print_json({"faults": found, "items": items, "codings": codings})
    else:
        show_faults(found)
        click.echo("Nothing was taken in." if found else f"{items:,} new items, {codings:,} new codings.")
    return int(bool(found))


def show_faults(found: list[Fault]) -> None:
    """Faults, a line each; where many rows have the same, the first ones and how many."""
    for fault in found:
        more = f" ({fault.count:,} rows)" if fault.count > 1 else ""
        click.echo(f"{fault}{more}")
