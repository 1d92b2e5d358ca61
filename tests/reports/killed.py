"""A process that sends reports and is killed: at a step of the protocol that it is told, or from outside."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reports_support import REPORTER

from upstander.reports import schema
from upstander.reports.cybertip import CyberTip
from upstander.reports.evidence import VaultEvidence
from upstander.reports.follow import only_one
from upstander.reports.office import now_ms
from upstander.reports.sender import Sender
from upstander.reports.settings import ReportSettings
from upstander.reports.store import Store
from upstander.settings import Settings
from upstander.vault import opening

#: Compiled once, before any fork.
schema.bundled()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _counting(function: Callable[..., Any], before: int, after: int) -> Callable[..., Any]:
    """The function, which dies before its so-manyth call (or after it); 0: never."""
    calls = 0

    def counted(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == before:
            die()
        result = function(*arguments, **named)
        if calls == after:
            die()
        return result

    return counted


def work(folder: str, url: str, where: str, number: int) -> None:
    """Send what is due. ``where``: ``before`` or ``after`` the so-manyth request, ``noted`` after the so-manyth commit;
    empty: live."""
    settings = Settings(data=folder, reports=ReportSettings(reporter=REPORTER))
    with only_one(settings):
        vault = opening.open_vault(settings)
        store = Store(Path(folder) / "reports.sqlite3")
        client = CyberTip(url, "fake", "fake", 5)
        if where in ("before", "after"):
            before, after = (number, 0) if where == "before" else (0, number)
            client._send = _counting(client._send, before, after)  # type: ignore[method-assign]
        if where == "noted":
            store.change = _counting(store.change, 0, number)  # type: ignore[method-assign]
        Sender(store, VaultEvidence(vault), client, settings.reports, Path(folder), now_ms, random.Random(1)).run()
        store.close()
        vault.close()
