"""nginx with libnginx-mod-rtmp (Debian): publishing allowed or refused, and a publisher dropped by a decision.

nginx asks ``on_publish`` before it accepts a stream and tells ``on_publish_done`` when it ends; both come to the
gateway (``gateway/nginx_rtmp``). This side drops a publisher through the module's control interface.
Reference: https://github.com/arut/nginx-rtmp-module/wiki/Control-module
"""

from __future__ import annotations

import asyncio
import re

import httpx

from upstander.adapters.base import Action, Capability, Outcome, doings, unserved
from upstander.adapters.http import refused

TIMEOUT_S = 5.0
#: A publisher that nginx announced may not have joined yet, or may sit with another worker: ask this often.
TRIES = 5
TRY_AGAIN_S = 0.05

# The control interface compares a name with the bytes of the request's target, without decoding them. So a name goes
# there as it is, and what cannot stand there as it is (spaces, & and #, all beyond ASCII) cannot be dropped.
_AS_IS = re.compile(r"[!-~]+")
_APART = re.compile(r"[&#]")


class NginxRtmpAdapter:
    """``pause`` and ``end`` drop the publisher; ``resume`` needs nothing from nginx: publishing is allowed again.

    A broadcast's id is the stream's name. Dropping a stream that is not there does nothing, so actions may repeat.
    ``publishers`` are the connections (nginx's ``clientid``) that publish under each name as far as nginx said so
    since this process started: a drop that reaches none of them is not done.
    """

    capabilities = frozenset({Capability.PAUSE, Capability.END})

    def __init__(self, name: str, platform: str, control_url: str, app: str) -> None:
        self.name, self.platform = name, platform
        self._control = control_url.rstrip("/")
        self.app = app
        self.publishers: dict[str, set[str]] = {}
        # A connection for each request: nginx hands every new one to any of its workers. No proxy: it is loopback.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False, limits=limits, trust_env=False)

    def can_drop(self, stream: str) -> bool:
        """Whether the control interface can be told this stream's name."""
        target = self.app + stream
        return bool(_AS_IS.fullmatch(target)) and not _APART.search(target)

    def joined(self, stream: str, client: str) -> None:
        """A connection publishes this stream."""
        self.publishers.setdefault(stream, set()).add(client)

    def left(self, stream: str, client: str) -> bool:
        """A connection publishes this stream no more. True when none is left that does."""
        clients = self.publishers.get(stream, set())
        clients.discard(client)
        if not clients:
            self.publishers.pop(stream, None)
        return not clients

    async def perform(self, action: Action) -> Outcome:
        """Drop the publisher, or note that it may publish again."""
        if action.doing not in doings(self.capabilities):
            return unserved(action)
        if action.doing == "resume":
            return Outcome(True, note="publishing is allowed again")
        if not self.can_drop(action.broadcast):
            # ``on_publish`` refuses such a name, paused or not.
            return Outcome(False, note="nginx's control interface cannot be told this name; publishing is refused")
        for attempt in range(TRIES):
            if attempt:
                await asyncio.sleep(TRY_AGAIN_S)
            outcome, dropped = await self._drop(action.broadcast)
            if outcome is not None:
                return outcome
            if dropped or action.broadcast not in self.publishers:
                return Outcome(True, note=f"{dropped} publisher dropped; publishing refused")
        note = "nginx announced a publisher and dropped none: with `worker_processes` above 1 set `on_update`"
        return Outcome(False, retry=True, note=note)

    async def _drop(self, stream: str) -> tuple[Outcome | None, int]:
        """Ask nginx once: what went wrong, or how many publishers it dropped."""
        url = httpx.URL(f"{self._control}/drop/publisher")
        target = f"{url.path}?app={self.app}&name={stream}".encode()
        try:
            # httpx's own time-out starts anew with every byte.
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._client.get(url, extensions={"target": target})
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome(False, retry=True, note=f"nginx gave no answer ({type(error).__name__})"), 0
        if not response.is_success:
            note = f"nginx answered {response.status_code}: check `control_url` and `rtmp_control`"
            return refused(response, note), 0
        dropped = response.text.strip()
        if not dropped.isdigit():
            return Outcome(False, note="the answer is not that of `rtmp_control`: check `control_url`"), 0
        return None, int(dropped)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
