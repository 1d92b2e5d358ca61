"""``upstander bank``: banks of fingerprints. This is only the group."""

from __future__ import annotations

from typing import ClassVar

import click

from upstander.cli.captures_common import Lazy

EXAMPLES = """
\b
Examples:
  upstander bank new known
  upstander bank new logos --negative
  upstander bank import known list.csv --source partner
  upstander bank add known found.mp4
  upstander bank show known --why "review of entry 3f9a0c1d22ab4e5f"
  upstander bank vote 3f9a0c1d22ab4e5f --dispute --why "a logo"
  upstander bank withdraw 3f9a0c1d22ab4e5f --why "a mistake"
"""


class _Group(Lazy):
    modules: ClassVar = {
        "list": ("bank_look", "banks, and how much is in each"),
        "new": ("bank_change", "make a bank"),
        "add": ("bank_change", "add files, or a part of a broadcast"),
        "import": ("bank_change", "take in a list (CSV, JSON, ThreatExchange, NCMEC)"),
        "export": ("bank_look", "write a list; audited"),
        "show": ("bank_look", "entries with their values; audited"),
        "vote": ("bank_change", "confirm or dispute an entry"),
        "withdraw": ("bank_change", "withdraw an entry for good: its value is purged"),
        "quarantine": ("bank_change", "have an entry match nothing, until it is released"),
        "release": ("bank_change", "end an entry's quarantine"),
        "delete": ("bank_change", "delete a bank and its key"),
    }


@click.command("bank", cls=_Group, epilog=EXAMPLES)
def command() -> None:
    """Banks of fingerprints: encrypted at rest; whoever reads their values stands in the ledger.

    A negative bank says what never matches, whatever the others say.
    """
