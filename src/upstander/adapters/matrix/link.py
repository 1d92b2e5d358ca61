"""The module's connection to Upstander, on Synapse's reactor. What goes wrong is ``None``, never an exception."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from typing import Any

from synapse.module_api import make_deferred_yieldable
from twisted.internet import reactor
from twisted.internet.defer import succeed
from twisted.web.client import Agent, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer
from zope.interface import implementer

log = logging.getLogger(__name__)

#: Less than the five seconds after which Upstander closes an idle connection, so that none is used as it goes.
KEEP_ALIVE_S = 4.0
CONNECTIONS = 64
#: The same complaint is logged once in this long.
QUIET_S = 30.0


class Link:
    """Posts JSON to one Upstander over connections that are kept open."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        pool = HTTPConnectionPool(reactor, persistent=True)
        pool.maxPersistentPerHost = CONNECTIONS
        pool.cachedConnectionTimeout = KEEP_ALIVE_S
        pool.retryAutomatically = False  # ``post`` does, and it knows how much time is left
        self._agent = Agent(reactor, pool=pool, connectTimeout=2.0)
        self._headers = {"authorization": [f"Bearer {key}"], "content-type": ["application/json"]}
        self._complained: dict[str, float] = {}

    async def post(self, path: str, body: object, within_s: float) -> tuple[int, Mapping[str, Any]] | None:
        """The status and the JSON object of the answer; ``None`` when none came within ``within_s`` seconds.

        A connection may break just as it is used: then it is tried once more. Events are safe to send again.
        """
        data = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        until = time.monotonic() + within_s
        for last in (False, True):
            left = until - time.monotonic()
            if left <= 0:
                break
            try:
                return await self._once(path, data, left)
            except Exception as error:  # Twisted raises many kinds; none of them may reach a sender as a fault
                if last or time.monotonic() >= until:
                    self.complain(f"no answer from {self._url} ({type(error).__name__}): is Upstander running?")
        return None

    async def _once(self, path: str, data: bytes, within_s: float) -> tuple[int, Mapping[str, Any]]:
        asking = self._agent.request(b"POST", f"{self._url}{path}".encode(), Headers(self._headers), _Body(data))
        asking.addCallback(_read)
        asking.addTimeout(within_s, reactor)
        status, content = await make_deferred_yieldable(asking)
        answer = json.loads(content)
        return status, answer if isinstance(answer, dict) else {}

    def complain(self, what: str) -> None:
        """Log it, unless the same was logged just now: while Upstander is down every message would say so."""
        now = time.monotonic()
        if now - self._complained.get(what, -QUIET_S) >= QUIET_S:
            if len(self._complained) > 1_000:
                self._complained.clear()
            self._complained[what] = now
            log.error("Upstander: %s", what)


@implementer(IBodyProducer)
class _Body:
    """A body that is written at once: Twisted's own producer waits for a turn of the reactor."""

    def __init__(self, data: bytes) -> None:
        self._data, self.length = data, len(data)

    def startProducing(self, consumer: Any) -> Any:
        """Write it all."""
        consumer.write(self._data)
        return succeed(None)

    def pauseProducing(self) -> None:
        """There is nothing left to pause."""

    def resumeProducing(self) -> None:
        """There is nothing left to resume."""

    def stopProducing(self) -> None:
        """There is nothing left to stop."""


def _read(response: Any) -> Any:
    return readBody(response).addCallback(lambda content: (int(response.code), content))
