"""``upstander replay``: the stable interface."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from support import UPSTANDER

KEYS = ["event", "broadcast", "actor", "level", "tactics", "exposures", "interventions", "belief", "reasons"]
LEVELS = ("clear", "notice", "concern", "urgent", "emergency")
SCRIPTS = Path(__file__).parents[2] / "src/upstander/demo/scripts"


def run(*arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([UPSTANDER, *arguments], input=stdin, capture_output=True, timeout=60, check=False)


def decisions(output: bytes) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def comment(identifier: str, text: str, **changes: object) -> bytes:
    event = {"type": "comment", "id": identifier, "at": 1_770_000_000_000, "broadcast": "b", "actor": "v", "text": text}
    return json.dumps(event | changes).encode() + b"\n"


def test_json_has_exactly_the_stable_keys_and_only_levels_above_clear() -> None:
    result = run("replay", str(SCRIPTS / "bedroom-karaoke.jsonl"), "--json")
    assert result.returncode == 0
    found = decisions(result.stdout)
    assert found
    for decision in found:
        assert list(decision) == KEYS
        assert decision["level"] in LEVELS[1:]
        assert isinstance(decision["belief"], float)
        assert all(isinstance(name, str) for key in ("tactics", "exposures", "interventions") for name in decision[key])
        assert decision["reasons"]
    assert max(LEVELS.index(str(decision["level"])) for decision in found) >= 3


def test_all_prints_a_line_for_every_event() -> None:
    path = SCRIPTS / "bedroom-karaoke.jsonl"
    result = run("replay", str(path), "--json", "--all")
    events = [json.loads(line)["id"] for line in path.read_text().splitlines()]
    assert [decision["event"] for decision in decisions(result.stdout)] == events


def test_standard_input_and_the_same_bytes_twice() -> None:
    data = (SCRIPTS / "drawing-with-robin.jsonl").read_bytes()
    first, second = run("replay", "-", "--json", stdin=data), run("replay", "-", "--json", stdin=data)
    assert first.stdout == second.stdout
    assert first.stdout


@pytest.mark.parametrize(
    "name", ["cooking-with-nan", "garden-birds", "maths-homework-club", "morning-stretch", "speedrun-sunday"]
)
def test_ordinary_broadcasts_raise_next_to_nothing(name: str) -> None:
    found = decisions(run("replay", str(SCRIPTS / f"{name}.jsonl"), "--json").stdout)
    assert {decision["level"] for decision in found} <= {"notice"}
    assert len(found) <= 2


def test_bad_lines_are_named_and_the_rest_goes_on() -> None:
    data = (
        comment("1", "are your parents home")
        + b"\xff\x00garbage\n"
        + comment("2", "x" * 10_000_000)
        + comment("3", "x" * 5_000)
        + b'{"type": "coment", "id": "4"}\n\n'
        + comment("1", "are your parents home")
        + comment("5", "dont tell your mom\x00")
    )
    result = run("replay", "-", "--json", stdin=data)
    assert result.returncode == 1
    assert [decision["event"] for decision in decisions(result.stdout)] == ["1", "5"]
    errors = result.stderr.decode()
    for part in ("line 2: this is not JSON", "line 3: the event is", "line 4: field `text`", "did you mean `comment`"):
        assert part in errors
    assert "sent twice" in errors


def test_a_file_that_is_not_there_is_one_clear_line() -> None:
    result = run("replay", "nowhere.jsonl")
    assert result.returncode == 2
    assert b"does not exist" in result.stderr
    assert b"Traceback" not in result.stderr


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{UPSTANDER} replay {SCRIPTS / 'bedroom-karaoke.jsonl'} --json --all | head -1"
    result = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in result.stderr
    assert len(result.stdout.splitlines()) == 1


def test_speed_plays_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    from upstander.cli import replay

    slept: list[float] = []
    monkeypatch.setattr(replay.time, "sleep", slept.append)
    result = CliRunner().invoke(replay.command, [str(SCRIPTS / "garden-birds.jsonl"), "--json", "--speed", "10"])
    assert result.exit_code == 0
    # The last event comes after 57 s; at ten times the speed, and with sleeping replaced, after 5.7 s at most.
    assert 5.0 <= max(slept) <= 5.8


def test_recorded_chat_replays_without_error() -> None:
    """The small invented fixture always; the recorded chat, which is not part of the project, when it is there."""
    fixture = SCRIPTS.parent / "chat/invented.jsonl"
    recorded = Path(__file__).parents[3] / "shared/data/chat"
    for path in [fixture, *sorted(recorded.glob("*.jsonl"))]:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        data = b"".join(
            comment(f"e{n}", line["text"], actor=line["author"], at=line.get("t_ms", 1_770_000_000_000 + n * 500))
            for n, line in enumerate(lines)
        )
        result = run("replay", "-", "--json", stdin=data)
        assert result.returncode == 0, result.stderr[-500:]
        found = [decision["level"] for decision in decisions(result.stdout)]
        assert found.count("urgent") + found.count("emergency") == 0
        # The goal is one in 10,000: docs/measurements.md says what was reached.
        assert len(found) <= max(3, len(lines) // 2_000), f"{path.name}: {len(found)} alerts"
