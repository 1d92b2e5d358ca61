"""How long cases and their evidence are kept: filing keeps evidence longer, and cases whose time is over are erased.

The history stays, without names: what it has in their place leads nowhere once the row, and the salt in it, is gone.
"""

from __future__ import annotations

from upstander.cases.desk import Desk, now_ms
from upstander.cases.model import MACHINE, Case, CaseError, decode_step
from upstander.cases.states import Act, State
from upstander.settings import Settings
from upstander.vault.opening import keep_days
from upstander.vault.vault import DAY_MS, Vault

#: Where ``extend`` stands in the history.
POSITION = "kept"


def extend(desk: Desk, vault: Vault, settings: Settings) -> list[str]:
    """Keep the evidence of cases that were filed since the last time; their ids. Safe to be killed, and to repeat."""
    connection = desk.store.connection
    with desk.lock:
        row = connection.execute("SELECT seq FROM positions WHERE name = ?", (POSITION,)).fetchone()
        after, last = row[0] if row else 0, desk.store.last()[0]
        sql = 'SELECT body FROM steps WHERE seq > ? AND seq <= ? AND instr(body, CAST(\'"act":"file"\' AS BLOB)) > 0'
        steps = [decode_step(row[0]) for row in connection.execute(sql, (after, last))]
        cases = {step.case: (step, desk.store.get(step.case)) for step in steps if step.act == Act.FILE}
    kept = []
    for step, case in cases.values():
        if case is not None:
            until = step.at + filed_days(settings, case) * DAY_MS
            if vault.keep(vault.of_case(case.id), until, MACHINE, f"the report {step.to} was filed") is not None:
                kept.append(case.id)
    if last > after:
        with desk.lock, desk.store.transaction():
            connection.execute("INSERT OR REPLACE INTO positions VALUES (?, ?, ?)", (POSITION, last, b""))
    return kept


def filed_days(settings: Settings, case: Case) -> int:
    """How many days a filed case and its evidence are kept: as the settings say, or a preset if that is longer."""
    return max(settings.cases.keep_filed_days, keep_days(settings, case.band))


def due(desk: Desk, settings: Settings, vault: Vault | None, now: int = 0) -> list[Case]:
    """Cases whose time is over, the oldest first, at most 500. Not while evidence of them is kept, or a verdict waits
    to be passed on."""
    at = now or now_ms()
    closed = at - settings.cases.keep_days * DAY_MS
    filed = at - settings.cases.keep_filed_days * DAY_MS
    where = "(state = ? AND updated_at <= ?) OR (state = ? AND updated_at <= ?)"
    values = (str(State.CLOSED), closed, str(State.FILED), filed)
    with desk.lock:
        found = desk.store.select(where, values, 500, "updated_at")
        sql = "SELECT DISTINCT substr(id, 9, 16) FROM outgoing WHERE sent = 0"
        waiting = {row[0] for row in desk.store.connection.execute(sql)}
    return [case for case in found if case.id not in waiting and not _evidence(vault, case)]


def _evidence(vault: Vault | None, case: Case) -> bool:
    return vault is not None and any(not row.deleted for row in vault.of_case(case.id))


def erase_due(desk: Desk, settings: Settings, vault: Vault | None, now: int = 0) -> list[str]:
    """Erase the cases whose time is over; their ids."""
    at = now or now_ms()
    found = due(desk, settings, vault, at)
    for case in found:
        erase(desk, case.id, MACHINE, "its time to be kept is over", at)
    if found:
        scrub(desk)
    return [case.id for case in found]


def erase(desk: Desk, identifier: str, by: str, why: str, now: int = 0) -> None:
    """Take a case's row away, with all that names people; the history says that it was. Raises ``CaseError`` for one
    that is in the queue."""
    connection = desk.store.connection
    with desk.lock, desk.store.transaction():
        case = desk.find(identifier)
        if case.queued:
            raise CaseError(f"case {case.id} is {case.state}: only closed and filed cases are erased. Close it first.")
        desk.store.step(case, case, Act.ERASE, by, why, now or now_ms())
        connection.execute("DELETE FROM cases WHERE id = ?", (case.id,))
        connection.execute("DELETE FROM decisions WHERE case_id = ?", (case.id,))
        connection.execute("DELETE FROM outgoing WHERE substr(id, 9, 16) = ? AND sent > 0", (case.id,))


def scrub(desk: Desk) -> None:
    """Fold the write-ahead log into the file, so that what was erased stands in neither."""
    with desk.lock:
        desk.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
