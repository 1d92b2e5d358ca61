"""``upstander exchange``: banks from those who share them. This is only the group."""

from __future__ import annotations

from typing import ClassVar

import click

from upstander.cli.captures_common import Lazy

EXAMPLES = """
\b
Examples:
  upstander exchange list
  upstander exchange fetch ncmec
  upstander exchange votes ncmec
  upstander exchange ask shield found.jpg
"""


class _Group(Lazy):
    modules: ClassVar = {
        "list": ("exchange_run", "exchanges in the settings, and how far each has come"),
        "fetch": ("exchange_run", "take in what changed since the last run"),
        "votes": ("exchange_run", "send confirmations and disputes back"),
        "ask": ("exchange_run", "ask Arachnid Shield about pictures: only hashes are sent"),
    }


@click.command("exchange", cls=_Group, epilog=EXAMPLES)
def command() -> None:
    """Exchange fingerprints with those who share them: NCMEC, StopNCII, Tech Against Terrorism, Arachnid Shield, lists.

    Each is a table under [[exchanges]] in the settings. A run that was cut off goes on where it was.
    """
