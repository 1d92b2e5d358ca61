"""``upstander sightings add|import|list|graph|export``."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.captures import spread
from upstander.captures.errors import CaptureError
from upstander.captures.opening import folder_of
from upstander.captures.sightings import SITE_TYPES, YES_NO, Entered, Sightings, study_rows
from upstander.cli.captures_common import json_option, mistakes
from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.cli.vault_common import person_option, time_of


@contextmanager
def _sightings(config: Path | None, data: str | None) -> Iterator[Sightings]:
    with mistakes():
        kept = Sightings(folder_of(settings_of(config, data)) / "sightings.sqlite3")
        try:
            yield kept
        finally:
            kept.close()


@click.command("add")
@config_option
@click.argument("capture")
@click.argument("url")
@click.option("--site-type", type=click.Choice(list(SITE_TYPES)), default="unknown", help="As INHOPE's hotlines say.")
@click.option("--country", default="unknown", metavar="CC", help="Where the server stands (ISO 3166-1 alpha-2).")
@click.option("--dedicated", type=click.Choice(YES_NO), default="unknown", help="Is the site dedicated to captures?")
@click.option("--advert", type=click.Choice(YES_NO), default="unknown", help="Does it advertise paid downloads?")
@click.option("--seen", default="", metavar="TIME", help="When it was seen (RFC 3339). Default: now.")
@click.option("--removed", default="", metavar="TIME", help="When it was found gone.")
@click.option("--parent", default="", metavar="ID|URL", help="The sighting of the same capture that it came from.")
@click.option("--keep-url", is_flag=True, help="Keep the address in clear, too. Think twice.")
@person_option
@json_option
def add_command(
    config: Path | None,
    data: str | None,
    capture: str,
    url: str,
    site_type: str,
    country: str,
    dedicated: str,
    advert: str,
    seen: str,
    removed: str,
    parent: str,
    keep_url: bool,
    by: str,
    as_json: bool,
) -> None:
    """Enter that CAPTURE (your own number of it) was seen at URL. The same again fills in what was not known."""
    fields = {
        "capture": capture, "url": url, "site_type": site_type, "country": country, "dedicated": dedicated,
        "advert": advert, "seen_at": seen, "removed_at": removed, "parent": parent,
    }  # fmt: skip
    with _sightings(config, data) as kept:
        made, new = kept.add(_entered(fields), by, keep_url=keep_url)
    if as_json:
        print_json(made)
    else:
        click.echo(f"sighting {made.id} of {made.capture}" + ("" if new else " was known; it is filled in now"))


def _entered(fields: dict[str, Any]) -> Entered:
    try:
        return msgspec.convert({name: value for name, value in fields.items() if value not in ("", None)}, Entered)
    except msgspec.ValidationError as error:
        raise CaptureError(f"{error}. See `upstander sightings add --help`.") from None


@click.command("import")
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--keep-url", is_flag=True, help="Keep addresses in clear, too. Think twice.")
@person_option
def import_command(config: Path | None, data: str | None, file: Path, keep_url: bool, by: str) -> None:
    """Enter the sightings in FILE (CSV or JSON Lines), all or none.

    Columns: capture, url, and as far as known site_type, country, dedicated, advert, seen_at, removed_at, parent.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"{file} cannot be read ({error}). Check the path; it must be UTF-8.") from None
    try:
        if file.suffix.lower() == ".csv":
            rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
        else:
            rows = [msgspec.json.decode(line, type=dict[str, Any]) for line in text.splitlines() if line.strip()]
    except (csv.Error, msgspec.MsgspecError) as error:
        raise Mistake(f"{file} is not what its name says ({error}). Use CSV or JSON Lines.") from None
    with _sightings(config, data) as kept:
        entered = []
        for number, row in enumerate(rows, 1):
            try:
                entered.append(_entered({name: row.get(name) for name in Entered.__struct_fields__}))
            except CaptureError as error:
                raise Mistake(f"{file}, row {number}: {error} Nothing was taken in.") from None
        new = kept.add_all(entered, by, keep_url=keep_url)
    click.echo(f"{new:,} new of {len(rows):,} sightings.")


@click.command("list")
@config_option
@click.option("--capture", default="", help="Only those of one capture.")
@click.option("--limit", type=click.IntRange(1), default=200, show_default=True)
@json_option
def list_command(config: Path | None, data: str | None, capture: str, limit: int, as_json: bool) -> None:
    """Sightings by capture and time. Addresses are shown only where they were kept."""
    with _sightings(config, data) as kept:
        found = kept.all(capture, limit)
    if as_json:
        print_json(found)
        return
    table = Table("sighting", "capture", "site", "country", "seen (UTC)", "removed (UTC)", "from", box=None)
    for one in found:
        times = time_of(one.seen_at), time_of(one.removed_at)
        table.add_row(one.id, one.capture, one.site_type, one.country, *times, one.parent or "-")
    Console().print(table)


@click.command("graph")
@config_option
@click.option("--capture", default="", help="Only one capture.")
@click.option("--dot", "dot", type=click.Path(path_type=Path, dir_okay=False), help="Also write a Graphviz graph.")
@click.option("--figures", type=click.Path(path_type=Path, file_okay=False), help="Also write figures (SVG) here.")
@json_option
def graph_command(
    config: Path | None, data: str | None, capture: str, dot: Path | None, figures: Path | None, as_json: bool
) -> None:
    """How captures spread: trees, counts, time to later sightings and to removal. Small counts are withheld."""
    with _sightings(config, data) as kept:
        found = kept.all(capture)
    if dot is not None:
        dot.write_text(spread.dot(found), encoding="utf-8")
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        for name, svg in spread.figures(found).items():
            (figures / f"{name}.svg").write_text(svg, encoding="utf-8")
    counted, trees = spread.counted(found), spread.trees(found)
    if as_json:
        print_json({"counted": counted, "trees": trees})
        return
    for name, nodes in trees.items():
        click.echo(name)
        for node in nodes:
            gone = f", gone {time_of(node.removed_at)}" if node.removed_at else ""
            click.echo(
                f"{'  ' * (node.depth + 1)}{node.site_type} {node.country} {time_of(node.seen_at)}{gone}  {node.id}"
            )
    click.echo(f"{counted.captures:,} captures, {counted.sightings:,} sightings, {counted.linked:,} linked to another.")
    for label, value in (("later sightings", counted.median_lag_days), ("removal", counted.median_removal_days)):
        click.echo(f"median days to {label}: {'too few to say' if value is None else f'{value:g}'}")


@click.command("export")
@config_option
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--capture", default="", help="Only one capture.")
def export_command(config: Path | None, data: str | None, file: Path, capture: str) -> None:
    """Write sightings as items of a study (CSV), to be coded there: `upstander study import STUDY FILE`.

    The first sighting of a capture is the item, later ones are its duplicates. Domains are hashed under the sightings'
    own key: they compare with each other, and not with domains that a study hashed itself.
    """
    with _sightings(config, data) as kept:
        rows = study_rows(kept.all(capture))
    if not rows:
        raise Mistake("there are no sightings to export. Enter some with: upstander sightings add")
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    file.touch(mode=0o600)
    file.write_text(out.getvalue(), encoding="utf-8")
    click.echo(f"{len(rows):,} items written to {file}.")
