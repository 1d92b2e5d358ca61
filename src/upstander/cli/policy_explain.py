"""``upstander policy explain``: the policy as a person reads it, and how it comes to a decision."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from upstander.cli.common import Mistake, clear_errors, config_option, settings_of
from upstander.cli.policy_file import source_of, tables_of
from upstander.engine.assessment import Assessment, Judgement
from upstander.engine.engine import Engine
from upstander.gateway.configuration import configuration_of
from upstander.journal import store
from upstander.journal.entries import Kind
from upstander.model.decision import Decision
from upstander.model.events import AnyEvent
from upstander.model.order import Order, decode_order
from upstander.model.vocabulary import Level
from upstander.model.wire import WireError, decode_event, read_events
from upstander.policy.describe import describe, listed, why_this_crowd, why_this_level
from upstander.policy.judge import RulePolicy
from upstander.policy.schema import Tables
from upstander.settings import Settings

EXAMPLES = """
\b
Examples:
  upstander policy explain
  upstander policy explain my-policy.yaml
  upstander policy explain my-policy.yaml --replay broadcast.jsonl
  upstander policy explain --event comment-5
"""
Happening = tuple[str, AnyEvent | Order]


@click.command("explain", epilog=EXAMPLES)
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--replay", "wire", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="WIREFILE",
    help="Wire events: say of each decision which conditions and rules held, and why its level is not higher.",
)  # fmt: skip
@click.option("--event", metavar="ID", help="The same of one event of the journal, under this policy.")
@config_option
def explain(file: Path | None, wire: Path | None, event: str | None, config: Path | None, data: str | None) -> None:
    """Show what a policy's FILE says (default: the settings' policy, or the one that ships), in words.

    With --replay or --event: how it decides on these events, whatever was decided then. What was decided then, and
    every reason: upstander explain. No text of a comment is shown. Exit status: 0, 1 when the policy is broken, 2 when
    there is no such file or event.
    """
    if wire and event:
        raise click.UsageError("Use either --replay or --event.")
    settings = settings_of(config, data)
    tables = tables_of(source_of(file, settings))
    if not wire and not event:
        _print_policy(tables)
        return
    with clear_errors():
        watched = _Watched(settings, tables)
    if wire:
        for platform, happening in _of_file(wire):
            for line in watched.observe(platform, happening):
                click.echo(line)
        return
    for platform, happening in _of_journal(settings):
        lines = watched.observe(platform, happening)
        if not isinstance(happening, Order) and happening.id == event:
            click.echo("\n".join(lines) or f"{event}: nothing was shown: the policy was not asked.")
            return
    raise Mistake(f"no event has the id {event!r} in {settings.journal_path}. Check the id and --data.")


def _print_policy(tables: Tables) -> None:
    console = Console(highlight=False)
    console.print(Text.assemble((tables.name, "bold"), f"  {tables.hash[:16]}"))
    for section in describe(tables):
        console.print(Text(f"\n{section.title}", style="bold"))
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold")
        for name, said in section.lines:
            table.add_row(Text(f"  {name}"), Text(said))
        console.print(table)


# -- decisions ---------------------------------------------------------------------------------------------------------


class _Looking:
    """A policy that remembers what it was asked, and what it said."""

    def __init__(self, policy: RulePolicy) -> None:
        self._policy = policy
        self.asked: list[tuple[Assessment, Judgement]] = []
        self.hash, self.acts = policy.hash, policy.acts
        self.budget, self.at_start = policy.budget, policy.at_start

    def judge(self, assessment: Assessment) -> Judgement:
        """As the policy says."""
        judged = self._policy.judge(assessment)
        self.asked.append((assessment, judged))
        return judged


class _Watched:
    """Engines by platform that go by one policy, and tell how it decided."""

    def __init__(self, settings: Settings, tables: Tables) -> None:
        self._tables, self._policy = tables, RulePolicy(tables)
        self._looking = _Looking(self._policy)
        self._detector = configuration_of(settings).detector()
        self._engines: dict[str, Engine] = {}

    def observe(self, platform: str, happening: AnyEvent | Order) -> list[str]:
        """How the policy decided on an event; nothing when it was not asked."""
        engine = self._engines.get(platform)
        if engine is None:
            engine = self._engines[platform] = Engine(self._detector, self._looking)
        if isinstance(happening, Order):
            engine.order(happening)
            return []
        self._looking.asked.clear()
        decision = engine.observe(happening)
        # Breakers ask again, and the host's words may concern several viewers: the last about this one counts.
        about = [asked for asked in self._looking.asked if decision and asked[0].actor in (decision.actor, "\0voice")]
        return self._told(decision, *about[-1]) if decision and about else []

    def _told(self, decision: Decision, a: Assessment, judged: Judgement) -> list[str]:
        standing = self._policy.standing(a)
        lines = [f"{decision.level:<9} {decision.broadcast}  {decision.actor or 'a voice'}  {decision.event}"]
        lines.append(f"  level  {why_this_level(self._tables, standing, a.belief, a.events)}")
        crowd = why_this_crowd(self._tables, standing, a.broadcast_belief, a.pressing)
        lines += [f"  crowd  {crowd}"] if crowd else []
        lines += ["  muted  the viewer is muted: notice at least"] if a.muted else []
        for rule in judged.fired:
            lines.append(f"  {'rule' if rule.live else 'shadow':<6} {rule.id}: {rule.why}")
        raised = [rule for rule in judged.fired if rule.live and rule.level > max(standing.level, int(a.muted))]
        lines += [f"  rule   {rule.id} raises the level to {Level(rule.level).word}" for rule in raised]
        asked = [f"{asked.do} ({asked.rule})" if asked.rule else str(asked.do) for asked in decision.interventions]
        lines.append(f"  asked  {listed(asked)}")
        lines += [f"  breaker  {reason.why}" for reason in decision.reasons if reason.what == "breaker"]
        lines += [f"  person   to decide: {listed(decision.proposals)}"] if decision.proposals else []
        return lines


def _of_file(path: Path) -> Iterator[Happening]:
    with path.open("rb") as stream:
        for _, _, event in read_events(stream):
            if isinstance(event, WireError):
                click.echo(f"{path}: {event}", err=True)
            else:
                yield "", event


def _of_journal(settings: Settings) -> Iterator[Happening]:
    path = settings.journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    connection = store.connect(path, readonly=True)
    try:
        for placed in store.read(connection, 0, "kind IN ('event', 'order')"):
            entry = placed.entry
            if entry.kind is Kind.ORDER:
                yield entry.platform, decode_order(entry.body)
                continue
            try:
                yield entry.platform, decode_event(entry.body)
            except WireError:
                continue  # the service met the same, and decided nothing on it
    finally:
        connection.close()
