"""The banks of fingerprints: counts, sources, exchanges, and what is in quarantine. No value is ever on a page."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from typing import TypeVar

from starlette.responses import Response

from upstander.console.web import Visit
from upstander.people.audit import Act
from upstander.people.permissions import Permission
from upstander.settings import Settings
from upstander.vault.errors import VaultError

try:
    from upstander.captures.banks import ACTIVE, Banks
    from upstander.captures.errors import CaptureError
    from upstander.captures.opening import banks_path, open_banks
    from upstander.captures.overview import Overview, Quarantined, overview, quarantined
except ImportError as error:  # the extra `captures` is not installed
    if (error.name or "").startswith("upstander"):
        raise
    MISSING = "What recognises captures is not installed. Run: pip install 'upstander[captures]'"
else:
    MISSING = ""

T = TypeVar("T")
MAX_WHY = 500


async def banks(visit: Visit) -> Response:
    """All banks, without their values."""
    await visit.note(Act.BANKS_VIEW)
    return await _page(visit)


async def release(visit: Visit) -> Response:
    """Have an entry match again that was put into quarantine because it matched too much."""
    entry, why = visit.request.path_params["entry"], visit.text("why").strip()
    if MISSING:
        return await _page(visit, 409)
    if not why or len(why) > MAX_WHY:
        return await _page(visit, 422, f"Say why, in at most {MAX_WHY} characters: the ledger keeps it.")
    try:
        settings, by = visit.console.service.settings, visit.who.name
        if not banks_path(settings).exists():
            raise CaptureError("there are no banks. Make one: upstander bank new")
        await asyncio.to_thread(_with, settings, lambda opened: _release(opened, entry, by, why))
    except (CaptureError, VaultError, sqlite3.Error) as error:
        return await _page(visit, 409, str(error)[:1].upper() + str(error)[1:])
    return await _page(visit, done=f"The entry {entry} matches again.")


def _release(opened: Banks, entry: str, by: str, why: str) -> None:
    if entry not in {each.id for each in quarantined(opened)}:
        raise CaptureError(f"the entry {entry} is not in quarantine. Load the page again.")
    opened.set_state(entry, ACTIVE, by, why)


def _with(settings: Settings, do: Callable[[Banks], T]) -> T:
    opened = open_banks(settings, place="")
    try:
        return do(opened)
    finally:
        opened.close()


async def _page(visit: Visit, status: int = 200, error: str = "", done: str = "") -> Response:
    listed: list[Overview] = []
    held: list[Quarantined] = []
    settings = visit.console.service.settings
    if not MISSING and banks_path(settings).exists():
        try:
            listed, held = await asyncio.to_thread(_with, settings, lambda b: (overview(b), quarantined(b)))
        except (CaptureError, VaultError, sqlite3.Error) as failed:
            status, error = 409, f"The banks cannot be read: {failed}"
    return visit.page(
        "banks.html.j2",
        status,
        {"banks": listed, "quarantined": held, "missing": MISSING},
        error=error,
        done=done,
        banks=listed,
        quarantined=held,
        missing=MISSING,
        enabled=settings.captures.enabled,
        may_release=visit.may(Permission.BANK_CHANGE),
    )
