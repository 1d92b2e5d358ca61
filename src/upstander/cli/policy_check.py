"""``upstander policy check``: everything that is wrong with a policy's file, each at its place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec
from rich.console import Console

from upstander.cli.common import config_option, print_json, settings_of
from upstander.cli.policy_file import show_problems, source_of
from upstander.policy.reader import read
from upstander.policy.schema import MODES, Tables

EXAMPLES = """
\b
Examples:
  upstander policy check
  upstander policy check my-policy.yaml
  upstander policy check my-policy.yaml --json | jq .problems
"""


@click.command("check", epilog=EXAMPLES)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@config_option
def check(file: Path | None, as_json: bool, config: Path | None, data: str | None) -> None:
    """Find everything that is wrong with a policy's FILE (default: the settings' policy, or the one that ships).

    Exit status: 0 when it is sound, 1 when something is wrong with it, 2 when there is no such file.
    """
    name, text = source_of(file, settings_of(config, data))
    tables, problems = read(name, text)
    if as_json:
        found = msgspec.to_builtins(problems)
        print_json({"ok": tables is not None, "file": name, "problems": found, "policy": _summary(tables)})
    elif tables is None:
        show_problems(Console(highlight=False, soft_wrap=True), text, problems)
    else:
        for line in _sound(name, tables):
            click.echo(line)
    if tables is None:
        raise click.exceptions.Exit(1)


def _summary(tables: Tables | None) -> dict[str, object] | None:
    if tables is None:
        return None
    modes = Counter(rule.mode for rule in tables.rules)
    return {
        "name": tables.name,
        "hash": tables.hash,
        "rules": {mode: modes[mode] for mode in MODES},
        "counters": len(tables.counters),
        "sequences": len(tables.sequences),
        "budgets": len(tables.budgets),
        "rules_with_budget": sum(rule.budget is not None for rule in tables.rules),
    }


def _sound(name: str, tables: Tables) -> list[str]:
    modes = Counter(rule.mode for rule in tables.rules)
    rules = ", ".join(f"{modes[mode]} {mode}" for mode in MODES if modes[mode]) or "none"
    own = sum(rule.budget is not None for rule in tables.rules)
    return [
        f"{name}: sound ({tables.name}, {tables.hash[:16]})",
        f"rules      {len(tables.rules)} ({rules})",
        f"counters   {', '.join(tables.counters) or 'none'}",
        f"sequences  {', '.join(tables.sequences) or 'none'}",
        f"budgets    {', '.join(tables.budgets) or 'none'}; {own} rules have one of their own",
    ]
