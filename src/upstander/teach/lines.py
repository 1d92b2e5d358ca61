"""An event of a script as a line on the screen: what kind, who, and which words. The page puts it into a sentence."""

from __future__ import annotations

import msgspec

from upstander.model import events as wire
from upstander.teach.scripts import Mood, Script


class Line(msgspec.Struct, frozen=True):
    """One line: ``kind`` names the sentence, ``viewers`` counts who watches, ``mood`` is the host's from here on."""

    index: int
    kind: str
    who: str
    text: str
    count: int
    taggable: bool
    viewers: int
    mood: Mood


def line_of(script: Script, index: int) -> Line:
    """The line of the event at ``index``."""
    event = script.steps[index].event
    who = getattr(event, "actor", "") or ""
    kind, text, count, taggable = "start", "", 0, False
    if isinstance(event, wire.Comment):
        kind, text, taggable = "comment", event.text, True
    elif isinstance(event, wire.Speech):
        kind, who, text = "says", script.story.host.name, event.text
    elif isinstance(event, wire.Gift):
        kind, text, taggable = "gift", event.gift, True
    elif isinstance(event, wire.Reaction):
        kind, count = "like", event.count
    elif isinstance(event, wire.Invite):
        kind, taggable = "invite", True
    elif isinstance(event, wire.UserReport):
        kind = "report"
    elif isinstance(event, wire.Joined | wire.Left | wire.Followed):
        kind = {wire.Joined: "joined", wire.Left: "left", wire.Followed: "followed"}[type(event)]
    elif isinstance(event, wire.BroadcastEnded):
        kind = "ended"
    return Line(index, kind, str(who), text, count, taggable, _viewers(script, index), _mood(script, index))


def _viewers(script: Script, index: int) -> int:
    seen = [step.event for step in script.steps[: index + 1]]
    return sum(isinstance(each, wire.Joined) - isinstance(each, wire.Left) for each in seen)


def _mood(script: Script, index: int) -> Mood:
    for step in reversed(script.steps[: index + 1]):
        if step.teaching.mood is not None:
            return step.teaching.mood
    return "happy"
