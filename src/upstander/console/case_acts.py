"""What people do to cases, one at a time or many at once. Each act is a step of the history and in the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.responses import Response

from upstander.cases import bulk
from upstander.cases.desk import Desk, now_ms
from upstander.cases.model import Case, CaseError
from upstander.cases.states import BULK, Act, State
from upstander.console.case_page import TYPED, show, takes
from upstander.console.cases_common import MINUTE_MS, at_desk, minutes, refuse, sentence, the_case, told
from upstander.console.cases_page import show as show_queue
from upstander.console.web import Handler, Visit, not_found
from upstander.gateway.http import Refused
from upstander.model.vocabulary import Tactic
from upstander.people.audit import Act as Noted
from upstander.people.permissions import Permission

#: Single acts that go through the same door as bulk ones, so that they can be taken back the same way.
_UNDONE = frozenset({Act.RELEASE, Act.SNOOZE, Act.CLOSE})


def act(which: Act) -> Handler:
    """The handler of one act on one case."""

    async def handle(visit: Visit) -> Response:
        found = await the_case(visit)
        try:
            given = _given(visit, which, found)
            done = await at_desk(visit, lambda desk: _do(desk, found, which, visit.name, given))
        except CaseError as error:
            typed = {name: visit.text(name)[:2_000] for name in TYPED} | {"act": which.replace("_", "-")}
            return await show(visit, found, 409, sentence(error), **typed)
        about = {"platform": found.platform, "broadcast": found.broadcast, "subject": f"case {found.id}"}
        await visit.note(Noted.CASE_ACT, **about, detail=str(which))
        return visit.go(f"/cases/{found.id}", {"case": told(done)})

    return handle


def _given(visit: Visit, which: Act, found: Case) -> dict[str, Any]:
    """What the act is given. Raises ``CaseError`` when something of it cannot be."""
    given: dict[str, Any] = {"why": visit.text("why")}
    if len(given["why"]) > 2_000:
        raise CaseError("the reason is longer than 2,000 characters. Say it shorter.")
    if which is Act.HAND_OVER:
        given["to"] = visit.text("to")
        person = visit.console.people.find(given["to"])
        if person is None or not takes(person, found):
            raise CaseError("nobody of that name can take the case. Choose one of those that the page offers.")
    if which is Act.SNOOZE:
        given["until"] = now_ms() + minutes(visit) * MINUTE_MS
    if which in (Act.VERDICT, Act.CLOSE):
        given["outcome"] = visit.text("outcome")
        try:
            given["tactics"] = tuple(Tactic(name) for name in visit.values("tactic"))
        except ValueError as error:
            raise CaseError(f"{error}. The tactics are: {', '.join(Tactic)}.") from None
    if which is Act.FILE:
        given["reference"] = visit.text("reference")[:200]
    return given


def _do(desk: Desk, found: Case, which: Act, by: str, given: dict[str, Any]) -> Case:
    if which not in _UNDONE:
        return desk.act(found.id, which, by, **given)
    plan = bulk.Plan(act=which, cases=(found.id,), by=by, **given)
    with desk.lock:
        shown = bulk.preview(desk, plan)
        if not shown.doable:
            raise CaseError(shown.effects[0].refused)
        bulk.apply(desk, plan, shown.token)
        return desk.find(found.id)


async def skip(visit: Visit) -> Response:
    """Not this one: it goes back to the queue, and this person does not see it there for the rest of the shift. Neither
    the ledger nor the history says that it was skipped, and nothing counts it."""
    found = await the_case(visit)
    if found.state is State.CLAIMED and found.holder == visit.who.name:
        await at_desk(visit, lambda desk: desk.act(found.id, Act.RELEASE, visit.who.name))
    await asyncio.to_thread(visit.console.care.skip, visit.who.name, found.id)
    return visit.go("/cases", {"skipped": found.id})


# -- many at once ----------------------------------------------------------------------------------------------------


def _plan(visit: Visit) -> bulk.Plan:
    cases = tuple(dict.fromkeys(visit.values("case")))
    try:
        which = Act(visit.text("act"))
    except ValueError:
        raise CaseError(f"that cannot be done to many cases. What can: {', '.join(BULK)}.") from None
    until = visit.text("until")
    later = int(until) if until.isascii() and until.isdigit() and len(until) < 15 else 0
    if which is Act.SNOOZE and not later:
        # Whole minutes, so that the preview and what follows it mean the same time.
        later = (now_ms() // MINUTE_MS + minutes(visit)) * MINUTE_MS
    outcome = visit.text("outcome") if which is Act.CLOSE else ""
    return bulk.Plan(
        act=which, cases=cases, by=visit.name, why=visit.text("why"), until=later if which is Act.SNOOZE else 0,
        outcome=outcome,
    )  # fmt: skip


async def _seen(visit: Visit, plan: bulk.Plan) -> None:
    """Every case of a plan has to be one for this visitor to see."""

    def look(desk: Desk) -> bool:
        with desk.lock:
            return all(visit.sees(desk.find(name).platform) for name in plan.cases[: bulk.MAX_CASES])

    if not await at_desk(visit, look):
        raise CaseError("a case of these is not known. Load the queue again.")


async def _planned(visit: Visit, then: Callable[[bulk.Plan], Awaitable[Response]]) -> Response:
    try:
        plan = _plan(visit)
        await _seen(visit, plan)
        return await then(plan)
    except CaseError as error:
        return await show_queue(visit, {}, 409, sentence(error))


async def preview(visit: Visit) -> Response:
    """What a bulk action would do to each case; does nothing."""

    async def then(plan: bulk.Plan) -> Response:
        shown = await at_desk(visit, lambda desk: bulk.preview(desk, plan))
        await visit.note(Noted.BULK_SHOWN, detail=f"{plan.act}: {len(plan.cases)} cases")
        data = {"token": shown.token, "effects": shown.effects, "doable": shown.doable, "until": plan.until}
        return visit.page("bulk.html.j2", 200, data, plan=plan, shown=shown)

    return await _planned(visit, then)


async def apply(visit: Visit) -> Response:
    """Carry out what the preview showed, exactly, or nothing."""

    async def then(plan: bulk.Plan) -> Response:
        batch = await at_desk(visit, lambda desk: bulk.apply(desk, plan, visit.text("token")))
        await visit.note(Noted.BULK_DONE, subject=f"bulk {batch.id}", detail=f"{plan.act}: {len(batch.done)} cases")
        return visit.page("bulk-done.html.j2", 200, batch, batch=batch, undone=None)

    return await _planned(visit, then)


async def undo(visit: Visit) -> Response:
    """Take a bulk action (or one's last act on a case) back, save where somebody has gone on."""
    name = visit.request.path_params["batch"]
    try:
        batch = await at_desk(visit, lambda desk: bulk.find(desk, name))
    except CaseError:
        not_found("there is no such action", "Load the page again.")
    if batch.by != visit.name and not visit.may(Permission.CASE_APPROVE):
        raise Refused(403, f"{batch.by} did that", "Ask them, or somebody who may approve, to take it back.")
    try:
        undone = await at_desk(visit, lambda desk: bulk.undo(desk, name, visit.name, visit.text("why")))
    except CaseError as error:
        raise refuse(error) from None
    await visit.note(Noted.BULK_UNDONE, subject=f"bulk {name}", detail=f"{len(undone.restored)} cases are as before")
    if len(batch.done) == 1 and not visit.wants_json:
        return visit.go(f"/cases/{batch.done[0][0]}")
    return visit.page("bulk-done.html.j2", 200, undone, batch=batch, undone=undone)
