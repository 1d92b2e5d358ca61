"""``upstander match``: files, or one value, against the banks."""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Any

import click

from upstander.cli.captures_common import bar, json_option, mistakes, needed
from upstander.cli.common import Mistake, config_option, print_json, settings_of

EXAMPLES = """
\b
Examples:
  upstander match folder/ --notebook done.jsonl     goes on where it was stopped
  find /uploads -newer mark | upstander match - --json
  upstander match --value md5:0123456789abcdef0123456789abcdef

\b
Exit status: 0 nothing matched; 1 something did; 2 something could not be read.
"""


@click.command("match", epilog=EXAMPLES)
@config_option
@click.argument("paths", metavar="[FILE|FOLDER|-]...", nargs=-1)
@click.option("--value", metavar="KIND:VALUE", default="", help="Ask about one value (pdq, md5, sha1, sha256).")
@click.option("--notebook", metavar="FILE", default=None, type=click.Path(path_type=Path, dir_okay=False),
              help="Keep results here, and do not match again what it holds.")  # fmt: skip
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, help="Processes that hash files.")
@json_option
def command(
    config: Path | None,
    data: str | None,
    paths: tuple[str, ...],
    value: str,
    notebook: Path | None,
    jobs: int,
    as_json: bool,
) -> int:
    """Match files against the banks: the same file, or a like picture, also mirrored. `-` reads names of files.

    The answer names banks and entries. It never says how near a picture is: from distances, pictures can be rebuilt.
    """
    if bool(paths) == bool(value):
        raise Mistake("name files or folders (or - for a list), or one --value. See `upstander match --help`.")
    with needed("match"):
        from upstander.cli import match_work  # noqa: PLC0415 (only what the extra brings)
    settings, by = settings_of(config, data), getpass.getuser()
    with mistakes():
        if value:
            found = match_work.one_value(settings, value, by)
            print_json({"matches": found}) if as_json else _say("this value", found, "")
            return int(bool(found))
        names = [name for path in paths for name in (sys.stdin.read().splitlines() if path == "-" else [path]) if name]
        status = 0
        with bar(as_json) as progress:
            for row in match_work.many(settings, [Path(name) for name in names], notebook, jobs, by, progress):
                print_json(row) if as_json else _say(row["path"], row["matches"], row["error"])
                unread = bool(row["error"]) and not row["pictures"] and row["error"].endswith("Check its rights.")
                status = max(status, 2 if unread else int(bool(row["matches"])))
    return status


def _say(name: str, found: list[dict[str, Any]], error: str) -> None:
    for one in found:
        many = f", {one['pictures']:,} pictures" if one.get("pictures", 0) > 1 else ""
        what = "the same file as" if one["how"] == "exact" else "like"
        click.echo(f"{name}: {what} entry {one['entry']} of bank {one['bank']}{many}")
    if not found and error.endswith("Check its rights."):
        click.echo(error)
