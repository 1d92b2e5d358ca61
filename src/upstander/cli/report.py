"""``upstander report``: writing is in ``report_write``, sending in ``report_send``, looking in ``report_read``."""

from __future__ import annotations

import click

from upstander.cli.lazy import lazy

EXAMPLES = """
\b
Examples:
  upstander report draft 8c439b6c --to ncmec --why "asks a child to meet"
  upstander report draft 8c439b6c --to ncmec --facts account.json --why "with what the platform knows"
  upstander report show r-3f2a --by dana --why "before I approve it"
  upstander report approve r-3f2a --by dana --why "agreed"
  upstander report file r-3f2a --by dana
  upstander report status r-3f2a
  upstander report retract r-3f2a --why "the wrong person"
  upstander report draft 8c439b6c --to nca --why "UK"
  upstander report export r-91c0 --to nca.zip --why "to enter at the portal"
  upstander report file r-91c0 --reference NCA-123 --why "entered at the portal"
  upstander report list
"""
_COMMANDS = {
    "draft": ("report_write", "build a report from a case and its evidence"),
    "approve": ("report_write", "as the second person, approve a draft"),
    "refuse": ("report_write", "refuse a draft: it is not sent"),
    "file": ("report_send", "have an approved report sent, or note that it was handed over"),
    "send": ("report_send", "work off what was filed, once"),
    "again": ("report_send", "have a report that was given up go on"),
    "retract": ("report_send", "take a report back"),
    "outcome": ("report_send", "note what became of a filed report"),
    "status": ("report_read", "where a report stands, or all of them"),
    "show": ("report_read", "what is sent, field by field, and what is missing"),
    "list": ("report_read", "reports with their states: no names"),
    "export": ("report_read", "the package to hand over"),
    "numbers": ("report_read", "transparency: by destination, how long, what became of them"),
    "check": ("report_read", "does the destination answer, is its schema kept; is the history whole"),
}


@click.command(cls=lazy(_COMMANDS, "reports"), epilog=EXAMPLES)
def command() -> None:
    """Reports: from a case to a hotline. A person decides; the software completes it, gets it there and can prove it.

    Sending is not tested against the real services: see docs/reports.md.
    Exit status: 0, 1 when something was found wrong (check), 2 for what cannot be done, with the reason.
    """
