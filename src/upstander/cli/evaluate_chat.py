"""``upstander evaluate chat``: false alarms on recorded chat, with a gate."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.evaluate.recorded import MAX_NOTICE, MAX_URGENT, ChatError, Played, play
from upstander.gateway.configuration import configuration_of
from upstander.model.vocabulary import AgeBand, Level
from upstander.runtime import Runtime

EXAMPLES = """
\b
Examples:
  upstander evaluate chat recorded.jsonl --show
  upstander evaluate chat monday.jsonl tuesday.jsonl --json | jq .gates
"""
PER = 10_000
#: A host of whom nothing is known (the gate), and one of 10 to 12 (the strictest thresholds in common use).
BANDS = (AgeBand.UNKNOWN, AgeBand.FROM_10_TO_12)


@click.command("chat", epilog=EXAMPLES)
@click.argument(
    "recordings",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--show", is_flag=True, help="Every alert: its text and reasons.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line; with --show, the alerts are in it.")
@click.option("--gates/--no-gates", "gated", default=True, show_default=True, help="Exit status 1 when one is not met.")
@config_option
def command(
    recordings: tuple[Path, ...], show: bool, as_json: bool, gated: bool, config: Path | None, data: str | None
) -> None:
    """Play recorded chat, one {"author", "text"} (and "t_ms") a line, and count what raises an alert.

    Each file is one broadcast, played twice: to a host of whom nothing is known, and to one of 10 to 12. Nothing in a
    recording is labelled: read every alert (--show) before you call it false. Gates, for the unknown host: at most one
    alert at notice or above per 10,000 messages, none at urgent or above. Exit status: 0, or 1 when one is not met.
    """
    settings = settings_of(config, data)
    with clear_errors():
        runtime = Runtime(configuration_of(settings))
    try:
        played = [play(recordings, runtime, band) for band in BANDS]
    except (ChatError, OSError) as error:
        raise Mistake(str(error)) from None
    if not played[0].messages:
        raise Mistake("the recordings hold no message. Name a file with one JSON object a line.")
    gates = _gates(played[0])
    if as_json:
        print_json({"files": [path.name for path in recordings], "hosts": _hosts(played, show), "gates": gates})
    else:
        _print(played, gates, show)
    if gated and not all(gates.values()):
        raise click.exceptions.Exit(1)


def _gates(unknown: Played) -> dict[str, bool]:
    notice, urgent = unknown.at_least(Level.NOTICE), unknown.at_least(Level.URGENT)
    return {
        f"notice or above per 10,000 <= {MAX_NOTICE:g}": notice.share * PER <= MAX_NOTICE,
        f"urgent or above <= {MAX_URGENT}": urgent.hits <= MAX_URGENT,
    }


def _hosts(played: list[Played], show: bool) -> dict[str, object]:
    found: dict[str, object] = {}
    for one in played:
        notice = one.at_least(Level.NOTICE)
        found[one.band] = {
            "messages": one.messages,
            "levels": {level.word: one.levels[level.word] for level in Level},
            "from_muted_viewers": one.muted,
            "alerts": notice.hits,
            "per_10000": round(notice.share * PER, 3),
            "per_10000_interval": [round(end * PER, 3) for end in notice.interval],
            "alerts_by_views": dict(sorted(Counter("+".join(a.views) or "none" for a in one.alerts).items())),
            "alerts_folded_only": sum(alert.folded_only for alert in one.alerts),
            "alerts_paraphrase_only": sum(alert.paraphrase_only for alert in one.alerts),
            "second_thoughts": one.second_thoughts,
            "second_thoughts_share": round(one.second_thoughts / one.messages, 5),
        } | ({"list": one.alerts} if show else {})
    return found


def _rate(played: Played) -> str:
    notice = played.at_least(Level.NOTICE)
    low, high = (end * PER for end in notice.interval)
    return f"{notice.share * PER:.2f} ({low:.2f}-{high:.2f})"


def _print(played: list[Played], gates: dict[str, bool], show: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    table = Table(title=f"{played[0].messages:,} messages", title_justify="left", box=None)
    table.add_column("host")
    for one in played:
        table.add_column(str(one.band), justify="right", no_wrap=True)
    for level in list(Level)[1:]:
        table.add_row(level.word, *(str(one.levels[level.word]) for one in played))
    table.add_row("alerts per 10,000 (95%)", *(_rate(one) for one in played))
    table.add_row("alerts only in a folded view", *(str(sum(a.folded_only for a in one.alerts)) for one in played))
    table.add_row("alerts only by paraphrase", *(str(sum(a.paraphrase_only for a in one.alerts)) for one in played))
    table.add_row("messages read a second time", *(f"{one.second_thoughts / one.messages:.2%}" for one in played))
    console.print(table)
    for one in played if show else ():
        console.print(f"[bold]host: {one.band}[/]")
        for alert in one.alerts:
            console.print(f"{alert.file}:{alert.line} {alert.level} ({', '.join(alert.sources)}) ", end="")
            console.print(f"{alert.text!r}: {'; '.join(alert.reasons)}", markup=False)
    for name, met in gates.items():
        console.print(f"{'[green]met[/]' if met else '[red]not met[/]'} {name}")
