"""What the commands of ``upstander teach`` share: options, and errors in one line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from upstander.cli.common import Mistake
from upstander.nudge.cards import INTERNATIONAL
from upstander.teach.reading import TeachError

INSTALL = "pip install 'upstander[teach]'"


@contextmanager
def mistakes() -> Iterator[None]:
    """Turn errors that a user can mend into one line and exit status 2."""
    try:
        yield
    except TeachError as error:
        raise Mistake(str(error)) from None
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("upstander", ""):
            raise
        raise Mistake(f"the package {error.name!r} is missing. Install what teaching needs: {INSTALL}") from None


def language_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--language``."""
    return click.option("--language", default="en", show_default=True, help="The language of the content.")(function)


def country_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--country``."""
    return click.option(
        "--country", default=INTERNATIONAL, show_default=True, help="Whose places of help are named (GB, IE, ES, …)."
    )(function)


def today_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--today``, a date or ``None``."""
    return click.option(
        "--today",
        type=click.DateTime(["%Y-%m-%d"]),
        callback=lambda _context, _option, value: value.date() if value else datetime.now(UTC).date(),
        help="Check reviews as of this day. Default: today.",
    )(function)


def write(path: Path, data: bytes) -> None:
    """Write a file. Raises ``Mistake`` when it cannot be written."""
    try:
        path.write_bytes(data)
    except OSError as error:
        raise Mistake(f"{path} cannot be written ({error.strerror}). Name another file with --out.") from None
