"""Reports as pages: drafting one from a case, its fields and what is missing, the second person, filing, following."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.responses import Response

from upstander.care.store import CareError
from upstander.cases.model import Case, CaseError
from upstander.console.cases_common import at_desk, sentence, the_case
from upstander.console.core import Console
from upstander.console.hooks import CASE_LINKS, Link
from upstander.console.report_facts import TYPED, facts_of
from upstander.console.web import Visit, not_found
from upstander.gateway.http import Refused
from upstander.model.vocabulary import Level
from upstander.people.audit import Act as Noted
from upstander.people.permissions import Permission
from upstander.reports import destinations
from upstander.reports.destinations.base import Shown, shown, stops
from upstander.reports.model import Report, ReportError
from upstander.reports.states import TABLE, Act, State
from upstander.reports.store import FIELDS, Row
from upstander.reports.words import INCIDENTS, REPORT_TAGS
from upstander.vault.errors import VaultError

if TYPE_CHECKING:
    from upstander.reports.office import Office

T = TypeVar("T")
PAGE = 100
#: Fields that hold what people wrote: veiled until asked for, as on the page of a case.
WORDS = frozenset({"internetDetails/chatImIncident/content", "additionalInfo", "chat", "said", "gifts", "explanation"})
#: What a person does to a report -> the permission that it needs. The routes ask for the same ones.
NEEDS = {
    Act.APPROVE: Permission.REPORT_APPROVE,
    Act.DISAPPROVE: Permission.REPORT_APPROVE,
    Act.FILE: Permission.REPORT_FILE,
    Act.HAND_OVER: Permission.REPORT_FILE,
    Act.AGAIN: Permission.REPORT_FILE,
    Act.RETRACT: Permission.REPORT_FILE,
    Act.OUTCOME: Permission.REPORT_FILE,
    Act.EXPORT: Permission.EVIDENCE_EXPORT,
}
_INNER = ("person", "content", "paged", "told")


class Room:
    """The office of a running console, opened at its first use; one thread at a time is in it."""

    def __init__(self, console: Console) -> None:
        # What only the extra `reports` brings is imported here, so that the console runs without it.
        from upstander.reports.evidence import VaultEvidence  # noqa: PLC0415
        from upstander.reports.follow import reports_path  # noqa: PLC0415
        from upstander.reports.office import Office  # noqa: PLC0415
        from upstander.reports.store import Store  # noqa: PLC0415

        settings = console.service.settings
        self.lock = threading.Lock()
        self.store = Store(reports_path(settings))
        self.office = Office(self.store, VaultEvidence(console.vault()), console.desk(), settings)
        console.on_close.append(self.store.close)


async def in_office(visit: Visit, work: Callable[[Office], T]) -> T:
    """Something done with reports, in a thread. Raises ``ReportError``, ``CaseError`` or ``Refused``."""

    def there() -> T:
        console = visit.console
        with console.opening:
            if console.reports is None:
                console.reports = Room(console)
        room: Room = console.reports
        with room.lock:
            return work(room.office)

    try:
        return await asyncio.to_thread(there)
    except ImportError:
        raise Refused(501, "reports need packages that are not installed", "pip install 'upstander[reports]'") from None
    except (VaultError, OSError, sqlite3.Error) as error:
        if isinstance(error, VaultError) and "no vault" in str(error):
            raise Refused(409, "there is no vault to keep reports in", "Make one with: upstander vault init") from None
        raise Refused(503, "reports cannot be opened now", "See the service's log, or: upstander doctor") from None


# -- lists -------------------------------------------------------------------------------------------------------


async def listing(visit: Visit) -> Response:
    """Reports with their states, alarms first: no names. Those of platforms that are not this person's are left out."""
    wanted = visit.request.query_params.get("state", "")
    state = State(wanted) if wanted in set(State) else None
    where, values = ("state = ?", (str(state),)) if state else ("1", ())
    await visit.note(Noted.REPORTS_VIEW, detail=str(state or "all"))
    order = "alarm_at = 0, drafted_at DESC, id"
    rows = await in_office(visit, lambda office: office.store.select(where, values, PAGE, order))
    rows = [row for row in rows if await _seen(visit, row)]
    data = {"reports": [told(row) for row in rows]}
    levels = {level.value: level.word for level in Level}
    return visit.page(
        "reports.html.j2", 200, data, rows=rows, states=list(State), state=state, levels=levels, names=_titles()
    )


