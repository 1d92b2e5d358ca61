"""``upstander sightings``: where captures were seen. This is only the group."""

from __future__ import annotations

from typing import ClassVar

import click

from upstander.cli.captures_common import Lazy

EXAMPLES = """
\b
Examples:
  upstander sightings add c-17 https://host.example/x --site-type image_host --country NL
  upstander sightings add c-17 https://board.example/y --site-type forum --parent https://host.example/x
  upstander sightings import found.csv
  upstander sightings list --capture c-17
  upstander sightings graph --figures figures/
  upstander sightings export items.csv && upstander study import spring items.csv
"""


class _Group(Lazy):
    modules: ClassVar = {
        "add": ("sightings_run", "enter a sighting; its address is hashed"),
        "import": ("sightings_run", "enter many (CSV or JSON Lines)"),
        "list": ("sightings_run", "sightings, by capture and time"),
        "graph": ("sightings_run", "how captures spread: trees, counts, figures"),
        "export": ("sightings_run", "write them as items of a study"),
    }


@click.command("sightings", cls=_Group, epilog=EXAMPLES)
def command() -> None:
    """Where and when captures were seen, and how sightings link into trees.

    Addresses are kept as keyed hashes: the same address is known again, and cannot be read.
    """
