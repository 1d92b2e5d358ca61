"""The names under which Upstander keeps things in a Matrix room. Shared by both sides, so it imports nothing."""

from __future__ import annotations

#: State event, key "", set by a trusted account: this room is a broadcast. Content: ``host`` and what is known of it.
BROADCAST = "io.upstander.broadcast"
#: State event, key "", set by a trusted account: how the chat is run just now. Content: ``slow_mode_s``.
CHAT = "io.upstander.chat"
#: In the power levels' content: what stood there before Upstander changed it.
BEFORE = "io.upstander.before"
#: In a message to a host: the card that it says in words, for a client that renders it (``nudge.payload.Card``).
CARD = "io.upstander.card"

#: How long a viewer waits between two messages in slow mode (seconds).
SLOW_MODE_S = 30
