"""``upstander nudge``: check the cards that hosts see, look at them, and count what came of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, config_option, print_json, settings_of
from upstander.journal import store
from upstander.model.vocabulary import AgeBand
from upstander.nudge import readability, stats
from upstander.nudge.cards import BANDS, GENERAL, INTERNATIONAL, TOPICS, CardError, Library, shipped
from upstander.nudge.choose import make_card
from upstander.nudge.lint import Lint
from upstander.nudge.preview import page

EXAMPLES = """
\b
Examples:
  upstander nudge check
  upstander nudge card threat --band 10_12 --country GB
  upstander nudge places GB
  upstander nudge preview --out nudges.html
  upstander nudge stats --platform mysite
"""


@click.group("nudge", epilog=EXAMPLES)
def command() -> None:
    """The cards that a host sees at the moment it matters: by topic, age band, language and country."""


@contextmanager
def _content() -> Iterator[Library]:
    try:
        yield shipped()
    except CardError as error:
        raise Mistake(str(error)) from None


@command.command("check")
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), help="Check reviews as of this day. Default: today.")
@click.option("--json", "as_json", is_flag=True)
def check(today: datetime | None, as_json: bool) -> int:
    """Check every card: complete, reviewed, easy to read, short, calm. Exit status 1 when something is wrong."""
    day = today.date() if today else datetime.now(UTC).date()
    with _content() as library:
        faults = Lint(library, day).faults()
    levels = _levels(library) if readability.available() else []
    places = [place for listed in library.directory.countries.values() for place in listed]
    unverified = sum(place.verified_on is None for place in places)
    if as_json:
        print_json({"faults": [str(fault) for fault in faults], "reading": levels, "unverified_places": unverified})
        return 1 if faults else 0
    for fault in faults:
        click.echo(str(fault))
    table = Table(box=None)
    for column in ("language", "band", "measure", "bound", "cards", "hardest", "mean"):
        table.add_column(column)
    for row in levels:
        table.add_row(*(str(value) for value in row.values()))
    if levels:
        Console().print(table)
    else:
        click.echo(readability.INSTALL)
    click.echo(f"{unverified} of {len(places)} places of help are not verified: see `upstander nudge places`.")
    click.echo(f"{len(library.sheets)} card files, {len(faults)} faults.")
    return 1 if faults else 0


def _levels(library: Library) -> list[dict[str, str | float]]:
    """Reading levels by language and band: the measure, its bound, how many texts, the hardest and the mean."""
    measured: dict[tuple[str, AgeBand], list[float]] = defaultdict(list)
    for (language, _), sheet in library.sheets.items():
        for band, text in sheet.texts.items():
            measured[language, band].append(readability.measure(text.whole, language))
    columns = ("language", "band", "measure", "bound", "cards", "hardest", "mean")
    rows: list[dict[str, str | float]] = []
    for language in library.languages:
        scale = readability.MEASURES[language]
        for band in BANDS:
            values = measured[language, band]
            hardest = min(values) if scale.higher_is_easier else max(values)
            bound = f"{'≥' if scale.higher_is_easier else '≤'} {scale.bound(band):g}"
            mean = round(sum(values) / len(values), 1)
            row = (language, str(band), scale.name, bound, len(values), hardest, mean)
            rows.append(dict(zip(columns, row, strict=True)))
    return rows


@command.command("card")
@click.argument("topic", type=click.Choice(TOPICS), default=GENERAL)
@click.option("--band", type=click.Choice([str(band) for band in AgeBand]), default="10_12", show_default=True)
@click.option("--language", default="en", show_default=True)
@click.option("--country", default=INTERNATIONAL, show_default=True)
def card(topic: str, band: str, language: str, country: str) -> None:
    """Print one card as the JSON that a platform gets."""
    with _content() as library:
        if language not in library.words:
            raise Mistake(f"there are no cards in {language!r}. There are: {', '.join(library.languages)}.")
        sheet = library.sheets.get((language, topic)) or library.sheets[language, GENERAL]
    print_json(make_card(library, sheet, AgeBand(band), country, "0" * 32))


@command.command("places")
@click.argument("country", required=False)
def places(country: str | None) -> None:
    """List the places of help that cards name, of one country or of all, and when each was verified."""
    with _content() as library:
        listed = library.directory.countries
    if country is not None and country not in listed:
        raise Mistake(f"no places of help are listed for {country!r}. There are: {', '.join(listed)}.")
    table = Table(box=None)
    for column in ("country", "for", "name", "number", "address", "hours", "verified", "note"):
        table.add_column(column, overflow="fold")
    for name, found in listed.items():
        for place in found if country in (None, name) else ():
            day = place.verified_on.isoformat() if place.verified_on else "no"
            row = (name, place.kind, place.name, place.contact, place.url, place.hours or "not known", day, place.note)
            table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)


@command.command("preview")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=Path("upstander-nudges.html"), show_default=True
)
@click.option("--country", default=INTERNATIONAL, show_default=True, help="Whose places of help the cards name.")
def preview(out: Path, country: str) -> None:
    """Write one page with every card as hosts see it. It needs no server and loads nothing."""
    with _content() as library:
        text = page(library, country)
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Mistake(f"{out} cannot be written ({error.strerror}). Name another file with --out.") from None
    click.echo(f"Open {out.resolve().as_uri()} in a browser.")


@command.command("stats")
@config_option
@click.option("--platform", help="Only nudges of this platform.")
@click.option("--json", "as_json", is_flag=True)
def counts(config: Path | None, data: str | None, platform: str | None, as_json: bool) -> None:
    """Count what came of nudges, by topic: shown, dismissed, acted on, and messages before and after."""
    path = settings_of(config, data).journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    connection = store.connect(path, readonly=True)
    try:
        lines = stats.tally(connection, platform)
    finally:
        connection.close()
    if as_json:
        print_json({"lines": lines, "limits": stats.LIMITS})
        return
    table = Table(box=None)
    table.add_column("topic")
    for column in stats.COLUMNS:
        table.add_column(column, justify="right")
    for line in lines:
        values = ("withheld" if line.counts[name] is None else f"{line.counts[name]:,}" for name in stats.COLUMNS)
        table.add_row(line.topic, *values)
    Console().print(table)
    click.echo(stats.LIMITS)
