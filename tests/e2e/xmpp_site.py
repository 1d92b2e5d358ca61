"""Prosody with Upstander's module, and Upstander with the adapter for it, as processes on loopback."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from nginx_support import free_port
from prosody_support import MODERATOR, PASSWORD, SERVER, Prosody, prosody

from support import Served, bearer, eventually, make_key, serve

#: Mild words that a child's chat holds back from the first message.
PRESS = "add me on snap, dont tell your mom"
PLATFORM = "xmpp"


@dataclass
class Site:
    """The servers. Every test uses rooms and viewers of its own."""

    folder: Path
    prosody: Prosody
    port: int
    scripted: int
    key: str
    toml: str
    served: Served | None = None

    def held(self, room: str) -> dict[str, Any]:
        """What Upstander holds about the room."""
        path = f"http://127.0.0.1:{self.port}/v1/broadcasts/{quote(room, safe='')}"
        answer = httpx.get(path, headers=bearer(self.key), trust_env=False)
        return answer.json() if answer.is_success else {}

    async def ordered(self, room: str, do: str, target: str = "", event: str = "") -> dict[str, Any]:
        """Order something and wait until it is done or given up; the action."""
        order = event or f"o{time.monotonic_ns()}"
        body = {"id": order, "do": do, "target": target, "by": "A. Moderator", "reason": "a test"}
        path = f"http://127.0.0.1:{self.port}/v1/broadcasts/{quote(room, safe='')}/orders"
        answer = httpx.post(path, json=body, headers=bearer(self.key), trust_env=False)
        assert answer.status_code == 200, answer.text

        def final() -> dict[str, Any] | None:
            actions = [action for action in self.held(room).get("actions", []) if action["asked"] == do]
            return actions[0] if actions and actions[0]["state"] not in ("pending", "sent") else None

        found: dict[str, Any] | None = await eventually(final, f"{do} done")
        assert found is not None
        return found


@contextmanager
def running(folder: Path) -> Iterator[Site]:
    """Both, until the end; then nothing may have gone wrong in either, and no secret may stand in a log."""
    prosody()
    port, scripted, key = free_port(), free_port(), make_key(folder / "data", platform=PLATFORM)
    for name, secret in (("key", key), ("password", PASSWORD)):
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(secret)
    options = 'upstander_url = "http://127.0.0.1:{}"; upstander_key_file = "{}/key"; upstander_deadline_ms = {}'
    # Not about speed here: a busy machine must not turn an ordinary message into one that came too late.
    server = Prosody(
        folder / "prosody",
        ["host", "other", *(f"v{number}" for number in range(1, 10))],
        options.format(port, folder, 10_000),
        options.format(scripted, folder, 10_000),
    )
    try:
        toml = (
            f'[[adapters]]\nname = "chat"\nplatform = "{PLATFORM}"\nkind = "xmpp"\nurl = "{server.url}"\n'
            f'jid = "{MODERATOR}"\nsecret_file = "password"\nmoderators_jid = "other@{SERVER}"\n'
        )
        site = Site(folder, server, port, scripted, key, toml)
        with serve(folder, toml, port=port) as served:
            site.served = served
            yield site
        assert "Traceback" not in served.log, served.log
        assert PASSWORD not in served.log and key not in served.log
        assert "traceback" not in server.text.lower(), server.text[-8_000:]
        assert key not in server.text and PRESS not in server.text
    finally:
        server.stop()
