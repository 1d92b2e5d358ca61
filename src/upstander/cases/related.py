"""Cases that belong together: about the same viewer, or in which the same words were written."""

from __future__ import annotations

import hashlib
import hmac
import re

import msgspec

from upstander.cases.desk import Desk
from upstander.cases.model import Case
from upstander.detect.normalise import views

#: Shorter lines are written by everybody: they relate nothing.
WORDS = 4
SHOWN = 50


class Related(msgspec.Struct, frozen=True):
    """A related case and why it is one."""

    id: str
    why: str
    state: str
    level: int
    opened_at: int


def phrase_of(secret: bytes, text: str) -> str:
    """What stands for a wording: the same however it is disguised, telling nobody what it was. Empty: too short."""
    words = re.findall(r"\w+", views(text).plain)
    if len(words) < WORDS:
        return ""
    return hmac.new(secret, " ".join(words).encode(), hashlib.sha256).hexdigest()[:32]


def related(desk: Desk, case: Case) -> list[Related]:
    """Related cases, each once with every reason, the latest first."""
    why: dict[str, list[str]] = {}
    if case.viewer:
        sql = "SELECT id FROM cases WHERE platform = ? AND viewer = ? AND id <> ? ORDER BY opened_at DESC LIMIT ?"
        for row in desk.store.connection.execute(sql, (case.platform, case.viewer, case.id, SHOWN)):
            why.setdefault(row[0], []).append("the same viewer")
    sql = (
        "SELECT DISTINCT other.case_id FROM decisions AS mine JOIN decisions AS other USING (phrase) "
        "WHERE mine.case_id = ? AND mine.phrase <> '' AND other.case_id <> ? LIMIT ?"
    )
    for row in desk.store.connection.execute(sql, (case.id, case.id, SHOWN)):
        why.setdefault(row[0], []).append("the same words")
    found = []
    for identifier, reasons in why.items():
        other = desk.store.get(identifier)
        if other is not None:
            reason = " and ".join(reasons)
            found.append(Related(other.id, reason, str(other.state), other.level, other.opened_at))
    return sorted(found, key=lambda each: -each.opened_at)[:SHOWN]
