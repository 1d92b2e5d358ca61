"""``upstander evaluate``: how well the detector does. One module a subcommand; this is only their group."""

from __future__ import annotations

import importlib

import click

EXAMPLES = """
\b
Examples:
  upstander evaluate suite
  upstander evaluate corpus labelled.jsonl --html report.html
  upstander evaluate corpus --help
"""
#: Subcommands by name: the module of ``upstander.cli`` whose ``command`` it is, and one line about it.
SUBCOMMANDS = {
    "suite": ("evaluate_suite", "the functional suite: what must fire, what must not, and obfuscated variants"),
    "corpus": ("evaluate_corpus", "recall, delay and false alarms on a labelled corpus"),
    "chat": ("evaluate_chat", "false alarms on recorded chat"),
}


class _Lazy(click.Group):
    """Loads a subcommand when it is asked for, as the main group does."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in SUBCOMMANDS:
            return None
        found: click.Command = importlib.import_module(f"upstander.cli.{SUBCOMMANDS[cmd_name][0]}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in SUBCOMMANDS.items()])


@click.command("evaluate", cls=_Lazy, invoke_without_command=True, epilog=EXAMPLES)
@click.pass_context
def command(context: click.Context) -> None:
    """Measure how well the detector does, with the limits of every number beside it."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
