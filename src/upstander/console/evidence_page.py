"""Sealed evidence: a case's items, one item (veiled until asked for), legal holds, and the package for elsewhere."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import msgspec
from starlette.responses import Response

from upstander.care.store import CareError
from upstander.cases.desk import now_ms
from upstander.cases.model import Case, CaseError
from upstander.console.cases_common import at_desk, in_vault, refuse, sentence, the_case
from upstander.console.web import Visit, not_found
from upstander.gateway.http import Refused
from upstander.people.audit import Act as Noted
from upstander.people.permissions import Permission
from upstander.vault import package
from upstander.vault.errors import NoKey, VaultError
from upstander.vault.ledger import Row
from upstander.vault.manifest import Listed
from upstander.vault.page import TITLES, shown, told
from upstander.vault.vault import Item, Vault

ITEMS = 200
ROWS = 400


async def listing(visit: Visit) -> Response:
    """A case's items, without their contents."""
    return await _listing(visit, await the_case(visit))


async def _listing(visit: Visit, case: Case, status: int = 200, error: str = "", done: str = "") -> Response:
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    await visit.note(Noted.EVIDENCE_LIST, **about)
    try:
        items, signer = await in_vault(visit, lambda vault: _items(vault, visit.name, case))
    except (VaultError, OSError, sqlite3.Error) as mistake:
        raise _absent(mistake) from None
    return visit.page(
        "evidence.html.j2",
        status,
        {"case": case.id, "items": items, "signer": signer} if not error else None,
        error=error,
        done=done,
        case=case,
        items=items,
        titles=TITLES,
        signer=signer,
        holds=sorted({hold for item in items for hold in item.holds}),
        may_hold=visit.may(Permission.EVIDENCE_HOLD),
        may_export=visit.may(Permission.EVIDENCE_EXPORT),
        now=now_ms(),
    )


def _items(vault: Vault, by: str, case: Case) -> tuple[list[Item], str]:
    return vault.listing(by, "the evidence page of the case", case.id, ITEMS), vault.signer.public


def _absent(error: Exception) -> Refused:
    if isinstance(error, NoKey) or not isinstance(error, VaultError):
        return Refused(503, "the evidence vault cannot be opened now", "See the service's log, or: upstander doctor")
    return refuse(error)


async def hold(visit: Visit) -> Response:
    """Put all items of a case under a legal hold: nobody can delete them until it is released."""
    return await _held(visit, Noted.EVIDENCE_HOLD)


async def release(visit: Visit) -> Response:
    """End a legal hold on the items of a case."""
    return await _held(visit, Noted.EVIDENCE_RELEASE)


async def _held(visit: Visit, what: Noted) -> Response:
    case = await the_case(visit)
    reference, why = visit.text("reference")[:200], visit.text("why")[:2_000]

    def work(vault: Vault) -> int:
        act = vault.hold if what is Noted.EVIDENCE_HOLD else vault.release
        return len(act(vault.of_case(case.id), reference, visit.name, why).items)

    try:
        count = await in_vault(visit, work)
    except VaultError as error:
        return await _listing(visit, case, 409, sentence(error))
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    await visit.note(what, **about, detail=f"{reference}: {count} items")
    said = "are under the hold" if what is Noted.EVIDENCE_HOLD else "are no longer under the hold"
    return await _listing(visit, case, done=f"{count} items {said} {reference}.")


async def export(visit: Visit) -> Response:
    """A package of a case's items, which ``upstander vault verify`` checks on any machine."""
    case = await the_case(visit)
    why, recipient = visit.text("why")[:2_000], visit.text("recipient")[:200]
    if not why or not recipient:
        return await _listing(visit, case, 422, "Say for whom the package is, and why: the ledger keeps both.")

    def work(vault: Vault) -> bytes:
        rows = [row for row in vault.of_case(case.id) if not row.deleted]
        return package.export(vault, rows, visit.name, why, recipient)

    try:
        data = await in_vault(visit, work)
    except (VaultError, OSError, sqlite3.Error) as error:
        return await _listing(visit, case, 409, sentence(error))
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    await visit.note(Noted.EVIDENCE_EXPORT, **about, detail=f"for {recipient}: {why}")
    name = f'attachment; filename="case-{case.id}.zip"'
    return visit.finish(Response(data, 200, {"content-disposition": name}, "application/zip"))


