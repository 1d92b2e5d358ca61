"""``upstander study table``: one table on the terminal, small cells withheld."""

from __future__ import annotations

from pathlib import Path

import click

from upstander.cli.common import Mistake, print_json
from upstander.cli.study_shared import mistakes, print_table
from upstander.study.codebook import shipped
from upstander.study.folder import Study
from upstander.study.plan import PLANS, Plan
from upstander.study.prepare import prepare
from upstander.study.report import grid
from upstander.study.settle import settle
from upstander.study.tables import tabulate

EXAMPLES = """
\b
Examples:
  upstander study table spring                       which tables there are
  upstander study table spring age
  upstander study table spring setting category      any two fields
  upstander study table spring age --unit unique --json
"""
TOGETHER = (
    "Withholding protects this table alone. Tables that are published together must come from one "
    "`upstander study report`."
)


@click.command("table", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.argument("names", nargs=-1)
@click.option("--unit", type=click.Choice(["item", "unique"]), default="item", show_default=True)
@click.option("--threshold", type=click.IntRange(2, 100), help="Counts below it are small. Default: the study's.")
@click.option("--json", "as_json", is_flag=True)
def command(folder: Path, names: tuple[str, ...], unit: str, threshold: int | None, as_json: bool) -> None:
    """Print one table: the NAME of one, or one or two fields. Without names, list the tables."""
    if not names:
        print_table(("name", "table"), [(plan.key, plan.title) for plan in PLANS])
        return
    plan = _plan(names)
    with mistakes():
        study = Study(folder)
        prepared = prepare(settle(study).items, study.codebook, "unique" if unit == "unique" else "item")
        tables = tabulate(prepared, threshold or study.about.threshold, [plan], [])
    table = tables.tables[0]
    if as_json:
        print_json({"table": table, "limits": [TOGETHER]})
        return
    shown = grid(table)
    click.echo(shown.title)
    print_table(shown.heads, shown.rows, right=range(1, len(shown.heads)))
    for line in (*((shown.note,) if shown.note else ()), *shown.foot, TOGETHER):
        click.echo(line)


def _plan(names: tuple[str, ...]) -> Plan:
    known = {plan.key: plan for plan in PLANS}
    if len(names) == 1 and names[0] in known:
        return known[names[0]]
    fields = {field.name for field in shipped().fields if field.kind == "choice"}
    fields |= {plan.rows for plan in PLANS if not plan.whole} | {plan.columns for plan in PLANS if plan.columns}
    wrong = [name for name in names if name not in fields]
    if wrong or len(names) > 2 or len(set(names)) < len(names):
        reason = (
            f"there is no table or field {wrong[0]!r}" if wrong else "name one table, or one or two different fields"
        )
        raise Mistake(f"{reason}. Tables: {', '.join(known)}. Fields: {', '.join(sorted(fields))}.")
    rows, columns = names[0], names[1] if len(names) == 2 else ""
    title = " by ".join(name.replace("_", " ") for name in names)
    return Plan("_".join(names), title, rows, columns)
