"""What the commands about captures share: the extra they need, errors in one line, a bar that shows how far it is."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import ClassVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from upstander.cli.common import Mistake

#: What the extra `captures` brings.
EXTRA = {"av", "cryptography", "defusedxml", "llvmlite", "matplotlib", "numba", "numpy", "pdqhash"}

json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")


@contextmanager
def needed(command: str) -> Iterator[None]:
    """A missing package becomes one line that says which extra brings it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        fix = "Install the extra: pip install 'upstander[captures]'."
        raise Mistake(f"`upstander {command}` needs {error.name}, which is not installed. {fix}") from None


class Lazy(click.Group):
    """A group whose subcommands are loaded when they are asked for. ``modules``: by name, the module of
    ``upstander.cli`` (its command is NAME_command) and one line about it."""

    modules: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them."""
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them."""
        if cmd_name not in self.modules:
            return None
        with needed(f"{ctx.info_name} {cmd_name}"):
            module = importlib.import_module(f"upstander.cli.{self.modules[cmd_name][0]}")
        found: click.Command = getattr(module, f"{cmd_name}_command")
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What each is for."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in self.modules.items()])


@contextmanager
def mistakes() -> Iterator[None]:
    """Errors about captures and their keys become one line and exit status 2."""
    from upstander.captures.errors import CaptureError  # noqa: PLC0415 (only what the extra brings)
    from upstander.vault.errors import VaultError  # noqa: PLC0415

    try:
        yield
    except (CaptureError, VaultError) as error:
        raise Mistake(str(error)) from None


def bar(quiet: bool) -> Progress:
    """A progress bar on standard error, where somebody looks at it."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def clock_of(ms: int) -> str:
    """A duration as h:mm:ss."""
    seconds = ms // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
