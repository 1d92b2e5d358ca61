"""``upstander trace``: which broadcast a recording was taken from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from upstander.cli.captures_common import bar, clock_of, json_option, mistakes, needed
from upstander.cli.common import config_option, print_json, settings_of
from upstander.cli.vault_common import time_of

EXAMPLES = """
\b
Examples:
  upstander trace found.mp4
  upstander trace folder/ --json
  upstander trace found.mp4 --audience --by ann --why "case 8c439b6cfe6d2275"

\b
Exit status: 0 every file was traced; 1 one was not; 2 something could not be read.
"""


@click.command("trace", epilog=EXAMPLES)
@config_option
@click.argument("paths", metavar="FILE|FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--audience", is_flag=True, help="Also who was there then: needs --by, an account that may, and --why.")
@click.option("--by", metavar="NAME", default="", help="The account that asks for the audience.")
@click.option("--why", metavar="TEXT", default="", help="The reason; it is kept in the ledger.")
@json_option
def command(
    config: Path | None, data: str | None, paths: tuple[Path, ...], audience: bool, by: str, why: str, as_json: bool
) -> int:
    """Name the broadcast(s) of this platform that recordings were taken from, and where in them.

    Works for clips that were cropped, mirrored, re-encoded, framed or sped up by at most five percent. That a file is
    traced is kept in the ledger; the file is only read.
    """
    with needed("trace"):
        from upstander.cli.trace_work import work  # noqa: PLC0415 (only what the extra brings)
    settings = settings_of(config, data)
    with mistakes(), bar(as_json) as progress:
        rows = work(settings, paths, audience, by, why, progress)
    if as_json:
        for row in rows:
            print_json(row)
    else:
        for row in rows:
            _say(row)
    return int(not all(row["traces"] for row in rows))


def _say(row: dict[str, Any]) -> None:
    if row["error"]:
        click.echo(f"{row['file']}: {row['error']}")
        return
    if not row["traces"]:
        click.echo(f"{row['file']}: from no broadcast whose fingerprints are kept here, as far as can be told")
    for one in row["traces"]:
        part = f"{clock_of(one['start_ms'])}-{clock_of(one['end_ms'])}"
        where = f"{one['platform']} {one['broadcast']} from {clock_of(one['offset_ms'])} on ({time_of(one['at'])} UTC)"
        more = f", at {one['speed']:g} of the speed" if abs(one["speed"] - 1) > 0.015 else ""
        click.echo(f"{row['file']} {part}: {where}; {one['how']}{more}; confidence {one['confidence']:.2f}")
        for viewer in one.get("audience", ()):
            since = f"since {time_of(viewer['since'])}" if viewer["since"] else "acted there"
            click.echo(f"    in the audience: {viewer['viewer']} ({since})")
