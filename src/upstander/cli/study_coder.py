"""``upstander study coder``: who codes in a study, and when an assessor was trained."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from upstander.cli.common import Mistake
from upstander.cli.study_shared import mistakes
from upstander.study.folder import Study

EXAMPLES = """
\b
Examples:
  upstander study coder spring ada --trained-on 2026-03-01
  upstander study coder spring                            list them
"""


@click.command("coder", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("name", required=False)
@click.option("--trained-on", type=click.DateTime(["%Y-%m-%d"]), help="The day the assessor's training was completed.")
def command(folder: Path, name: str | None, trained_on: datetime | None) -> None:
    """Add coder NAME to a study (a short name, not a person's full name), or list its coders.

    Only a coder with a day of training may record a category.
    """
    with mistakes():
        study = Study(folder)
        if name is not None:
            if trained_on and trained_on.date() > datetime.now(UTC).date():
                raise Mistake(f"--trained-on {trained_on.date()} lies in the future. Record it when training is over.")
            study.add_coder(name, trained_on.date() if trained_on else None)
    for coder, day in study.about.coders.items():
        click.echo(f"{coder}: {f'trained assessor since {day}' if day else 'not a trained assessor'}")
