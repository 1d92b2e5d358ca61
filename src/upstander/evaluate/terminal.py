"""Results as tables on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from upstander.evaluate.results import Results
from upstander.evaluate.tables import Section, data_rows, sections


def show(results: Results, console: Console) -> None:
    """Print everything the JSON holds but the curves; the limits come last, where they are read."""
    about = Table(show_header=False, box=None, pad_edge=False)
    about.add_column(style="dim")
    about.add_column(overflow="fold")
    for name, value in data_rows(results.data):
        about.add_row(name, value)
    console.print(about)
    for section in sections(results):
        console.print(f"\n[bold]{section.title}[/]")
        console.print(section.note, style="dim", markup=False)
        if not section.rows:
            console.print(f"  cannot be computed: {section.empty}")
            continue
        console.print(_table(section))
        for row in section.rows:
            # A reason instead of numbers would make its column as wide as the screen.
            if len(row) < len(section.heads):
                console.print(": ".join(row), style="italic", markup=False)
    console.print("\n[bold]Limits[/]")
    for limit in results.limits:
        console.print(f"- {limit}", markup=False)


def _table(section: Section) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False)
    for number, head in enumerate(section.heads):
        table.add_column(head, justify="left" if number == 0 else "right", overflow="fold")
    for row in section.rows:
        if len(row) == len(section.heads):
            table.add_row(*row)
    return table
