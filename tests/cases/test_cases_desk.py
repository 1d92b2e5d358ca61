"""What can be done to a case, by whom, and what its history says of it."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
from cases_support import LIMITS, MINUTE, T0, found, new_desk

from upstander.cases import queue
from upstander.cases.check import check
from upstander.cases.desk import Desk
from upstander.cases.model import CaseError
from upstander.cases.related import phrase_of, related
from upstander.cases.states import CLOCK, QUEUED, TABLE, Act, State
from upstander.cases.store import Store
from upstander.model.events import Verdict
from upstander.model.vocabulary import Level, Tactic
from upstander.model.wire import decode_event

LEASE = LIMITS.lease_minutes * MINUTE


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return new_desk(tmp_path)


def opened(desk: Desk, number: int = 1, **fields: object) -> str:
    return desk.decide(found(number, **fields), now=T0).id


def escalated(desk: Desk) -> str:
    case = opened(desk)
    desk.act(case, Act.CLAIM, "ann", now=T0)
    return desk.act(case, Act.ESCALATE, "ann", "asks a child to meet", now=T0).id


def test_the_table_leaves_no_state_without_a_clock_but_those_outside_the_queue() -> None:
    assert set(CLOCK) == set(QUEUED)
    outside = {state for rows in TABLE.values() for before, state in rows.items() if before in QUEUED} - QUEUED
    assert outside == {State.CLOSED, State.FILED}
    leaves = {
        act for act, rows in TABLE.items() for before, state in rows.items() if before in QUEUED and state not in QUEUED
    }
    assert leaves == {Act.CLOSE, Act.FILE}
    escalated = {State.ESCALATED, State.APPROVED}
    exits = {
        (act, before, state)
        for act, rows in TABLE.items()
        for before, state in rows.items()
        if before in escalated and state not in escalated
    }
    assert exits == {
        (Act.REFUSE, State.ESCALATED, State.REFUSED),
        (Act.REFUSE, State.APPROVED, State.REFUSED),
        (Act.FILE, State.APPROVED, State.FILED),
    }


def test_one_case_a_broadcast_and_viewer_whatever_happens(desk: Desk) -> None:
    first = desk.decide(found(1), now=T0)
    again = desk.decide(found(1, Level.EMERGENCY, tactics=("threat",)), now=T0 + 1)
    assert again == first, "the same decision counts once"
    more = desk.decide(found(1, Level.EMERGENCY, tactics=("threat",)).__class__(
        "mysite", "b1", "v1", "e9", 9, T0, Level.EMERGENCY, ("threat",)), now=T0 + 1)  # fmt: skip
    assert (more.id, more.level, more.tactics, more.decisions) == (first.id, 4, ("secrecy", "threat"), 2)
    others = {desk.decide(found(1, viewer="v2"), now=T0).id, desk.decide(found(2), now=T0).id}
    assert len(others | {first.id}) == 3
    elsewhere = new_desk(
        Path(str(desk.store.connection.execute("PRAGMA database_list").fetchone()[2])).parent / "other"
    )
    assert elsewhere.decide(found(1), now=T0).id != first.id, "an id tells nobody outside whom it is about"


def test_two_people_never_hold_one_case(desk: Desk) -> None:
    case = opened(desk)
    assert desk.act(case, Act.CLAIM, "ann", now=T0).holder == "ann"
    with pytest.raises(CaseError, match="ann's for 15 more minutes"):
        desk.act(case, Act.CLAIM, "bob", now=T0 + 1)
    for act in (Act.RELEASE, Act.SNOOZE, Act.ESCALATE, Act.CLOSE, Act.VERDICT, Act.HAND_OVER):
        with pytest.raises(CaseError, match="is ann's"):
            desk.act(case, act, "bob", "a reason", to="cid", until=T0 * 2, outcome="benign", now=T0 + 1)
    assert desk.act(case, Act.CLAIM, "ann", now=T0 + LEASE - 1).lease_until == T0 + 2 * LEASE - 1
    assert desk.act(case, Act.CLAIM, "bob", now=T0 + 2 * LEASE).holder == "bob", (
        "what nobody goes on with is free again"
    )
    acts = [(step.act, step.by) for step in desk.store.history(case)]
    assert acts[-2:] == [("lapse", "upstander"), ("claim", "bob")]
    with pytest.raises(CaseError, match="is bob's"):
        desk.act(case, Act.CLOSE, "ann", "late", now=T0 + 2 * LEASE)


def claim(path: str, case: str, name: str, won: multiprocessing.Queue[str], gate: object) -> None:
    desk = Desk(Store(Path(path)), LIMITS)
    gate.wait()  # type: ignore[attr-defined]
    try:
        desk.act(case, Act.CLAIM, name)
        won.put(name)
    except CaseError:
        won.put("")


def test_of_processes_that_claim_at_the_same_time_one_gets_the_case(tmp_path: Path, desk: Desk) -> None:
    context = multiprocessing.get_context("spawn")
    case = desk.decide(found(1)).id
    won: multiprocessing.Queue[str] = context.Queue()
    gate = context.Barrier(3)
    people = ("ann", "bob", "cid")
    started = [
        context.Process(target=claim, args=(str(tmp_path / "cases.sqlite3"), case, name, won, gate)) for name in people
    ]
    for process in started:
        process.start()
    answers = [won.get(timeout=60) for _ in people]
    for process in started:
        process.join()
    assert sorted(answers)[:2] == ["", ""] and desk.find(case).holder == sorted(answers)[2] != ""
    assert check(desk.store).ok


def test_hand_over_and_release(desk: Desk) -> None:
    case = opened(desk)
    desk.act(case, Act.CLAIM, "ann", now=T0)
    with pytest.raises(CaseError, match="somebody else"):
        desk.act(case, Act.HAND_OVER, "ann", to="ann", now=T0)
    assert desk.act(case, Act.HAND_OVER, "ann", to="bob", now=T0).holder == "bob"
    assert desk.store.history(case)[-1].to == "bob"
    back = desk.act(case, Act.RELEASE, "bob", now=T0)
    assert (back.state, back.holder, back.due_at) == (State.OPEN, "", T0 + 5 * MINUTE)


def test_a_snoozed_case_returns_by_itself_or_when_something_new_happens(desk: Desk) -> None:
    case = opened(desk)
    desk.act(case, Act.CLAIM, "ann", now=T0)
    with pytest.raises(CaseError, match="still to come"):
        desk.act(case, Act.SNOOZE, "ann", "later", until=T0, now=T0)
    desk.act(case, Act.SNOOZE, "ann", "the stream is paused", until=T0 + 30 * MINUTE, now=T0)
    assert desk.sweep(T0 + 30 * MINUTE - 1) == []
    assert [step.act for step in desk.sweep(T0 + 30 * MINUTE)] == ["return"]
    assert desk.find(case).state is State.OPEN
    desk.act(case, Act.CLAIM, "ann", now=T0)
    desk.act(case, Act.SNOOZE, "ann", "the stream is paused", until=T0 + 30 * MINUTE, now=T0)
    later = found(1).__class__("mysite", "b1", "v1", "e2", 2, T0, Level.URGENT)
    assert desk.decide(later, now=T0 + 1).state is State.OPEN


def test_who_escalates_cannot_approve(desk: Desk) -> None:
    case = escalated(desk)
    with pytest.raises(CaseError, match="a second person has to approve"):
        desk.act(case, Act.APPROVE, "ann", "I am sure", now=T0)
    with pytest.raises(CaseError, match="`file` cannot be done"):
        desk.act(case, Act.FILE, "ann", "done", reference="NCMEC 1", now=T0)
    approved = desk.act(case, Act.APPROVE, "bob", "agreed", now=T0)
    assert (approved.escalated_by, approved.approved_by) == ("ann", "bob")
    with pytest.raises(CaseError, match="reference"):
        desk.act(case, Act.FILE, "bob", "done", now=T0)
    filed = desk.act(case, Act.FILE, "bob", "done", reference="NCMEC 1", now=T0)
    assert (filed.state, filed.report, filed.due_at, filed.alarm) == (State.FILED, "NCMEC 1", 0, 0)
    later = found(1).__class__("mysite", "b1", "v1", "e2", 2, T0, Level.URGENT)
    assert desk.decide(later, now=T0 + 1).state is State.OPEN, "something new after the report is work again"


@pytest.mark.parametrize("act", [Act.NOTE, Act.ESCALATE, Act.CLOSE, Act.SNOOZE, Act.APPROVE, Act.REFUSE])
def test_what_needs_a_reason_is_not_done_without(desk: Desk, act: Act) -> None:
    case = escalated(desk) if act in (Act.APPROVE, Act.REFUSE) else opened(desk)
    if act not in (Act.APPROVE, Act.REFUSE):
        desk.act(case, Act.CLAIM, "ann", now=T0)
    with pytest.raises(CaseError, match="needs a reason"):
        desk.act(case, act, "bob" if act in (Act.APPROVE, Act.REFUSE) else "ann", " ", until=T0 * 2, now=T0)
    with pytest.raises(CaseError, match="a name is needed"):
        desk.act(case, Act.NOTE, " ", "a note", now=T0)


def test_a_refused_escalation_waits_for_somebody_to_go_on_with_it(desk: Desk) -> None:
    case = escalated(desk)
    refused = desk.act(case, Act.REFUSE, "bob", "not enough", now=T0)
    assert (refused.state, refused.reason, refused.queued) == (State.REFUSED, "not enough", True)
    assert [step.act for step in desk.sweep(T0 + 5 * MINUTE)] == ["alarm"]
    assert desk.act(case, Act.CLAIM, "cid", now=T0 + 6 * MINUTE).alarm == 0


def test_an_escalation_that_is_neither_approved_nor_filed_in_time_is_alarming_until_it_is(desk: Desk) -> None:
    case = escalated(desk)
    assert desk.sweep(T0 + 60 * MINUTE - 1) == []
    assert [step.act for step in desk.sweep(T0 + 60 * MINUTE)] == ["alarm"]
    assert desk.sweep(T0 + 61 * MINUTE) == [], "once"
    assert desk.act(case, Act.APPROVE, "bob", "agreed", now=T0 + 61 * MINUTE).alarm == 0
    desk.sweep(T0 + 302 * MINUTE)
    late = desk.find(case)
    assert late.alarm and late.state is State.APPROVED
    assert desk.act(case, Act.FILE, "bob", "done", reference="1", now=T0 + 303 * MINUTE).alarm == 0


def test_the_first_look_ends_the_wait_and_is_counted_once(desk: Desk) -> None:
    case = opened(desk)
    desk.view(case, "ann", now=T0 + 2 * MINUTE)
    desk.view(case, "bob", now=T0 + 3 * MINUTE)
    desk.act(case, Act.CLAIM, "bob", now=T0 + 4 * MINUTE)
    other = opened(desk, 2)
    desk.act(other, Act.CLAIM, "bob", now=T0 + 10 * MINUTE)
    opened(desk, 3)
    found_levels = queue.service(desk, now=T0 + 12 * MINUTE)
    (day,) = found_levels.days
    assert (day.looks, day.median_s, day.worst_s, day.within) == (2, 360.0, 600.0, 0.5)
    assert (found_levels.target_s, found_levels.waiting, found_levels.longest_s) == (300, 1, 720.0)


def test_a_case_that_was_looked_at_and_left_raises_an_alarm_too(desk: Desk) -> None:
    case = opened(desk)
    desk.view(case, "ann", now=T0 + MINUTE)
    desk.view(case, "ann", now=T0 + 4 * MINUTE)
    assert desk.sweep(T0 + 6 * MINUTE - 1) == []
    assert [step.case for step in desk.sweep(T0 + 6 * MINUTE)] == [case]


def test_every_look_is_a_step_and_a_page_names_nobody(desk: Desk) -> None:
    case = opened(desk, viewer="the-viewer", host="the-host")
    desk.view(case, "ann", "first look", now=T0)
    (listed,) = desk.page("bob", now=T0)
    steps = [
        desk.store.connection.execute("SELECT body FROM steps WHERE seq = ?", (seq,)).fetchone()[0] for seq in (2, 3)
    ]
    assert b'"act":"view","by":"ann","why":"first look"' in steps[0]
    assert b'"act":"list","by":"bob","why":"1 cases, queue"' in steps[1]
    line = str(queue.line_of(listed))
    assert not any(name in line for name in ("the-host", "the-viewer", "'b1'", "'e1'"))


def test_no_step_of_the_history_holds_a_name_of_host_viewer_or_broadcast(desk: Desk) -> None:
    case = desk.decide(found(1, viewer="the-viewer", host="the-host"), now=T0)
    desk.act(case.id, Act.CLAIM, "ann", now=T0)
    for (body,) in desk.store.connection.execute("SELECT body FROM steps"):
        assert b"the-viewer" not in body and b"the-host" not in body and b'"b1"' not in body


def test_the_queue_shows_alarms_first_then_the_gravest_then_who_waits_longest_page_by_page(desk: Desk) -> None:
    for number in range(1, 8):
        level = Level.EMERGENCY if number in (3, 5) else Level.URGENT
        desk.decide(found(number, level), now=T0 + number)
    first = desk.find(desk.case_id("mysite", "b7", "v1"))
    desk.store.put(first.__class__(**{name: getattr(first, name) for name in first.__struct_fields__} | {"alarm": T0}))
    seen: list[str] = []
    place = (-1, "")
    while page := desk.page("ann", after=place, limit=3):
        seen += [case.broadcast for case in page]
        place = (page[-1].rank, page[-1].id)
    assert seen == ["b7", "b3", "b5", "b1", "b2", "b4", "b6"]


def test_a_verdict_becomes_the_wire_event_that_teaches(desk: Desk) -> None:
    case = opened(desk)
    desk.act(case, Act.CLAIM, "ann", now=T0)
    with pytest.raises(CaseError, match="is not known"):
        desk.act(case, Act.VERDICT, "ann", "x", outcome="bad", now=T0)
    desk.act(case, Act.VERDICT, "ann", "pressure", outcome="harmful", tactics=(Tactic.SECRECY,), now=T0)
    desk.act(case, Act.CLOSE, "ann", "after all a joke", outcome="benign", now=T0)
    events = [decode_event(row[0]) for row in desk.store.connection.execute("SELECT body FROM outgoing ORDER BY id")]
    assert all(isinstance(event, Verdict) for event in events)
    values = [(e.outcome, e.decision, e.subject, e.case, e.tactics) for e in events if isinstance(e, Verdict)]
    assert values == [("harmful", "e1", "v1", case, (Tactic.SECRECY,)), ("benign", "e1", "v1", case, ())]


def test_related_cases_share_the_viewer_or_the_words_however_disguised(desk: Desk) -> None:
    secret = desk.store.secret()
    words = phrase_of(secret, "are your parents home right now")
    assert words == phrase_of(secret, "ARE  y0ur p4rents home, right now?!") != ""
    assert phrase_of(secret, "hi there") == ""
    assert phrase_of(bytes(32), "are your parents home right now") != words
    one = desk.decide(found(1, phrase=words), now=T0)
    desk.decide(found(2, viewer="v2", phrase=words), now=T0 + 1)
    desk.decide(found(3, phrase=words), now=T0 + 2)
    desk.decide(found(4, viewer="v4"), now=T0 + 3)
    assert [(case.opened_at - T0, case.why) for case in related(desk, one)] == [
        (2, "the same viewer and the same words"),
        (1, "the same words"),
    ]


def test_an_unknown_or_short_id_is_refused_with_what_to_do(desk: Desk) -> None:
    case = opened(desk)
    assert desk.find(case[:4]).id == case
    for wrong in ("", case[:3], "zzzz", "%%%%", "0" * 16):
        with pytest.raises(CaseError, match="no case"):
            desk.find(wrong)
