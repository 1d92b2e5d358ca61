"""One act on many cases: first what it would do, then exactly that, and back again."""

from __future__ import annotations

import hashlib
import secrets

import msgspec

from upstander.cases.changes import Given, entered, late
from upstander.cases.desk import Desk, now_ms
from upstander.cases.model import MACHINE, Case, CaseError, Step
from upstander.cases.states import BULK, Act, State
from upstander.cases.store import FIELDS
from upstander.model.vocabulary import Tactic

MAX_CASES = 500


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done to which cases."""

    act: Act
    cases: tuple[str, ...]
    by: str
    why: str = ""
    until: int = 0
    outcome: str = ""
    tactics: tuple[Tactic, ...] = ()


class Effect(msgspec.Struct, frozen=True):
    """What would become of one case: its state afterwards, or why nothing can be done."""

    case: str
    version: int
    state: str
    becomes: str
    refused: str


class Preview(msgspec.Struct, frozen=True):
    """What a plan would do. ``token`` stands for exactly this: it carries it out only while nothing has changed."""

    token: str
    effects: tuple[Effect, ...]

    @property
    def doable(self) -> int:
        """How many cases it would change."""
        return sum(not effect.refused for effect in self.effects)


class Batch(msgspec.Struct, frozen=True):
    """What was done: the act and, for each case, the version that it had afterwards and the step that did it."""

    id: str
    act: Act
    by: str
    at: int
    done: tuple[tuple[str, int, int], ...]
    undone: bool = False


class Undone(msgspec.Struct, frozen=True):
    """Cases that are as they were before, and those that are not, for somebody has gone on with them."""

    batch: str
    restored: tuple[str, ...]
    left: tuple[str, ...]


def preview(desk: Desk, plan: Plan, now: int = 0) -> Preview:
    """What a plan would do; does nothing. Raises ``CaseError`` when the act is none for many cases."""
    if plan.act not in BULK:
        raise CaseError(f"`{plan.act}` is done to one case at a time. To many: {', '.join(BULK)}.")
    if not 0 < len(plan.cases) <= MAX_CASES:
        raise CaseError(f"{len(plan.cases):,} cases were named. Name 1 to {MAX_CASES}.")
    at = now or now_ms()
    effects = tuple(_effect(desk, plan, case, at) for case in _cases(desk, plan))
    token = hashlib.sha256(msgspec.json.encode((plan, effects))).hexdigest()[:24]
    return Preview(token, effects)


def _cases(desk: Desk, plan: Plan) -> list[Case]:
    found = [desk.find(name) for name in plan.cases]
    return list({case.id: case for case in found}.values())


def _effect(desk: Desk, plan: Plan, case: Case, at: int) -> Effect:
    becomes, refused = "", ""
    given = Given(plan.by, plan.why, at, desk.settings, until=plan.until, outcome=plan.outcome)
    if late(case, at):
        case = msgspec.structs.replace(case, **{"state": State.OPEN, **entered(State.OPEN, at, desk.settings)})
    try:
        changes = desk.check(case, plan.act, given)
        becomes = str(changes["state"])
    except CaseError as error:
        refused = str(error)
    return Effect(case.id, case.version, str(case.state), becomes, refused)


def apply(desk: Desk, plan: Plan, token: str, now: int = 0) -> Batch:
    """Carry out what ``preview`` showed. Raises ``CaseError`` when it would do something else by now."""
    at = now or now_ms()
    with desk.lock, desk.store.transaction():
        shown = preview(desk, plan, at)
        if shown.token != token:
            raise CaseError("cases have changed since the preview: nothing was done. Look at it again.")
        identifier = secrets.token_hex(6)
        done = []
        for effect in shown.effects:
            if not effect.refused:
                case = desk.act(
                    effect.case,
                    plan.act,
                    plan.by,
                    plan.why,
                    until=plan.until,
                    outcome=plan.outcome,
                    tactics=plan.tactics,
                    batch=identifier,
                    now=at,
                )
                done.append((case.id, case.version, desk.store.last()[0]))
        batch = Batch(identifier, plan.act, plan.by, at, tuple(done))
        _save(desk, batch)
        return batch


def find(desk: Desk, identifier: str) -> Batch:
    """What was done, by its id. Raises ``CaseError`` when there is no such."""
    with desk.lock:
        row = desk.store.connection.execute("SELECT body FROM batches WHERE id = ?", (identifier,)).fetchone()
    if row is None:
        raise CaseError(f"the bulk action {identifier!r} is not known. Its id is printed when it is done.")
    return msgspec.json.decode(row[0], type=Batch)


def undo(desk: Desk, identifier: str, by: str, why: str, now: int = 0) -> Undone:
    """Put cases back as they were before a bulk action, save those that somebody has gone on with."""
    at = now or now_ms()
    if not why.strip():
        raise CaseError("undoing needs a reason: the history keeps it.")
    with desk.lock, desk.store.transaction():
        row = desk.store.connection.execute("SELECT body FROM batches WHERE id = ?", (identifier,)).fetchone()
        batch = msgspec.json.decode(row[0], type=Batch) if row else None
        if batch is None or batch.undone:
            what = "was undone before" if batch else "is not known"
            raise CaseError(f"the bulk action {identifier!r} {what}. Its id is printed when it is done.")
        restored, left = [], []
        for name, version, seq in batch.done:
            case = desk.store.get(name)
            if case is None or case.version != version:
                left.append(name)
                continue
            step = next(step for step in desk.store.history(name) if step.seq == seq)
            before = _restored(case, step, at)
            desk.store.step(case, before, Act.UNDO, by, why, at, batch=identifier, to=str(seq))
            _take_back(desk, case, before, by, why, at)
            restored.append(name)
        _save(desk, msgspec.structs.replace(batch, undone=True))
        return Undone(identifier, tuple(restored), tuple(left))


def _restored(case: Case, step: Step, at: int) -> Case:
    old = {name: value for name, value in step.before.items() if name in FIELDS}
    values = msgspec.to_builtins(case) | old | {"version": case.version + 1, "updated_at": at}
    return msgspec.convert(values, Case)


def _take_back(desk: Desk, case: Case, before: Case, by: str, why: str, at: int) -> None:
    """A verdict that is still here is not sent; one that was is followed by one that says nothing: the last counts."""
    name = f"verdict-{case.id}-{case.version}"
    connection = desk.store.connection
    if connection.execute("DELETE FROM outgoing WHERE id = ? AND sent = 0", (name,)).rowcount:
        return
    if connection.execute("SELECT 1 FROM outgoing WHERE id = ?", (name,)).fetchone():
        desk.judge(before, by or MACHINE, "unsure", (), why, at)


def _save(desk: Desk, batch: Batch) -> None:
    sql = "INSERT OR REPLACE INTO batches VALUES (?, ?)"
    desk.store.connection.execute(sql, (batch.id, msgspec.json.encode(batch)))
