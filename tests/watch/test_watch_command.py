"""``upstander watch`` on files: events a line each, what is refused, what is said; and speech from end to end."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from click import ClickException
from click.testing import CliRunner
from watch_support import clip, pattern, spoken, tone

from support import UPSTANDER
from upstander.cli.watch import command
from upstander.watch import sandbox

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)


def run(*arguments: str | Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    line = [str(UPSTANDER), *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=False, input=stdin)


def test_a_file_becomes_events_that_replay_reads(tmp_path: Path) -> None:
    file = clip(tmp_path / "a.mp4", [pattern(n // 10) for n in range(30)], tone(3))
    result = run("watch", file, "--broadcast", "b1", "--no-speech", "--start")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["type"] for event in events] == ["broadcast_started", "frame", "frame", "frame", "broadcast_ended"]
    assert all(event["faces"] == 0 for event in events[1:4])
    assert "3 frames" in result.stderr
    replayed = run("replay", "-", "--json", "--all", stdin=result.stdout)
    assert replayed.returncode == 0, replayed.stderr
    assert len(replayed.stdout.splitlines()) == 5


def test_spoken_pressure_is_heard(tmp_path: Path) -> None:
    sound = spoken("do not tell anyone about this", tmp_path)
    file = clip(tmp_path / "said.mp4", [pattern(n) for n in range(40)], sound)
    result = run("watch", file, "--broadcast", "b1", "--start", "--no-faces")
    assert result.returncode == 0, result.stderr
    said = [json.loads(line) for line in result.stdout.splitlines() if '"speech"' in line]
    assert len(said) == 1
    assert "do not tell anyone" in said[0]["text"].lower()
    assert 0 < said[0]["confidence"] <= 1
    decided = run("replay", "-", "--json", "--all", stdin=result.stdout)
    assert "secrecy" in decided.stdout


def test_silence_and_tones_are_no_words(tmp_path: Path) -> None:
    file = clip(tmp_path / "tone.mp4", None, tone(6))
    result = run("watch", file, "--broadcast", "b1", "--no-faces")
    assert (result.returncode, result.stdout) == (0, "")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("no-such-file.mp4", "cannot be read"),
        ("file:///etc/passwd", "not an address"),
        ("gopher://example.org/x", "scheme"),
        ("data://x/y", "scheme"),
    ],
)
def test_what_cannot_be_watched_is_said_in_one_line(url: str, words: str) -> None:
    arguments = [url, "--broadcast", "b1", "--no-speech", "--no-faces"]
    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    assert result.return_value == 1 or isinstance(result.exception, ClickException)
    assert words in result.output + str(result.exception)


def test_sending_needs_a_key() -> None:
    result = CliRunner().invoke(command, ["x.mp4", "--broadcast", "b1", "--to", "http://127.0.0.1:1"])
    assert result.exit_code == 2
    assert "keys create" in result.output
