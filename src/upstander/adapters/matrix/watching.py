"""Who comes and goes in the rooms that are broadcasts, seen by looking at their members every few seconds.

Synapse's own callback for new events (``on_new_event``) would tell at once, but for that it loads the whole state of
every room on the server with every event, and it keeps some events from waking clients. A few seconds do no harm here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from upstander.adapters.matrix import events
from upstander.adapters.matrix.events import Room
from upstander.adapters.matrix.telling import Teller, now_ms
from upstander.adapters.matrix.words import BROADCAST, CHAT

log = logging.getLogger(__name__)

State = Mapping[tuple[str, str], Any]

LOOK_EVERY_S = 5.0
#: Looking may take one part in so many of the time: rooms with very many members are looked at less often.
LEISURE = 50
#: A room where nobody came, went or wrote for this long is not looked at until somebody does. With ``telling.QUIET_S``
#: that is less than the two hours after which Upstander forgets a broadcast.
QUIET_S = 1_800.0
MOST_WATCHED = 10_000


@dataclass
class _Watched:
    """A room: its state event, the member events that were told, when to look next and when it was last of use."""

    event: str
    members: dict[str, str] = field(default_factory=dict)
    look_at: float = 0.0
    used_at: float = 0.0


class Watcher:
    """Looks at rooms from when they are first ``seen`` until they are no broadcasts any more, or quiet for long.

    ``room_in`` makes a room of its state, as the module does; ``trusted`` are accounts that are no audience.
    """

    def __init__(
        self, api: Any, teller: Teller, room_in: Callable[[str, State], Room | None], trusted: frozenset[str]
    ) -> None:
        self._api, self._teller, self._room_in, self._trusted = api, teller, room_in, trusted
        self._watched: dict[str, _Watched] = {}
        self._watching = False

    def seen(self, room: Room) -> None:
        """Something happens in this room."""
        watched = self._watched.get(room.id)
        if watched is None:
            if len(self._watched) >= MOST_WATCHED:
                return
            watched = self._watched[room.id] = _Watched(room.event)
        watched.used_at = time.monotonic()
        if not self._watching:
            self._watching = True
            self._api.run_as_background_process("upstander_members", self._watch)

    async def _watch(self) -> None:
        try:
            while self._watched:
                await self._api.sleep(1.0)
                for identifier, watched in list(self._watched.items()):
                    now = time.monotonic()
                    if now - watched.used_at >= QUIET_S:
                        del self._watched[identifier]
                    elif now >= watched.look_at:
                        try:
                            await self._look(identifier, watched)
                        except Exception:  # one room that cannot be looked at must not keep the others from it
                            log.exception("Upstander: the members of %s could not be looked at", identifier)
                        took = time.monotonic() - now
                        watched.look_at = time.monotonic() + max(LOOK_EVERY_S, took * LEISURE)
        finally:
            self._watching = False

    async def _look(self, identifier: str, watched: _Watched) -> None:
        state = await self._api.get_room_state(identifier, [(BROADCAST, ""), (CHAT, ""), ("m.room.member", None)])
        room = self._room_in(identifier, state)
        if room is None:
            self._end(identifier, watched, state.get((BROADCAST, "")))
            return
        if room.event != watched.event:
            watched.event, watched.members = room.event, {}  # another broadcast in the same room
        self._teller.tell(room)
        for (kind, user), event in state.items():
            if kind != "m.room.member" or user in self._trusted or watched.members.get(user) == event.event_id:
                continue
            told = self._told(room, user, event, known=user in watched.members)
            if told is not None:
                watched.used_at = time.monotonic()
                self._teller.send(told)
            watched.members[user] = event.event_id

    def _told(self, room: Room, user: str, event: Any, known: bool) -> dict[str, Any] | None:
        at = int(event.origin_server_ts)
        # Who was there before it was a broadcast did not come to it, and who left before it was seen did not leave it.
        if not known and (at < room.since or event.content.get("membership") != "join"):
            return None
        # Every process of Synapse that watches the room tells of the same event: they must say the same.
        return events.membership(room, event.event_id, user, event.content.get("membership", ""), min(at, now_ms()))

    def _end(self, identifier: str, watched: _Watched, event: Any) -> None:
        del self._watched[identifier]
        if event is not None and event.sender in self._trusted and not event.content:
            self._teller.send(events.ended(identifier, event.event_id, min(int(event.origin_server_ts), now_ms())))
