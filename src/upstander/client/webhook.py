"""For the receiving side of webhooks: is this delivery Upstander's, and fresh? (Standard Webhooks)"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping

import msgspec

from upstander.adapters.base import Action
from upstander.adapters.webhook import secret_bytes, sign
from upstander.client.errors import UpstanderError

TOLERANCE_S = 300


class WebhookError(UpstanderError):
    """The delivery must not be trusted."""


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes, *, now: float | None = None) -> Action:
    """The action in a delivery. Raises ``WebhookError`` unless it is signed with ``secret`` and at most 5 minutes old.

    An action may be delivered more than once: keep ``action.id`` and do each id once. ``now``: seconds, for tests.
    """
    lower = {name.lower(): value for name, value in headers.items()}
    identifier, timestamp = lower.get("webhook-id", ""), lower.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 18):
        raise WebhookError("the delivery has no webhook-timestamp")
    if abs((time.time() if now is None else now) - int(timestamp)) > TOLERANCE_S:
        raise WebhookError("the delivery is too old, or the clocks differ by more than five minutes")
    expected = sign(secret_bytes(secret), identifier, int(timestamp), body)
    signatures = lower.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(expected.encode(), sent.encode()) for sent in signatures):
        raise WebhookError("the signature is not Upstander's")
    try:
        action = msgspec.json.decode(body, type=Action)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WebhookError(f"the body is no action ({error})") from None
    if action.id != identifier:
        raise WebhookError("the webhook-id is not the action's")
    return action
