"""``upstander study reproduce``: every published figure recomputed and marked, in one table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from upstander.cli.common import Mistake, print_json
from upstander.cli.study_shared import mistakes, print_table
from upstander.study.published import Publication, read, shipped
from upstander.study.reproduce import Reproduction, Row, reproduce

EXAMPLES = """
\b
Examples:
  upstander study reproduce                      all studies that ship
  upstander study reproduce --study iwf-2018
  upstander study reproduce mine.yaml --strict   your own figures; 1 when any is inconsistent
  upstander study reproduce --json

\b
Exit status:
  0  every verdict is the one that a review has recorded in the file (`known`)
  1  a verdict differs; with --strict, also when any figure is inconsistent
  2  a file cannot be read
"""


@click.command("reproduce", epilog=EXAMPLES)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--study", "wanted", multiple=True, metavar="ID", help="Only this study of those that ship.")
@click.option("--strict", is_flag=True, help="Exit status 1 when any figure is inconsistent, also a known one.")
@click.option("--json", "as_json", is_flag=True)
def command(files: tuple[Path, ...], wanted: tuple[str, ...], strict: bool, as_json: bool) -> int:
    """Recompute published figures from synthetic records fitted to their marginals, and mark each.

    FILES are printed figures of your own (YAML, see docs/studies.md); without any, the studies that ship.
    """
    with mistakes():
        publications = _publications(files, wanted)
        found = reproduce(publications)
    failed = bool(found.unexpected) or (strict and found.totals["inconsistent"] > 0)
    if as_json:
        print_json({"rows": found.rows, "totals": found.totals, "sources": found.sources, "left_out": found.left_out,
                    "limits": found.limits, "unexpected": [row.figure for row in found.unexpected]})  # fmt: skip
        return int(failed)
    _show(found)
    today = datetime.now(UTC).date()
    for publication in publications:
        if publication.review_by < today:
            click.echo(f"{publication.id}: its review ran out on {publication.review_by}. Check it against the source.")
    return int(failed)


def _publications(files: tuple[Path, ...], wanted: tuple[str, ...]) -> list[Publication]:
    if files:
        return [read(path) for path in files]
    known = {publication.id: publication for publication in shipped()}
    for name in wanted:
        if name not in known:
            raise Mistake(f"there is no study {name!r}. There are: {', '.join(known)}.")
    return [publication for name, publication in known.items() if not wanted or name in wanted]


def _show(found: Reproduction) -> None:
    heads = ("study", "figure", "of", "printed", "recomputed", "consistent counts", "verdict", "why")
    print_table(heads, [_cells(row) for row in found.rows], right=(3, 4, 5))
    click.echo()
    for study, source in found.sources.items():
        click.echo(f"{study}: {source}")
        for left in found.left_out[study]:
            click.echo(f"  left out: {left}")
    for limit in found.limits:
        click.echo(f"Note: {limit}")
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in found.totals.items()) + ".")
    for row in found.unexpected:
        click.echo(f"UNEXPECTED: {row.study} {row.figure}: {row.verdict}. Review the file, then record it as `known`.")


def _cells(row: Row) -> tuple[str, ...]:
    base = f"{row.base} ({row.base_count:,})" if row.base_count is not None else "-"
    parts = [f"{row.count:,}"] if row.count is not None else []
    parts += [f"{row.printed}%"] if row.printed is not None else []
    span = "-"
    if row.low is not None and row.high is not None:
        span = f"{row.low:,}" if row.low == row.high else f"{row.low:,} to {row.high:,}"
    verdict = row.verdict or "derived"
    says = row.says + (" (secondary source)" if row.secondary else "")
    recomputed = f"{row.recomputed}%" if row.recomputed else "-"
    return row.study, says, base, " = ".join(parts) or "-", recomputed, span, verdict, row.why
