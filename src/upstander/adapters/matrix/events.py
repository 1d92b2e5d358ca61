"""What a Matrix event means to Upstander. Pure: no network, no Synapse, only the standard library."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

#: The wire's limits for a text and an id (``model.events``; a test keeps them the same).
MAX_TEXT = 4_000
MAX_ID = 256
BANDS: Final = ("under_10", "10_12", "13_15", "16_17", "adult", "unknown")
SOURCES: Final = ("verified", "declared", "estimated", "none")

#: Fields of a broadcast's content that go to Upstander as they are, when they are text.
_PASSED_ON = ("title", "device", "visibility", "language")
#: Parts of a message that no client shows as words.
_NOT_SHOWN = frozenset(
    {"m.relates_to", "m.mentions", "msgtype", "format", "url", "uri", "info", "file", "thumbnail_file", "geo_uri"}
    | {"mimetype", "key_id", "device_id", "session_id", "event_id", "via", "kind"}
)
# No `<` inside a tag: so that they take linear time on whatever someone sends.
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/h\d|/tr|/blockquote)\b[^<>]*>", re.IGNORECASE)
#: What a tag itself may show: where a link leads, the words in place of a picture.
_SHOWN_IN_TAG = re.compile(r"""\b(?:href|alt|title)\s*=\s*(?:"([^"<>]*)"|'([^'<>]*)')""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Room:
    """A room that is a broadcast, as its state event says; ``slow_mode_s`` 0 means that slow mode is off.

    ``since`` is when that was said, epoch milliseconds.
    """

    id: str
    event: str
    host: str
    band: str
    source: str
    on_deadline: str
    deadline_ms: int
    details: tuple[tuple[str, str], ...] = ()
    slow_mode_s: int = 0
    since: int = 0

    @property
    def fallback(self) -> str:
        """What becomes of a message that Upstander gave no answer for: ``allow``, ``hold`` or ``block``.

        The same as ``policy.default`` says: only an adult's chat goes on unwatched.
        """
        return self.on_deadline or ("allow" if self.band == "adult" else "hold")


def room_of(
    identifier: str, event: str, content: Mapping[str, Any], chat: Mapping[str, Any], since: int = 0
) -> Room | None:
    """The broadcast that a room's state describes; ``None`` when its content is empty: it is over.

    What is missing or wrong in the content never makes protection weaker: the host then is one who may be a child.
    """
    if not content:
        return None
    host, band, source = content.get("host"), content.get("host_age_band"), content.get("age_source")
    on_deadline = content.get("on_deadline")
    details = [(name, content.get(name)) for name in _PASSED_ON]
    return Room(
        id=identifier,
        event=event,
        host=host if isinstance(host, str) and 0 < len(host) <= MAX_ID else "unknown",
        band=band if band in BANDS else "unknown",
        source=source if source in SOURCES else "none",
        on_deadline=on_deadline if on_deadline in ("allow", "hold", "block") else "",
        deadline_ms=_whole(content.get("deadline_ms"), 10_000),
        details=tuple((name, value) for name, value in details if isinstance(value, str) and 0 < len(value) <= MAX_ID),
        slow_mode_s=_whole(chat.get("slow_mode_s"), 3_600),
        since=since,
    )


def faults(content: Mapping[str, Any]) -> list[str]:
    """What is wrong in a broadcast's content, for the log: each names the field and the fix."""
    found = []
    host = content.get("host")
    if not isinstance(host, str) or not re.fullmatch(r"@[^:\s]+:\S+", host):
        found.append("`host` is no user id: give one such as `@ada:example.org`")
    for field, known in (
        ("host_age_band", BANDS),
        ("age_source", SOURCES),
        ("on_deadline", ("allow", "hold", "block")),
    ):
        if field in content and content[field] not in known:
            found.append(f"`{field}` is not known: use one of {', '.join(known)}")
    return found


def started(room: Room, at: int) -> dict[str, Any]:
    """The ``broadcast_started`` of a room. Its id is new each time: a broadcast that lay idle is announced again."""
    event: dict[str, Any] = {
        "type": "broadcast_started",
        "id": f"{room.event}~{at}",
        "at": at,
        "broadcast": room.id,
        "host": room.host,
        "host_age_band": room.band,
        "age_source": room.source,
    }
    event |= dict(room.details)
    if room.on_deadline:
        event["on_deadline"] = room.on_deadline
    if room.deadline_ms:
        event["deadline_ms"] = room.deadline_ms
    return event


def ended(room: str, event: str, at: int) -> dict[str, Any]:
    """The ``broadcast_ended`` of a room whose state event was emptied."""
    return {"type": "broadcast_ended", "id": f"{event}~ended", "at": at, "broadcast": room}


def comment(room: Room, event: str, sender: str, text: str, at: int) -> dict[str, Any]:
    """The ``comment`` that asks for a verdict."""
    return {"type": "comment", "id": event, "at": at, "broadcast": room.id, "actor": sender, "text": text}


def reaction(room: Room, event: str, sender: str, key: str, at: int) -> dict[str, Any]:
    """A ``reaction`` that is no more than a sign."""
    return {"type": "reaction", "id": event, "at": at, "broadcast": room.id, "actor": sender, "kind": key[:MAX_ID]}


def membership(room: Room, event: str, user: str, membership: str, at: int) -> dict[str, Any] | None:
    """``joined`` or ``left``, from a viewer's new membership; ``None`` when it is neither (an invitation).

    A new display name comes as another ``join``: whom Upstander knows to be there, it does not count twice.
    """
    kind = {"join": "joined", "leave": "left", "ban": "left"}.get(membership)
    if kind is None or user == room.host:
        return None
    return {"type": kind, "id": event, "at": at, "broadcast": room.id, "actor": user}


def sign_of(content: Mapping[str, Any]) -> str | None:
    """The sign of a reaction, such as a thumb; ``None`` when it holds letters or digits and so is read as a comment."""
    key = _relation(content).get("key")
    if not isinstance(key, str) or not key or any(character.isalnum() for character in key):
        return None
    return key


def text_of(content: Mapping[str, Any]) -> str:
    """All that a client may show of a message as words, each once, a line for each part.

    The plain body, the formatted one (a sender may write one thing in one and another in the other), an edit's new
    text, a caption, a poll's question and answers, and what a reaction says.
    """
    seen: dict[str, None] = {}
    key = _relation(content).get("key")
    waiting: list[tuple[str, Any]] = [("key", key), *reversed(list(content.items()))]
    while waiting:
        field, value = waiting.pop()
        if field in _NOT_SHOWN:
            continue
        if isinstance(value, str):
            words = _plain(value) if field == "formatted_body" else value
            # "* " stands before the text of an edit, for clients that know no edits.
            words = words.strip().removeprefix("* ")
            if words:
                seen[words] = None
        elif isinstance(value, Mapping):
            waiting += reversed(list(value.items()))
        elif isinstance(value, list | tuple):
            waiting += [(field, each) for each in reversed(value)]
    return "\n".join(seen)


def _relation(content: Mapping[str, Any]) -> Mapping[str, Any]:
    relation = content.get("m.relates_to")
    return relation if isinstance(relation, Mapping) else {}


def _plain(formatted: str) -> str:
    inside = ["".join(found) for tag in _TAG.findall(formatted) for found in _SHOWN_IN_TAG.findall(tag)]
    return html.unescape("\n".join([_TAG.sub("", _BREAK.sub("\n", formatted)).strip(), *inside]))


def _whole(value: object, most: int) -> int:
    """The value, when it is a whole number from 1 to ``most``; else 0."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most else 0
