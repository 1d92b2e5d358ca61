"""The running service opens cases by itself, seals the evidence, and passes verdicts on to the journal."""

from __future__ import annotations

import subprocess
from pathlib import Path

import httpx
from cases_support import PRESSING

from support import UPSTANDER, Served, assert_whole, bearer, comment, entries, make_key, serve, started, until
from upstander.cases.desk import Desk
from upstander.cases.states import Act
from upstander.cases.store import Store
from upstander.journal.entries import Kind
from upstander.model.events import Verdict
from upstander.model.wire import decode_event

TOML = "[cases]\nenabled = true\n"


def upstander(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(UPSTANDER), *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def press(served: Served, key: str) -> None:
    events = [started()] + [comment(f"c{number}", text) for number, text in enumerate(PRESSING)]
    answer = httpx.post(f"{served.url}/v1/events", json=events, headers=bearer(key), timeout=30)
    assert answer.json()["accepted"] == len(events)


def verdicts(served: Served) -> list[Verdict]:
    found = [decode_event(p.entry.body) for p in entries(served.journal) if p.entry.kind is Kind.EVENT]
    return [event for event in found if isinstance(event, Verdict)]


def test_a_case_is_there_after_an_urgent_decision_and_a_verdict_reaches_the_journal(tmp_path: Path) -> None:
    key = make_key(tmp_path / "data")
    assert upstander("vault", "init", "--data", "data", cwd=tmp_path).returncode == 0
    with serve(tmp_path, TOML) as served:
        press(served, key)
        desk = until(
            lambda: (tmp_path / "data" / "cases.sqlite3").exists() and Desk(Store(served.data / "cases.sqlite3"))
        )
        (case,) = until(lambda: desk.store.select("queued = 1"), "a case")
        head = entries(served.journal)[-1].seq
        sql = "SELECT max(seq) FROM positions WHERE name = 'journal'"
        until(lambda: (desk.store.connection.execute(sql).fetchone()[0] or 0) >= head, "the follower")
        desk.act(case.id, Act.CLAIM, "ann")
        desk.act(case.id, Act.CLOSE, "ann", "pressure on a child", outcome="harmful")
        (verdict,) = until(lambda: verdicts(served), "the verdict")
        assert (verdict.actor, verdict.outcome, verdict.case) == ("ann", "harmful", case.id)
        until(lambda: desk.store.connection.execute("SELECT sent FROM outgoing").fetchone()[0])
        desk.store.close()
        served.stop()
    assert_whole(served.journal)
    for command in (("cases", "verify"), ("vault", "verify")):
        done = upstander(*command, "--data", "data", cwd=tmp_path)
        assert done.returncode == 0, done.stdout
    with serve(tmp_path, TOML) as served:  # nothing is taken up again
        served.stop()
    desk = Desk(Store(tmp_path / "data" / "cases.sqlite3"))
    assert [case.state for case in desk.store.select("1")] == ["closed"]


def test_enabled_without_a_vault_says_how_to_make_one(tmp_path: Path) -> None:
    (tmp_path / "upstander.toml").write_text(f'data = "data"\n{TOML}')
    done = upstander("serve", "--port", "0", cwd=tmp_path)
    assert done.returncode == 2 and "upstander vault init" in done.stderr
