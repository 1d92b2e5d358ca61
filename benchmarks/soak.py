"""A flood of batches for a minute, then SIGKILL: throughput over HTTP with fsync, memory, recovery and verify times.

Limits: memory grows by at most 50 MB, and every acknowledged event is there after the kill. The sender runs on the same
cores. ``UPSTANDER_SOAK_SECONDS`` sets another length.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from common import ROOT, chat, emit
from upstander import runtime
from upstander.gateway.keys import KeyStore, Scope
from upstander.journal import store
from upstander.journal.recovery import verify

SECONDS = float(os.environ.get("UPSTANDER_SOAK_SECONDS", "60"))
BATCH = 500
BROADCASTS = 3_000


def start(folder: Path) -> tuple[subprocess.Popen[str], str, float]:
    """The service, its address, and the seconds until it accepted events."""
    began = time.perf_counter()
    command = [ROOT / ".venv/bin/upstander", "serve", "--data", folder, "--port", "0", "--log-level", "error"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder.parent, text=True)
    assert process.stdout is not None
    url = process.stdout.readline().split("listens on ", 1)[1].split(" ", 1)[0]
    while True:
        try:
            httpx.get(f"{url}/readyz").raise_for_status()
            return process, url, time.perf_counter() - began
        except httpx.HTTPError:
            time.sleep(0.02)


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def flood(url: str, key: str, pid: int) -> tuple[int, float, float, float]:
    """Events acknowledged, events a second, and resident megabytes after ten seconds and at the end."""
    _, lines = chat()
    number = acknowledged = 0
    early = 0.0
    began = time.perf_counter()
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30) as client:
        while (elapsed := time.perf_counter() - began) < SECONDS:
            at = int(time.time() * 1000)
            batch = []
            for _ in range(BATCH):
                author, text = lines[number % len(lines)]
                number += 1
                where = f"b{number // 2_000 % BROADCASTS}"
                event = {"type": "comment", "id": f"e{number}", "at": at, "broadcast": where}
                batch.append(event | {"actor": author, "text": text})
            answer = client.post("/v1/events", json=batch)
            if answer.status_code == 200:
                acknowledged += answer.json()["accepted"]
            if not early and elapsed > min(10.0, SECONDS / 2):
                early = resident_mb(pid)
    return acknowledged, acknowledged / (time.perf_counter() - began), early, resident_mb(pid)


def main() -> None:
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        folder = Path(name) / "data"
        keys = KeyStore(folder / "keys.sqlite")
        key, _ = keys.create("soak", [Scope.EVENTS_WRITE])
        keys.close()
        process, url, _ = start(folder)
        acknowledged, rate, early, late = flood(url, key, process.pid)
        process.kill()
        process.wait()
        process, _, recovery_s = start(folder)
        process.terminate()
        process.wait(30)
        connection = store.connect(folder / "journal.sqlite", readonly=True)
        kept = connection.execute("SELECT count(*) FROM entries WHERE kind = 'event'").fetchone()[0]
        connection.close()
        began = time.perf_counter()
        result = verify(folder / "journal.sqlite", runtime.current())
        verify_s = time.perf_counter() - began
        size = (folder / "journal.sqlite").stat().st_size
    limits = {"grows <= 50 MB": late - early <= 50, "nothing lost": kept >= acknowledged, "verify ok": result.ok}
    emit(
        "soak",
        limits,
        seconds=SECONDS,
        events=acknowledged,
        events_per_s=round(rate),
        resident_mb_early=round(early, 1),
        resident_mb_late=round(late, 1),
        journal_bytes_per_event=round(size / max(1, kept)),
        recovery_after_kill_s=round(recovery_s, 2),
        verify_s=round(verify_s, 1),
        verify_events_per_s=round(kept / verify_s),
    )


if __name__ == "__main__":
    sys.exit(main())
