"""Killed at 50 random instants under load: nothing acknowledged is lost, no action is done twice, verify is clean."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx

from support import UPSTANDER, Receiver, Served, assert_whole, bearer, entries, make_key, outbox, serve, webhook_section
from upstander.gateway.keys import Scope
from upstander.model.wire import decode_event

KILLS = 50
SENDERS = 3
TEXTS = (
    "hi", "lol", "nice drawing", "how old are you", "are your parents home", "gg", "dont tell your mom",
    "do a spin and ill send a gift", "add me on snap its private", "what song is this",
)  # fmt: skip


class Load:
    """Senders that post events as fast as they are answered, and remember what was acknowledged."""

    def __init__(self, url: str, key: str, run: int, seed: int) -> None:
        self.acknowledged: dict[str, tuple[int, dict[str, object] | None]] = {}
        self.sent: set[str] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        arguments = [(url, key, run, sender, seed) for sender in range(SENDERS)]
        self._threads = [threading.Thread(target=self._send, args=a, daemon=True) for a in arguments]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(10)

    def _send(self, url: str, key: str, run: int, sender: int, seed: int) -> None:
        chance = random.Random(seed * 100 + sender)
        number = 0
        with httpx.Client(base_url=url, headers=bearer(key), timeout=5) as client:
            while not self._stop.is_set():
                batch = []
                for _ in range(chance.choice((1, 1, 5, 40))):
                    number += 1
                    identifier = f"{run}-{sender}-{number}"
                    broadcast = f"b{chance.randrange(6)}"
                    at = time.time_ns() // 1_000_000
                    event: dict[str, object] = {"id": identifier, "at": at, "broadcast": broadcast}
                    if chance.random() < 0.03:
                        event |= {"type": "broadcast_started", "host": "host", "host_age_band": "10_12"}
                    else:
                        viewer = f"v{chance.randrange(40)}"
                        event |= {"type": "comment", "actor": viewer, "text": chance.choice(TEXTS)}
                    batch.append(event)
                with self._lock:
                    self.sent.update(str(event["id"]) for event in batch)
                try:
                    held = len(batch) == 1 and batch[0]["type"] == "comment"
                    response = client.post("/v1/hold", json=batch[0]) if held else client.post("/v1/events", json=batch)
                except httpx.TransportError:
                    return  # killed
                if response.status_code != 200:
                    continue
                answer = response.json()
                results = [answer] if held and answer["accepted"] and answer["decided"] else answer.get("results", [])
                with self._lock:
                    for result in results:
                        self.acknowledged[result["event"]] = (result["seq"], result.get("decision"))


def _kill_while_starting(folder: Path, after_s: float) -> None:
    """Recovery itself may be cut short."""
    command = [UPSTANDER, "serve", "--config", str(folder / "upstander.toml"), "--port", "0"]
    quick = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=quick)
    time.sleep(after_s)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_kill_at_fifty_random_instants(tmp_path: Path, receiver: Receiver) -> None:
    seed = int(os.environ.get("UPSTANDER_SEED", random.SystemRandom().randrange(1_000_000)))
    print(f"seed {seed} (set UPSTANDER_SEED to repeat)")
    chance = random.Random(seed)
    toml = "[journal]\nsnapshot_every = 700\n" + webhook_section(
        receiver, tmp_path, ("post_delete", "nudge_host", "mute_viewer", "call_moderator", "disable_gifts", "pause")
    )
    key = make_key(tmp_path / "data", *Scope)
    acknowledged: dict[str, tuple[int, dict[str, object] | None]] = {}
    sent: set[str] = set()
    served: Served
    for run in range(KILLS):
        if run and chance.random() < 0.2:
            _kill_while_starting(tmp_path, chance.uniform(0.1, 0.9))
        with serve(tmp_path, toml, covered=False) as served:
            load = Load(served.url, key, run, seed + run)
            time.sleep(chance.uniform(0.02, 0.5))
            served.kill()
            load.stop()
        acknowledged |= load.acknowledged
        sent |= load.sent
    with serve(tmp_path, toml) as served:
        # What was cut short is delivered after the restart.
        until_quiet = time.monotonic() + 120
        while time.monotonic() < until_quiet:
            if not [row for row in outbox(served.journal) if row["state"] in ("pending", "sent")]:
                break
            time.sleep(0.2)
        served.stop()

    journal = served.journal
    assert len(acknowledged) > 300, "the load was too small to show anything"
    found = {}
    decisions = {}
    for placed in entries(journal):
        if placed.entry.kind == "event":
            identifier = decode_event(placed.entry.body).id
            assert identifier not in found, f"{identifier} stands twice in the journal"
            assert identifier in sent
            found[identifier] = placed.seq
        elif placed.entry.kind == "decision":
            decisions[placed.seq - 1] = placed.entry.body
    lost = [identifier for identifier in acknowledged if identifier not in found]
    assert not lost, f"acknowledged and lost: {lost[:5]}"
    for identifier, (seq, decision) in acknowledged.items():
        assert found[identifier] == seq
        assert (decision is None) == (seq not in decisions), f"{identifier} was answered otherwise than recorded"

    rows = outbox(journal)
    assert rows
    # A slow machine may be down for longer than an action is worth anything: it is not sent then, and says so.
    assert {row["state"] for row in rows} <= {"acknowledged", "failed", "expired"}
    # By its id every action was done exactly once; one that was delivered again was cut short by a kill, says so in
    # its history, and carried the same id (a receiver does each id once).
    delivered = receiver.trusted
    distinct = set(receiver.distinct)
    assert distinct == {row["id"] for row in rows if row["adapter"] == "hook" and row["state"] == "acknowledged"}
    again = [action.id for action in delivered]
    repeats = {identifier for identifier in distinct if again.count(identifier) > 1}
    cut = _cut_short(journal)
    assert repeats <= cut, "an action was sent again that no kill had cut short"
    keys = [(row["broadcast"], row["event"], row["asked"], row["target"]) for row in rows]
    assert len(keys) == len(set(keys)), "one decision led to the same action twice"
    print(f"{len(found)} events, {len(acknowledged)} acknowledged, {len(rows)} actions, {len(repeats)} delivered again")
    assert_whole(journal)


def _cut_short(journal: Path) -> set[str]:
    from upstander.journal import store

    connection = store.connect(journal, readonly=True)
    try:
        sql = "SELECT action FROM outbox_history WHERE note LIKE 'cut short%'"
        return {row[0] for row in connection.execute(sql)}
    finally:
        connection.close()
