"""``upstander teach``: lessons for schools, a simulated stream for a class, newsletters, exports."""

from __future__ import annotations

import importlib

import click

EXAMPLES = """
\b
Examples:
  upstander teach list
  upstander teach show 11-13-audience
  upstander teach check
  upstander teach serve
  upstander teach export 8-10-attention --format pdf --out lesson.pdf
  upstander teach newsletter --audience parents --month 2026-11 --country GB
"""

#: By command: the module that has it. Loaded when it is asked for.
_COMMANDS = {
    "list": ("teach_lessons", "the lessons there are"),
    "show": ("teach_lessons", "read a lesson in the terminal"),
    "export": ("teach_export", "a lesson as PDF, DOCX, PPTX, cards, SCORM, xAPI, Common Cartridge"),
    "validate": ("teach_export", "check packages and documents"),
    "newsletter": ("teach_export", "an item for parents or staff: e-mail, text, DOCX, posts"),
    "learning": ("teach_measure", "what a class learnt: before and after, by question"),
    "digest": ("teach_measure", "what a platform saw in a month, small counts withheld"),
    "serve": ("teach_serve", "a safe simulated stream for a class"),
    "check": ("teach_lessons", "check lessons, scripts, statistics and texts"),
}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"upstander.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in _COMMANDS.items()])


@click.command("teach", cls=_Lazy, epilog=EXAMPLES)
def command() -> None:
    """Lessons, a safe simulated stream, newsletters for parents, and what was learnt."""
