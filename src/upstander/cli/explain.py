"""``upstander explain``: what was decided on an event, and why, as a person reads it."""

from __future__ import annotations

import getpass
import sqlite3
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from upstander.cli.common import Mistake, clear_errors, config_option, print_json, settings_of
from upstander.detect.excerpt import columns, shown, underlined
from upstander.engine import belief
from upstander.journal import lookup, store
from upstander.journal.lookup import Told
from upstander.model.decision import Decision, Reason
from upstander.model.events import AnyEvent
from upstander.model.vocabulary import Exposure, Level
from upstander.outbox import actions
from upstander.settings import Settings

EXAMPLES = """
\b
Examples:
  upstander explain comment-5
  upstander explain comment-5 --platform mysite --broadcast b1
  upstander explain comment-5 --json | jq .decision.level
"""
#: Columns before what a line says, and of the longest bar.
MARGIN = 12
BAR = 30
_STYLES = {"clear": "dim", "notice": "blue", "concern": "yellow", "urgent": "dark_orange", "emergency": "bold red"}
_VERDICTS = {
    True: "the same decision comes out",
    False: "ANOTHER DECISION COMES OUT: run `upstander verify`",
    None: "not here (too far, or another release decided): run `upstander verify`",
}
_EXPOSURES = frozenset(str(exposure) for exposure in Exposure)


@click.command("explain", epilog=EXAMPLES)
@click.argument("event", metavar="EVENT_ID")
@config_option
@click.option("--platform", default="", help="The event's platform, when several have one of this id.")
@click.option("--broadcast", default="", help="The event's broadcast, when several have one of this id.")
@click.option("--json", "as_json", is_flag=True, help="The result as one JSON object.")
def command(event: str, config: Path | None, data: str | None, platform: str, broadcast: str, as_json: bool) -> None:
    """Say what was decided on the event EVENT_ID, by what, and what each reason weighs.

    It shows what people wrote: the look is noted in the journal, with the name of who is logged in, unless a running
    service holds it. Exit status: 0, or 2 when there is no such event.
    """
    settings = settings_of(config, data)
    path = settings.journal_path
    if not path.exists():
        raise Mistake(f"there is no journal at {path}. Name the data folder with --data or --config.")
    connection = store.connect(path, readonly=True)
    try:
        told = _the_one(lookup.find(connection, event, platform, broadcast), event, path)
        same = lookup.replays_the_same(connection, settings.snapshots_path, told)
        earlier = lookup.before(connection, told)
        done = _done(connection, told)
    except sqlite3.DatabaseError as error:
        raise Mistake(f"the journal {path} cannot be read ({error}). Run: upstander verify") from None
    finally:
        connection.close()
    _note(settings, told)
    if as_json:
        print_json(_as_json(told, earlier, done, same))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in _lines(told, earlier, done, same, carets=not console.is_terminal):
        console.print(line)


def _the_one(found: list[Told], event: str, path: Path) -> Told:
    if not found:
        raise Mistake(f"no event has the id {event!r} in {path}. Check the id, --platform and --broadcast.")
    if len(found) > 1:
        places = "; ".join(f"--platform {told.platform} --broadcast {told.event.broadcast}" for told in found[:5])
        raise Mistake(f"{len(found)} events have the id {event!r}. Choose one: {places}")
    return found[0]


