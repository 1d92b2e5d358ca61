"""Rows of the outbox: which transitions are legal, what an adapter comes nearest to, and what nobody can do."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import Recorder
from upstander.adapters.base import NEAREST, Capability, nearest
from upstander.journal import store
from upstander.model.decision import Asked
from upstander.model.vocabulary import HUMAN_ONLY, REVERSE, Intervention
from upstander.outbox import actions
from upstander.outbox.actions import FOLLOWS, State

I = Intervention  # noqa: E741
C = Capability


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = store.open_store(tmp_path / "journal.sqlite")
    yield connection
    connection.close()


def run(connection: sqlite3.Connection, statements: list[store.Statement]) -> None:
    store.write(connection, (0, b""), [], statements)


def ask(connection: sqlite3.Connection, *asked: Asked, adapters: tuple[Recorder, ...], **named: object) -> None:
    serving = {"mysite": adapters} if adapters else {}
    run(connection, actions.statements(serving, "mysite", "b1", "e1", "urgent", asked, 1_000, **named))  # type: ignore[arg-type]


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_only_the_legal_transitions_exist(journal: sqlite3.Connection, before: State, after: State) -> None:
    ask(journal, Asked(I.PAUSE), adapters=(Recorder(),))
    (row,) = actions.open_actions(journal)
    journal.execute("UPDATE outbox SET state = ?", (before,))
    if after not in FOLLOWS[before]:
        with pytest.raises(ValueError, match=f"from {before} to {after}"):
            actions.transition(row.action.id, before, after, 2_000)
        return
    run(journal, actions.transition(row.action.id, before, after, 2_000, "why", 3_000, attempt=True))
    (moved,) = actions.list_actions(journal, None, 10)
    assert (moved.state, moved.note, moved.next_at, moved.attempts) == (after, "why", 3_000, 1)
    assert actions.history(journal, row.action.id) == [(1_000, "pending", ""), (2_000, after, "why")]


def test_final_states_are_final() -> None:
    for state in (State.ACKNOWLEDGED, State.FAILED, State.EXPIRED):
        assert FOLLOWS[state] == frozenset()
    assert State.ACKNOWLEDGED not in FOLLOWS[State.PENDING], "nothing is acknowledged that was not sent"


def test_a_transition_from_another_state_changes_nothing(journal: sqlite3.Connection) -> None:
    ask(journal, Asked(I.PAUSE), adapters=(Recorder(),))
    (row,) = actions.open_actions(journal)
    run(journal, actions.transition(row.action.id, State.SENT, State.ACKNOWLEDGED, 2_000))
    assert actions.open_actions(journal) == [row]
    assert len(actions.history(journal, row.action.id)) == 1


def test_asking_twice_is_asking_once(journal: sqlite3.Connection) -> None:
    for _ in range(2):
        ask(journal, Asked(I.PAUSE), adapters=(Recorder(),))
    (row,) = actions.open_actions(journal)
    assert len(actions.history(journal, row.action.id)) == 1


def test_every_intervention_has_an_entry_and_every_capability_a_use() -> None:
    assert set(NEAREST) == set(Intervention) == set(REVERSE)
    assert {capability for options in NEAREST.values() for capability, _ in options} == set(Capability) - {C.PRE_HOLD}
    for intervention, options in NEAREST.items():
        assert options, intervention
        for _, doing in options:
            assert doing in set(Intervention)


def test_the_nearest_thing() -> None:
    assert nearest(I.HOLD_COMMENT, frozenset(C)) == "hold_comment"
    assert nearest(I.HOLD_COMMENT, frozenset({C.POST_DELETE})) == "delete_comment"
    assert nearest(I.DELETE_COMMENT, frozenset({C.PLATFORM_HOLD})) == "hold_comment"
    assert nearest(I.MUTE_VIEWER, frozenset({C.SLOW_MODE})) == "slow_mode"
    assert nearest(I.UNMUTE_VIEWER, frozenset({C.SLOW_MODE})) == "slow_mode_off"
    assert nearest(I.END, frozenset({C.PAUSE})) == "pause"
    assert nearest(I.PAUSE, frozenset()) is None


def test_the_machine_never_ends_a_broadcast() -> None:
    assert frozenset({I.END}) == HUMAN_ONLY
    for count in (1, 2, 3):
        for capabilities in itertools.combinations(C, count):
            for intervention in set(I) - HUMAN_ONLY:
                assert nearest(intervention, frozenset(capabilities)) != "end"
    assert nearest(I.PAUSE, frozenset(set(C) - {C.PAUSE})) is None


def test_what_no_adapter_can_do_is_failed_with_its_reason(journal: sqlite3.Connection) -> None:
    ask(journal, Asked(I.PAUSE), Asked(I.MUTE_VIEWER, "v1"), adapters=(Recorder("deletes", [C.POST_DELETE]),))
    rows = actions.list_actions(journal, "failed", 10)
    assert {row.note for row in rows} == {
        "no adapter of this platform can pause", "no adapter of this platform can mute viewer"
    }  # fmt: skip
    assert actions.open_actions(journal) == []


def test_without_an_adapter_only_orders_are_recorded(journal: sqlite3.Connection) -> None:
    ask(journal, Asked(I.PAUSE), adapters=())
    assert actions.list_actions(journal, None, 10) == []
    assert actions.stream_state(journal, "mysite", "b1") == "paused"
    ask(journal, Asked(I.RESUME), adapters=(), ordered=True)
    (row,) = actions.list_actions(journal, None, 10)
    assert (row.state, row.note) == (State.FAILED, "no adapter of this platform can resume")


def test_a_hold_that_was_the_answer_is_not_sent_as_well(journal: sqlite3.Connection) -> None:
    ask(journal, Asked(I.HOLD_COMMENT, "e1"), Asked(I.PAUSE), adapters=(Recorder(),), inline=True)
    states = {row.action.asked: (row.state, row.action.adapter) for row in actions.list_actions(journal, None, 10)}
    assert states == {"hold_comment": (State.ACKNOWLEDGED, "hold"), "pause": (State.PENDING, "recorder")}


def test_the_best_adapter_of_several_is_chosen(journal: sqlite3.Connection) -> None:
    adapters = (Recorder("deletes", [C.POST_DELETE]), Recorder("holds", [C.PLATFORM_HOLD]))
    ask(journal, Asked(I.HOLD_COMMENT, "e1"), Asked(I.DELETE_COMMENT, "e2"), adapters=adapters)
    chosen = {row.action.asked: (row.action.adapter, row.action.doing) for row in actions.open_actions(journal)}
    assert chosen == {"hold_comment": ("holds", "hold_comment"), "delete_comment": ("deletes", "delete_comment")}


def test_broadcasts_to_pass_over_are_not_due(journal: sqlite3.Connection) -> None:
    serving = {"mysite": [Recorder()]}
    for n, broadcast in enumerate(("b'1", 'b"2', "b\x003", "b4")):
        sql = actions.statements(serving, "mysite", broadcast, "e1", "", [Asked(I.PAUSE)], 1_000 + n)
        run(journal, sql)
    due = actions.due_actions(journal, "recorder", 1_002, ["stream b'1", 'stream b"2'])
    assert [row.action.broadcast for row in due] == ["b\x003"]
    assert actions.due_actions(journal, "another", 9_999, []) == []


def test_what_is_taken_back_before_it_was_sent_is_not_sent(journal: sqlite3.Connection) -> None:
    serving = {"mysite": [Recorder()]}
    run(journal, actions.statements(serving, "mysite", "b", "e1", "", [Asked(I.PAUSE), Asked(I.NUDGE_HOST)], 1_000))
    run(journal, actions.statements(serving, "mysite", "c", "e1", "", [Asked(I.PAUSE)], 1_000))
    run(journal, actions.statements(serving, "mysite", "b", "o1", "", [Asked(I.RESUME)], 2_000, ordered=True))
    states = {(r.action.broadcast, r.action.asked): r.state for r in actions.list_actions(journal, None, 10)}
    assert states == {("b", "pause"): "expired", ("b", "nudge_host"): "pending", ("b", "resume"): "pending",
                      ("c", "pause"): "pending"}  # fmt: skip
    taken = actions.list_actions(journal, "expired", 10)[0]
    assert taken.note == "taken back by resume before it was sent"
    assert [state for _, state, _ in actions.history(journal, taken.action.id)] == ["pending", "expired"]
    assert actions.counts(journal)["pending"] == 3
    assert actions.counts(journal)["expired"] == 1
