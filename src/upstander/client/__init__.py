"""A typed client for platforms written in Python: events in, decisions out, with retry, batching and back-pressure.

>>> from upstander.client import Client
>>> with Client("http://127.0.0.1:8787", key) as upstander:          # doctest: +SKIP
...     upstander.send(Comment(id="c1", at=now, broadcast="b1", actor="v1", text="hi"))
...     answer = upstander.hold(Comment(id="c2", at=now, broadcast="b1", actor="v2", text="…"))
"""

from upstander.client.errors import Rejected, Unreachable, UpstanderError
from upstander.client.http import Client, Held, Sent
from upstander.client.stream import Streamed, stream
from upstander.client.webhook import WebhookError, verify_webhook
from upstander.model.events import (
    BroadcastEnded,
    BroadcastStarted,
    Comment,
    Followed,
    Frame,
    Gift,
    Invite,
    Joined,
    Left,
    Reaction,
    Speech,
    UserReport,
    Verdict,
)

__all__ = [
    "BroadcastEnded",
    "BroadcastStarted",
    "Client",
    "Comment",
    "Followed",
    "Frame",
    "Gift",
    "Held",
    "Invite",
    "Joined",
    "Left",
    "Reaction",
    "Rejected",
    "Sent",
    "Speech",
    "Streamed",
    "Unreachable",
    "UpstanderError",
    "UserReport",
    "Verdict",
    "WebhookError",
    "stream",
    "verify_webhook",
]
