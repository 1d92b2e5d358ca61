"""``upstander cases``: a case from the journal to filed, by two people, on the command line."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cases_support import Recorded, settings_in

from support import UPSTANDER


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(UPSTANDER), *arguments, "--data", str(folder / "data")]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def cases(folder: Path, *arguments: str) -> str:
    done = run(folder, "cases", *arguments)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def refused(folder: Path, *arguments: str) -> str:
    done = run(folder, "cases", *arguments)
    assert done.returncode == 2, done.stdout
    return done.stderr


def as_json(folder: Path, *arguments: str) -> Any:
    return json.loads(cases(folder, *arguments, "--json"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with a journal in which two broadcasts went badly, followed."""
    recorded = Recorded(settings_in(tmp_path).journal_path)
    recorded.broadcast("b1")
    recorded.broadcast("b2", "v2")
    recorded.close()
    assert run(tmp_path, "vault", "init").returncode == 0
    assert as_json(tmp_path, "follow")["decisions"] == recorded.grave
    return tmp_path


def test_the_way_of_a_case_from_the_queue_to_filed_by_two_people(folder: Path) -> None:
    page = as_json(folder, "list", "--by", "ann")
    assert page["counts"]["open"] == 2
    case = page["cases"][0]["id"]
    text = cases(folder, "list")
    assert not any(name in text for name in ("host-", " b1", " v1")), "a page names nobody"
    shown = as_json(folder, "show", case[:6], "--by", "ann", "--why", "first look")
    assert shown["case"]["host"] in ("host-b1", "host-b2") and shown["history"][0]["act"] == "decide"
    claimed = as_json(folder, "claim", case, "--by", "ann")
    assert (claimed["state"], claimed["holder"]) == ("claimed", "ann") and "host" not in claimed
    assert "ann's for" in refused(folder, "claim", case, "--by", "bob")
    cases(folder, "note", case, "--by", "ann", "--why", "the host has left")
    cases(folder, "verdict", case, "--by", "ann", "--why", "pressure", "--outcome", "harmful", "--tactic", "secrecy")
    cases(folder, "escalate", case, "--by", "ann", "--why", "report this person")
    assert "a second person" in refused(folder, "approve", case, "--by", "ann", "--why", "yes")
    cases(folder, "approve", case, "--by", "bob", "--why", "agreed")
    assert (
        as_json(folder, "file", case, "--by", "bob", "--why", "sent", "--reference", "NCMEC 7")["report"] == "NCMEC 7"
    )
    text = cases(folder, "show", case, "--by", "ann")
    assert "file NCMEC 7 -> filed, by bob: sent" in text
    assert as_json(folder, "related", case)[0]["why"] == "the same words"
    assert as_json(folder, "levels")["days"][0]["looks"] == 1
    assert as_json(folder, "verify")["ok"] and as_json(folder, "list")["counts"]["filed"] == 1


def test_many_at_once_with_preview_and_undo(folder: Path) -> None:
    ids = [case["id"] for case in as_json(folder, "list")["cases"]]
    shown = as_json(folder, "bulk", "claim", *ids, "--by", "ann")
    assert [effect["becomes"] for effect in shown["effects"]] == ["claimed", "claimed"]
    assert as_json(folder, "list")["counts"]["claimed"] == 0
    as_json(folder, "bulk", "claim", *ids, "--by", "ann", "--do", shown["token"])
    shown = as_json(folder, "bulk", "snooze", *ids, "--by", "ann", "--why", "paused", "--minutes", "30")
    given = ("--by", "ann", "--why", "paused", "--until", str(shown["until"]), "--do", shown["token"])
    batch = as_json(folder, "bulk", "snooze", *ids, *given)
    assert as_json(folder, "list")["counts"]["snoozed"] == 2
    assert len(as_json(folder, "undo", batch["id"], "--why", "wrong ones")["restored"]) == 2
    assert as_json(folder, "list")["counts"]["claimed"] == 2


def test_a_person_opens_a_case_about_an_event(folder: Path) -> None:
    assert "nothing was decided" in refused(folder, "open", "nothing", "--why", "odd")
    opened = as_json(folder, "open", "c1", "--broadcast", "b1", "--by", "ann", "--why", "it looks odd")
    assert opened["state"] == "open"
    steps = as_json(folder, "show", opened["id"])["history"]
    assert [(step["act"], step["by"]) for step in steps][-2:][0] == ("ask", "ann")


def test_mistakes_are_one_line_with_what_to_do(folder: Path, tmp_path: Path) -> None:
    assert "see `upstander cases list`" in refused(folder, "show", "0000")
    assert "no place" in refused(folder, "list", "--after", "nonsense")
    assert "no journal" in refused(tmp_path / "elsewhere", "follow")
    case = as_json(folder, "list")["cases"][0]["id"]
    assert "`close` cannot be done. What can: " in refused(folder, "close", case, "--why", "x")
