"""One case: why it is one, what was done, what is related, what can be done now. Words are veiled until asked for."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Any

import msgspec
from starlette.responses import Response

from upstander.care.store import CareError
from upstander.cases import reading
from upstander.cases.desk import OUTCOMES, Desk, now_ms
from upstander.cases.model import Case, CaseError, Step
from upstander.cases.related import Related, related
from upstander.cases.states import HOLDER_ONLY, TABLE, Act, State
from upstander.console.broadcast_page import address
from upstander.console.cases_common import at_desk, in_vault, sentence, the_case, told
from upstander.console.hooks import links_of
from upstander.console.web import Visit
from upstander.gateway.http import Refused
from upstander.journal import store as journal
from upstander.model.vocabulary import Level, Tactic
from upstander.outbox import actions
from upstander.people.audit import Act as Noted
from upstander.people.model import Person
from upstander.people.permissions import Permission
from upstander.vault.errors import VaultError
from upstander.vault.page import moment
from upstander.vault.vault import Vault

#: What a person does to a case -> the permission that it needs. The routes ask for the same ones.
NEEDS = {
    Act.CLAIM: Permission.CASE_ACT,
    Act.RELEASE: Permission.CASE_ACT,
    Act.HAND_OVER: Permission.CASE_ACT,
    Act.NOTE: Permission.CASE_ACT,
    Act.VERDICT: Permission.CASE_ACT,
    Act.SNOOZE: Permission.CASE_ACT,
    Act.ESCALATE: Permission.CASE_ACT,
    Act.CLOSE: Permission.CASE_ACT,
    Act.REOPEN: Permission.CASE_ACT,
    Act.APPROVE: Permission.CASE_APPROVE,
    Act.REFUSE: Permission.CASE_APPROVE,
    Act.FILE: Permission.CASE_FILE,
}
#: Fields of the forms that are kept when something was wrong with one of them; ``act`` is the form.
TYPED = ("act", "why", "to", "minutes", "outcome", "reference")
STEPS = 60
#: Sealed slices of chat that are read for one look.
SLICES = 5


async def case(visit: Visit) -> Response:
    """The page of a case. The look is in the ledger and in the case's history before anything is shown."""
    return await show(visit, await the_case(visit))


async def unveil(visit: Visit) -> Response:
    """Show the words of a case for a while: counted, and refused in a break or beyond the budget."""
    found = await the_case(visit)
    try:
        await asyncio.to_thread(visit.console.care.unveil, visit.who.name, what_of(found))
    except CareError as error:
        await visit.note(Noted.UNVEIL_REFUSED, subject=f"case {found.id}", detail=str(error))
        return await show(visit, found, 409, sentence(error))
    await visit.note(
        Noted.CASE_UNVEILED, platform=found.platform, broadcast=found.broadcast, subject=f"case {found.id}"
    )
    if visit.wants_json:
        return await show(visit, found)
    return visit.go(f"/cases/{found.id}#words")


def what_of(found: Case) -> str:
    """What unveiling the words of a case counts as."""
    return f"case {found.id}"


async def show(visit: Visit, found: Case, status: int = 200, error: str = "", **given: str) -> Response:
    """The page of a case, perhaps with what went wrong and what had been typed."""
    open_words = visit.key is None and visit.console.care.is_open(visit.who.name, what_of(found))
    about = {"platform": found.platform, "broadcast": found.broadcast, "subject": f"case {found.id}"}
    await visit.note(Noted.CASE_VIEW, **about, detail="words shown" if open_words else "")
    try:
        found = await at_desk(visit, lambda desk: desk.view(found.id, visit.name))
    except CaseError as mistake:
        raise Refused(404, sentence(mistake), "See the queue.") from None
    seen = await at_desk(visit, lambda desk: _read(visit, desk, found))
    lines = await words(visit, found, seen.decisions) if open_words else None
    standing = visit.console.care.standing(visit.who.name) if visit.key is None else None
    return visit.page(
        "case.html.j2",
        status,
        _data(found, seen, lines) if not error else None,
        error=error,
        case=found,
        level=Level(found.level).word,
        seen=seen,
        curve=reading.curve_of(seen.decisions, moment),
        lines=lines,
        standing=standing,
        preferences=visit.console.care.preferences(visit.who.name) if visit.key is None else None,
        offers=offers(visit, found),
        undo=await _undo(visit, found),
        broadcast_href=address(found.platform, found.broadcast) if visit.may(Permission.BROADCAST_VIEW) else "",
        evidence=visit.may(Permission.EVIDENCE_VIEW),
        links=links_of(visit, found),
        others=_others(visit, found),
        outcomes=OUTCOMES,
        tactics=list(Tactic),
        now=now_ms(),
        given=dict.fromkeys(TYPED, "") | given,
    )


