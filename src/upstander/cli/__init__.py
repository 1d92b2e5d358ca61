"""The command line: one file a command."""

from __future__ import annotations

import importlib
import logging
import os
import sys

import click

from upstander import __version__

#: Loaded when it is asked for: `upstander --help` must not import the whole service.
_COMMANDS = {
    "demo": "play scripted broadcasts and watch Upstander decide",
    "serve": "run the service",
    "watch": "video and audio of a stream into events: what is seen and heard",
    "replay": "wire events in, decisions out",
    "verify": "check the journal's hash chain and that it replays the same",
    "evaluate": "measure how well the detector does",
    "learn": "train a shadow model on verdicts; two people put it in force",
    "packs": "check packs of patterns, and see why a text fires",
    "nudge": "check, preview and count the cards that hosts see",
    "teach": "lessons, a simulated stream for a class, newsletters, exports",
    "study": "code captures, settle disagreements, publish tables; recompute published figures",
    "policy": "check, read, compare and try out policies; see which rules are met",
    "explain": "say what was decided on an event, and why",
    "doctor": "say what is installed, configured and reachable",
    "keys": "make, list and revoke API keys",
    "people": "who may sign in to the console, and what they did there",
    "outbox": "look at interventions on their way to the platform",
    "order": "pause, resume, end, mute, release: in a person's name",
    "cases": "take up cases: claim, note, snooze, escalate, approve, close",
    "report": "report a case to a hotline: draft, approve, file, follow, hand over",
    "fake-hotline": "a stand-in for the CyberTipline, for tests",
    "bank": "banks of fingerprints: import, export, vote, withdraw",
    "exchange": "fetch banks from those who share them, send votes back",
    "match": "match files against the banks",
    "trace": "name the broadcast that a recording was taken from",
    "sightings": "where captures were seen, how they spread",
    "vault": "sealed evidence: list, show, hold, export, verify, delete",
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"upstander.cli.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="upstander")
def group() -> None:
    """Upstander keeps children safe on live streams."""


def _say_what_takes_long() -> None:
    """Somebody is waiting: the first command ever compiles the packs."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("upstander: %(message)s"))
    logger = logging.getLogger("upstander.detect.matcher")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def main() -> None:
    """Entry point: known errors become one line and exit status 2, Ctrl-C 130."""
    if sys.stderr.isatty():
        _say_what_takes_long()
    try:
        status = group.main(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader (`head`, a pager) has gone: nothing is wrong. Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    sys.exit(status if isinstance(status, int) else 0)
