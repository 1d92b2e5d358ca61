"""``upstander learn``: train a shadow model on verdicts, see its gates, and put it in force with a second person."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.table import Table

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.detect import paraphrase
from upstander.journal import store
from upstander.learn import sample as sampling
from upstander.learn import verdicts
from upstander.learn.registry import Gate, Registry, RegistryError
from upstander.settings import Settings

EXAMPLES = """
\b
Examples:
  upstander learn sample --count 20          broadcasts that raised nothing, to look at
  upstander learn train                      a shadow model from the verdicts so far, with its gates
  upstander learn promote 3f9c --by "Ada"    ask for it to be put in force
  upstander learn approve 3f9c --by "Grace"  the second person agrees
  upstander learn rollback --by "Ada" --reason "too many alerts"
"""


@click.group("learn", epilog=EXAMPLES)
def command() -> None:
    """Learn from moderators: in the shadow, never in production until two people have agreed.

    Verdicts (wire events of the type `verdict`) are read from the journal. A model in force is taken up when the
    service starts or reloads (SIGHUP).
    """


@contextmanager
def _mistakes() -> Iterator[None]:
    try:
        with clear_errors():
            yield
    except RegistryError as error:
        raise Mistake(str(error)) from None


def _journal(settings: Settings) -> sqlite3.Connection:
    if not settings.journal_path.exists():
        raise Mistake(f"there is no journal at {settings.journal_path}. Run `upstander serve` first, or set --data.")
    return store.connect(settings.journal_path, readonly=True)


@command.command("status")
@config_option
@click.option("--json", "as_json", is_flag=True)
def status(config: Path | None, data: str | None, as_json: bool) -> None:
    """The model in force, verdicts so far, and the ledger of who decided what."""
    settings = settings_of(config, data)
    with _mistakes():
        registry = Registry(settings.folder)
        lines, current = registry.lines(), registry.current()
        found = verdicts.read(_journal(settings)) if settings.journal_path.exists() else None
    judged = len(found.judged) if found else 0
    if as_json:
        print_json({"in_force": current, "verdicts": judged, "ledger": [msgspec.to_builtins(line) for line in lines]})
        return
    console = Console()
    console.print(f"In force: {current[:12] or 'the model that ships'}")
    console.print(f"Verdicts that can be learned from: {judged}, by {found.moderators if found else 0} moderators")
    if not lines:
        console.print("No model was trained here yet. Run: upstander learn train")
        return
    table = Table("when (UTC)", "what", "model", "by", "note", box=None)
    for line in lines:
        when = datetime.fromtimestamp(line.at / 1000, UTC).strftime("%Y-%m-%d %H:%M")
        table.add_row(when, line.what.replace("_", " "), line.model[:12] or "shipped", line.by, line.note)
    console.print(table)


@command.command("train")
@config_option
@click.option("--json", "as_json", is_flag=True)
def train(config: Path | None, data: str | None, as_json: bool) -> None:
    """Train a shadow model on the packs' examples and the verdicts, and compare it with the model in force.

    Takes a few minutes. Nothing changes in production. Exit status 1 when a gate is not met.
    """
    missing = paraphrase.why_missing()
    if missing:
        raise Mistake(missing)
    try:
        from upstander.learn import shadow
    except ImportError as error:
        raise Mistake(f"{error.name} is not installed. Install upstander[train].") from None
    from upstander.gateway.configuration import configuration_of
    from upstander.runtime import current

    settings = settings_of(config, data)
    console = Console(stderr=True)
    with _mistakes(), console.status("reading verdicts") as state:
        connection = _journal(settings)
        found = verdicts.read(connection)
        if not found.judged:
            skipped = ", ".join(f"{count} {why}" for why, count in found.skipped.items()) or "none at all"
            raise Mistake(f"no verdict can be learned from ({skipped}). Send `verdict` events that name a `decision`.")
        state.update("training")
        model = shadow.train_shadow(found)
        in_force = configuration_of(settings)
        candidate = current(in_force.packs, model, in_force.policy_source, in_force.presets)
        compared = shadow.compare(in_force, candidate, found, connection, state.update)
        note = f"{len(found.judged)} verdicts by {found.moderators} moderators"
        name = Registry(settings.folder).add(model, note, compared.gates)
    if as_json:
        print_json({"model": name, "skipped": found.skipped, "comparison": msgspec.to_builtins(compared)})
    else:
        _show(Console(), name, compared.gates)
    if not all(gate.met for gate in compared.gates):
        raise click.exceptions.Exit(1)


def _show(console: Console, name: str, gates: tuple[Gate, ...]) -> None:
    table = Table("gate", "found", "needed", "", box=None)
    for gate in gates:
        table.add_row(gate.name, gate.found, gate.needed, "[green]met[/]" if gate.met else "[bold red]not met[/]")
    console.print(f"Shadow model {name[:12]}")
    console.print(table)
    if all(gate.met for gate in gates):
        console.print(f'To put it in force: upstander learn promote {name[:12]} --by "your name"')
    else:
        console.print("It cannot be put in force. Collect more verdicts, then train again.")


@command.command("promote")
@click.argument("model")
@click.option("--by", required=True, help="Your name: it stands in the ledger.")
@config_option
def promote(model: str, by: str, config: Path | None, data: str | None) -> None:
    """Ask for a trained model to be put in force. Its gates must be met; someone else must approve."""
    with _mistakes():
        registry = Registry(settings_of(config, data).folder)
        name = registry.resolve(model)
        for line in registry.lines():
            if line.model == name and line.gates:
                _show(Console(), name, line.gates)
        registry.propose(name, by)
    click.echo(f'Proposed. A second person runs: upstander learn approve {name[:12]} --by "their name"')


@command.command("approve")
@click.argument("model")
@click.option("--by", required=True, help="Your name: it must not be the proposer's.")
@config_option
def approve(model: str, by: str, config: Path | None, data: str | None) -> None:
    """Agree to a proposed model: in force from the service's next start or reload (SIGHUP)."""
    with _mistakes():
        registry = Registry(settings_of(config, data).folder)
        name = registry.resolve(model)
        registry.approve(name, by)
    click.echo(f"{name[:12]} is in force from the service's next start or reload (kill -HUP).")


