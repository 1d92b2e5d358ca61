"""What the commands share: the settings option, JSON lines, errors in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import msgspec

from upstander import settings as settings_module
from upstander.detect.packs import PackError
from upstander.journal.store import JournalError
from upstander.policy.document import PolicyError
from upstander.settings import Settings, SettingsError


def config_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """``--config FILE`` and ``--data FOLDER``, shared by all commands that need settings."""
    function = click.option(
        "--data", "data", metavar="FOLDER", help="The data folder; overrides the settings' `data`."
    )(function)
    return click.option(
        "--config",
        "config",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The settings (TOML). Default: upstander.toml if there is one here, else the built-in defaults.",
    )(function)


def settings_of(config: Path | None, data: str | None = None) -> Settings:
    """The settings that the options name."""
    with clear_errors():
        path = config
        if path is None and Path("upstander.toml").exists():
            path = Path("upstander.toml")
        settings = settings_module.load(path)
    return msgspec.structs.replace(settings, data=data) if data else settings


class Mistake(click.ClickException):
    """Something a user can mend: one line on standard error, exit status 2."""

    exit_code = 2


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn errors that a user can mend into one line and exit status 2."""
    try:
        yield
    except (SettingsError, JournalError, PackError, PolicyError) as error:
        raise Mistake(str(error)) from None


def print_json(value: object) -> None:
    """One JSON line on standard output."""
    sys.stdout.buffer.write(msgspec.json.encode(value) + b"\n")
