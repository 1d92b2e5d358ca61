"""``upstander policy check``, ``explain``, ``diff`` and ``backtest``."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from test_commands import run

import upstander.packs
from support import SECOND_PROBE, asynchronous, comment, gateway, lines, started
from upstander.policy.judge import bundled_source

TEXT = bundled_source()[1]
#: Not word for word what some example says: what examples say may be shown as a reason.
QUESTION = "so are your parents home rn or what"
STRICTER = """
  - id: probes
    mode: live
    when: '"supervision_probe" in tactics'
    ask: [call_moderator]
    why: asks whether a grown-up is near
  - id: tried_out
    mode: shadow
    when: level >= NOTICE
    hold: true
    why: a rule on trial
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A stricter policy, beside settings with few packs: they are read quickly."""
    (tmp_path / "packs/en").mkdir(parents=True)
    for name in ("supervision_probe", "off_platform"):
        shutil.copy(Path(upstander.packs.__path__[0]) / f"en/{name}.yaml", tmp_path / "packs/en")
    (tmp_path / "upstander.toml").write_text('packs = "packs"\n')
    file = tmp_path / "policy.yaml"
    file.write_text(TEXT.rstrip() + STRICTER)
    return file


@pytest.fixture
def wire(tmp_path: Path) -> Path:
    """Two children's broadcasts; ten minutes in each, and one line that is no event."""
    file = tmp_path / "wire.jsonl"
    found = []
    for broadcast in ("b1", "b2"):
        at = 1_770_000_000_000
        found.append(started("s", broadcast) | {"at": at})
        quiet = [comment(f"c{minute}", "nice game", broadcast, "w") for minute in range(10)]
        found += [each | {"at": at + minute * 60_000} for minute, each in enumerate(quiet)]
        found.append(comment("p1", QUESTION, broadcast) | {"at": at + 600_000})
        found.append(comment("p2", SECOND_PROBE, broadcast) | {"at": at + 601_000})
    file.write_bytes(lines(*found) + b'\n{"type": "unknown"}\n')
    return file


