"""``upstander evaluate corpus`` as it is used: text, JSON, a page, errors in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from corpus_support import (
    CHILD,
    PREDATOR,
    benign_broadcast,
    chat,
    comment,
    datapack,
    harmful_broadcast,
    message,
    pan12,
    started,
    wire,
)

from support import UPSTANDER
from upstander.cli import group
from upstander.evaluate import figures


def run(*arguments: object) -> Result:
    return CliRunner().invoke(group, ["evaluate", "corpus", *map(str, arguments)])


def results(*arguments: object) -> dict[str, Any]:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def point(found: dict[str, Any], name: str) -> dict[str, Any]:
    (one,) = [one for one in found["points"] if one["name"] == name]
    return dict(one)


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Three harmful broadcasts and twelve benign hours."""
    events = [event for n in range(3) for event in harmful_broadcast(f"h{n}", language="en")]
    events += [event for n in range(6) for event in benign_broadcast(f"b{n}", 2.0, language="en")]
    file = tmp_path / "labelled.jsonl"
    file.write_bytes(wire(*events))
    return file


def test_json_has_everything_under_stable_names(labelled: Path) -> None:
    found = results(labelled)
    assert list(found) == ["data", "points", "load", "calibration", "slices", "tactics", "limits"]
    assert [p["name"] for p in found["points"]] == [
        "notice", "concern", "urgent", "emergency", "at 0.01/h", "at 0.1/h", "at 1/h",
    ]  # fmt: skip
    data = found["data"]
    assert (data["harmful"], data["benign"], data["unlabelled"], data["benign_hours"]) == (3, 6, 0, 12.0)
    assert data["formats"] == ["wire"]
    assert point(found, "at 0.01/h")["unavailable"].startswith("not measurable with 12.0 benign hours")
    notice = point(found, "notice")
    assert (notice["found"], notice["harmful"], notice["alarms"], notice["benign"]) == (3, 3, 0, 24)
    assert notice["delay_messages"] == {"n": 3, "median": 1.0, "p90": 1.0}


def test_text_says_the_same_and_its_limits(labelled: Path) -> None:
    result = run(labelled)
    assert result.exit_code == 0
    text = " ".join(result.stdout.split())
    for part in (
        "3 harmful, 24 benign",
        "at 0.01/h: not measurable with 12.0 benign hours; it takes 100",
        "F-latency",
        "ERDE",
        "Limits",
        "The smallest false-alarm rate that so many hours can show is 0.0833 an hour.",
    ):
        assert part in text


def test_html_is_written_beside_the_tables(labelled: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = tmp_path / "report.html"
    result = run(labelled, "--html", page)
    assert result.exit_code == 0, result.output
    assert "Recall and false alarms" in result.stdout
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    late = run(labelled, "--html", tmp_path / "nowhere" / "report.html")
    assert late.exit_code == 2
    assert "the folder does not exist" in late.stderr


def test_html_without_its_extra_fails_before_the_work(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setattr("upstander.cli.evaluate_corpus.trace_all", lambda *_: pytest.fail("the work was done"))
    result = run(labelled, "--html", "report.html")
    assert result.exit_code == 2
    assert "upstander[evaluate]" in result.stderr
    assert figures.COLOURS


def test_pan12_with_its_list_of_predators(tmp_path: Path) -> None:
    pytest.importorskip("defusedxml")
    file, predators = tmp_path / "pan.xml", tmp_path / "predators.txt"
    harmful = [
        (PREDATOR, "23:59", "are your parents home"),
        (CHILD, "00:01", "no"),
        (PREDATOR, "00:02", "dont tell your mom about me"),
    ]
    file.write_bytes(pan12(("c1", harmful), ("c2", [("a", "10:00", "my build fails"), ("b", "10:20", "try again")])))  # type: ignore[arg-type]
    predators.write_text(PREDATOR + "\n")
    found = results(file, "--predators", predators)
    assert found["data"]["formats"] == ["pan12"]
    assert (found["data"]["harmful_pairs"], found["data"]["benign_pairs"], found["data"]["dialogues"]) == (1, 1, 2)
    assert point(found, "notice")["found"] == 1
    assert any("to the minute" in limit for limit in found["limits"])
    without = run(file)
    assert without.exit_code == 2
    assert "--predators" in without.stderr


def test_panc_in_both_forms_and_several_files_at_once(tmp_path: Path) -> None:
    pack, table = tmp_path / "pack.json", tmp_path / "table.csv"
    pack.write_bytes(
        datapack(
            c=chat("predator", message("k", "hi", predator=False), message("p", "are your parents home", predator=True))
        )
    )
    table.write_text('"label","chatName","segment"\n"non-predator","n","nice game gg"\n', encoding="utf-8")
    found = results(pack, table)
    assert (found["data"]["harmful"], found["data"]["benign"]) == (1, 1)
    assert point(found, "notice")["found"] == 1
    assert any("made up" in limit for limit in found["limits"]) == (found["data"]["benign_hours"] > 0)


def test_limit_band_and_unlabelled_broadcasts(tmp_path: Path) -> None:
    file = tmp_path / "chat.jsonl"
    talk = [
        event
        for n in range(3)
        for event in (started(f"b{n}", host_age_band="unknown"), comment(f"b{n}", 1, "v", "gg", 3600))
    ]
    file.write_bytes(wire(*talk))
    assert results(file, "--limit", 2)["data"]["unlabelled"] == 2
    assumed = results(file, "--assume-benign", "--host-age-band", "adult")
    assert (assumed["data"]["benign"], assumed["data"]["host_age_band"]) == (3, "adult")


def test_what_was_left_out_is_named_counted_and_makes_the_status_1(labelled: Path) -> None:
    with labelled.open("ab") as file:
        file.write(b"garbage\n" * 12)
    result = run(labelled, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["data"]["left_out"] == 12
    assert result.stderr.count("this is not JSON") == 10
    assert "2 more like these" in result.stderr


@pytest.mark.parametrize("data", [b"hello\n", b'<!DOCTYPE x [<!ENTITY a "a">]><x/>', b'{"chats": {"c"'])
def test_files_that_cannot_be_read_are_one_clear_line(tmp_path: Path, data: bytes) -> None:
    file, ids = tmp_path / "file", tmp_path / "ids"
    file.write_bytes(data)
    ids.write_text(PREDATOR)
    result = run(file, "--predators", ids)
    assert result.exit_code == 2
    assert str(file) in result.stderr
    assert "Traceback" not in result.stderr


def test_the_group_without_a_subcommand_shows_its_help() -> None:
    result = CliRunner().invoke(group, ["evaluate"])
    assert result.exit_code == 0
    assert "corpus" in result.output
    assert "recall, delay and false alarms" in result.output
    assert CliRunner().invoke(group, ["evaluate", "nothing"]).exit_code == 2


def test_thresholds_chosen_elsewhere_are_judged_too(labelled: Path) -> None:
    found = results(labelled, "--threshold", 0.5, "--threshold", 1000)
    assert (point(found, "0.5 nats")["found"], point(found, "1000 nats")["found"]) == (3, 0)
    assert point(found, "0.5 nats")["kind"] == "threshold"
    assert run(labelled, "--threshold", 0).exit_code == 2


def test_a_format_can_be_forced(labelled: Path) -> None:
    result = run(labelled, "--format", "pan12")
    assert result.exit_code == 2
    assert "--predators" in result.stderr


def test_the_installed_command(labelled: Path) -> None:
    command = [UPSTANDER, "evaluate", "corpus", labelled, "--json", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    assert json.loads(done.stdout) == results(labelled)
