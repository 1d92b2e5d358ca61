"""Decisions as they come, resumed where they were left after every break."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import msgspec
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.sync.client import connect

from upstander.client.errors import Rejected, Unreachable
from upstander.model.decision import Decision


class Streamed(msgspec.Struct, frozen=True):
    """A decision and its sequence number: keep the last number to resume after a restart of your own."""

    seq: int
    decision: Decision


class _Message(msgspec.Struct):
    kind: str
    seq: int = 0
    decision: Decision | None = None


_MESSAGE = msgspec.json.Decoder(_Message)


def stream(url: str, key: str, *, after: int | None = None, patience_s: float = 60.0) -> Iterator[Streamed]:
    """Every decision of the key's platform with a sequence number above ``after`` (``None``: from now on), in order.

    Reconnects on its own and misses nothing; raises ``Rejected`` for a bad or revoked key or an ``after`` of another
    journal, and ``Unreachable`` once Upstander could not be reached for ``patience_s``.
    """
    address = url.replace("http", "ws", 1).rstrip("/") + "/v1/stream"
    seen = after
    until = time.monotonic() + patience_s
    delay = 0.1
    while True:
        where = address if seen is None else f"{address}?after={seen}"
        connected = False
        try:
            with connect(where, additional_headers={"authorization": f"Bearer {key}"}, max_size=2**24) as socket:
                connected = True
                for text in socket:
                    delay = 0.1
                    message = _MESSAGE.decode(text)
                    if message.kind == "open" and seen is None:
                        # Where the stream began, in case it breaks before the first decision.
                        seen = message.seq
                    elif message.kind == "decision" and message.decision is not None:
                        seen = message.seq
                        yield Streamed(message.seq, message.decision)
        except InvalidStatus as error:
            if error.response.status_code in (400, 401, 403):
                raise Rejected(_reason(error.response), error.response.status_code) from None
        except ConnectionClosed as error:
            if error.rcvd is not None and error.rcvd.code in (4000, 4001, 4003):
                raise Rejected(error.rcvd.reason, error.rcvd.code - 3600) from None
        except (OSError, WebSocketException):
            pass
        if connected:
            # A stream on which nothing happened for long was no less reachable.
            until = time.monotonic() + patience_s
        if time.monotonic() > until:
            raise Unreachable(f"no stream from {url} for {patience_s:.0f} s")
        # S311: jitter needs no secrecy.
        time.sleep(delay * (0.5 + random.random()))  # noqa: S311
        delay = min(delay * 2, 5.0)


class _Fault(msgspec.Struct):
    reason: str
    fix: str


class _Refusal(msgspec.Struct):
    error: _Fault


def _reason(response: Response) -> str:
    try:
        error = msgspec.json.decode(response.body or b"", type=_Refusal).error
        return f"{response.status_code}: {error.reason}. {error.fix}"
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "the stream was refused: check the key and its scopes"
