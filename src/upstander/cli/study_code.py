"""``upstander study code``: the coding desk, for one hand on the keyboard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from upstander.cli.common import Mistake
from upstander.cli.study_shared import mistakes
from upstander.study import desk
from upstander.study.codebook import Field
from upstander.study.errors import StudyError
from upstander.study.folder import Study

EXAMPLES = """
\b
Examples:
  upstander study code spring --coder ada
  upstander study code spring --coder cy --settle               disagreements of others
  upstander study code spring --coder ada --settle --consensus  your own, after you have talked

\b
Keys: a digit chooses a value; b goes back a field; ? shows the rule; s skips the item; q stops. Every item is on the
disk as soon as it is confirmed. Look at the item in the hotline's own viewer: no media is shown here.
"""
BACK, RULE, SKIP, STOP = "b", "?", "s", "q"


class _Stopped(Exception):
    """The coder wants to stop."""


class _Skipped(Exception):
    """The coder wants another item."""


@click.command("code", epilog=EXAMPLES)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--coder", required=True, metavar="NAME")
@click.option("--settle", "settling", is_flag=True, help="Decide where coders differ, instead of coding.")
@click.option("--consensus", is_flag=True, help="With --settle: also items that you coded, after you have talked.")
def command(folder: Path, coder: str, settling: bool, consensus: bool) -> None:
    """Code items with the keyboard. A second coder sees nothing of the first, not even that there was one."""
    with mistakes():
        study = Study(folder)
        desk.admit(study, coder)
        done = _settle(study, coder, consensus) if settling else _code(study, coder)
    click.echo(f"{done:,} {'decided' if settling else 'coded'}.")


def _code(study: Study, coder: str) -> int:
    tasks = desk.queue(study, coder)
    click.echo(f"{len(tasks):,} to code. Keys: digits, {BACK} back, {RULE} rule, {SKIP} skip, {STOP} stop.")
    done = 0
    for number, task in enumerate(tasks, 1):
        click.echo(f"\n{number}/{len(tasks)}  item {task.item_id} ({task.media_type})")
        try:
            _item(study, task, coder)
        except _Skipped:
            continue
        except _Stopped:
            break
        done += 1
    return done


def _item(study: Study, task: desk.Task, coder: str) -> None:
    """Ask every field, show the whole, and write it once it is confirmed and possible."""
    while True:
        values = _fields(study.codebook.judged)
        click.echo("  " + ", ".join(f"{name}={value}" for name, value in values.items()))
        click.echo("  Enter keeps it, b codes it again: ", nl=False)
        answer = _key({"\r", "\n", BACK, SKIP, STOP})
        click.echo()
        if answer == BACK:
            continue
        try:
            desk.code(study, task, coder, values, datetime.now(UTC).replace(microsecond=0))
        except StudyError as error:
            click.echo(f"  {error}")
            continue
        return


def _fields(fields: tuple[Field, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    at = 0
    while at < len(fields):
        answer = _ask(fields[at])
        if answer is None:
            at = max(0, at - 1)
        else:
            values[fields[at].name] = answer
            at += 1
    return values


def _ask(field: Field) -> str | None:
    """The value that a key chooses; ``None`` for back."""
    meanings = desk.keys(field)
    if field.kind == "integer":
        shown = f"1-9, 0 for more (to {field.high})"
    else:
        shown = "  ".join(f"{key} {value}" for key, value in meanings.items())
    click.echo(f"  {field.name}: {shown} ", nl=False)
    more = {"0"} if field.kind == "integer" else set()
    while True:
        key = _key({*meanings, *more, BACK, RULE, SKIP, STOP})
        if key == RULE:
            click.echo(f"\n    {field.rule}\n  > ", nl=False)
            continue
        if key == BACK:
            click.echo("back")
            return None
        value = str(click.prompt("how many", type=click.IntRange(10, field.high))) if key == "0" else meanings[key]
        click.echo(value)
        return value


def _key(allowed: set[str]) -> str:
    """The next key that means something here. Raises ``_Skipped`` or ``_Stopped``."""
    while True:
        try:
            key = click.getchar()
        except EOFError:
            raise _Stopped from None
        except OSError:
            reason = "coding needs a terminal: keys are read one at a time"
            raise Mistake(f"{reason}. Run it in one, without a pipe.") from None
        if key in {"\x03", "\x04", ""}:
            raise _Stopped
        if key not in allowed:
            continue
        if key == SKIP:
            click.echo("skipped")
            raise _Skipped
        if key == STOP:
            click.echo("stopped")
            raise _Stopped
        return key


def _settle(study: Study, coder: str, consensus: bool) -> int:
    """Show the values on which coders differ, without who said which."""
    waiting = desk.open_disagreements(study, coder, consensus)
    click.echo(f"{len(waiting):,} fields to decide. Keys: digits, {RULE} rule, {SKIP} skip, {STOP} stop.")
    done = 0
    for number, one in enumerate(waiting, 1):
        field = study.codebook.by_name[one.field]
        choices = field.values or tuple(sorted(set(one.values.values())))
        meanings: Mapping[str, str] = dict(zip(desk.KEYS, choices, strict=False))
        said = " or ".join(sorted(set(one.values.values())))
        click.echo(f"\n{number}/{len(waiting)}  item {one.item_id}, {one.field}: coded as {said}")
        click.echo("  " + "  ".join(f"{key} {value}" for key, value in meanings.items()) + " ", nl=False)
        try:
            key = _key({*meanings, RULE, SKIP, STOP})
            while key == RULE:
                click.echo(f"\n    {field.rule}\n  > ", nl=False)
                key = _key({*meanings, RULE, SKIP, STOP})
        except _Skipped:
            continue
        except _Stopped:
            break
        click.echo(meanings[key])
        desk.decide(study, one, coder, meanings[key], datetime.now(UTC).replace(microsecond=0), consensus)
        done += 1
    return done
