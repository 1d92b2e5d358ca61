"""What the study commands share: errors in one line, and tables that keep their width in a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake
from upstander.study.errors import StudyError


@contextmanager
def mistakes() -> Iterator[None]:
    """Turn an error that a user can mend into one line and exit status 2."""
    try:
        yield
    except StudyError as error:
        raise Mistake(str(error)) from None


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A table on standard output; the columns ``right`` (counted from 0) are set to the right."""
    table = Table(box=None, pad_edge=False)
    for number, head in enumerate(heads):
        table.add_column(head, justify="right" if number in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console = Console()
    (console if console.is_terminal else Console(width=200)).print(table)
