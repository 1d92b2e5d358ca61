"""Groups whose commands are loaded when one is asked for, from an extra that may not be installed."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click

from upstander.cli.common import Mistake


def lazy(commands: Mapping[str, tuple[str, str]], extra: str) -> type[click.Group]:
    """A group's class. ``commands``: by name, the module of ``upstander.cli`` that has it as ``<name>_command``, and
    one line about it; ``extra`` brings what they need."""

    class Lazy(click.Group):
        def list_commands(self, ctx: click.Context) -> list[str]:
            return list(commands)

        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            if cmd_name not in commands:
                return None
            try:
                module = importlib.import_module(f"upstander.cli.{commands[cmd_name][0]}")
            except ModuleNotFoundError as error:
                if error.name and error.name.startswith("upstander"):
                    raise
                raise Mistake(f"{error.name} is not installed. Run: pip install 'upstander[{extra}]'") from None
            command: click.Command = getattr(module, f"{cmd_name}_command")
            return command

        def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            with formatter.section("Commands"):
                formatter.write_dl([(name, text) for name, (_, text) in commands.items()])

    return Lazy
