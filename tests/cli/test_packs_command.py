"""``upstander packs check`` and ``upstander packs explain``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_commands import run

PACK = """\
label: secrecy
language: en
who: viewer
source: "a test"
patterns:
  - id: quiet
    pattern: '\\bkeep it quiet\\b'
    strength: 2
    unless:
      - '\\blibrary\\b'
    fires:
      - "keep it quiet"
      - "pls keep it quiet"
      - "keep it quiet ok"
    spares:
      - "keep it quiet in the library"
      - "a quiet room"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "packs/en").mkdir(parents=True)
    (tmp_path / "packs/en/secrecy.yaml").write_text(PACK)
    return tmp_path / "packs"


def test_check_counts_what_there_is(folder: Path) -> None:
    result = run("packs", "check", str(folder))
    assert result.returncode == 0, result.stdout
    assert "0 errors, 0 warnings in 1 file" in result.stdout
    (row,) = [line.split() for line in result.stdout.splitlines() if "secrecy" in line]
    assert row == ["en", "secrecy", "1", "3", "2"]


def test_check_names_every_problem_with_its_place(folder: Path) -> None:
    broken = PACK.replace("strength: 2", "strenght: 2") + "  - id: Other\n    pattern: 'Some'\n    strength: 20\n"
    (folder / "en/secrecy.yaml").write_text(broken)
    (folder / "en/second.yaml").write_bytes(b"label: \xff")
    (folder / "en/third.yml").write_text(PACK)
    result = run("packs", "check", str(folder))
    assert result.returncode == 1
    for place in ("secrecy.yaml:8:5", "secrecy.yaml:18:9", "secrecy.yaml:19:15", "secrecy.yaml:20:15"):
        assert f"en/{place}: error:" in result.stdout
    assert "Did you mean `strength`?" in result.stdout
    assert "en/second.yaml:1: error: the file cannot be read" in result.stdout
    assert "en/third.yml:1: warning:" in result.stdout
    assert "5 errors, 1 warnings" in result.stdout


def test_strict_makes_errors_of_warnings(folder: Path) -> None:
    (folder / "en/secrecy.yaml").write_text(PACK.replace('      - "keep it quiet ok"\n', ""))
    assert run("packs", "check", str(folder)).returncode == 0
    strict = run("packs", "check", str(folder), "--strict", "--json")
    assert strict.returncode == 1
    found = json.loads(strict.stdout)
    assert (found["ok"], found["errors"], found["warnings"]) == (False, 0, 1)
    (problem,) = found["problems"]
    assert (problem["severity"], problem["file"], problem["line"]) == ("warning", "en/secrecy.yaml", 13)
    assert found["counts"] == [{"language": "en", "label": "secrecy", "patterns": 1, "fires": 2, "spares": 2}]


def test_check_takes_the_settings_packs(folder: Path) -> None:
    (folder.parent / "upstander.toml").write_text('packs = "packs"\n')
    assert "in 1 file" in run("packs", "check", cwd=folder.parent).stdout


def test_nothing_to_check_is_one_clear_line(tmp_path: Path) -> None:
    for name, says in (("nowhere", "no such folder"), (".", "no pack")):
        result = run("packs", "check", str(tmp_path / name))
        assert result.returncode == 2
        assert says in result.stderr


def explain(folder: Path, *arguments: str) -> str:
    result = run("packs", "explain", "--folder", str(folder), *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_explain_underlines_what_fires_in_the_original(folder: Path) -> None:
    lines = explain(folder, "heyyy k33p it quiet pls").splitlines()
    assert lines[0].split(maxsplit=1) == ["raw", "heyyy k33p it quiet pls"]
    at = lines.index("  heyyy k33p it quiet pls")
    assert lines[at - 1].startswith("en.secrecy.quiet  secrecy  2 nats  in view folded")
    assert lines[at + 1] == "        ^^^^^^^^^^^^^"
    assert lines[-2].startswith("secrecy ")
    assert "en.secrecy.quiet" in lines[-2]
    assert lines[-1].strip().startswith('reads like "')


def test_explain_says_what_calls_a_pattern_off(folder: Path) -> None:
    told = explain(folder, "keep it quiet in the library")
    assert "called off" in told
    assert r"by its unless \blibrary\b" in told
    assert "No signal comes out." in told


def test_explain_as_json(folder: Path) -> None:
    found = json.loads(explain(folder, "keep it quiet", "--json"))
    assert found["views"] == ["keep it quiet"]
    (pattern,) = found["patterns"]
    assert (pattern["pattern"], pattern["span"], pattern["called_off_by"]) == ("en.secrecy.quiet", [0, 13], None)
    assert [signal["label"] for signal in found["signals"]] == ["secrecy"]


def test_explain_by_who_wrote_it(folder: Path) -> None:
    assert json.loads(explain(folder, "keep it quiet", "--json", "--who", "host"))["patterns"] == []
