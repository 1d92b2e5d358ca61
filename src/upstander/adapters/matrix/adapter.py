"""Interventions in Matrix rooms, by a moderation account over the client-server API. A broadcast's id is its room's.

Holding a message back is not here: that is ``module``, inside Synapse, which asks before the message is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakValueDictionary

import msgspec

from upstander.adapters.base import Action, Capability, Outcome, doings, unserved
from upstander.adapters.matrix import power
from upstander.adapters.matrix.client import TIMEOUT_S, Failed, MatrixClient
from upstander.adapters.matrix.words import BROADCAST, CARD, CHAT, SLOW_MODE_S
from upstander.adapters.notes import NUDGE, WARNING

#: What Matrix can do; ``call_moderator`` also needs a room to call them in.
CAPABILITIES: Final = frozenset(
    {
        Capability.PRE_HOLD,
        Capability.POST_DELETE,
        Capability.NUDGE_HOST,
        Capability.WARN_VIEWER,
        Capability.MUTE_VIEWER,
        Capability.REMOVE_VIEWER,
        Capability.SLOW_MODE,
        Capability.DISABLE_COMMENTS,
        Capability.CALL_MODERATOR,
        Capability.PAUSE,
    }
)


class MatrixAdapter:
    """Acts as the account whose access token it holds. That account must be in the room, with level 100 or so.

    ``moderators_room`` is the id of the room in which moderators are called. ``nudge`` and ``warning`` are words
    of one's own to a host and to a viewer; they go to a room of two that is made when it is first needed.
    """

    def __init__(
        self,
        name: str,
        platform: str,
        url: str,
        token: str,
        capabilities: frozenset[Capability] = CAPABILITIES,
        moderators_room: str = "",
        nudge: str = "",
        warning: str = "",
    ) -> None:
        self.name, self.platform = name, platform
        self.capabilities = capabilities & CAPABILITIES
        if not moderators_room:
            self.capabilities -= {Capability.CALL_MODERATOR}
        self._client = MatrixClient(url, token)
        self._secret = token.encode()
        self._moderators_room = moderators_room
        self._nudge, self._warning = nudge, warning or WARNING
        self._server = ""
        # A room's state is read, changed and written back: two lanes of the outbox must not do so at once.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._doing: dict[str, Callable[[Action], Awaitable[str]]] = {
            "delete_comment": self._delete,
            "nudge_host": self._nudge_host,
            "warn_viewer": self._warn_viewer,
            "mute_viewer": self._mute,
            "unmute_viewer": self._unmute,
            "remove_viewer": self._remove,
            "readmit_viewer": self._readmit,
            "slow_mode": self._slow_mode,
            "slow_mode_off": self._slow_mode_off,
            "call_moderator": self._call_moderator,
            "disable_comments": self._close_chat,
            "enable_comments": self._reopen_chat,
            "pause": self._close_chat,
            "resume": self._reopen_chat,
        }

    async def perform(self, action: Action) -> Outcome:
        """Do it. The homeserver does a transaction once, and what is in place already is left alone."""
        do = self._doing.get(action.doing)
        if do is None or action.doing not in doings(self.capabilities):
            return unserved(action)
        try:
            # httpx's own time-out starts anew with every byte, and an action may take several calls.
            async with asyncio.timeout(TIMEOUT_S):
                return Outcome(True, note=await do(action))
        except Failed as failed:
            return failed.outcome
        except TimeoutError:
            return Outcome(False, retry=True, note="no answer (TimeoutError)")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    # -- messages ------------------------------------------------------------------------------------------------

    async def _delete(self, action: Action) -> str:
        await self._client.redact(action.broadcast, action.target, "taken down to look after the host", action.id)
        return "message redacted"

    # -- people --------------------------------------------------------------------------------------------------

    async def _mute(self, action: Action) -> str:
        return await self._power(action, lambda levels: power.mute(levels, action.target), "may not write any more")

    async def _unmute(self, action: Action) -> str:
        return await self._power(action, lambda levels: power.unmute(levels, action.target), "may write again")

    async def _remove(self, action: Action) -> str:
        if await self._membership(action.broadcast, action.target) != "ban":
            await self._client.call("POST", "rooms", action.broadcast, "ban", body={"user_id": action.target})
        return "removed from the room"

    async def _readmit(self, action: Action) -> str:
        if await self._membership(action.broadcast, action.target) == "ban":
            await self._client.call("POST", "rooms", action.broadcast, "unban", body={"user_id": action.target})
        return "may join again"

    async def _membership(self, room: str, user: str) -> object:
        return (await self._client.state(room, "m.room.member", user) or {}).get("membership")

    async def _nudge_host(self, action: Action) -> str:
        content = await self._client.state(action.broadcast, BROADCAST)
        host = (content or {}).get("host")
        if not isinstance(host, str) or not host.startswith("@"):
            raise Failed(Outcome(False, note=f"the room's `{BROADCAST}` names no host"))
        await self._tell(host, _nudge(self._nudge, action), action.id)
        return "the host was written to"

    async def _warn_viewer(self, action: Action) -> str:
        await self._tell(action.target, {"msgtype": "m.notice", "body": self._warning}, action.id)
        return "the viewer was written to"

    async def _tell(self, user: str, content: object, transaction: str) -> None:
        await self._client.send(await self._room_with(user), content, transaction)

    async def _room_with(self, user: str) -> str:
        """The room of two with this user. Its alias says which it is: no list of hosts is kept anywhere.

        The alias cannot be guessed, so nobody can ask the homeserver who was written to.
        """
        mac = hmac.new(self._secret, f"upstander room with {user}".encode(), hashlib.sha256).hexdigest()
        name = f"upstander-{mac[:32]}"
        async with self._lock(name):
            if not self._server:
                me = (await self._client.call("GET", "account", "whoami")).get("user_id", "")
                self._server = str(me).partition(":")[2]
            try:
                found = await self._client.call("GET", "directory", "room", f"#{name}:{self._server}")
            except Failed as failed:
                if failed.code != "M_NOT_FOUND":
                    raise
                body = {"preset": "private_chat", "is_direct": True, "invite": [user], "room_alias_name": name}
                return str((await self._client.call("POST", "createRoom", body=body)).get("room_id", ""))
            room = str(found.get("room_id", ""))
            if await self._membership(room, user) not in ("join", "invite"):
                await self._client.call("POST", "rooms", room, "invite", body={"user_id": user})
            return room

    # -- the chat ------------------------------------------------------------------------------------------------

    async def _close_chat(self, action: Action) -> str:
        done = f"chat closed: it takes level {power.CLOSED} to write"
        return await self._power(action, lambda levels: power.close(levels, _why(action)), done)

    async def _reopen_chat(self, action: Action) -> str:
        done = "chat open again, unless it is closed for another reason"
        return await self._power(action, lambda levels: power.reopen(levels, _why(action)), done)

    async def _power(self, action: Action, change: Callable[[power.Levels], power.Levels], done: str) -> str:
        room = action.broadcast
        async with self._lock(room):
            levels = await self._client.state(room, "m.room.power_levels") or {}
            try:
                changed = change(levels)
            except (TypeError, ValueError, AttributeError, KeyError):
                raise Failed(Outcome(False, note="the room's power levels are not in order")) from None
            if changed is levels:
                return f"{done} (it was so already)"
            await self._client.set_state(room, "m.room.power_levels", changed)
        return done

    async def _slow_mode(self, action: Action) -> str:
        await self._set_slow_mode(action.broadcast, SLOW_MODE_S)
        return f"one message in {SLOW_MODE_S} s from each viewer (kept by the module in Synapse)"

    async def _slow_mode_off(self, action: Action) -> str:
        await self._set_slow_mode(action.broadcast, 0)
        return "slow mode is off"

    async def _set_slow_mode(self, room: str, seconds: int) -> None:
        async with self._lock(room):
            content = await self._client.state(room, CHAT) or {}
            if content.get("slow_mode_s", 0) != seconds:
                await self._client.set_state(room, CHAT, content | {"slow_mode_s": seconds})

    async def _call_moderator(self, action: Action) -> str:
        # No name of the host and none of the words: the room's members see the case in Upstander, where it is audited.
        body = f"A moderator is needed (level {action.level or 'unknown'}): https://matrix.to/#/{action.broadcast}"
        content = {"msgtype": "m.text", "body": body, "m.mentions": {"room": True}}
        await self._client.send(self._moderators_room, content, action.id)
        return "moderators called in their room"

    def _lock(self, name: str) -> asyncio.Lock:
        return self._locks.setdefault(name, asyncio.Lock())


def _why(action: Action) -> str:
    return "pause" if action.doing in ("pause", "resume") else "comments"


def _nudge(own_words: str, action: Action) -> dict[str, object]:
    """The message to a host: the card as words that any client shows, and as it is for a client that renders it."""
    card = action.card
    if card is None:
        return {"msgtype": "m.notice", "body": own_words or NUDGE}
    help_at = [" ".join(part for part in (f"{place.name}:", place.contact, place.url) if part) for place in card.help]
    words = own_words or "\n\n".join(["\n".join((card.title, card.noticed)), *help_at])
    return {"msgtype": "m.notice", "body": words, CARD: msgspec.to_builtins(card)}
