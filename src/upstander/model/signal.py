"""A signal: what one detector saw in one event."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from upstander.model.vocabulary import Exposure, Tactic


class Signal(msgspec.Struct, frozen=True, gc=False):
    """A tactic or an exposure, how strongly it shows, and the words or counts that show it.

    ``strength`` is a log-likelihood ratio in nats (1.0: the evidence is e times likelier under harm than not).
    ``source`` names the pattern or rule (``en.secrecy.dont_tell``, ``audience.surge``).
    ``start`` and ``end`` are character offsets into the event's original text, -1 where there is no span.
    ``view`` says which view of the text fired: ``raw``, ``folded``, ``plain`` (a model read it), ``joined`` (with what
    went before it), or ``""`` for what is not text. ``events`` are earlier events that it rests on. ``near`` is the
    example that the text reads like, where a model had a say.
    """

    label: Tactic | Exposure
    strength: float
    source: str
    start: int = -1
    end: int = -1
    view: str = ""
    note: str = ""
    events: tuple[str, ...] = ()
    near: str = ""


def merged(signals: list[Signal], more: Sequence[Signal]) -> list[Signal]:
    """One signal a label, the stronger, in the order in which the labels came."""
    if not more:
        return signals
    best = {signal.label: signal for signal in signals}
    for signal in more:
        known = best.get(signal.label)
        if known is None or signal.strength > known.strength:
            best[signal.label] = signal
    return list(best.values())
