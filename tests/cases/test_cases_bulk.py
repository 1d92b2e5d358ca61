"""One act on many cases: the preview does nothing, then exactly that is done, and it can be taken back."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from cases_support import MINUTE, T0, found, new_desk

from upstander.cases.bulk import Plan, apply, preview, undo
from upstander.cases.check import check
from upstander.cases.desk import Desk
from upstander.cases.model import CaseError
from upstander.cases.states import Act, State


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = new_desk(tmp_path)
    for number in range(1, 5):
        made.decide(found(number), now=T0)
    return made


def ids(desk: Desk) -> tuple[str, ...]:
    return tuple(case.id for case in desk.store.select("1", order="opened_at, event"))


def states(desk: Desk) -> list[State]:
    return [desk.find(name).state for name in ids(desk)]


def done(desk: Desk, plan: Plan, now: int = T0) -> str:
    return apply(desk, plan, preview(desk, plan, now).token, now).id


def test_a_preview_says_what_would_become_of_each_case_and_does_nothing(desk: Desk) -> None:
    first, *_ = ids(desk)
    desk.act(first, Act.CLAIM, "bob", now=T0)
    steps = desk.store.last()
    shown = preview(desk, Plan(act=Act.CLAIM, cases=(*ids(desk), first), by="ann"), T0)
    assert desk.store.last() == steps
    assert [effect.becomes for effect in shown.effects] == ["", "claimed", "claimed", "claimed"]
    assert "bob's for 15 more minutes" in shown.effects[0].refused and shown.doable == 3


def test_what_is_done_is_what_was_shown_or_nothing(desk: Desk) -> None:
    plan = Plan(act=Act.CLAIM, cases=ids(desk), by="ann")
    token = preview(desk, plan, T0).token
    desk.act(ids(desk)[2], Act.NOTE, "bob", "something new", now=T0)
    with pytest.raises(CaseError, match="changed since the preview"):
        apply(desk, plan, token, T0)
    with pytest.raises(CaseError, match="changed since the preview"):
        other = msgspec.structs.replace(plan, by="eve")
        apply(desk, other, preview(desk, plan, T0).token, T0)
    assert states(desk) == [State.OPEN] * 4
    done(desk, plan)
    assert states(desk) == [State.CLAIMED] * 4


def test_a_lease_that_is_over_is_over_in_the_preview_too(desk: Desk) -> None:
    done(desk, Plan(act=Act.CLAIM, cases=ids(desk), by="bob"))
    later = T0 + 16 * MINUTE
    plan = Plan(act=Act.CLAIM, cases=ids(desk), by="ann")
    assert preview(desk, plan, later).doable == 4
    done(desk, plan, later)
    assert {desk.find(name).holder for name in ids(desk)} == {"ann"}


def test_undo_restores_all_but_what_somebody_has_gone_on_with(desk: Desk) -> None:
    done(desk, Plan(act=Act.CLAIM, cases=ids(desk), by="ann"))
    before = [desk.find(name) for name in ids(desk)]
    batch = done(desk, Plan(act=Act.CLOSE, cases=ids(desk), by="ann", why="a test broadcast", outcome="benign"))
    assert states(desk) == [State.CLOSED] * 4
    desk.act(ids(desk)[3], Act.REOPEN, "bob", "not a test", now=T0)
    desk.store.connection.execute("UPDATE outgoing SET sent = 1 WHERE id LIKE ?", (f"verdict-{ids(desk)[0]}%",))
    with pytest.raises(CaseError, match="needs a reason"):
        undo(desk, batch, "ann", "", T0)
    undone = undo(desk, batch, "ann", "the wrong ones", T0)
    assert (undone.restored, undone.left) == (ids(desk)[:3], ids(desk)[3:])
    for name, old in zip(ids(desk)[:3], before, strict=False):
        assert msgspec.structs.replace(desk.find(name), version=old.version, updated_at=old.updated_at) == old
    with pytest.raises(CaseError, match="was undone before"):
        undo(desk, batch, "ann", "again", T0)
    rows = desk.store.connection.execute("SELECT body FROM outgoing WHERE sent = 0").fetchall()
    outcomes = sorted(msgspec.json.decode(row[0])["outcome"] for row in rows)
    assert outcomes == ["benign", "unsure"], "one verdict stands, one was sent and is taken back, two were never sent"
    assert check(desk.store).ok


def test_only_what_can_be_taken_back_is_done_in_bulk(desk: Desk) -> None:
    for act in (Act.ESCALATE, Act.APPROVE, Act.FILE, Act.VERDICT):
        with pytest.raises(CaseError, match="one case at a time"):
            preview(desk, Plan(act=act, cases=ids(desk), by="ann", why="x"), T0)
    with pytest.raises(CaseError, match="Name 1 to 500"):
        preview(desk, Plan(act=Act.CLAIM, cases=(), by="ann"), T0)
    with pytest.raises(CaseError, match="not known"):
        undo(desk, "nonsense", "ann", "x", T0)