def command(policy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run("policy", *arguments, cwd=policy.parent)


# -- check ------------------------------------------------------------------------------------------------------------


def test_check_says_that_a_sound_policy_is_sound(policy: Path) -> None:
    shipped = run("policy", "check")
    assert (shipped.returncode, shipped.stderr) == (0, "")
    assert shipped.stdout.startswith("default.yaml: sound (default, ")
    result = run("policy", "check", str(policy), "--json")
    found = json.loads(result.stdout)
    assert (result.returncode, found["ok"], found["problems"]) == (0, True, [])
    live = TEXT.count("mode: live") + 1
    assert found["policy"]["rules"] == {"live": live, "shadow": 1, "off": 0}


def test_check_shows_all_problems_with_their_lines(policy: Path) -> None:
    policy.write_text(policy.read_text().replace('supervision_probe" in tactics', 'supervision_prob" in tactics'))
    policy.write_text(policy.read_text().replace("mode: shadow", "mode: shade"))
    result = run("policy", "check", str(policy))
    assert result.returncode == 1
    assert "Did you mean `supervision_probe`?" in result.stdout
    assert re.search(
        r"policy\.yaml:\d+:\d+: `mode` is `shade`\n +mode: shade\n +\^{5}\n  Did you mean `shadow`\?", result.stdout
    )
    assert result.stdout.rstrip().endswith("2 problems")
    found = json.loads(run("policy", "check", str(policy), "--json").stdout)
    assert [found["ok"], found["policy"], len(found["problems"])] == [False, None, 2]


def test_check_takes_the_settings_policy_and_names_files_that_are_not_there(policy: Path, tmp_path: Path) -> None:
    (tmp_path / "upstander.toml").write_text('policy = "policy.yaml"\npacks = "packs"\n')
    assert run("policy", "check", cwd=tmp_path).stdout.startswith("policy.yaml: sound")
    missing = run("policy", "check", "none.yaml", cwd=tmp_path)
    assert missing.returncode == 2
    assert "none.yaml cannot be read (No such file or directory)" in missing.stderr
    (tmp_path / "latin.yaml").write_bytes(b"name: \xff")
    assert "is not UTF-8 (byte 6)" in run("policy", "check", "latin.yaml", cwd=tmp_path).stderr


# -- diff -------------------------------------------------------------------------------------------------------------


def test_diff_says_what_changed(policy: Path, tmp_path: Path) -> None:
    result = run("policy", "diff", str(policy))
    assert result.returncode == 0
    assert "rule tried_out: new: shadow, when level >= NOTICE: hold the comment" in result.stdout
    (tmp_path / "same.yaml").write_text("# the same\n" + policy.read_text())
    same = run("policy", "diff", str(policy), str(tmp_path / "same.yaml"))
    assert "The two decide alike." in same.stdout
    found = json.loads(run("policy", "diff", str(policy), "--json").stdout)
    assert [change["name"] for change in found["changes"]] == ["", ""]
    assert not found["same"]


def test_a_broken_policy_is_shown_whichever_command_meets_it(policy: Path, wire: Path) -> None:
    policy.write_text(policy.read_text().replace("mode: shadow", "mode: shade"))
    for arguments in (
        ("diff", str(policy)),
        ("explain", str(policy)),
        ("backtest", "--policy", str(policy), str(wire)),
    ):
        result = command(policy, *arguments)
        assert result.returncode == 1
        assert "`mode` is `shade`" in result.stderr
        assert "Traceback" not in result.stderr


# -- explain ----------------------------------------------------------------------------------------------------------


def test_explain_reads_as_a_person_reads(policy: Path) -> None:
    result = command(policy, "explain", str(policy))
    assert result.returncode == 0
    for part in ("Levels (nats of belief)", "Comments that are held", "Rule tried_out (shadow)", "a rule on trial"):
        assert part in result.stdout


def test_explain_replay_says_what_held_and_why_not_more(policy: Path, wire: Path) -> None:
    result = command(policy, "explain", str(policy), "--replay", str(wire))
    assert result.returncode == 0
    assert re.search(r"notice +b1  v1  p1\n  level  belief .*reaches", result.stdout)
    assert "at most" in result.stdout or "begins at" in result.stdout
    assert "  rule   probes: asks whether a grown-up is near" in result.stdout
    assert "  shadow tried_out: a rule on trial" in result.stdout
    assert "call moderator (probes)" in result.stdout
    assert QUESTION not in result.stdout
    assert "wire.jsonl" in result.stderr, "the line that is no event"


# -- backtest ---------------------------------------------------------------------------------------------------------


def test_backtest_compares_two_policies_on_a_wire_file(policy: Path, wire: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    result = command(policy, "backtest", "--policy", str(policy), str(wire), "--html", str(page), "--moderators", "2")
    assert result.returncode == 0, result.stderr
    for part in ("probes", "tried_out", "Gained: ", "call moderator", "Limits", "viewers and"):
        assert part in result.stdout
    assert QUESTION not in result.stdout
    html = page.read_text()
    assert QUESTION not in html
    assert "<script" not in html
    assert not re.search(r"(?:src|href)=", html)
    assert "Read this first" in html
    found = json.loads(command(policy, "backtest", "--policy", str(policy), str(wire), "--json", "--texts").stdout)
    totals = found["totals"]
    assert (totals["events"], totals["refused"], totals["broadcasts"]) == (26, 1, 2)
    assert totals["hours"] == pytest.approx(2 * 601 / 3600)
    assert found["new"]["rules"] == {
        "live": {"probes": 2},
        "noted": {"tried_out": found["new"]["rules"]["noted"]["tried_out"]},
    }
    assert found["new"]["asked"]["call_moderator"] - found["old"]["asked"].get("call_moderator", 0) == 2
    assert found["gained"]["asked"] == {"call_moderator": 2}
    assert {example["text"] for example in found["gained"]["examples"]} == {QUESTION}
    assert found["lost"]["decisions"] == 0


def test_backtest_against_the_other_way_round_and_up_to_a_limit(policy: Path, wire: Path, tmp_path: Path) -> None:
    (tmp_path / "default.yaml").write_text(TEXT)
    arguments = (
        "--policy",
        str(tmp_path / "default.yaml"),
        "--against",
        str(policy),
        str(wire),
        "--json",
        "--limit",
        "13",
    )
    found = json.loads(command(policy, "backtest", *arguments).stdout)
    assert found["totals"]["events"] == 13
    assert found["lost"]["asked"] == {"call_moderator": 1}
    assert found["gained"]["decisions"] == 0


@asynchronous
async def test_backtest_and_explain_take_the_journal(policy: Path, tmp_path: Path) -> None:
    async with gateway(tmp_path, packs=str(tmp_path / "packs")) as running:
        answer = await running.post(
            lines(started(), comment("p1", QUESTION), comment("h1"), comment("p2", SECOND_PROBE))
        )
        assert answer.status_code == 200
        data = str(running.data)
        # While the service runs.
        found = json.loads(command(policy, "backtest", "--policy", str(policy), "--data", data, "--json").stdout)
        told = command(policy, "explain", str(policy), "--event", "p1", "--data", data)
    assert found["totals"]["events"] == 4
    assert found["gained"]["asked"] == {"call_moderator": 1}
    assert [example["platform"] for example in found["gained"]["examples"]] == ["mysite"]
    assert "rule   probes" in told.stdout
    missing = run("policy", "explain", "--event", "nope", "--data", data)
    assert missing.returncode == 2
    assert "no event has the id 'nope'" in missing.stderr


def test_backtest_says_what_is_not_there(policy: Path, tmp_path: Path) -> None:
    result = command(policy, "backtest", "--policy", str(policy), "--data", str(tmp_path / "none"))
    assert result.returncode == 2
    assert "there is no journal at" in result.stderr
    result = command(policy, "backtest", "--policy", str(policy), str(tmp_path / "none.jsonl"))
    assert result.returncode == 2
    assert "none.jsonl cannot be read" in result.stderr
