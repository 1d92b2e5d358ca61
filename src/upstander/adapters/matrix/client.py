"""The few calls of Matrix's client-server API that the adapter makes, and what their failures mean for an action.

Reference: https://spec.matrix.org/latest/client-server-api/
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from upstander.adapters.base import Outcome
from upstander.adapters.http import may_pass, refused

TIMEOUT_S = 10.0

#: What to do about the homeserver's error codes.
_FIXES = {
    "M_UNKNOWN_TOKEN": "put a valid access token of the moderation account into `secret_file`",
    "M_MISSING_TOKEN": "put a valid access token of the moderation account into `secret_file`",
    "M_FORBIDDEN": "the moderation account must be in the room, above the one it acts on and with the right to do this",
    "M_NOT_FOUND": "there is no such event, room or user",
    "M_UNRECOGNIZED": "is `url` the homeserver's address?",
}


class Failed(Exception):
    """A call failed; ``outcome`` is what that means for the action, ``code`` the homeserver's error code."""

    def __init__(self, outcome: Outcome, code: str = "") -> None:
        super().__init__(outcome.note)
        self.outcome, self.code = outcome, code


class _Error(msgspec.Struct):
    errcode: str = ""
    retry_after_ms: float = 0.0


class MatrixClient:
    """One account on one homeserver. Every call raises ``Failed`` and nothing else."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=url.rstrip("/") + "/_matrix/client/v3/",
            headers={"authorization": f"Bearer {token}"},
            timeout=TIMEOUT_S,
            # No redirects: an answer must not send the token somewhere else.
            follow_redirects=False,
            trust_env=False,
        )

    async def call(self, method: str, *path: str, body: object = None) -> dict[str, Any]:
        """The JSON object that the homeserver answers. Each part of the path is quoted."""
        where = "/".join(quote(part, safe="") for part in path)
        try:
            response = await self._client.request(method, where, json=body)
        except httpx.HTTPError as error:
            raise Failed(Outcome(False, retry=True, note=f"no answer ({type(error).__name__})")) from None
        if not response.is_success:
            raise _failed(response)
        try:
            return msgspec.json.decode(response.content, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Failed(Outcome(False, note="the answer is not a homeserver's: check `url`")) from None

    async def state(self, room: str, kind: str, key: str = "") -> dict[str, Any] | None:
        """The content of a state event; ``None`` when the room has none."""
        try:
            return await self.call("GET", "rooms", room, "state", kind, key)
        except Failed as failed:
            if failed.code == "M_NOT_FOUND":
                return None
            raise

    async def set_state(self, room: str, kind: str, content: object) -> None:
        """Set a state event with an empty key."""
        await self.call("PUT", "rooms", room, "state", kind, "", body=content)

    async def send(self, room: str, content: object, transaction: str) -> None:
        """Send a message once: the homeserver knows a transaction's id again."""
        await self.call("PUT", "rooms", room, "send", "m.room.message", transaction, body=content)

    async def redact(self, room: str, event: str, reason: str, transaction: str) -> None:
        """Take an event's content out of the room, once."""
        await self.call("PUT", "rooms", room, "redact", event, transaction, body={"reason": reason})

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _failed(response: httpx.Response) -> Failed:
    try:
        error = msgspec.json.decode(response.content[:65_536], type=_Error)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = _Error()
    code = error.errcode[:64]
    # Not the server's own words: they may repeat what was sent.
    note = f"the homeserver answered {response.status_code} {code}".rstrip()
    fix = _FIXES.get(code) or ("" if may_pass(response.status_code) else "check `url`")
    wait_s = max(0.0, error.retry_after_ms / 1000)
    return Failed(refused(response, f"{note}: {fix}" if fix else note, wait_s), code)
