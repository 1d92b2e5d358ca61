"""The demo as a user runs it: it plays, decides, stops cleanly on Ctrl-C, and continues from the journal."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from support import UPSTANDER, assert_whole, entries, outbox


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [UPSTANDER, "demo", "--data", str(folder), "--port", "0", "--speed", "6", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=subprocess.STDOUT, text=True, cwd=folder.parent)


def events(folder: Path) -> int:
    try:
        return len(entries(folder / "journal.sqlite", "event"))
    except sqlite3.OperationalError:
        return 0  # it is being made


def test_it_plays_stops_on_ctrl_c_and_continues(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    first = start(folder)
    began = time.monotonic()
    while time.monotonic() - began < 60 and not ((folder / "journal.sqlite").exists() and events(folder) > 60):
        time.sleep(0.2)
    first.send_signal(signal.SIGINT)
    output, _ = first.communicate(timeout=30)
    assert first.returncode == 0, output
    assert "stopping" in output
    assert "live page (once" in output
    played = events(folder)
    assert played > 60
    assert_whole(folder / "journal.sqlite")

    second, _ = start(folder, "--seconds", "15").communicate(timeout=90)
    assert "Traceback" not in second
    found = re.search(r"([\d,]+) events this time, ([\d,]+) in the journal", second)
    assert found is not None, second
    assert int(found.group(2).replace(",", "")) == events(folder) == played + int(found.group(1).replace(",", ""))
    levels = {
        line.split()[0] for line in second.splitlines() if line.startswith(("notice", "concern", "urgent", "emerg"))
    }
    assert "emergency" in levels or "urgent" in levels
    # Broadcasts cut short were taken up where they stopped, not begun again.
    begun = [
        e.entry.broadcast for e in entries(folder / "journal.sqlite", "event") if b"broadcast_started" in e.entry.body
    ]
    assert len(begun) == len(set(begun))
    states = {row["state"] for row in outbox(folder / "journal.sqlite")}
    assert states
    assert states <= {"acknowledged", "failed"}
    assert_whole(folder / "journal.sqlite")


def test_a_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    command = [UPSTANDER, "demo", "--data", str(tmp_path / "file" / "x"), "--seconds", "1"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=os.environ)
    assert result.returncode == 2
    assert "cannot be used" in result.stderr
    assert "Traceback" not in result.stderr
