"""What the pages of cases share: the desk in a thread, the one case that a path names, what a program is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from upstander.cases.desk import Desk
from upstander.cases.model import Case, CaseError
from upstander.console.web import Visit, not_found
from upstander.gateway.http import Refused
from upstander.model.vocabulary import Level
from upstander.people.audit import Act as Noted
from upstander.vault.errors import VaultError
from upstander.vault.vault import Vault

T = TypeVar("T")
MINUTE_MS = 60_000


async def at_desk(visit: Visit, work: Callable[[Desk], T]) -> T:
    """Something done with the cases, in a thread. Raises ``CaseError``."""
    return await asyncio.to_thread(lambda: work(visit.console.desk()))


async def in_vault(visit: Visit, work: Callable[[Vault], T]) -> T:
    """Something done with the vault, in a thread. Raises ``VaultError``."""
    return await asyncio.to_thread(lambda: work(visit.console.vault()))


async def the_case(visit: Visit) -> Case:
    """The case that the path names, when it is one for this visitor to see; refused (404) otherwise. Not yet a look."""
    name = visit.request.path_params["case"]
    try:
        case = await at_desk(visit, lambda desk: desk.find(name))
    except CaseError:
        case = None
    if case is None or not visit.sees(case.platform):
        await visit.note(Noted.CASE_VIEW, subject=f"case {name[:16]}", detail="not found")
        not_found("there is no such case", "It may be another platform's, or have been erased. See the queue.")
    return case


def sentence(error: Exception) -> str:
    """An error as a sentence of a page."""
    text = str(error)
    return text[:1].upper() + text[1:]


def refuse(error: CaseError | VaultError, status: int = 409) -> Refused:
    """An error of the cases or the vault as a refusal."""
    reason, _, fix = sentence(error).partition(". ")
    return Refused(status, reason, fix or "Load the page again.")


def told(case: Case) -> dict[str, Any]:
    """A case as a program is told it: all but the salt, with the level in words."""
    built: dict[str, Any] = msgspec.to_builtins(case)
    del built["salt"]
    return built | {"level": Level(case.level).word}


def minutes(visit: Visit, name: str = "minutes", most: int = 60 * 24 * 30) -> int:
    """A number of minutes of the form; refused when it is none."""
    text = visit.text(name)
    if not (text.isascii() and text.isdigit() and len(text) < 8 and 1 <= int(text) <= most):
        raise CaseError(f"give a number of minutes from 1 to {most:,}.")
    return int(text)
