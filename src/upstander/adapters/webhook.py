"""Actions as signed webhooks, after the Standard Webhooks specification (https://www.standardwebhooks.com)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time

import httpx
import msgspec

from upstander.adapters.base import Action, Capability, Outcome, doings, unserved
from upstander.adapters.http import refused

TIMEOUT_S = 10.0


def secret_bytes(secret: str) -> bytes:
    """The key in a secret such as ``whsec_<base64>``. Raises ``ValueError`` when it is none."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ValueError(
            "a webhook secret is `whsec_` and base64; make one with `upstander keys webhook-secret`"
        ) from None
    if not 16 <= len(key) <= 64:
        raise ValueError("a webhook secret holds 16 to 64 bytes; make one with `upstander keys webhook-secret`")
    return key


def sign(key: bytes, identifier: str, timestamp: int, body: bytes) -> str:
    """The ``webhook-signature`` header: HMAC-SHA256 over ``id.timestamp.body``."""
    mac = hmac.new(key, f"{identifier}.{timestamp}.".encode() + body, hashlib.sha256)
    return "v1," + base64.b64encode(mac.digest()).decode()


class WebhookAdapter:
    """Posts each action to the platform's own service.

    The body is the action as JSON. ``webhook-id`` is its idempotency key and the same for every attempt,
    ``webhook-timestamp`` (seconds) limits replays, ``webhook-signature`` proves the sender. Any 2xx answer
    acknowledges; a JSON answer ``{"did": "…"}`` says what was really done. 408, 429 and 5xx are tried again.
    """

    def __init__(self, name: str, platform: str, url: str, secret: str, capabilities: frozenset[Capability]) -> None:
        self.name, self.platform, self.capabilities = name, platform, capabilities
        self._url = url
        self._key = secret_bytes(secret)
        # No redirects: an answer must not send an action, signature and all, somewhere else.
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)

    async def perform(self, action: Action) -> Outcome:
        """Post the action."""
        if action.doing not in doings(self.capabilities):
            return unserved(action)
        body = msgspec.json.encode(action)
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "webhook-id": action.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._key, action.id, timestamp, body),
        }
        try:
            # httpx's own time-out starts anew with every byte: a receiver that trickles would hold its lane for ever.
            async with asyncio.timeout(TIMEOUT_S):
                response = await self._client.post(self._url, content=body, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            return Outcome(False, retry=True, note=f"no answer ({type(error).__name__})")
        if response.is_success:
            return Outcome(True, note=_did(response.content))
        return refused(response, f"answered {response.status_code}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class _Answer(msgspec.Struct):
    did: str = ""


def _did(content: bytes) -> str:
    try:
        return msgspec.json.decode(content[:4096], type=_Answer).did[:200]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # it was acknowledged all the same
