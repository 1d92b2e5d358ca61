"""Which paused streams show a card: started and stopped by the service, by what the journal says of each stream."""

from __future__ import annotations

import asyncio
import logging
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from typing import TYPE_CHECKING
from urllib.parse import quote

import msgspec

from upstander.gateway.intake import now_ms
from upstander.watch.card import Publishing
from upstander.watch.tokens import card_token

if TYPE_CHECKING:
    from upstander.gateway.service import Service

log = logging.getLogger(__name__)

POLL_S = 0.2
#: A card is not shown for ever: after this the stream is simply not there.
SHOWN_MS = 60 * 60_000
MOST = 50
#: A card that the server does not take is tried again so often.
AGAIN_S = 2.0

Key = tuple[str, str]


class Cards:
    """The cards of one service."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._shown: dict[Key, Process] = {}
        self._not_before: dict[Key, float] = {}
        self._urls = {a.name: a.card_url.rstrip("/") for a in service.settings.adapters if a.card_url}

    async def run(self) -> None:
        """Keep the cards as the journal says, until cancelled."""
        try:
            while True:
                await self._reconcile()
                await asyncio.sleep(POLL_S)
        finally:
            for key in list(self._shown):
                await self._stop(key)

    def wanted(self) -> dict[Key, str]:
        """Paused streams that should show a card, and where it is published (with its token)."""
        found: dict[Key, str] = {}
        sql = "SELECT broadcast FROM stream_state WHERE platform = ? AND state = 'paused' AND since > ? LIMIT ?"
        for adapter in self.service.adapters:
            url = self._urls.get(adapter.name)
            if url is None:
                continue
            rows = self.service.intake.journal.reader.execute(sql, (adapter.platform, now_ms() - SHOWN_MS, MOST))
            for (name,) in rows.fetchall():
                shows = card_token(self.service.secrets[adapter.name], name)
                found[adapter.name, name] = f"{url}/{quote(name, safe='-_.~')}?card={shows}"
        return found

    async def _reconcile(self) -> None:
        wanted = self.wanted() if self.service.intake.available else {}
        for key in [key for key in self._shown if key not in wanted]:
            await self._stop(key)
        loop = asyncio.get_running_loop()
        for key, process in list(self._shown.items()):
            if process.returncode is not None:
                del self._shown[key]
                self._not_before[key] = loop.time() + AGAIN_S
        for key, url in wanted.items():
            if key not in self._shown and loop.time() >= self._not_before.get(key, 0.0):
                self._shown[key] = await self._start(key, url)

    async def _start(self, key: Key, url: str) -> Process:
        adapter = next(a for a in self.service.adapters if a.name == key[0])
        known = self.service.intake.broadcast(adapter.platform, key[1])
        order = Publishing(url, known.language if known is not None else "en")
        command = (sys.executable, "-m", "upstander.watch.card")
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=DEVNULL)
        assert process.stdin is not None
        process.stdin.write(msgspec.json.encode(order) + b"\n")  # not as an argument: others could read it
        return process

    async def _stop(self, key: Key) -> None:
        process = self._shown.pop(key)
        self._not_before.pop(key, None)
        if process.returncode is None and process.stdin is not None:
            process.stdin.close()
            try:
                async with asyncio.timeout(2):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
