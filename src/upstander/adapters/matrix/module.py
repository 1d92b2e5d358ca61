"""The module that runs inside Synapse: asks Upstander before a message is sent.

Set-up: docs/adapters/matrix.md. Reference: https://element-hq.github.io/synapse/latest/modules/writing_a_module.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

from synapse.module_api import NOT_SPAM, ModuleApi, errors

from upstander.adapters.matrix import events
from upstander.adapters.matrix.configuration import Configuration, parse
from upstander.adapters.matrix.events import Room
from upstander.adapters.matrix.link import Link
from upstander.adapters.matrix.telling import Teller, now_ms
from upstander.adapters.matrix.watching import Watcher
from upstander.adapters.matrix.words import BROADCAST, CHAT

#: What the sender is told. Calm, and without a hint at what to write instead.
REFUSED: Final = "This message was not sent. This chat looks after young people, so some messages are not passed on."
LATER: Final = "This message could not be checked just now, so it was not sent. Please try again in a moment."
TOO_LONG: Final = f"This message was not sent: in this chat a message may have {events.MAX_TEXT:,} characters."
ENCRYPTED: Final = "This message was not sent: this chat is looked after, so it cannot be encrypted."
SLOW: Final = "This chat is in slow mode. Please wait a little before you write again."
RESERVED: Final = "Only the platform can change this."

#: How much longer than its deadline an answer may take on its way (seconds).
GRACE_S = 0.1
#: A room's state is looked up again after this long, in case another process of Synapse changed it.
KNOWN_FOR_S = 5.0
MOST_KNOWN = 10_000

Answer = Any  # ``NOT_SPAM``, or an error code and the fields of the error


class UpstanderModule:
    """Synapse makes one a process. It refuses what Upstander holds, with 403 ``M_FORBIDDEN``."""

    def __init__(self, config: Configuration, api: ModuleApi) -> None:
        self._api, self._config = api, config
        self._link = Link(config.url, config.key)
        self._teller = Teller(self._link, api)
        self._watcher = Watcher(api, self._teller, self._room_in, config.trusted) if config.members else None
        self._known: dict[str, tuple[float, Room | None]] = {}
        self._spoke: dict[tuple[str, str], float] = {}
        api.register_spam_checker_callbacks(check_event_for_spam=self.check, user_may_join_room=self.on_join)

    @staticmethod
    def parse_config(config: dict[str, Any]) -> Configuration:
        """The module's section of ``homeserver.yaml``. Raises ``ValueError`` with reason and fix."""
        return parse(config)

    # -- before an event is sent ---------------------------------------------------------------------------------

    async def check(self, event: Any) -> Answer:
        """Synapse's question about every event but a local user's coming and going: may it be sent?"""
        if event.sender in self._config.trusted:
            if event.type in (BROADCAST, CHAT):
                self._known.pop(event.room_id, None)
            return NOT_SPAM
        if event.type in (BROADCAST, CHAT):
            return _refuse(RESERVED)
        if event.type == "m.room.redaction" or (event.is_state() and event.type != "m.room.encryption"):
            return NOT_SPAM
        room = await self._room(event.room_id)
        if room is None:
            return NOT_SPAM
        if event.type in ("m.room.encrypted", "m.room.encryption"):
            return _refuse(ENCRYPTED) if self._config.encrypted == "refuse" else NOT_SPAM
        if event.type == "m.reaction" and (sign := events.sign_of(event.content)) is not None:
            self._teller.tell(room, events.reaction(room, event.event_id, event.sender, sign, now_ms()))
            return NOT_SPAM
        text = events.text_of(event.content)
        if not text:
            return NOT_SPAM
        if len(text) > events.MAX_TEXT:
            return _refuse(TOO_LONG)
        return await self._ask(room, event.event_id, event.sender, text)

    async def _ask(self, room: Room, event: str, sender: str, text: str) -> Answer:
        verdict, decided = await self._verdict(room, event, sender, text)
        if verdict != "allow":
            return _refuse(REFUSED if decided else LATER)
        return NOT_SPAM if self._may_speak(room, sender) else _refuse(SLOW, errors.Codes.LIMIT_EXCEEDED)

    async def _verdict(self, room: Room, event: str, sender: str, text: str) -> tuple[str, bool]:
        """Upstander's verdict, or what the room falls back to; and whether it was decided."""
        deadline_ms = room.deadline_ms or self._config.deadline_ms
        until = time.monotonic() + deadline_ms / 1000
        # A broadcast that could not be announced is asked about all the same: its host then may be a child.
        await self._teller.announce(room, deadline_ms / 1000)
        left = max(until - time.monotonic(), 0.02)
        path = f"/v1/hold?deadline_ms={max(1, int(left * 1000))}"
        answer = await self._link.post(path, events.comment(room, event, sender, text, now_ms()), left + GRACE_S)
        if answer is None:
            return room.fallback, False
        status, fields = answer
        verdict = fields.get("verdict")
        if verdict in ("allow", "hold", "block"):
            if fields.get("decided") is True:
                return str(verdict), True
            # Late: what its policy falls back on, or the room does, whichever is stricter.
            return (str(verdict) if verdict != "allow" else room.fallback), False
        self._refused(room, status, fields)
        return room.fallback, False

    def _refused(self, room: Room, status: int, fields: Mapping[str, Any]) -> None:
        error = fields.get("error")
        found = error if isinstance(error, dict) else {}
        if found.get("field") == "broadcast":
            self._teller.forget(room)  # it was ended, and people still write there: it is live again
        self._link.complain(f"answered {status}: {found.get('reason', 'no reason')}. {found.get('fix', '')}")

    def _may_speak(self, room: Room, sender: str) -> bool:
        """Slow mode: one message in so many seconds from each viewer. The host is free to answer."""
        if not room.slow_mode_s or sender == room.host:
            return True
        now = time.monotonic()
        last = self._spoke.get((room.id, sender))
        if last is not None and now - last < room.slow_mode_s:
            return False
        if len(self._spoke) >= MOST_KNOWN:
            self._spoke.clear()
        self._spoke[room.id, sender] = now
        return True

    async def on_join(self, user: str, room: str, is_invited: bool) -> Answer:
        """Synapse's question whether somebody may join. Anybody may: it says that a broadcast has begun."""
        await self._room(room)
        return NOT_SPAM

    # -- what the room is ----------------------------------------------------------------------------------------

    async def _room(self, identifier: str) -> Room | None:
        known = self._known.get(identifier)
        now = time.monotonic()
        if known is not None and now - known[0] < KNOWN_FOR_S:
            room = known[1]
        else:
            room = await self._look_up(identifier, now)
        if room is not None and self._watcher is not None:
            self._watcher.seen(room)
        return room

    async def _look_up(self, identifier: str, now: float) -> Room | None:
        state = await self._api.get_room_state(identifier, [(BROADCAST, ""), (CHAT, "")])
        room = self._room_in(identifier, state)
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[identifier] = (now, room)
        return room

    def _room_in(self, identifier: str, state: Mapping[tuple[str, str], Any]) -> Room | None:
        found = state.get((BROADCAST, ""))
        # Whoever makes a room may put any state into it: only the platform's own counts.
        if found is None or found.sender not in self._config.trusted:
            return None
        chat = state.get((CHAT, ""))
        running = chat.content if chat is not None and chat.sender in self._config.trusted else {}
        content = found.content
        for fault in events.faults(content) if content else ():
            self._link.complain(
                f"`{BROADCAST}` of {identifier}: {fault}; the host is treated as one who may be a child"
            )
        return events.room_of(identifier, found.event_id, content, running, int(found.origin_server_ts))


def _refuse(why: str, code: Any = None) -> Answer:
    return code or errors.Codes.FORBIDDEN, {"error": why}
