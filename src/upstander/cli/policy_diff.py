"""``upstander policy diff``: what changed from one policy to another, in words."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from upstander.cli.common import config_option, print_json, settings_of
from upstander.cli.policy_file import source_of, tables_of
from upstander.policy.changes import changes

EXAMPLES = """
\b
Examples:
  upstander policy diff my-policy.yaml
  upstander policy diff yesterday.yaml today.yaml --json
"""


@click.command("diff", epilog=EXAMPLES)
@click.argument("files", nargs=-1, required=True, metavar="[A] B", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
@config_option
def diff(files: tuple[Path, ...], as_json: bool, config: Path | None, data: str | None) -> None:
    """Say what changed from policy A to policy B (without A: from the settings' policy, or the one that ships).

    Comments, notes and the layout of the files do not count. What the changes would have done to broadcasts of the
    past: upstander policy backtest. Exit status: 0, 1 when a policy is broken, 2 when a file is not there.
    """
    if len(files) > 2:
        raise click.UsageError("Name one or two policies.")
    settings = settings_of(config, data)
    first = source_of(files[0] if len(files) == 2 else None, settings)
    second = source_of(files[-1], settings)
    before, after = tables_of(first), tables_of(second)
    found = changes(before, after)
    if as_json:
        names = {"a": {"file": first[0], "hash": before.hash}, "b": {"file": second[0], "hash": after.hash}}
        print_json(names | {"same": before.hash == after.hash, "changes": msgspec.to_builtins(found)})
        return
    click.echo(f"{first[0]} ({before.hash[:16]}) -> {second[0]} ({after.hash[:16]})")
    for change in found:
        click.echo(f"  {change}")
    if not found:
        click.echo("  The two decide alike.")
