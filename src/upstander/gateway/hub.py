"""Hands decisions to whoever listens, each at its own pace: a slow listener is cut off, never waited for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from upstander.model.decision import Decision


class Published(msgspec.Struct, frozen=True, gc=False):
    """A durable decision: its sequence number in the journal, its platform, itself and its JSON."""

    seq: int
    platform: str
    decision: Decision
    body: bytes


class Overrun(RuntimeError):
    """The listener fell too far behind; it must come back and resume from the last sequence number it saw."""


class Listener:
    """A bounded queue of the decisions of one platform, or of all (``""``)."""

    def __init__(self, platform: str, limit: int) -> None:
        self.platform = platform
        self._queue: asyncio.Queue[Published] = asyncio.Queue(limit)
        self._overrun = False

    def offer(self, published: Published) -> None:
        """Called by the hub; never blocks."""
        if self._overrun:
            return
        try:
            self._queue.put_nowait(published)
        except asyncio.QueueFull:
            self._overrun = True

    async def next(self) -> Published:
        """The next decision. Raises ``Overrun`` once some were missed and what was queued is used up."""
        if self._overrun and self._queue.empty():
            raise Overrun
        return await self._queue.get()


class Hub:
    """All listeners."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()

    @contextmanager
    def listen(self, platform: str, limit: int = 10_000) -> Iterator[Listener]:
        """Listen to a platform's decisions (``""``: everybody's) from now on."""
        listener = Listener(platform, limit)
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    def publish(self, published: Published) -> None:
        """Tell everyone who listens to this platform."""
        for listener in self._listeners:
            if listener.platform in ("", published.platform):
                listener.offer(published)
