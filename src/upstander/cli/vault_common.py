"""What the commands of ``upstander vault`` and ``upstander cases`` share: who acts and why, errors in one line."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from upstander.cli.common import Mistake, settings_of
from upstander.vault.errors import VaultError
from upstander.vault.ledger import Row
from upstander.vault.opening import open_vault
from upstander.vault.vault import Vault


def person_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--by NAME``: who acts."""
    return click.option("--by", "by", metavar="NAME", default=getpass.getuser, help="Who does it (default: you).")(
        function
    )


def reason_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--why TEXT``: the reason, which is kept."""
    return click.option("--why", "why", metavar="TEXT", required=True, help="The reason; it is kept for good.")(
        function
    )


@contextmanager
def opened(config: Path | None, data: str | None) -> Iterator[Vault]:
    """The vault that the options name."""
    vault = None
    try:
        vault = open_vault(settings_of(config, data))
        yield vault
    except VaultError as error:
        raise Mistake(str(error)) from None
    finally:
        if vault is not None:
            vault.close()


def chosen(vault: Vault, addresses: tuple[str, ...], case: str) -> list[Row]:
    """The items that ``ITEM…`` or ``--case`` name."""
    if bool(addresses) == bool(case):
        raise Mistake("name either items or --case. See `upstander vault list`.")
    rows = vault.of_case(case) if case else [vault.find(address) for address in addresses]
    if not rows:
        raise Mistake(f"case {case} has no evidence in the vault. Give the case's whole id.")
    return rows


def time_of(at: int) -> str:
    """A time (epoch ms, UTC) for a table; ``-`` for never."""
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M") if at else "-"
