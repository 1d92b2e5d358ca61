"""``upstander policy coverage``: which rules of the presets the running configuration meets, and what is missing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from upstander.adapters.base import NEAREST, Capability, nearest
from upstander.adapters.matrix.adapter import CAPABILITIES as MATRIX
from upstander.adapters.nginx_rtmp import NginxRtmpAdapter
from upstander.adapters.xmpp import CAPABILITIES as XMPP
from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.gateway.configuration import configuration_of
from upstander.model.events import BroadcastStarted, UserReport
from upstander.model.vocabulary import AgeBand, AgeSource, Intervention
from upstander.policy import coverage as rules
from upstander.policy import presets
from upstander.policy.coverage import Finding, Result, Running
from upstander.policy.effective import strictest
from upstander.policy.presets import Preset, PresetError, Status
from upstander.runtime import Runtime
from upstander.settings import AdapterSettings, Settings

EXAMPLES = """
\b
Examples:
  upstander policy coverage
  upstander policy coverage --preset gb-ofcom-proposed --preset us-report-act
  upstander policy coverage --status in_force --strict
  upstander policy coverage --config upstander.toml --json
"""
#: What adapters of these kinds can do; ``capabilities`` in their settings only takes something away.
_BUILT_IN = {"nginx_rtmp": NginxRtmpAdapter.capabilities, "matrix": MATRIX, "xmpp": XMPP}
#: Any time will do: what is asked for when a broadcast begins does not depend on it.
_AT = 1_770_000_000_000
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
        findings = rules.coverage(chosen, running_of(settings))
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


# -- what runs ---------------------------------------------------------------------------------------------------------


def running_of(settings: Settings) -> Running:
    """What these settings make run: the adapters' capabilities, and what the engine and the policy really ask for."""
    able: dict[str, frozenset[Capability]] = {}
    for adapter in settings.adapters:
        able[adapter.platform] = able.get(adapter.platform, frozenset()) | capabilities_of(adapter)
    runtime = Runtime(configuration_of(settings))
    return Running(
        capabilities={platform: frozenset(map(str, found)) for platform, found in able.items()},
        serves={
            platform: frozenset(str(name) for name in NEAREST if nearest(name, found) is not None)
            for platform, found in able.items()
        },
        served_by={str(name): str(options[0][0]) for name, options in NEAREST.items() if options},
        starts={band: _asked_at_start(runtime, band) for band in AgeBand},
        report_calls=_report_calls(runtime),
        kept_days=None,  # the journal is append-only, and nothing in this release deletes from it
        declared=settings.presets.platform,
    )


def capabilities_of(adapter: AdapterSettings) -> frozenset[Capability]:
    """What an adapter will be able to do, without its secret being read."""
    listed = frozenset(adapter.capabilities)
    if adapter.kind not in _BUILT_IN:
        return listed
    found = _BUILT_IN[adapter.kind] & (listed or _BUILT_IN[adapter.kind])
    # The chat adapters call moderators to a place: without one there is nowhere to call them.
    return found if adapter.moderators_room or adapter.moderators_jid else found - {Capability.CALL_MODERATOR}


def _start(band: AgeBand) -> BroadcastStarted:
    return BroadcastStarted(
        id=f"start-{band}",
        at=_AT,
        broadcast=f"probe-{band}",
        host="host",
        host_age_band=band,
        age_source=AgeSource.VERIFIED if band is not AgeBand.UNKNOWN else AgeSource.NONE,
    )


def _asked_at_start(runtime: Runtime, band: AgeBand) -> frozenset[str]:
    decision = runtime.observe(f"probe-{band}", _start(band))
    return frozenset(str(asked.do) for asked in decision.interventions) if decision else frozenset()


def _report_calls(runtime: Runtime) -> bool:
    """Whether one viewer's report of a child's broadcast as such, not of a viewer in it, calls a moderator."""
    band = AgeBand.FROM_13_TO_15
    runtime.observe("probe-report", _start(band))
    report = UserReport(
        id="report", at=_AT + 1_000, broadcast=f"probe-{band}", actor="viewer", subject="host", reason="imminent harm"
    )
    decision = runtime.observe("probe-report", report)
    return decision is not None and any(asked.do is Intervention.CALL_MODERATOR for asked in decision.interventions)


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
