"""``upstander nudge``: check, card, places, preview."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support import UPSTANDER
from upstander.nudge.cards import shipped


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [UPSTANDER, "nudge", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=cwd)


def test_check_passes_and_says_how_hard_the_cards_are_to_read() -> None:
    done = run("check", "--today", "2026-11-25")
    assert done.returncode == 0, done.stdout
    assert f"{len(shipped().sheets)} card files, 0 faults." in done.stdout
    assert "Flesch-Kincaid grade" in done.stdout
    assert "places of help are not verified" in done.stdout
    answer = json.loads(run("check", "--today", "2026-11-25", "--json").stdout)
    assert answer["faults"] == []
    assert {row["language"] for row in answer["reading"]} == set(shipped().languages)
    youngest = next(row for row in answer["reading"] if (row["language"], row["band"]) == ("en", "under_10"))
    assert youngest["hardest"] <= 3


def test_check_fails_when_a_review_has_run_out() -> None:
    done = run("check", "--today", "2028-01-01")
    assert done.returncode == 1
    assert "review_by 2027-11-24 is past" in done.stdout


def test_a_card_as_the_platform_gets_it() -> None:
    card = json.loads(run("card", "threat", "--band", "under_10", "--language", "es", "--country", "ES").stdout)
    assert (card["topic"], card["band"], card["language"], card["urgent"]) == ("threat", "under_10", "es", True)
    assert json.loads(run("card", "dare", "--language", "de").stdout)["topic"] == "general"
    wrong = run("card", "threat", "--language", "xx")
    assert wrong.returncode == 2
    assert "no cards in 'xx'" in wrong.stderr


def test_places_of_help() -> None:
    listed = run("places", "GB").stdout
    assert "0800 1111" in listed
    assert "not verified from here" in listed
    assert "1-800" not in listed
    assert "1-800" in run("places").stdout
    wrong = run("places", "UK")
    assert wrong.returncode == 2
    assert "GB" in wrong.stderr


@pytest.mark.parametrize("name", ["nudges.html", "no/such/folder/nudges.html"])
def test_preview_writes_one_page(tmp_path: Path, name: str) -> None:
    done = run("preview", "--out", name, "--country", "GB", cwd=tmp_path)
    if "folder" in name:
        assert done.returncode == 2
        assert "--out" in done.stderr
        return
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert (tmp_path / name).as_uri() in done.stdout
    assert "0800 1111" in text
    for mark in ("/*style*/", "/*data*/", "/*component*/", "/*script*/", "src=", "@import"):
        assert mark not in text


def test_the_table_in_the_documentation_is_current() -> None:
    page = (Path(__file__).parents[2] / "docs" / "nudges.md").read_text(encoding="utf-8")
    for row in json.loads(run("check", "--json").stdout)["reading"]:
        assert f"| {' | '.join(str(value) for value in row.values())} |" in page, "run `upstander nudge check`"
    texts = sum(len(sheet.texts) for sheet in shipped().sheets.values())
    assert f"{len(shipped().sheets)} files and {texts} texts" in " ".join(page.split())
