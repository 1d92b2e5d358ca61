"""What the commands of ``upstander cases`` share: the desk, errors in one line, a case as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from upstander.cases.desk import Desk
from upstander.cases.follow import open_desk
from upstander.cases.model import Case, CaseError
from upstander.cli.common import Mistake, print_json, settings_of
from upstander.cli.vault_common import time_of
from upstander.model.vocabulary import Level
from upstander.vault.errors import VaultError

json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
case_argument = click.argument("case", metavar="CASE")


@contextmanager
def desk_of(config: Path | None, data: str | None) -> Iterator[Desk]:
    """The desk that the options name."""
    desk = None
    try:
        desk = open_desk(settings_of(config, data))
        yield desk
    except (CaseError, VaultError) as error:
        raise Mistake(str(error)) from None
    finally:
        if desk is not None:
            desk.store.close()


def as_told(case: Case) -> dict[str, Any]:
    """A case as JSON: without what only the machine needs."""
    value: dict[str, Any] = msgspec.to_builtins(case)
    for name in ("salt", "subject", "sealed_to"):
        del value[name]
    return value | {"level": Level(case.level).word}


def say(case: Case, as_json: bool) -> None:
    """What became of a case, without names: those are seen with `show`."""
    if as_json:
        value = as_told(case)
        for name in ("broadcast", "viewer", "host", "event"):
            del value[name]
        print_json(value)
        return
    more = f", {case.holder} holds it until {time_of(case.lease_until)}" if case.holder else ""
    more += f", returns at {time_of(case.snooze_until)}" if case.snooze_until else ""
    more += f", due by {time_of(case.due_at)}" if case.due_at else ""
    click.echo(f"case {case.id} is {case.state}{more}" + (" (times are UTC)" if more else ""))
