"""SRT: the program from Debian's srt-tools on both sides: a file played out by one, watched through the other."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest
from watch_support import clip, nursery, pattern, prepared

from support import free_port, until
from upstander.watch import sandbox
from upstander.watch.address import Rules
from upstander.watch.errors import WatchError
from upstander.watch.source import Source
from upstander.watch.watcher import Limits

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)
PROGRAM = shutil.which("srt-live-transmit")
if PROGRAM is None and os.environ.get("CI") != "true":
    pytest.skip("srt-live-transmit is not installed: scripts/apt.sh srt-tools", allow_module_level=True)


def test_frames_through_srt(tmp_path: Path) -> None:
    assert PROGRAM is not None, "scripts/apt.sh srt-tools"
    data = clip(tmp_path / "a.ts", [pattern(n // 10) for n in range(100)]).read_bytes()
    port = free_port()
    command = [PROGRAM, "-q", "-a:no", "-loglevel:fatal", "file://con", f"srt://127.0.0.1:{port}?mode=listener"]
    sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    stopped = threading.Event()

    def play() -> None:
        assert sender.stdin is not None
        try:
            while not stopped.is_set():
                for at in range(0, len(data), 1316):
                    sender.stdin.write(data[at : at + 1316])
                    sender.stdin.flush()
                    if stopped.wait(0.005):
                        return
        except OSError:
            return

    threading.Thread(target=play, daemon=True).start()
    try:
        with nursery() as young:
            source = Source(f"srt://127.0.0.1:{port}?latency=120", Rules().with_host("127.0.0.1", port))
            found = prepared(source, young, limits=Limits(attempts=20))
            running = threading.Thread(target=found.watcher.run)
            running.start()
            try:
                until(lambda: len(found.frames) >= 3 or not running.is_alive(), "frames", 60)
            finally:
                found.watcher.stop()
                running.join(20)
        assert len(found.frames) >= 3, found.told
        assert found.watcher.state.opened.format == "mpegts"
    finally:
        stopped.set()
        sender.kill()
        sender.wait()


def test_srt_obeys_the_rules() -> None:
    with pytest.raises(WatchError, match="not on the list"):
        Source("srt://192.0.2.1:9000", Rules(hosts=("h.example",)))
    with nursery() as young:
        source = Source("srt://127.0.0.1:9000", Rules(hosts=("127.0.0.1",)))
        assert "private network" in prepared(source, young).watcher.run()
