"""A signal: what one detector saw in one event."""

from __future__ import annotations

import msgspec

from upstander.model.vocabulary import Exposure, Tactic


class Signal(msgspec.Struct, frozen=True, gc=False):
    """A tactic or an exposure, how strongly it shows, and the words or counts that show it.

    ``strength`` is a log-likelihood ratio in nats (1.0: the evidence is e times likelier under harm than not).
    ``source`` names the pattern or rule (``en.secrecy.dont_tell``, ``audience.surge``).
    ``start`` and ``end`` are character offsets into the event's original text, -1 where there is no span.
    ``view`` says which view of the text fired: ``raw``, ``folded``, or ``""`` for what is not text.
    """

    label: Tactic | Exposure
    strength: float
    source: str
    start: int = -1
    end: int = -1
    view: str = ""
    note: str = ""