def offers(visit: Visit, found: Case) -> set[str]:
    """What this person can do to the case as it stands."""
    can = {act for act, needs in NEEDS.items() if visit.may(needs) and found.state in TABLE[act]}
    if visit.key is not None:
        return {str(act) for act in NEEDS if found.state in TABLE[act]}
    name = visit.who.name
    can -= {act for act in HOLDER_ONLY if found.holder != name}
    if found.state is State.CLAIMED and found.holder not in ("", name) and found.lease_until > now_ms():
        can.discard(Act.CLAIM)
    if found.escalated_by == name:
        can.discard(Act.APPROVE)
    return {str(act) for act in can}


def _others(visit: Visit, found: Case) -> list[str]:
    """To whom the case can be handed over."""
    people = visit.console.people.everyone()
    return [each.name for each in people if takes(each, found) and (visit.key is not None or each.name != visit.name)]


def takes(person: Person, found: Case) -> bool:
    """Whether a person can work on this case."""
    return not person.disabled_at and person.may(Permission.CASE_ACT) and person.sees(found.platform)


class Seen(msgspec.Struct, frozen=True):
    """What the page shows of a case beside its row."""

    decisions: list[reading.Decided]
    related: list[Related]
    steps: list[Step]
    looks: int
    done: list[actions.Row]


def decisions_seen(visit: Visit, found: Case) -> list[reading.Decided]:
    """The last decisions of a case, from the journal."""
    connection = journal.connect(visit.console.service.settings.journal_path, readonly=True)
    try:
        return reading.decisions_of(connection, found)
    finally:
        connection.close()


def _read(visit: Visit, desk: Desk, found: Case) -> Seen:
    connection = journal.connect(visit.console.service.settings.journal_path, readonly=True)
    try:
        decisions = reading.decisions_of(connection, found)
        done = actions.actions_of(connection, found.platform, found.broadcast)
    finally:
        connection.close()
    with desk.lock:
        others = [other for other in related(desk, found) if visit.sees(desk.find(other.id).platform)]
        history = desk.store.history(found.id)
    steps = [step for step in history if step.act != Act.VIEW]
    return Seen(decisions, others, steps[-STEPS:], len(history) - len(steps), done)


async def words(visit: Visit, found: Case, decisions: list[reading.Decided]) -> list[reading.Line]:
    """The words around the case: as they were sealed, or from the journal where nothing was."""

    def sealed(vault: Vault) -> list[bytes]:
        rows = [row for row in vault.of_case(found.id) if row.part in ("chat", "gifts") and not row.deleted]
        return [vault.read(row.address, visit.name, "the words of the case were unveiled") for row in rows[-SLICES:]]

    def in_journal() -> list[reading.Line]:
        connection = journal.connect(visit.console.service.settings.journal_path, readonly=True)
        try:
            return reading.lines_in_journal(connection, found, decisions)
        finally:
            connection.close()

    try:
        contents = await in_vault(visit, sealed)
    except (VaultError, OSError, sqlite3.Error):
        contents = []
    lines = reading.lines_sealed(contents, found, decisions)
    return lines or await asyncio.to_thread(in_journal)


async def _undo(visit: Visit, found: Case) -> str:
    """The id of the bulk action that the case's last step is, when this person can take it back."""
    if not visit.may(Permission.CASE_ACT):
        return ""

    def last(desk: Desk) -> str:
        with desk.lock:
            steps = [step for step in desk.store.history(found.id) if step.act not in (Act.VIEW, Act.LIST)]
        step = steps[-1] if steps else None
        return step.batch if step is not None and step.act != Act.UNDO and step.by == visit.who.name else ""

    return await at_desk(visit, last)


def _data(found: Case, seen: Seen, lines: list[reading.Line] | None) -> dict[str, Any]:
    """The page for a program. ``words`` is there only when they are unveiled."""
    made: dict[str, Any] = {
        "case": told(found),
        "decisions": [{"seq": each.seq, "decision": each.decision} for each in seen.decisions],
        "related": seen.related,
        "history": seen.steps,
        "looks": seen.looks,
        "actions": [{"asked": row.action.asked, "target": row.action.target, "state": row.state} for row in seen.done],
    }
    if lines is not None:
        made["words"] = lines
    return made
