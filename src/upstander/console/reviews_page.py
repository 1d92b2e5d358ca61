"""Second reviews: a closed case of the sample, judged again without being told the first verdict, or of whom."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.responses import Response

from upstander.care import reviews
from upstander.care.store import CareError
from upstander.cases import reading
from upstander.cases.desk import OUTCOMES
from upstander.cases.model import Case, CaseError
from upstander.console.case_page import decisions_seen, what_of, words
from upstander.console.cases_common import at_desk, sentence, the_case
from upstander.console.web import Visit, not_found
from upstander.model.vocabulary import Level
from upstander.people.audit import Act as Noted
from upstander.vault.page import moment


async def due(visit: Visit) -> Response:
    """The case that waits longest for a second review."""
    return await _page(visit)


async def _due(visit: Visit) -> list[Case]:
    own = visit.console.care
    return await at_desk(visit, lambda desk: reviews.due(own, desk, visit.who.name, visit.who.sees))


async def _page(visit: Visit, status: int = 200, error: str = "", done: str = "") -> Response:
    waiting = await _due(visit)
    if not waiting:
        return visit.page("reviews.html.j2", status, {"waiting": 0}, error=error, done=done, case=None, waiting=0)
    case = waiting[-1]
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    is_open = visit.console.care.is_open(visit.who.name, what_of(case))
    await visit.note(Noted.REVIEW_SHOWN, **about, detail="words shown" if is_open else "")
    await at_desk(visit, lambda desk: desk.view(case.id, visit.who.name, reviews.WHY))
    decisions = await asyncio.to_thread(decisions_seen, visit, case)
    lines = [_nameless(line) for line in await words(visit, case, decisions)] if is_open else None
    data = {
        "waiting": len(waiting),
        "case": case.id,
        "band": case.band,
        "decisions": [
            {"level": each.decision.level, "belief": each.decision.belief, "reasons": each.reasons}
            for each in decisions
        ],
        "words": lines,
    }
    return visit.page(
        "reviews.html.j2",
        status,
        data,
        error=error,
        done=done,
        case=case,
        level=Level(case.level).word,
        waiting=len(waiting),
        decisions=decisions,
        curve=reading.curve_of(decisions, moment),
        lines=lines,
        outcomes=OUTCOMES,
        standing=visit.console.care.standing(visit.who.name),
        preferences=visit.console.care.preferences(visit.who.name),
        now=visit.console.clock(),
    )


def _nameless(line: reading.Line) -> reading.Line:
    return msgspec.structs.replace(line, who="the viewer" if line.about else "somebody")


async def _mine(visit: Visit) -> Case:
    """The case that the path names, when it waits for this person's review."""
    case = await the_case(visit)
    if case not in await _due(visit):
        not_found("this case does not wait for your review", "It may be reviewed by now. See /reviews.")
    return case


async def unveil(visit: Visit) -> Response:
    """Show the words of the case under review: counted as any unveiling is."""
    case = await _mine(visit)
    try:
        await asyncio.to_thread(visit.console.care.unveil, visit.who.name, what_of(case))
    except CareError as error:
        await visit.note(Noted.UNVEIL_REFUSED, subject=f"case {case.id}", detail=str(error))
        return await _page(visit, 409, sentence(error))
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    await visit.note(Noted.CASE_UNVEILED, **about, detail="second review")
    if visit.wants_json:
        return await _page(visit)
    return visit.go("/reviews#words")


async def give(visit: Visit) -> Response:
    """Judge the case. When the verdicts differ it goes back into the queue."""
    case = await _mine(visit)
    own, outcome = visit.console.care, visit.text("outcome")
    try:
        await at_desk(visit, lambda desk: reviews.give(own, desk, case, visit.who.name, outcome))
    except (CareError, CaseError) as error:
        return await _page(visit, 409, sentence(error))
    about = {"platform": case.platform, "broadcast": case.broadcast, "subject": f"case {case.id}"}
    await visit.note(Noted.REVIEWED, **about)
    if visit.wants_json:
        return visit.answer(200, {"reviewed": case.id})
    # Whether the verdicts agree is not told: it would teach people to guess the other one.
    return await _page(visit, done="Thank you. Your verdict is kept.")
