"""Second reviews: a sample of closed cases is judged again by somebody who is not told the first verdict.

Only agreement over all of them is told, never a person's: it measures the work, not who did it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

import msgspec

from upstander.care.store import Care, CareError
from upstander.cases.desk import OUTCOMES, Desk
from upstander.cases.model import Case
from upstander.cases.states import Act, State

#: At most so many closed cases are looked through for one that is due.
REACH = 500
#: Why a reviewer looks, as the history has it: that look does not make the case theirs.
WHY = "second review"
#: Agreement is told from so many reviews on.
FEW = 10


class Agreement(msgspec.Struct, frozen=True):
    """How often second reviews agree: share and Cohen's kappa (``None`` below ``FEW`` reviews, or where all verdicts
    are the same one)."""

    reviews: int
    agree: float | None
    kappa: float | None


def drawn(care: Care, case: Case) -> bool:
    """Whether the closed case is in the sample."""
    digest = hmac.new(care.secret(), f"{case.id} {case.updated_at}".encode(), hashlib.sha256).digest()
    return int.from_bytes(digest[:8]) < care.settings.second_share * 2**64


def judged_by(desk: Desk, case: Case) -> set[str]:
    """Who has worked on a case: they cannot review it blindly."""
    machine = {Act.DECIDE, Act.LAPSE, Act.RETURN, Act.ALARM, Act.LIST}
    return {step.by for step in desk.store.history(case.id) if step.act not in machine and step.why != WHY}


def due(care: Care, desk: Desk, person: str, sees: Callable[[str], bool]) -> list[Case]:
    """Closed cases in the sample that this person may review, the latest first."""
    found = []
    with desk.lock:
        for case in desk.store.select("state = ? AND outcome <> ''", (str(State.CLOSED),), REACH, "updated_at DESC"):
            if not sees(case.platform) or not drawn(care, case) or reviewed(care, case):
                continue
            if person not in judged_by(desk, case):
                found.append(case)
    return found


def reviewed(care: Care, case: Case) -> bool:
    """Whether the case was judged a second time since it was closed."""
    sql = "SELECT 1 FROM reviews WHERE case_id = ? AND closed_at = ?"
    with care.lock:
        return care.connection.execute(sql, (case.id, case.updated_at)).fetchone() is not None


def give(care: Care, desk: Desk, case: Case, person: str, outcome: str) -> bool:
    """Judge a case a second time; whether both agree. When they do not, the case goes back into the queue."""
    if outcome not in OUTCOMES:
        raise CareError(f"the outcome {outcome!r} is not known. Use one of: {', '.join(OUTCOMES)}.")
    if case not in due(care, desk, person, lambda platform: True):
        raise CareError("this case is not yours to review: it was reviewed, reopened, or you have worked on it.")
    row = (case.id, case.updated_at, care.clock(), case.outcome, outcome)
    with care.writing():
        care.connection.execute("INSERT OR IGNORE INTO reviews VALUES (?, ?, ?, ?, ?)", row)
    agree = outcome == case.outcome
    if not agree:
        desk.act(case.id, Act.REOPEN, person, "a second review came to another verdict")
    return agree


def agreement(care: Care) -> Agreement:
    """How often first and second verdicts agree."""
    with care.lock:
        rows = care.connection.execute("SELECT first, second, count(*) FROM reviews GROUP BY first, second").fetchall()
    total = sum(row[2] for row in rows)
    if total < FEW:
        return Agreement(total, None, None)
    same = sum(count for first, second, count in rows if first == second) / total
    chance = sum(
        sum(count for first, _, count in rows if first == each)
        * sum(count for _, second, count in rows if second == each)
        for each in OUTCOMES
    ) / (total * total)
    return Agreement(total, same, None if chance == 1 else (same - chance) / (1 - chance))
