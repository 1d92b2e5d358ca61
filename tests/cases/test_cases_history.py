"""Whatever is changed in the history or in the rows is found and named, and the vault's anchors hold its end."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from cases_support import T0, found, new_desk
from hypothesis import given, settings
from hypothesis import strategies as st

from upstander.cases.check import ANCHOR, check
from upstander.cases.states import Act
from upstander.cases.store import FIELDS, Store


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("history")
    desk = new_desk(folder)
    for number in range(1, 4):
        case = desk.decide(found(number), now=T0).id
        desk.view(case, "ann", "first look", now=T0)
        desk.act(case, Act.CLAIM, "ann", now=T0)
    desk.act(case, Act.CLOSE, "ann", "a joke", outcome="benign", now=T0)
    desk.page("bob", now=T0)
    desk.store.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    desk.store.close()
    return folder


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("worked")


def copy(whole: Path, worked: Path) -> sqlite3.Connection:
    for path in worked.glob("cases*"):
        path.unlink()
    shutil.copy(whole / "cases.sqlite3", worked / "cases.sqlite3")
    connection = sqlite3.connect(worked / "cases.sqlite3")
    connection.executescript("DROP TRIGGER steps_keep_update; DROP TRIGGER steps_keep_delete;")
    return connection


def findings(folder: Path, anchors: list[tuple[str, int, str]] | None = None) -> list[str]:
    store = Store(folder / "cases.sqlite3")
    result = check(store, anchors or [])
    store.close()
    return result.findings


def flipped(data: bytes, at: int, bit: int) -> bytes:
    changed = bytearray(data)
    changed[at % len(changed)] ^= 1 << bit
    return bytes(changed)


def test_a_whole_history_is_found_whole(whole: Path) -> None:
    assert findings(whole) == []


@settings(max_examples=120, deadline=None)
@given(seq=st.integers(1, 11), at=st.integers(0, 10**4), bit=st.integers(0, 7))
def test_any_flipped_byte_of_any_step_but_the_last_is_found_and_the_step_named(
    whole: Path, worked: Path, seq: int, at: int, bit: int
) -> None:
    connection = copy(whole, worked)
    body = connection.execute("SELECT body FROM steps WHERE seq = ?", (seq,)).fetchone()[0]
    last = connection.execute("SELECT max(seq) FROM steps").fetchone()[0]
    with connection:
        connection.execute("UPDATE steps SET body = ? WHERE seq = ?", (flipped(body, at, bit), seq))
    connection.close()
    anchors = [(ANCHOR, last, last_hash(whole))]
    wrong = findings(worked, anchors)
    assert wrong, seq
    assert any(f"step {seq}" in each or f"step {seq + 1}" in each or each.startswith("case ") for each in wrong)


def last_hash(folder: Path) -> str:
    store = Store(folder / "cases.sqlite3")
    digest = store.last()[1]
    store.close()
    return digest


@settings(max_examples=100, deadline=None)
@given(row=st.integers(0, 2), name=st.sampled_from(FIELDS), at=st.integers(0, 100), bit=st.integers(0, 6))
def test_any_change_of_a_cases_row_is_found_and_the_case_named(
    whole: Path, worked: Path, row: int, name: str, at: int, bit: int
) -> None:
    connection = copy(whole, worked)
    cases = connection.execute(f"SELECT id, {name} FROM cases ORDER BY id").fetchall()
    case, before = cases[row]
    after: Any = "x"
    if isinstance(before, int):
        after = before ^ (1 << (at % 40))
    elif isinstance(before, float):
        after = before + 1.5
    elif before:
        after = flipped(before.encode(), at, bit).decode("ascii", "replace")
    with connection:
        connection.execute(f"UPDATE cases SET {name} = ? WHERE id = ?", (after, case))
    connection.close()
    if name in ("event",):
        assert findings(worked) == [], "a name that the history does not hold, and that nothing rests on"
        return
    assert findings(worked), (name, before, after)


def test_steps_cut_off_or_rewritten_at_the_end_show_against_the_anchor(whole: Path, worked: Path) -> None:
    connection = copy(whole, worked)
    last = connection.execute("SELECT max(seq) FROM steps").fetchone()[0]
    anchors = [(ANCHOR, last, last_hash(whole))]
    assert findings(whole, anchors) == []
    with connection:
        connection.execute("DELETE FROM steps WHERE seq = ?", (last,))
    connection.close()
    assert findings(worked) == [], "a look that is cut off shows only against an anchor"
    assert "its end is gone" in findings(worked, anchors)[0]
    desk = new_desk(worked)
    desk.page("eve", now=T0)
    desk.store.close()
    assert "it was rewritten" in findings(worked, anchors)[0]


def test_the_history_only_grows(whole: Path) -> None:
    store = Store(whole / "cases.sqlite3")
    for sql in ("DELETE FROM steps", "UPDATE steps SET body = x'00'"):
        with pytest.raises(sqlite3.IntegrityError, match="only grows"):
            store.connection.execute(sql)
    store.close()
