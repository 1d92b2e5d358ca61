"""``upstander evaluate suite``: the functional suite through the engine, with gates."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.evaluate import suites
from upstander.evaluate.functional import Obfuscated, Report, TacticResult, gates, pooled, run, total
from upstander.evaluate.split import Part
from upstander.evaluate.suite_report import as_html, as_json, language_totals
from upstander.gateway.configuration import configuration_of
from upstander.model.vocabulary import Tactic
from upstander.runtime import Runtime

EXAMPLES = """
\b
Examples:
  upstander evaluate suite --language en
  upstander evaluate suite --part examples --tactic secrecy --failures --no-gates
  upstander evaluate suite --json | jq .gates
"""
HELD_OUT_NOTE = "held-out texts are not shown so that nobody tunes on them; functionalities and counts only:"


@click.command("suite", epilog=EXAMPLES)
@click.option("--language", "languages", multiple=True, metavar="CODE", help="May be given again. Default: all.")
@click.option(
    "--tactic", "tactics", multiple=True, type=click.Choice([str(tactic) for tactic in Tactic]), metavar="TACTIC"
)
@click.option("--part", type=click.Choice([str(part) for part in Part]), default=str(Part.HELD_OUT), show_default=True)
@click.option("--json", "as_json_line", is_flag=True, help="The whole report as one JSON line.")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False, writable=True), metavar="FILE")
@click.option("--seed", default=0, show_default=True, help="Of the obfuscated variants.")
@click.option("--failures", is_flag=True, help="What was missed or wrongly raised: texts with --part examples only.")
@click.option("--gates/--no-gates", "gated", default=True, show_default=True, help="Exit status 1 when one is not met.")
@config_option
def command(
    languages: tuple[str, ...],
    tactics: tuple[str, ...],
    part: str,
    as_json_line: bool,
    page: Path | None,
    seed: int,
    failures: bool,
    gated: bool,
    config: Path | None,
    data: str | None,
) -> None:
    """Run the functional suite: lines that must fire each tactic, benign twins that must not, and obfuscated variants.

    Every line is said once by a stranger to a host of 10 to 12. Gates (English, held out): recall of each tactic at
    least 90%, benign firing at most 3%, obfuscated recall at least 95% of plain. Exit status: 0, or 1 when a gate is
    not met.
    """
    settings = settings_of(config, data)
    with clear_errors():
        runtime = Runtime(configuration_of(settings))
    wanted = Part(part)
    try:
        chosen = languages or suites.languages(wanted)
        loaded = [suite for code in chosen for suite in suites.load(wanted, code, [Tactic(name) for name in tactics])]
    except suites.SuiteError as error:
        raise Mistake(str(error)) from None
    if not loaded:
        raise Mistake(f"the {part} part of the suite is not here: deal it with scripts/deal_examples.py")
    report = run(loaded, wanted, runtime, seed)
    if page is not None:
        try:
            page.write_text(as_html(report), encoding="utf-8")
        except OSError as error:
            raise Mistake(f"--html {page}: {error.strerror}. Name a file in a folder that is there.") from None
    if as_json_line:
        print_json(as_json(report) | ({"failures": _failures(report)} if failures else {}))
    else:
        _show(report, failures)
    if gated and not all(gate.met for gate in gates(report)):
        raise click.exceptions.Exit(1)


def _failures(report: Report) -> dict[str, object]:
    """By language and tactic, each functionality that went wrong: how often, and (examples only) on which lines."""
    return {
        f"{result.language}/{result.tactic}": [
            {"id": row.id, "expected": row.expected, "wrong": row.right.total - row.right.hits, "of": row.right.total}
            | ({"texts": list(row.failures)} if report.part is Part.EXAMPLES else {})
            for row in result.rows
            if row.right.hits < row.right.total
        ]
        for result in report.results
    }


def _show(report: Report, failures: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for language in report.languages:
        results = report.of(language)
        console.print(_tactics(f"{language}, {report.part}", results))
        console.print(_generators(results))
    if failures:
        _show_failures(report, console)
    found = gates(report)
    missed = [gate for gate in found if not gate.met]
    for gate in missed:
        console.print(f"[red]not met[/] {gate.name}: {gate.value:.1%}, limit {gate.limit:.0%}")
    if found:
        console.print(f"{len(found) - len(missed)} of {len(found)} gates met")
    else:
        console.print("no gates: they are about held-out English lines")


def _tactics(title: str, results: list[TacticResult]) -> Table:
    table = Table(title=title, title_justify="left", box=None)
    table.add_column("tactic", no_wrap=True)
    for name in ("recall (95%)", "benign (95%)", "own tactic", "obfuscated"):
        table.add_column(name, justify="right", no_wrap=True)
    for result in results:
        ratio = total(result.obfuscated.values()).ratio
        table.add_row(
            result.tactic, result.recall.percent(), result.benign.percent(), f"{result.own.hits}", f"{ratio:.3f}"
        )
    recall, benign, own = language_totals(results)
    ratio = total(pooled(results).values()).ratio
    table.add_row("all", recall.percent(), benign.percent(), f"{own.hits}", f"{ratio:.3f}", style="bold")
    return table


def _generators(results: list[TacticResult]) -> Table:
    table = Table(box=None)
    table.add_column("obfuscated by", no_wrap=True)
    for name in ("recall (95%)", "plain", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    styles: dict[str, Obfuscated] = {}
    for result in results:
        for name, one in result.styles.items():
            styles[name] = styles.get(name, Obfuscated()) + one
    for name, one in pooled(results).items():
        table.add_row(name, one.changed.percent(), f"{one.plain.share:.1%}", f"{one.ratio:.3f}")
        own = {style: part for style, part in sorted(styles.items()) if style.startswith(f"{name}/")}
        for style, part in own.items() if len(own) > 1 else ():
            label = f"  {style.removeprefix(name + '/')}"
            table.add_row(label, part.changed.percent(), f"{part.plain.share:.1%}", f"{part.ratio:.3f}", style="dim")
    return table


def _show_failures(report: Report, console: Console) -> None:
    if report.part is Part.HELD_OUT:
        console.print(HELD_OUT_NOTE)
    for result in report.results:
        for row in result.rows:
            if row.right.hits == row.right.total:
                continue
            wrong = "missed" if row.expected is suites.Expected.FIRES else "raised"
            count = row.right.total - row.right.hits
            console.print(f"{result.language}/{result.tactic}.{row.id}: {wrong} {count} of {row.right.total}")
            for text in row.failures:
                console.print(f"    {text}", markup=False)