# -- one item --------------------------------------------------------------------------------------------------------


async def _the_item(visit: Visit) -> tuple[Row, Case | None]:
    """The item that the path names, and its case, when they are for this person to see."""
    name = visit.request.path_params["item"]
    try:
        row = await in_vault(visit, lambda vault: vault.find(name))
    except (NoKey, OSError, sqlite3.Error) as error:
        raise _absent(error) from None
    except VaultError as error:
        if "no vault" in str(error):
            raise refuse(error) from None
        row = None
    case = None
    if row is not None:
        known = row
        try:
            case = await at_desk(visit, lambda desk: desk.find(known.case))
        except CaseError:
            case = None
    # An item of a case that is gone says nothing of its platform: it is for those who see all of them.
    if row is None or not (visit.sees(case.platform) if case is not None else not visit.who.platforms):
        await visit.note(Noted.EVIDENCE_VIEW, subject=f"item {name[:16]}", detail="not found")
        not_found("there is no such item", "It may be another platform's. See the evidence of a case.")
    return row, case


def _about(row: Row, case: Case | None) -> dict[str, str]:
    named = {"platform": case.platform, "broadcast": case.broadcast} if case is not None else {}
    return named | {"subject": f"item {row.address[:16]}"}


async def item(visit: Visit) -> Response:
    """One item: what it is and who has done what to it; its content only when it was unveiled."""
    row, case = await _the_item(visit)
    return await _item(visit, row, case)


async def unveil(visit: Visit) -> Response:
    """Show an item's content for a while: counted, and refused in a break or beyond the budget."""
    row, case = await _the_item(visit)
    try:
        await asyncio.to_thread(visit.console.care.unveil, visit.who.name, f"item {row.address}")
    except CareError as error:
        await visit.note(Noted.UNVEIL_REFUSED, **_about(row, case), detail=str(error))
        return await _item(visit, row, case, 409, sentence(error))
    await visit.note(Noted.EVIDENCE_UNVEILED, **_about(row, case))
    if visit.wants_json:
        return await _item(visit, row, case)
    return visit.go(f"/evidence/{row.address}#content")


async def _item(visit: Visit, row: Row, case: Case | None, status: int = 200, error: str = "") -> Response:
    is_open = visit.console.care.is_open(visit.who.name, f"item {row.address}") and not row.deleted
    await visit.note(Noted.EVIDENCE_VIEW, **_about(row, case), detail="content shown" if is_open else "")

    def work(vault: Vault) -> tuple[Item, list[dict[str, Any]], bytes | None]:
        content = vault.read(row.address, visit.who.name, "unveiled on its page") if is_open else None
        custody = [told(entry) for entry in vault.ledger.about(row.address)]
        return vault.item(row), custody, content

    try:
        found, custody, content = await in_vault(visit, work)
    except (VaultError, OSError, sqlite3.Error) as mistake:
        raise _absent(mistake) from None
    told_as = _content(found, content) if content is not None else None
    data = {"item": found, "custody": custody, "content": told_as}
    return visit.page(
        "item.html.j2",
        status,
        data if not error else None,
        error=error,
        item=found,
        title=TITLES.get(found.part, found.part),
        custody=custody,
        content=told_as,
        standing=visit.console.care.standing(visit.who.name),
        preferences=visit.console.care.preferences(visit.who.name),
        now=now_ms(),
    )


def _content(found: Item, content: bytes) -> dict[str, Any]:
    """The content as sections: facts, a table of at most ``ROWS`` rows, or text."""
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        # No page shows a picture or plays a sound; a package holds them for who has to look.
        content = f"{len(content):,} bytes that are no text: they are shown nowhere here.".encode()
    listed = Listed(found.address, found.part, "", "", 0)
    made = shown(listed, content)
    made["left_out"] = max(0, len(made["rows"]) - ROWS)
    made["rows"] = [[str(cell) for cell in row] for row in made["rows"][:ROWS]]
    made["facts"] = [(str(name), str(value)) for name, value in made["facts"]]
    built: dict[str, Any] = msgspec.to_builtins(made)
    return built | {"text": str(made["text"])[:100_000]}