async def _seen(visit: Visit, row: Row) -> bool:
    case = await at_desk(visit, lambda desk: desk.store.get(row.case))
    return visit.sees(case.platform) if case is not None else visit.key is None and not visit.who.platforms


def told(row: Row) -> dict[str, Any]:
    """A report as a program is told it: where it stands, and nobody's name."""
    value = {name: getattr(row, name) for name in FIELDS if name not in _INNER}
    return value | {"state": str(row.state), "level": Level(row.level).word}


def _titles() -> dict[str, str]:
    return {name: each.title for name, each in destinations.ALL.items()}


# -- drafting ----------------------------------------------------------------------------------------------------


async def of_case(visit: Visit) -> Response:
    """The reports about a case, and the form that drafts one."""
    return await _of_case(visit, await the_case(visit))


async def _of_case(visit: Visit, case: Case, status: int = 200, error: str = "", **typed: str) -> Response:
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    await visit.note(Noted.REPORTS_VIEW, **about)
    rows = await in_office(visit, lambda office: office.store.select('"case" = ?', (case.id,)))
    return visit.page(
        "report-draft.html.j2",
        status,
        {"case": case.id, "reports": [told(row) for row in rows]} if not error else None,
        error=error,
        case=case,
        rows=rows,
        names=_titles(),
        incidents=INCIDENTS,
        tags=REPORT_TAGS,
        may_draft=visit.may(Permission.REPORT_DRAFT),
        typed=dict.fromkeys(TYPED, "") | typed,
    )


async def draft(visit: Visit) -> Response:
    """Draft a report from a case that this person holds; it escalates the case."""
    case = await the_case(visit)
    to, why = visit.text("to"), visit.text("why")[:2_000]
    try:
        facts = facts_of(visit)
        row = await in_office(visit, lambda office: office.draft(case.id, to, facts, visit.name, why))
    except (ReportError, CaseError) as error:
        typed = {name: visit.text(name)[:3_000] for name in TYPED}
        return await _of_case(visit, case, 409, sentence(error), **typed)
    await _noted(visit, row, case, "draft")
    return visit.go(f"/reports/{row.id}", told(row))


# -- one report --------------------------------------------------------------------------------------------------


async def _the_report(visit: Visit) -> tuple[Row, Case | None]:
    """The report that the path names, and its case, when they are for this person to see."""
    name = visit.request.path_params["report"]
    try:
        row = await in_office(visit, lambda office: office.store.find(name))
    except ReportError:
        row = None
    if row is None or not await _seen(visit, row):
        await visit.note(Noted.REPORT_VIEW, subject=f"report {name[:16]}", detail="not found")
        not_found("there is no such report", "It may be another platform's. See the list.")
    found = row
    return found, await at_desk(visit, lambda desk: desk.store.get(found.case))


async def _noted(visit: Visit, row: Row, case: Case | None, detail: str) -> None:
    named = {"platform": case.platform, "broadcast": case.broadcast} if case is not None else {}
    await visit.note(Noted.REPORT_ACT, subject=f"report {row.id}", detail=detail, **named)


async def report(visit: Visit) -> Response:
    """What is sent, field by field; where it stands; what this person can do now."""
    row, case = await _the_report(visit)
    return await show(visit, row, case)


async def unveil(visit: Visit) -> Response:
    """Show the words of a report for a while: counted, and refused in a break or beyond the budget."""
    row, case = await _the_report(visit)
    try:
        await asyncio.to_thread(visit.console.care.unveil, visit.who.name, f"report {row.id}")
    except CareError as error:
        return await show(visit, row, case, 409, sentence(error))
    await visit.note(Noted.REPORT_UNVEILED, subject=f"report {row.id}")
    return await show(visit, row, case) if visit.wants_json else visit.go(f"/reports/{row.id}#words")


async def show(visit: Visit, row: Row, case: Case | None, status: int = 200, error: str = "") -> Response:
    """The page of a report. The look is in the vault's ledger and in the report's history before anything is shown."""
    named = {"platform": case.platform, "broadcast": case.broadcast} if case is not None else {}
    is_open = visit.console.care.is_open(visit.who.name, f"report {row.id}")
    await visit.note(Noted.REPORT_VIEW, subject=f"report {row.id}", detail="words shown" if is_open else "", **named)
    found: Report | None = None
    try:
        row, found = await in_office(visit, lambda office: office.read(row.id, visit.name, "its page in the console"))
    except ReportError as mistake:
        error = error or sentence(mistake)
    where = destinations.named(row.destination)
    fields = shown(where, found) if found is not None else []
    files = await in_office(visit, lambda office: office.store.files(row.id))
    steps = await in_office(visit, lambda office: office.store.history(row.id))
    data = told(row) | {"fields": [_field(each, is_open) for each in fields]}
    return visit.page(
        "report.html.j2",
        status,
        data if not error else None,
        error=error,
        row=row,
        case=case,
        where=where,
        level=Level(row.level).word,
        fields=fields,
        words=WORDS,
        is_open=is_open,
        lacking=[each for each in fields if each.missing],
        stops=stops(where, found) if found is not None else [],
        files=list(zip(found.files, files, strict=False)) if found is not None else [],
        steps=[step for step in steps if step.act != Act.VIEW],
        looks=sum(step.act == Act.VIEW for step in steps),
        offers=offers(visit, row),
        standing=visit.console.care.standing(visit.who.name),
    )


