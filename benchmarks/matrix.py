"""An ordinary message on Synapse with Upstander's module, beside the same Synapse without it, in turn.

Measured by plain clients on loopback: how long sending takes, and when the message is there for another member (a
long-polling ``/sync``). Limits: at most 15 ms more at the median until it arrives, and nothing that asks a child to
move to another app arrives. The load generator, both homeservers and Upstander share the same cores.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from common import ROOT, chat, emit, percentile

# What starts a homeserver for the tests starts it here too.
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/e2e")]

from nginx_support import free_port  # noqa: E402
from synapse_support import SERVER, Account, Synapse  # noqa: E402

from support import make_key, serve  # noqa: E402

ROUNDS, MESSAGES, WARM_UP = 5, 100, 30
PRESS = "add me on snap, dont tell your mom"


@dataclass
class Site:
    """One homeserver with a room; ``sent`` and ``arrived`` are milliseconds, one a message."""

    viewer: Account
    other: Account
    room: str
    synapse: Synapse
    sent: list[float] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def round(self, texts: list[str]) -> None:
        """Send these, one after the other, while the other member waits for them."""
        began: dict[str, float] = {}
        there: dict[str, float] = {}
        done = threading.Event()

        def listen() -> None:
            while not done.is_set() or len(there) < len(texts):
                found = self.other.sync(500)
                now = time.perf_counter()
                timeline = found.get("rooms", {}).get("join", {}).get(self.room, {}).get("timeline", {})
                for event in timeline.get("events", []):
                    there[event["event_id"]] = now
                    self.bodies.append(event["content"].get("body", ""))
                if done.is_set() and not timeline:
                    return

        self.other.sync()
        listener = threading.Thread(target=listen)
        listener.start()
        took = []
        for text in texts:
            time.sleep(0.02)  # a chat, not a flood
            start = time.perf_counter()
            answer = self.viewer.send(self.room, text)
            took.append((time.perf_counter() - start) * 1000)
            assert answer.status_code == 200, answer.text
            began[answer.json()["event_id"]] = start
        done.set()
        listener.join(30)
        assert began.keys() <= there.keys(), "a message did not arrive"
        self.sent += took
        self.arrived += [(there[event] - start) * 1000 for event, start in began.items()]


@contextmanager
def site(folder: Path, module: dict[str, object] | None) -> Iterator[Site]:
    synapse = Synapse(folder, module)
    try:
        platform, host, viewer, other = (synapse.register(name) for name in ("platform", "host", "viewer", "other"))
        content = {"host": host.user, "host_age_band": "10_12", "age_source": "declared"}
        room = platform.room([{"type": "io.upstander.broadcast", "state_key": "", "content": content}])
        for account in (host, viewer, other):
            account.join(room)
        yield Site(viewer, other, room, synapse)
    finally:
        synapse.stop()


def main() -> None:
    name, lines = chat()
    texts = [text for _, text in lines if text.isascii() and 0 < len(text) < 60]
    port = free_port()
    with tempfile.TemporaryDirectory(dir=ROOT, prefix="tmp") as temporary:
        folder = Path(temporary)
        (folder / "key").touch(mode=0o600)
        key = make_key(folder / "data", platform="bench")
        (folder / "key").write_text(key)
        url, key_file = f"http://127.0.0.1:{port}", str(folder / "key")
        module = {"url": url, "key_file": key_file, "trusted": [f"@platform:{SERVER}"]}
        with (
            serve(folder, port=port),
            site(folder / "with", module) as watched,
            site(folder / "without", None) as plain,
        ):
            ordinary = ordinary_of(url, key, texts)
            for each in (watched, plain):
                each.round(ordinary[:WARM_UP])
                each.sent.clear()
                each.arrived.clear()
            for _ in range(ROUNDS):
                for each in (watched, plain):
                    each.round(ordinary[:MESSAGES])
            refused = watched.synapse.register("stranger")
            refused.join(watched.room)
            status = refused.send(watched.room, PRESS).status_code
            watched.round(ordinary[:1])  # it arrives after whatever came before it

    def figures(site: Site) -> dict[str, float]:
        sent, arrived = sorted(site.sent), sorted(site.arrived)
        return {
            "send_p50_ms": round(statistics.median(sent), 2),
            "send_p95_ms": round(percentile(sent, 0.95), 2),
            "arrival_p50_ms": round(statistics.median(arrived), 2),
            "arrival_p95_ms": round(percentile(arrived, 0.95), 2),
        }

    with_module, without = figures(watched), figures(plain)
    added = round(with_module["arrival_p50_ms"] - without["arrival_p50_ms"], 2)
    emit(
        "matrix",
        {
            "added_p50_ms <= 15": added <= 15,
            "what asks a child to move to another app is refused and arrives nowhere": status == 403
            and PRESS not in watched.bodies,
        },
        input=name,
        messages=ROUNDS * MESSAGES,
        added_p50_ms=added,
        added_send_p50_ms=round(with_module["send_p50_ms"] - without["send_p50_ms"], 2),
        with_module=with_module,
        without=without,
    )


def ordinary_of(url: str, key: str, texts: list[str]) -> list[str]:
    """The first texts in which Upstander finds nothing to decide on: this is about the ordinary message."""
    now = time.time_ns() // 1_000_000
    body = [
        {"type": "comment", "id": f"c{number}", "at": now, "broadcast": f"b{number}", "actor": "v", "text": text}
        for number, text in enumerate(texts[: 4 * MESSAGES])
    ]
    answer = httpx.post(f"{url}/v1/events", json=body, headers={"authorization": f"Bearer {key}"}, timeout=60)
    results = answer.raise_for_status().json()["results"]
    found = [texts[int(each["event"][1:])] for each in results if "decision" not in each]
    assert len(found) >= MESSAGES, f"only {len(found)} texts are ordinary"
    return found[:MESSAGES]


if __name__ == "__main__":
    main()
