"""From one viewer's message to another's screen, over Prosody: a chat with mod_upstander beside one without it.

Both chats are in one Prosody, and their messages take turns, so that a busy machine slows down both. Journal and fsync
are on. Limits: what the module adds, at most 15 ms at the median and 60 ms at the 99th percentile.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, chat, emit, percentile

sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/e2e")]

from prosody_support import ROOMS, SERVER, UNGUARDED, Person, Prosody, people  # noqa: E402

from support import free_port, make_key, serve  # noqa: E402
from upstander.adapters.xmpp_link import plain  # noqa: E402

MESSAGES = 400
#: Longer than a receiver waits before it acknowledges a packet, so that Nagle's algorithm holds nothing back.
APART_S = 0.06
ANSWER_S = 20.0


class Ear:
    """Notes when each message came, or that it was refused."""

    def __init__(self, receiver: Person, sender: Person) -> None:
        self.came: dict[str, asyncio.Future[float]] = {}
        receiver.client.add_filter("in", self._hear)
        sender.client.add_filter("in", self._hear)
        self._sender = sender

    def _hear(self, stanza: object) -> object:
        xml = getattr(stanza, "xml", None)
        if xml is not None and xml.tag.endswith("}message"):
            waiting = self.came.get(xml.get("id", ""))
            refused = xml.get("type") == "error"
            if (
                waiting is not None
                and not waiting.done()
                and (refused or xml.get("to") != f"{self._sender.jid}/client")
            ):
                waiting.set_result(0.0 if refused else time.perf_counter())
        return stanza

    async def takes(self, room: str, text: str) -> float:
        """Milliseconds from one to the other; 0 when the message was refused."""
        began = time.perf_counter()
        identifier = self._sender.say(room, text)
        coming = self.came[identifier] = asyncio.get_running_loop().create_future()
        came = await asyncio.wait_for(coming, ANSWER_S)
        del self.came[identifier]
        return (came - began) * 1000 if came else 0.0


async def measure(server: Prosody, texts: list[str]) -> dict[str, list[float]]:
    async with people(server, "platform", "host", "v1", "v2") as (mod, host, sender, receiver):
        rooms = {}
        for name in (ROOMS, UNGUARDED):
            described = {"upstander#host": host.jid, "upstander#host_age_band": "adult"} if name == ROOMS else {}
            rooms[name] = f"stage@{name}"
            await mod.join(rooms[name])
            await mod.describe(rooms[name], **described)
            for person in (host, sender, receiver):
                await person.join(rooms[name])
        ear = Ear(receiver, sender)
        found: dict[str, list[float]] = {name: [] for name in rooms}
        for number, text in enumerate(texts):
            for name, room in rooms.items():
                took = await ear.takes(room, text)
                if number >= 20:  # those before warm up
                    found[name].append(took)
                await asyncio.sleep(APART_S)
        return found


def main() -> None:
    name, lines = chat()
    texts = [text for _, said in lines[: MESSAGES * 2] if (text := plain(said).strip())][: MESSAGES + 20]
    with tempfile.TemporaryDirectory(dir=ROOT) as made:
        folder = Path(made)
        port, key = free_port(), folder / "key"
        key.touch(mode=0o600)
        key.write_text(make_key(folder / "data", platform="xmpp"))
        options = (
            f'upstander_url = "http://127.0.0.1:{port}"; upstander_key_file = "{key}"; upstander_deadline_ms = 5000'
        )
        server = Prosody(folder / "prosody", ["host", "v1", "v2"], options, level="warn")
        try:
            with serve(folder, port=port):
                found = asyncio.run(measure(server, texts))
        finally:
            server.stop()
    refused = sum(took == 0 for took in found[ROOMS])
    guarded, without = (sorted(took for took in found[name] if took) for name in (ROOMS, UNGUARDED))
    p50, p99 = (round(percentile(guarded, share) - percentile(without, share), 2) for share in (0.5, 0.99))
    emit(
        "xmpp",
        {
            "added_p50_ms <= 15": p50 <= 15,
            "added_p99_ms <= 60": p99 <= 60,
            "nearly all passed on": refused <= len(texts) * 0.02,
        },
        input=name,
        server=f"Prosody on {SERVER}, plain text on loopback",
        messages=len(guarded),
        refused=refused,
        p50_ms=round(percentile(guarded, 0.5), 2),
        p99_ms=round(percentile(guarded, 0.99), 2),
        without_p50_ms=round(percentile(without, 0.5), 2),
        without_p99_ms=round(percentile(without, 0.99), 2),
        added_p50_ms=p50,
        added_p99_ms=p99,
    )


if __name__ == "__main__":
    main()
