"""``upstander cases``: looking is in ``cases_read``, acting in ``cases_act``, the rest in ``cases_more``."""

from __future__ import annotations

import click

from upstander.cli.lazy import lazy

EXAMPLES = """
\b
Examples:
  upstander cases list
  upstander cases show 8c439b6c --why "first look"
  upstander cases claim 8c439b6c
  upstander cases note 8c439b6c --why "the host has left the stream"
  upstander cases snooze 8c439b6c --minutes 30 --why "the broadcast is paused"
  upstander cases escalate 8c439b6c --why "asks a child to meet"
  upstander cases approve 8c439b6c --by dana --why "agreed, report this person"
  upstander cases close 8c439b6c --why "a joke between friends" --outcome benign
"""
_COMMANDS = {
    "list": ("cases_read", "a page of the queue: no names"),
    "show": ("cases_read", "one case with its history"),
    "related": ("cases_read", "cases about the same viewer or the same words"),
    "levels": ("cases_read", "time to the first look, day by day"),
    "claim": ("cases_act", "take a case: nobody else can, for a while"),
    "release": ("cases_act", "give a case back to the queue"),
    "handover": ("cases_act", "hand a case over to somebody"),
    "note": ("cases_act", "write something down"),
    "verdict": ("cases_act", "say what it was: it teaches the detector"),
    "snooze": ("cases_act", "put a case aside until a time"),
    "escalate": ("cases_act", "propose to report the person"),
    "approve": ("cases_act", "as the second person, approve an escalation"),
    "refuse": ("cases_act", "refuse an escalation, with a reason"),
    "file": ("cases_act", "note that the report was filed"),
    "close": ("cases_act", "close a case, with a reason"),
    "reopen": ("cases_act", "put a closed or filed case back into the queue"),
    "open": ("cases_more", "ask for a case about an event"),
    "bulk": ("cases_more", "one act on many cases, with a preview"),
    "undo": ("cases_more", "take a bulk action back"),
    "follow": ("cases_more", "open cases and seal evidence from the journal, once"),
    "erase": ("cases_more", "erase cases whose time is over"),
    "verify": ("cases_more", "check the history, the cases and their anchors"),
}


@click.command(cls=lazy(_COMMANDS, "console"), epilog=EXAMPLES)
def command() -> None:
    """Cases: decisions that a person takes up. One for each broadcast and viewer.

    Every act and every look is a step of the history, with name and reason.
    Exit status: 0, 1 when something was found changed (verify), 2 for what cannot be done, with the reason.
    """
