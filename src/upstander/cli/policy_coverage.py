"""``upstander policy coverage``: which rules of the presets the running configuration meets, and what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.gateway.configuration import configuration_of
from upstander.gateway.coverage import running_of
from upstander.policy import coverage as rules
from upstander.policy import presets
from upstander.policy.coverage import Finding, Result
from upstander.policy.effective import strictest
from upstander.policy.presets import Preset, PresetError, Status

EXAMPLES = """
\b
Examples:
  upstander policy coverage
  upstander policy coverage --preset gb-ofcom-proposed --preset us-report-act
  upstander policy coverage --status in_force --strict
  upstander policy coverage --config upstander.toml --json
"""
_WORDS = {
    Result.MET: ("met", "green"),
    Result.PARTLY: ("partly", "yellow"),
    Result.NOT_MET: ("not met", "bold red"),
    Result.PEOPLE: ("people", "cyan"),
}
_STATUS = {Status.PROPOSED: "proposed", Status.LAID: "laid", Status.IN_FORCE: "in force"}
_LIMITS = (
    "This is no legal advice. It compares data with what runs here, nothing else; `people` means that software cannot "
    "check it. Sources, dates and what could not be verified: docs, `Presets by jurisdiction`."
)


@click.command("coverage", epilog=EXAMPLES)
@config_option
@click.option("--preset", "names", multiple=True, metavar="ID", help="Only this preset (may be repeated).")
@click.option("--status", type=click.Choice([str(s) for s in Status]), help="Only rules that have come this far.")
@click.option("--strict", is_flag=True, help="Exit status 1 when something is missing for a rule in force.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
def coverage(
    config: Path | None, data: str | None, names: tuple[str, ...], status: str | None, strict: bool, as_json: bool
) -> None:
    """Compare every rule of the presets with what the settings, the policy and the adapters really do.

    The presets are those of `use` under [presets] in the settings, or all, examples included. What is asked for
    when a broadcast begins is tried out, not looked up. What the platform does by itself is declared under
    [presets.platform]: a rule that rests on it is marked so. Exit status: 0; with --strict 1 when something is missing
    for a rule in force.
    """
    settings = settings_of(config, data)
    with clear_errors():
        try:
            shipped = presets.shipped()
            asked = names or settings.presets.use
            # Examples bind nobody, but they are listed: nothing that ships goes unseen.
            chosen = presets.chosen(shipped, asked) if asked else shipped
        except PresetError as error:
            raise Mistake(str(error)) from None
        findings = rules.coverage(chosen, running_of(settings, configuration_of(settings)))
    shown = [finding for finding in findings if status in (None, finding.status)]
    failing = [finding.row for finding in shown if finding.fails]
    if as_json:
        print_json(_report(chosen, shown, failing))
    else:
        _print(Console(), chosen, shown, failing)
        left = ", ".join(preset.id for preset in shipped if preset not in chosen)
        if left:
            Console().print(Text(f"Not asked for: {left}", style="dim"))
    if strict and failing:
        raise click.exceptions.Exit(1)


# -- showing -----------------------------------------------------------------------------------------------------------


def _report(chosen: tuple[Preset, ...], shown: list[Finding], failing: list[str]) -> dict[str, object]:
    counts = Counter(finding.result for finding in shown)
    return {
        "presets": [{"id": preset.id, "version": preset.version, "title": preset.title} for preset in chosen],
        "hash": strictest(chosen).hash,
        "summary": {str(result): counts[result] for result in Result},
        "failing": failing,
        "rows": [msgspec.to_builtins(finding) for finding in shown],
    }


def _print(console: Console, chosen: tuple[Preset, ...], shown: list[Finding], failing: list[str]) -> None:
    for preset in chosen:
        rows = [finding for finding in shown if finding.preset == preset.id]
        if not rows:
            continue
        console.print(Text(f"\n{preset.title}", style="bold"))
        console.print(Text(f"{preset.id}, version {preset.version}", style="dim"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 1, 0), expand=True)
        table.add_column(width=8, no_wrap=True)
        table.add_column(ratio=5, overflow="fold")
        table.add_column(ratio=7, overflow="fold")
        for finding in rows:
            word, style = _WORDS[finding.result]
            table.add_row(Text(word, style=style), _rule(finding), _reasons(finding))
        console.print(table)
    counts = Counter(finding.result for finding in shown)
    total = ", ".join(f"{counts[result]} {_WORDS[result][0]}" for result in Result)
    console.print(Text(f"{len(shown)} rules: {total}", style="bold"))
    if failing:
        console.print(Text(f"In force, and something is missing: {', '.join(failing)}"))
    console.print(Text(_LIMITS, style="dim"))


def _rule(finding: Finding) -> Text:
    text = Text(finding.measure)
    where = "example, " if finding.example else ""
    text.append(f"\n{finding.row} ({where}{_STATUS[finding.status]})", style="dim")
    return text


def _reasons(finding: Finding) -> Text:
    parts = [("missing: ", "red", part) for part in finding.missing]
    parts = [("", "", part) for part in finding.why] + parts + [("people: ", "cyan", part) for part in finding.people]
    text = Text()
    for number, (label, style, part) in enumerate(parts):
        text.append("\n" if number else "")
        text.append(label, style=style)
        text.append(part)
    return text
