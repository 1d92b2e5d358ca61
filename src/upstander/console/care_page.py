"""Looking after oneself: what was unveiled, breaks, what one prefers; what others ask for beyond their budget."""

from __future__ import annotations

import asyncio
import re

from starlette.responses import Response

from upstander.care.store import CareError, Preferences
from upstander.console.cases_common import sentence
from upstander.console.web import Visit
from upstander.people.audit import Act as Noted
from upstander.people.permissions import Permission

_WHAT = re.compile(r"(case|item) [0-9a-f]{8,64}")
THEMES = ("system", "dark", "light")


async def care(visit: Visit) -> Response:
    """One's own page. Nobody else can see it."""
    return _page(visit)


def _page(visit: Visit, status: int = 200, error: str = "", done: str = "", why: str = "") -> Response:
    own, name = visit.console.care, visit.who.name
    approves = visit.may(Permission.CASE_APPROVE)
    wanted = visit.request.query_params.get("for", "") or visit.text("what")
    standing, preferences = own.standing(name), own.preferences(name)
    asked, asks = own.asked(name), own.asks() if approves else []
    return visit.page(
        "care.html.j2",
        status,
        {"standing": standing, "preferences": preferences, "asked": asked, "asks": asks},
        error=error,
        done=done,
        standing=standing,
        settings=own.settings,
        preferences=preferences,
        themes=THEMES,
        asked=asked,
        asks=[ask for ask in asks if ask.person != name],
        what=wanted if _WHAT.fullmatch(wanted) else "",
        why=why,
        now=own.clock(),
    )


async def prefer(visit: Visit) -> Response:
    """Keep what the person prefers."""
    theme = visit.text("theme")
    if theme not in THEMES:
        return _page(visit, 422, f"The theme is one of: {', '.join(THEMES)}.")
    chosen = set(visit.values("with"))
    preferences = Preferences("text_only" in chosen, "slow" in chosen, theme)
    await asyncio.to_thread(visit.console.care.prefer, visit.who.name, preferences)
    return _page(visit, done="Kept.")


async def pause(visit: Visit) -> Response:
    """Take a break now."""
    await asyncio.to_thread(visit.console.care.pause, visit.who.name)
    minutes = visit.console.care.settings.break_minutes
    return _page(visit, done=f"Your break is {minutes} minutes. Nothing can be unveiled meanwhile.")


async def ask(visit: Visit) -> Response:
    """Ask a second person to allow an unveiling beyond the budget."""
    what, why = visit.text("what"), visit.text("why")[:500]
    try:
        if not _WHAT.fullmatch(what):
            raise CareError("say which case or item it is, such as `case 8c439b6c01234567`.")
        asked = await asyncio.to_thread(visit.console.care.ask, visit.who.name, what, why)
    except CareError as error:
        return _page(visit, 422, sentence(error), why=why)
    await visit.note(Noted.UNVEIL_ASKED, subject=asked.what, detail=why)
    return _page(visit, done="Asked. Somebody who may approve sees it on this page.")


async def allow(visit: Visit) -> Response:
    """Allow what somebody else asked for."""
    return await _decided(visit, allow=True)


async def decline(visit: Visit) -> Response:
    """Decline what somebody else asked for."""
    return await _decided(visit, allow=False)


async def _decided(visit: Visit, *, allow: bool) -> Response:
    identifier = visit.request.path_params["ask"]
    try:
        asked = await asyncio.to_thread(visit.console.care.decide, identifier, visit.who.name, allow=allow)
    except CareError as error:
        return _page(visit, 409, sentence(error))
    act = Noted.UNVEIL_ALLOWED if allow else Noted.UNVEIL_DECLINED
    await visit.note(act, subject=asked.person, detail=asked.what)
    return _page(visit, done=f"{'Allowed' if allow else 'Declined'}: {asked.person}, {asked.what}.")
