"""Phrases split over messages: the last short comments of a broadcast, and which of them a new one may continue.

Only comments in which no pattern fires are kept: so one more harmful message never breaks a phrase.
"""

from __future__ import annotations

import msgspec

#: A longer comment is no fragment: it says what it says by itself.
MAX_FRAGMENT = 48
#: Short comments kept of a broadcast.
MAX_KEPT = 8
#: One viewer's fragments belong together for so long, those of two viewers for so long (milliseconds).
OWN_MS = 60_000
OTHERS_MS = 20_000
#: How many earlier fragments of one viewer are joined with a new one.
MAX_JOINED = 3
#: Only a clear pattern (nats) may be made of pieces: weak hints fit many pieces by chance, of two viewers above all.
OWN_LEAST = 1.8
OTHERS_LEAST = 2.2
#: Two viewers who happen to write one after the other prove less than one who does.
OTHERS_FACTOR = 0.8


class Fragment(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One short comment: who, what (its plain view), when (epoch milliseconds) and the event it came with."""

    actor: str
    text: str
    at: int
    event: str


class Joined(msgspec.Struct, frozen=True, gc=False):
    """A text joined from fragments: ``boundary`` is where the newest begins, ``events`` those of the earlier ones.

    ``shared``: they are two viewers'.
    """

    text: str
    boundary: int
    events: tuple[str, ...]
    shared: bool


def joined(recent: list[Fragment], actor: str, text: str, now: int) -> list[Joined]:
    """The texts that a new short comment may complete.

    With its viewer's last ones, all together and each by itself (so that a filler between breaks nothing), and with
    another viewer's comment just before it.
    """
    own = [fragment for fragment in recent if fragment.actor == actor and now - fragment.at <= OWN_MS][-MAX_JOINED:]
    found = [_join([fragment], text, False) for fragment in own]
    if len(own) > 1:
        found.append(_join(own, text, False))
    last = recent[-1] if recent else None
    if last is not None and last.actor != actor and now - last.at <= OTHERS_MS:
        found.append(_join([last], text, True))
    return found


def _join(before: list[Fragment], text: str, shared: bool) -> Joined:
    start = " ".join(fragment.text for fragment in before) + " "
    return Joined(start + text, len(start), tuple(fragment.event for fragment in before), shared)


def keep(recent: list[Fragment], fragment: Fragment) -> list[Fragment]:
    """The recent fragments with one more."""
    return [*recent, fragment][-MAX_KEPT:]
