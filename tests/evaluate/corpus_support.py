"""Small invented corpora in every format. All wording is mild."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape

from upstander.evaluate.corpus import Case, Format, Options
from upstander.evaluate.readers import READERS
from upstander.model.vocabulary import AgeBand

START_MS = 1_770_000_000_000
PREDATOR = "97964e7a9e8eb9cf78f2e4d7b2ff34c7"
CHILD = "0158d0d6781fc4d493f243d4caa49747"

Message = tuple[str | None, str | None, str | None]

#: What a harmful viewer writes, one message after the other.
PRESSURE = ("are your parents home", "dont tell your mom about me", "add me on the other app")
SMALL_TALK = ("nice game", "what level is that", "gg", "my mom made cookies")


def read(
    data: bytes,
    form: Format,
    predators: Iterable[str] | None = None,
    band: AgeBand = AgeBand.FROM_10_TO_12,
    assume_benign: bool = False,
) -> tuple[list[Case], list[str]]:
    """The cases in some bytes, and what was complained about."""
    said: list[str] = []
    known = None if predators is None else frozenset(predators)
    options = Options(complain=said.append, band=band, predators=known, assume_benign=assume_benign)
    return list(READERS[form](io.BytesIO(data), "corpus", options)), said


def wire(*events: dict[str, Any]) -> bytes:
    """JSON Lines."""
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


def started(broadcast: str, **fields: Any) -> dict[str, Any]:
    base = {"type": "broadcast_started", "id": f"{broadcast}-s", "at": START_MS, "broadcast": broadcast, "host": "h"}
    return base | {"host_age_band": "10_12"} | fields


def comment(broadcast: str, number: int, actor: str, text: str, seconds: float = 0, **fields: Any) -> dict[str, Any]:
    at = START_MS + int(seconds * 1000)
    base = {"type": "comment", "id": f"{broadcast}-{number}", "at": at, "broadcast": broadcast}
    return base | {"actor": actor, "text": text} | fields


def ended(broadcast: str, seconds: float) -> dict[str, Any]:
    at = START_MS + int(seconds * 1000)
    return {"type": "broadcast_ended", "id": f"{broadcast}-e", "at": at, "broadcast": broadcast}


def harmful_broadcast(broadcast: str, actor: str = "x", **fields: Any) -> list[dict[str, Any]]:
    """A viewer makes small talk, then presses the host; another is harmless."""
    tactics = (["supervision_probe"], ["secrecy"], ["off_platform"])
    events = [started(broadcast, **fields), comment(broadcast, 1, actor, "hi", 1, label=[])]
    events += [comment(broadcast, 2, "friend", "nice game", 5, label=[])]
    events += [
        comment(broadcast, 3 + n, actor, text, 10 + 20 * n, label=label)
        for n, (text, label) in enumerate(zip(PRESSURE, tactics, strict=True))
    ]
    return [*events, ended(broadcast, 3600)]


def benign_broadcast(broadcast: str, hours: float = 1.0, **fields: Any) -> list[dict[str, Any]]:
    events = [started(broadcast, label="benign", **fields)]
    events += [comment(broadcast, n, f"v{n}", text, 10 * n) for n, text in enumerate(SMALL_TALK)]
    return [*events, ended(broadcast, hours * 3600)]


def pan12(*conversations: tuple[str, list[Message]], end: str = "\n") -> bytes:
    """The corpus' XML: conversations of (author, time, text); ``None`` leaves the element out."""
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<conversations>"]
    for identifier, messages in conversations:
        lines.append(f'  <conversation id="{identifier}">')
        for number, parts in enumerate(messages, 1):
            lines.append(f'    <message line="{number}">')
            for tag, value in zip(("author", "time", "text"), parts, strict=True):
                if value is not None:
                    lines.append(f"      <{tag}>{escape(value)}</{tag}>")
            lines.append("    </message>")
        lines.append("  </conversation>")
    return end.join([*lines, "</conversations>", ""]).encode()


def chat(label: str, *content: Any) -> dict[str, Any]:
    """A chat of a PANC datapack."""
    return {"className": label, "content": list(content)}


def message(author: str, body: str, time: float | None = None, predator: bool | None = None) -> dict[str, Any]:
    fields: dict[str, Any] = {"type": "message", "author": author, "body": body}
    if time is not None:
        fields["time"] = time
    if predator is not None:
        fields["isFromPredator"] = predator
    return fields


def datapack(**chats: dict[str, Any]) -> bytes:
    return json.dumps({"datapackID": "invented", "description": None, "chats": chats}).encode()