def _note(settings: Settings, told: Told) -> None:
    body = {"by": getpass.getuser(), "viewed": "event", "event": told.event.id, "with": "upstander explain"}
    with clear_errors():
        try:
            noted = lookup.note_view(settings.folder, settings.journal_path, time.time_ns() // 1_000_000, told, body)
        except OSError as error:
            raise Mistake(
                f"the look cannot be noted in {settings.folder} ({error.strerror}). Check its rights."
            ) from None
    if not noted:
        click.echo("A running service holds the journal: this look is not noted in it.", err=True)


def _done(connection: sqlite3.Connection, told: Told) -> list[actions.Row]:
    rows = actions.actions_of(connection, told.platform, told.event.broadcast, 10_000)
    return [row for row in rows if row.action.event == told.event.id]


def _as_json(
    told: Told, earlier: list[tuple[str, AnyEvent | None]], done: list[actions.Row], same: bool | None
) -> dict[str, object]:
    return {
        "event": msgspec.to_builtins(told.event),
        "platform": told.platform,
        "seq": told.seq,
        "decision": msgspec.to_builtins(told.decision),
        "factor": _factor(told.decision) if told.decision else None,
        "actions": [msgspec.to_builtins(row) for row in done],
        "earlier": [
            {"event": name, "found": msgspec.to_builtins(event), "left": _left(told, event)} for name, event in earlier
        ],
        "replays_the_same": same,
    }


# -- for people --------------------------------------------------------------------------------------------------


def _lines(
    told: Told,
    earlier: list[tuple[str, AnyEvent | None]],
    done: list[actions.Row],
    same: bool | None,
    carets: bool,
) -> Iterator[Text]:
    decision, event = told.decision, told.event
    where = f"{event.id} in {event.broadcast}" + (f" on {told.platform}" if told.platform else "")
    level = decision.level if decision else Level.CLEAR.word
    yield Text.assemble((f"{level:<{MARGIN}}", _STYLES[level]), where)
    actor = (decision.actor if decision else getattr(event, "actor", None)) or "-"
    yield _row("when", f"{_time(event.at_ms)} UTC by the event, entry {told.seq:,}")
    yield _row("who", f"{actor} ({type(event).__struct_config__.tag})")
    text = str(getattr(event, "text", "") or "")
    if text:
        yield _row("text", shown(text))
    if decision is None:
        yield _row("decided", "nothing to say about it: level clear")
        return
    yield from _spans(text, decision, carets)
    yield from _what_was_done(decision, done)
    yield Text()
    yield from _weights(decision)
    yield from _rests_on(told, earlier)
    yield Text()
    yield _row("decided by", "  ".join(f"{name} {version}" for name, version in decision.versions.items()))
    yield _row("replayed", _VERDICTS[same])


def _row(name: str, value: str) -> Text:
    return Text.assemble((f"{name:<{MARGIN}}", "dim"), value)


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _spans(text: str, decision: Decision, carets: bool) -> Iterator[Text]:
    """What fired, underlined in what was written."""
    for reason in decision.reasons:
        if reason.span is None or not text:
            continue
        start, end = reason.span
        source = f"{reason.what}: {reason.source}, in the {reason.view or 'raw'} view"
        if not carets:
            line = Text(" " * MARGIN + shown(text))
            line.stylize("bold underline", start + MARGIN, end + MARGIN)
            yield Text.assemble(line, "  ", (source, "dim"))
            continue
        part, under = underlined(text, start, end - start)
        # The text stands above already, unless only a part of it can be shown.
        if part != shown(text):
            yield Text(" " * MARGIN + part)
        yield Text(f"{' ' * MARGIN}{under}  {source}")


def _what_was_done(decision: Decision, done: list[actions.Row]) -> Iterator[Text]:
    states = {(row.action.asked, row.action.target): row for row in done}
    if not decision.interventions:
        yield _row("done", "nothing")
    for index, asked in enumerate(decision.interventions):
        row = states.get((asked.do, asked.target))
        state = "sent to no adapter" if row is None else f"{row.state} ({row.action.adapter})"
        target = f" {asked.target}" if asked.target else ""
        yield _row("" if index else "done", f"{asked.do}{target}: {state}")


def _factor(decision: Decision) -> float:
    shares = sum(reason.weight for reason in decision.reasons if reason.what in _EXPOSURES)
    return round(min(belief.MAX_FACTOR, 1.0 + shares), 4)


def _weights(decision: Decision) -> Iterator[Text]:
    """Each term of the belief with a bar as long as it weighs, and the exposures that multiply them."""
    terms = [reason for reason in decision.reasons if reason.what not in _EXPOSURES]
    exposures = [reason for reason in decision.reasons if reason.what in _EXPOSURES]
    if terms:
        whole = f"{decision.belief:.2f} nats on this viewer, {decision.broadcast_belief:.2f} on the whole audience"
        yield _row("belief", whole)
    most = max([reason.weight for reason in terms] or [0.0])
    name = max([len(reason.what) for reason in decision.reasons] or [0])
    why = max([columns(reason.why) for reason in decision.reasons] or [0])
    for reason in terms:
        bar = "█" * max(1, round(BAR * reason.weight / most)) if reason.weight > 0 else ""
        yield _term(reason, name, why, f"{reason.weight:+6.2f}", bar)
        if reason.near:
            yield Text(f'  {"":<{name}}  reads like "{shown(reason.near)}"', style="dim")
    if exposures:
        yield _row("exposures", f"times {_factor(decision):.2f} (in the weights above)" if terms else "in force")
    for reason in exposures:
        yield _term(reason, name, why, f"{reason.weight:+6.0%}" if reason.weight else "", "")


def _term(reason: Reason, name: int, why: int, weight: str, bar: str) -> Text:
    padded = reason.why + " " * (why - columns(reason.why))
    return Text.assemble("  ", (f"{reason.what:<{name}}", "bold"), f"  {padded}  {weight}  ", (bar, "red"))


def _rests_on(told: Told, earlier: list[tuple[str, AnyEvent | None]]) -> Iterator[Text]:
    if earlier:
        half = belief.PAIR_HALF_LIFE_S // 60
        yield _row("rests on", f"what came before; half of its weight is gone after {half} minutes")
    for name, event in earlier:
        if event is None:
            yield Text(f"  {name}  (no event of the journal: a person's order)")
            continue
        text = shown(str(getattr(event, "text", "") or type(event).__struct_config__.tag))
        yield Text(f"  {name}  {_ago(told.event.at_ms - event.at_ms)}, {_left(told, event):.0%} left  {text}")


def _left(told: Told, event: AnyEvent | None) -> float | None:
    """The share of an earlier event's weight that was left when this one was decided."""
    if event is None or told.decision is None:
        return None
    return round(belief.decay(belief.PAIR_HALF_LIFE_S, told.decision.at - event.at_ms), 4)


def _ago(milliseconds: int) -> str:
    seconds = max(0, milliseconds // 1000)
    if seconds < 120:
        return f"{seconds} s before"
    return f"{seconds // 60} min before" if seconds < 7_200 else f"{seconds // 3600} h before"
