"""What the module tells Upstander in passing: that a broadcast is live or over, who came and went, reactions."""

from __future__ import annotations

import json
import time
from collections import deque
from typing import Any

from upstander.adapters.matrix import events
from upstander.adapters.matrix.events import Room
from upstander.adapters.matrix.link import Link

#: A broadcast in which nothing happens for this long is announced again: Upstander forgets it after two hours.
QUIET_S = 3_600.0
#: Events that wait while Upstander is away; beyond that the oldest give way.
MOST_WAITING = 10_000
MOST_KNOWN = 10_000
BATCH = 200
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0


class Teller:
    """Sends events in order and in batches, in the background; again and again while Upstander is away."""

    def __init__(self, link: Link, api: Any) -> None:
        self._link, self._api = link, api
        #: rooms of which Upstander was told that they are live, by their state event: when something last happened
        self._announced: dict[str, float] = {}
        #: those of which it will be told, as soon as it takes what waits
        self._announcing: set[str] = set()
        self._waiting: deque[dict[str, Any]] = deque(maxlen=MOST_WAITING)
        self._sending = False

    async def announce(self, room: Room, within_s: float) -> None:
        """``broadcast_started`` before the first question about a room, and again after a long quiet."""
        if not self._is_news(room):
            return
        answer = await self._link.post("/v1/events", events.started(room, now_ms()), within_s)
        if answer is not None and answer[0] == 200:
            self._has_announced(room.event)

    def forget(self, room: Room) -> None:
        """Upstander does not take the broadcast for live: announce it again."""
        self._announced.pop(room.event, None)

    def tell(self, room: Room, event: dict[str, Any] | None = None) -> None:
        """An event of a room, after the announcement of that room if that is still to come; or only that."""
        if self._is_news(room) and room.event not in self._announcing:
            self._announcing.add(room.event)
            self.send(events.started(room, now_ms()))
        if event is not None:
            self.send(event)

    def send(self, event: dict[str, Any]) -> None:
        """An event as it is."""
        self._waiting.append(event)
        if not self._sending:
            self._sending = True
            self._api.run_as_background_process("upstander_events", self._drain)

    def _is_news(self, room: Room) -> bool:
        now = time.monotonic()
        last = self._announced.get(room.event)
        if last is None or now - last >= QUIET_S:
            return True
        self._announced[room.event] = now
        return False

    def _has_announced(self, room_event: str) -> None:
        if len(self._announced) >= MOST_KNOWN:
            self._announced.clear()
        self._announced[room_event] = time.monotonic()

    async def _drain(self) -> None:
        pause = FIRST_PAUSE_S
        try:
            while self._waiting:
                batch = [self._waiting[number] for number in range(min(BATCH, len(self._waiting)))]
                answer = await self._link.post("/v1/events", batch, 10.0)
                if answer is None or answer[0] in (408, 429) or answer[0] >= 500:
                    await self._api.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_S)
                    continue
                pause = FIRST_PAUSE_S
                if answer[0] not in (200, 422):
                    self._link.complain(f"answered {answer[0]} to events: check `key_file` and the key's scopes")
                for fault in answer[1].get("errors", ()):
                    self._link.complain(f"refused an event: {json.dumps(fault)[:300]}")
                self._sent(batch, answer[0])
        finally:
            self._announcing.clear()
            self._sending = False

    def _sent(self, batch: list[dict[str, Any]], status: int) -> None:
        for event in batch:
            # The oldest may have given way to new ones meanwhile.
            if self._waiting and self._waiting[0] is event:
                self._waiting.popleft()
            if event["type"] == "broadcast_started" and status == 200:
                self._has_announced(event["id"].rpartition("~")[0])


def now_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000
