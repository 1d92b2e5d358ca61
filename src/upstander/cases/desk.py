"""What people and the machine do to cases: every act goes through the one table, and is a step of the history.

Two processes never do contradictory things: each act looks and writes within one transaction.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from upstander.cases.changes import CHANGES, MINUTE_MS, Given, entered, late
from upstander.cases.model import MACHINE, Case, CaseError, Found, Step, subject_of
from upstander.cases.states import HOLDER_ONLY, TABLE, Act, State
from upstander.cases.store import Store
from upstander.model.events import Verdict
from upstander.model.vocabulary import Tactic
from upstander.settings import CaseSettings

OUTCOMES = ("harmful", "benign", "unsure")


def now_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Desk:
    """All acts. ``now`` of every act is epoch milliseconds (0: this machine's clock)."""

    def __init__(self, store: Store, settings: CaseSettings = CaseSettings()) -> None:  # noqa: B008
        self.store, self.settings = store, settings
        self.lock = threading.RLock()
        self._secret = store.secret()

    # -- finding -------------------------------------------------------------------------------------------------

    def find(self, identifier: str) -> Case:
        """The case whose id begins so. Raises ``CaseError`` when there is none, or more than one. No step is made: this
        is for acts, which make their own."""
        known = len(identifier) >= 4 and set(identifier) <= set("0123456789abcdef")
        end = identifier[:-1] + chr(ord(identifier[-1]) + 1) if known else ""
        found = self.store.select("id >= ? AND id < ?", (identifier, end), 2, "id") if known else []
        if len(found) != 1:
            what = "more than one case" if found else "no case"
            raise CaseError(f"{what} has the id {identifier!r}. Give at least 4 digits: see `upstander cases list`.")
        return found[0]

    def view(self, identifier: str, by: str, why: str = "", now: int = 0) -> Case:
        """A case as a person sees it. The look is in the history before anything is shown, and the first one ends the
        wait for it."""
        at = now or now_ms()
        with self.lock, self.store.transaction():
            case = self.find(identifier)
            after = case
            if case.waiting_since and by != MACHINE:
                # Looked at, but not taken: it has to be claimed in the same time again.
                due = {"due_at": at + self.settings.first_look_minutes * MINUTE_MS}
                after = msgspec.structs.replace(
                    case, **self._looked(case, at, due), version=case.version + 1, updated_at=at
                )
            self.store.step(case, after, Act.VIEW, by, why, at)
            return after

    def page(
        self, by: str, state: State | None = None, after: tuple[int, str] = (-1, ""), limit: int = 50, now: int = 0
    ) -> list[Case]:
        """One page of the queue (or of a state), those with the highest rank first; ``after``: rank and id of the last
        case of the page before. The look is in the history. Callers show no names from it: see ``queue.Line``."""
        where, value = ("queued = ?", 1) if state is None else ("state = ?", str(state))
        with self.lock, self.store.transaction():
            found = self.store.select(f"{where} AND (rank, id) > (?, ?)", (value, *after), limit)
            what = f"{len(found)} cases, {state or 'queue'}" + (f", after {after[1]}" if after[1] else "")
            self.store.step(None, None, Act.LIST, by, what, now or now_ms())
        return found

    # -- what opens a case ---------------------------------------------------------------------------------------

    def case_id(self, platform: str, broadcast: str, viewer: str) -> str:
        """The id of the one case of a broadcast and viewer: the same each time, and telling nobody whom it is about."""
        what = "\0".join((platform, broadcast, viewer)).encode()
        return hmac.new(self._secret, what, hashlib.sha256).hexdigest()[:16]

    def decide(self, found: Found, by: str = MACHINE, why: str = "", now: int = 0, sealed_to: int = 0) -> Case:
        """Open a case for a decision, or add the decision to the one there is. Once only for each decision."""
        at = now or now_ms()
        identifier = self.case_id(found.platform, found.broadcast, found.viewer)
        act = Act.DECIDE if by == MACHINE else Act.ASK
        with self.lock, self.store.transaction():
            before = self.store.get(identifier)
            sql = "INSERT OR IGNORE INTO decisions VALUES (?, ?, ?, ?, ?)"
            values = (identifier, found.seq, found.event, int(found.level), found.phrase)
            new = self.store.connection.execute(sql, values).rowcount
            if before is not None and not new and act is Act.DECIDE:
                return before
            after = self._opened(identifier, found, at) if before is None else self._added(before, found, act, new, at)
            after = msgspec.structs.replace(after, sealed_to=max(after.sealed_to, sealed_to))
            self.store.step(before, after, act, by, why or f"{found.level.word}: {', '.join(found.tactics) or '-'}", at)
            return after

    def _opened(self, identifier: str, found: Found, at: int) -> Case:
        salt = secrets.token_hex(16)
        return Case(
            id=identifier,
            platform=found.platform,
            broadcast=found.broadcast,
            viewer=found.viewer,
            host=found.host,
            event=found.event,
            salt=salt,
            subject=subject_of(salt, found.platform, found.broadcast, found.viewer, found.host),
            band=found.band,
            state=State.OPEN,
            level=int(found.level),
            tactics=found.tactics,
            belief=found.belief,
            opened_at=at,
            updated_at=at,
            version=self.store.last_version(identifier) + 1,
            decisions=1,
            sealed_to=0,
            due_at=at + self.settings.first_look_minutes * MINUTE_MS,
            waiting_since=at,
        )

    def _added(self, case: Case, found: Found, act: Act, new: int, at: int) -> Case:
        state = TABLE[act][case.state]
        back = {} if state is case.state else entered(state, at, self.settings)
        return msgspec.structs.replace(
            case,
            **{"state": state, **back},
            event=found.event,
            level=max(case.level, int(found.level)),
            tactics=tuple(sorted({*case.tactics, *found.tactics})),
            belief=max(case.belief, found.belief),
            decisions=case.decisions + new,
            version=case.version + 1,
            updated_at=at,
        )

    # -- acts ----------------------------------------------------------------------------------------------------

    def act(
        self,
        identifier: str,
        act: Act,
        by: str,
        why: str = "",
        *,
        to: str = "",
        until: int = 0,
        outcome: str = "",
        tactics: Sequence[Tactic] = (),
        reference: str = "",
        batch: str = "",
        now: int = 0,
    ) -> Case:
        """Do something to a case, and give it as it stands then. Raises ``CaseError`` when that cannot be done.

        ``to``: whom it is handed over to; ``until``: when a snoozed case returns (epoch ms); ``outcome`` and
        ``tactics`` of a verdict (or of the verdict that closing gives); ``reference`` of what was filed.
        """
        at = now or now_ms()
        with self.lock, self.store.transaction():
            before = self._in_time(self.find(identifier), at)
            given = Given(by, why, at, self.settings, to, until, outcome, reference)
            changes = self.check(before, act, given)
            if act is Act.CLAIM:
                changes |= self._looked(before, at, {})
            after = msgspec.structs.replace(before, **changes, version=before.version + 1, updated_at=at)
            self.store.step(before, after, act, by, why, at, batch=batch, to=to or reference)
            if outcome:
                self.judge(after, by, outcome, tactics, why, at)
            return after

    def check(self, case: Case, act: Act, given: Given) -> dict[str, Any]:
        """What an act would change in a case. Raises ``CaseError`` when it cannot be done; does nothing."""
        state = TABLE.get(act, {}).get(case.state)
        if state is None or act not in CHANGES:
            can = ", ".join(name for name in CHANGES if case.state in TABLE[name])
            raise CaseError(f"case {case.id} is {case.state}: `{act}` cannot be done. What can: {can}.")
        if act in HOLDER_ONLY and case.holder != given.by:
            whose = f"is {case.holder}'s" if case.holder else "is nobody's"
            raise CaseError(f"case {case.id} {whose}: `{act}` is for who holds it. Claim it first.")
        if act in _WITH_REASON and not given.why.strip():
            raise CaseError(f"`{act}` of case {case.id} needs a reason: the history keeps it.")
        if given.outcome not in OUTCOMES and (given.outcome or act is Act.VERDICT):
            raise CaseError(f"the outcome {given.outcome!r} is not known. Use one of: {', '.join(OUTCOMES)}.")
        fresh = entered(state, given.at, self.settings)
        return {"state": state, **CHANGES[act](case, given, fresh)}

    def _looked(self, case: Case, at: int, then: dict[str, Any]) -> dict[str, Any]:
        """Somebody looks, for the first time since it waits: how long it took is noted, and the alarm about it ends."""
        if not case.waiting_since:
            return {}
        values = (at, case.id, case.level, max(0, at - case.waiting_since))
        self.store.connection.execute("INSERT INTO looks VALUES (?, ?, ?, ?)", values)
        return {"looked_at": at, "waiting_since": 0, "alarm": 0, **then}

    def judge(self, case: Case, by: str, outcome: str, tactics: Sequence[Tactic], why: str, at: int) -> None:
        """Put a verdict on the case's last decision on its way to the journal, as a wire event that teaches."""
        event = Verdict(
            id=f"verdict-{case.id}-{case.version}",
            at=at,
            broadcast=case.broadcast,
            actor=by,
            outcome=outcome,
            subject=case.viewer or None,
            case=case.id,
            decision=case.event,
            tactics=tuple(tactics),
            reason=why,
        )
        values = (event.id, case.platform, msgspec.json.encode(event))
        self.store.connection.execute("INSERT OR IGNORE INTO outgoing VALUES (?, ?, ?, 0)", values)

    # -- time ----------------------------------------------------------------------------------------------------

    def _in_time(self, case: Case, at: int) -> Case:
        """A lease or a snooze that is over ends before anything else is done."""
        act = late(case, at)
        whys = {Act.LAPSE: f"{case.holder} did not go on with it", Act.RETURN: "the time to return has come"}
        return self._by_machine(case, act, whys[act], at) if act else case

    def sweep(self, now: int = 0) -> list[Step]:
        """Whatever is late: leases end, snoozed cases return, cases that wait too long raise an alarm. The steps."""
        at = now or now_ms()
        begun = self.store.last()[0]
        with self.lock, self.store.transaction():
            where = "(lease_until > 0 AND lease_until <= ?) OR (snooze_until > 0 AND snooze_until <= ?)"
            for case in self.store.select(where, (at, at)):
                self._in_time(case, at)
            for case in self.store.select("due_at > 0 AND due_at <= ? AND alarm = 0", (at,)):
                waits = {State.OPEN: "a look", State.ESCALATED: "an approval", State.APPROVED: "the report to be filed"}
                self._by_machine(case, Act.ALARM, f"it waits too long for {waits.get(case.state, 'somebody')}", at)
            rows = self.store.connection.execute("SELECT case_id, seq FROM steps WHERE seq > ?", (begun,)).fetchall()
        return [step for name, seq in rows for step in self.store.history(name) if step.seq == seq]

    def raise_alarm(self, identifier: str, why: str, now: int = 0) -> bool:
        """Bring a case to the front of the queue because something about it needs a person. Whether it was done: a case
        that somebody holds, that alarms already or has left the queue stays as it is."""
        at = now or now_ms()
        with self.lock, self.store.transaction():
            case = self.store.get(identifier)
            if case is None or case.alarm or case.state not in TABLE[Act.ALARM]:
                return False
            self._by_machine(case, Act.ALARM, why, at)
            return True

    def _by_machine(self, case: Case, act: Act, why: str, at: int) -> Case:
        state = TABLE[act][case.state]
        changes = {"alarm": at} if act is Act.ALARM else entered(state, at, self.settings)
        after = msgspec.structs.replace(case, **{"state": state, **changes}, version=case.version + 1, updated_at=at)
        self.store.step(case, after, act, MACHINE, why, at)
        return after


_WITH_REASON = frozenset({Act.NOTE, Act.ESCALATE, Act.APPROVE, Act.REFUSE, Act.CLOSE, Act.REOPEN, Act.SNOOZE, Act.FILE})