def _field(field: Shown, is_open: bool) -> dict[str, Any]:
    value = field.value if is_open or field.name not in WORDS else ""
    return {"name": field.name, "what": field.what, "why": field.why, "need": field.need, "value": value,
            "missing": field.missing, "veiled": bool(field.value) and not value}  # fmt: skip


def offers(visit: Visit, row: Row) -> set[str]:
    """What this person can do to the report as it stands."""
    where = destinations.named(row.destination)
    can = {act for act, needs in NEEDS.items() if visit.may(needs) and row.state in TABLE[act]}
    if visit.console.service.settings.reports.second_person and row.drafted_by == visit.who.name:
        can.discard(Act.APPROVE)
    can.discard(Act.FILE if where.by_hand else Act.EXPORT)
    if not where.by_hand and row.state is not State.ALARMING:
        can.discard(Act.HAND_OVER)
    if where.by_hand and row.state not in (State.APPROVED, State.FILED):
        can.discard(Act.EXPORT)
    return {str(act) for act in can}


async def _do(visit: Visit, detail: str, work: Callable[[Office, str], Row]) -> Response:
    row, case = await _the_report(visit)
    try:
        row = await in_office(visit, lambda office: work(office, row.id))
    except (ReportError, CaseError) as error:
        return await show(visit, row, case, 409, sentence(error))
    await _noted(visit, row, case, detail)
    return visit.go(f"/reports/{row.id}", told(row))


async def approve(visit: Visit) -> Response:
    """As the second person, approve a draft, and with it the escalation of its case."""
    why = visit.text("why")[:2_000]
    return await _do(visit, "approve", lambda office, name: office.approve(name, visit.name, why))


async def refuse(visit: Visit) -> Response:
    """Refuse a draft: it is not sent."""
    why = visit.text("why")[:2_000]
    return await _do(visit, "refuse", lambda office, name: office.disapprove(name, visit.name, why))


async def file(visit: Visit) -> Response:
    """Have an approved report sent, or note under which reference it was handed over."""
    reference, why = visit.text("reference")[:200], visit.text("why")[:2_000] or "handed over"
    if reference:
        return await _do(visit, "hand over", lambda o, name: o.hand_over(name, reference, visit.name, why))
    return await _do(visit, "file", lambda office, name: office.file(name, visit.name))


async def again(visit: Visit) -> Response:
    """Have a report that was given up go on."""
    why = visit.text("why")[:2_000]
    return await _do(visit, "again", lambda office, name: office.again(name, visit.name, why))


async def retract(visit: Visit) -> Response:
    """Take a report back."""
    why = visit.text("why")[:2_000]
    return await _do(visit, "retract", lambda office, name: office.retract(name, visit.name, why))


async def outcome(visit: Visit) -> Response:
    """Note what became of a filed report."""
    what, why = visit.text("outcome"), visit.text("why")[:2_000]
    return await _do(visit, "outcome", lambda office, name: office.outcome(name, what, visit.name, why))


async def export(visit: Visit) -> Response:
    """The package to hand over."""
    row, case = await _the_report(visit)
    why = visit.text("why")[:2_000]
    try:
        row, data = await in_office(visit, lambda office: office.export(row.id, visit.name, why))
    except (ReportError, CaseError) as error:
        return await show(visit, row, case, 409, sentence(error))
    await _noted(visit, row, case, "export")
    name = f'attachment; filename="report-{row.id}-{row.destination}.zip"'
    return visit.finish(Response(data, 200, {"content-disposition": name}, "application/zip"))


def _link(visit: Visit, case: Case) -> Link | None:
    return Link(f"/cases/{case.id}/report", "Report", "r") if visit.may(Permission.REPORT_VIEW) else None


CASE_LINKS.append(_link)