@command.command("rollback")
@click.option("--by", required=True, help="Your name: it stands in the ledger.")
@click.option("--reason", required=True, help="Why; it stands in the ledger.")
@config_option
def rollback(by: str, reason: str, config: Path | None, data: str | None) -> None:
    """Back to the model before the one in force, in one step."""
    with _mistakes():
        line = Registry(settings_of(config, data).folder).roll_back(by, reason)
    model = line.model[:12] or "the model that ships"
    click.echo(f"{model} is in force from the service's next start or reload (kill -HUP).")


@command.command("sample")
@click.option("--count", type=click.IntRange(1, sampling.MAX_SAMPLE), default=10, show_default=True)
@click.option("--hours", type=click.FloatRange(min=0.1), default=24.0, show_default=True, help="How far back.")
@click.option("--seed", help="Draw the same sample again.")
@config_option
@click.option("--json", "as_json", is_flag=True)
def sample(count: int, hours: float, seed: str | None, config: Path | None, data: str | None, as_json: bool) -> None:
    """Draw broadcasts that raised no alert, to be looked at by a person: so that misses are seen.

    What is found is told with a `verdict` event (outcome harmful, tactics, and the event as its decision).
    """
    settings = settings_of(config, data)
    since = time.time_ns() // 1_000_000 - int(hours * 3_600_000)
    with _mistakes():
        drawn = sampling.draw(_journal(settings), count, since, seed or secrets.token_hex(8))
    if as_json:
        print_json(msgspec.to_builtins(drawn))
        return
    console = Console()
    if not drawn.drawn:
        console.print(f"No broadcast of the last {hours:g} hours raised nothing ({drawn.alerted} raised something).")
        return
    table = Table("platform", "broadcast", box=None)
    for platform, broadcast in drawn.drawn:
        table.add_row(platform, broadcast)
    console.print(table)
    stands = 1 / drawn.share
    console.print(f"{len(drawn.drawn)} of {drawn.unalerted} without an alert (seed {drawn.seed}): ", end="")
    console.print(f"each stands for {stands:.1f}; {drawn.alerted} others raised an alert.")
