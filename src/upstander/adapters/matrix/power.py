"""A room's power levels, changed so that the change can be taken back. Pure: content in, content out.

What stood there before is kept in the same content, under ``words.BEFORE``: change and way back are one write, so
neither can be lost without the other. Reference: https://spec.matrix.org/latest/client-server-api/#mroompower_levels
"""

from __future__ import annotations

import copy
from typing import Any

from upstander.adapters.matrix.words import BEFORE

Levels = dict[str, Any]

#: While the chat is closed it takes this level to write: by convention a moderator's.
CLOSED = 50


def mute(levels: Levels, user: str) -> Levels:
    """The levels with the user below what any message takes. Unchanged when they are muted already."""
    changed = copy.deepcopy(levels)
    before = changed.setdefault(BEFORE, {}).setdefault("users", {})
    if user in before:
        return levels
    users = changed.setdefault("users", {})
    before[user] = users.get(user)
    # While the chat is closed, what counts is what it takes to write once it is open again.
    closed = _kept(levels).get("chat", {})
    sending = [source.get("events_default") or 0 for source in (levels, closed)]
    sending += [level for source in (levels, closed) for level in source.get("events", {}).values()]
    users[user] = min(0, *sending) - 1
    return changed


def unmute(levels: Levels, user: str) -> Levels:
    """The levels with the user where they were before. Unchanged when they are not muted."""
    changed = copy.deepcopy(levels)
    muted = _kept(changed).get("users", {})
    if user not in muted:
        return levels
    _restore(changed.setdefault("users", {}), user, muted.pop(user))
    return _tidy(changed)


def close(levels: Levels, why: str) -> Levels:
    """The levels under which only moderators write. Unchanged when the chat is closed already for this reason."""
    changed = copy.deepcopy(levels)
    kept = changed.setdefault(BEFORE, {})
    if "chat" in kept:
        if why in kept["chat"]["why"]:
            return levels
        kept["chat"]["why"].append(why)
        return changed
    events = changed.get("events", {})
    # Taking one's own words back stays free.
    low = {kind: level for kind, level in events.items() if kind != "m.room.redaction" and level < CLOSED}
    kept["chat"] = {"why": [why], "events_default": changed.get("events_default"), "events": low}
    events.update(dict.fromkeys(low, CLOSED))
    changed["events_default"] = max(CLOSED, changed.get("events_default", 0))
    return changed


def reopen(levels: Levels, why: str) -> Levels:
    """The levels as before ``close``, once no other reason is left. Unchanged when it was not closed for this one."""
    changed = copy.deepcopy(levels)
    chat = _kept(changed).get("chat")
    if chat is None or why not in chat["why"]:
        return levels
    chat["why"].remove(why)
    if chat["why"]:
        return changed
    del changed[BEFORE]["chat"]
    changed.setdefault("events", {}).update(chat.get("events", {}))
    _restore(changed, "events_default", chat.get("events_default"))
    return _tidy(changed)


def _kept(levels: Levels) -> dict[str, Any]:
    kept: dict[str, Any] = levels.get(BEFORE, {})
    return kept


def _restore(where: dict[str, Any], key: str, value: int | None) -> None:
    if value is None:
        where.pop(key, None)
    else:
        where[key] = value


def _tidy(levels: Levels) -> Levels:
    kept = levels[BEFORE]
    if not kept.get("users"):
        kept.pop("users", None)
    if not kept:
        del levels[BEFORE]
    return levels
