"""What the subcommands of ``upstander policy`` share: which policy is meant, and how what is wrong with it is shown."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from upstander.cli.common import Mistake, clear_errors
from upstander.detect.excerpt import underlined
from upstander.gateway.configuration import policy_of
from upstander.policy.document import Problem
from upstander.policy.judge import bundled_source
from upstander.policy.reader import read
from upstander.policy.schema import Tables
from upstander.settings import Settings

#: Nobody writes a policy this long by hand.
MAX_POLICY_BYTES = 1_000_000


def source_of(file: Path | None, settings: Settings) -> tuple[str, str]:
    """``(name, YAML)`` of a policy's file; without one, of the policy that the settings name, or that ships."""
    if file is None:
        with clear_errors():
            name, text = policy_of(settings)
        return (name, text) if text else bundled_source()
    try:
        data = file.read_bytes()
        if len(data) > MAX_POLICY_BYTES:
            raise Mistake(f"{file} is larger than {MAX_POLICY_BYTES:,} bytes. Name a policy's file.")
        return str(file), data.decode("utf-8")
    except OSError as error:
        raise Mistake(f"{file} cannot be read ({error.strerror}). Name a policy's file.") from None
    except UnicodeDecodeError as error:
        raise Mistake(f"{file} is not UTF-8 (byte {error.start:,}). Save it as UTF-8.") from None


def tables_of(source: tuple[str, str]) -> Tables:
    """The policy of a file. When something is wrong with it, all of it is shown, and the exit status is 1."""
    tables, problems = read(*source)
    if tables is None:
        show_problems(Console(stderr=True, highlight=False, soft_wrap=True), source[1], problems)
        raise click.exceptions.Exit(1)
    return tables


def rendered(problem: Problem, lines: list[str]) -> list[str]:
    """A problem as plain lines: its place and reason, the line of the file with carets, what to do."""
    where = f"{problem.file}:{problem.line}:{problem.column}: {problem.reason}"
    if not 0 < problem.line <= len(lines):
        return [where, f"  {problem.fix}"]
    part, carets = underlined(lines[problem.line - 1], problem.column - 1, problem.length)
    return [where, f"  {part}", f"  {carets}", f"  {problem.fix}"]


def show_problems(console: Console, text: str, problems: list[Problem]) -> None:
    """All problems, and how many there are."""
    lines = text.splitlines()
    for problem in problems:
        where, *rest = rendered(problem, lines)
        console.print(Text(where, style="bold"))
        for line in rest:
            console.print(Text(line, style="red" if line.strip().startswith("^") else ""))
        console.print()
    console.print(Text("1 problem" if len(problems) == 1 else f"{len(problems)} problems", style="bold red"))
