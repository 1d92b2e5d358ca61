"""An order: an intervention that a person, not the machine, asks for. Recorded with name and reason."""

from __future__ import annotations

from typing import Annotated

import msgspec

from upstander.model.events import Id, Text
from upstander.model.vocabulary import Intervention


class Order(msgspec.Struct, frozen=True, gc=False):
    """Who asked for what, where, when (epoch milliseconds) and why; ``id`` is the idempotency key."""

    id: Id
    at: int
    broadcast: Id
    do: Intervention
    by: Id
    reason: Annotated[Text, msgspec.Meta(min_length=1)]
    target: Annotated[str, msgspec.Meta(max_length=256)] = ""


_DECODER = msgspec.json.Decoder(Order)


def decode_order(data: bytes) -> Order:
    """The order in its JSON bytes."""
    return _DECODER.decode(data)
