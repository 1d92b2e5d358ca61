"""A random sample of broadcasts that raised no alert, for people to look at: the only way to see what was missed."""

from __future__ import annotations

import hashlib
import sqlite3

import msgspec

from upstander.journal import store
from upstander.journal.entries import Kind
from upstander.model.decision import decode_decision
from upstander.model.vocabulary import Level

#: A sample is for looking at, not for taking away: nobody gets a list of a platform's broadcasts from it.
MAX_SAMPLE = 50


class Sample(msgspec.Struct, frozen=True):
    """Broadcasts drawn as ``(platform, broadcast)``, from how many that raised nothing; the seed draws them again."""

    drawn: tuple[tuple[str, str], ...]
    unalerted: int
    alerted: int
    seed: str

    @property
    def share(self) -> float:
        """The share of unalerted broadcasts in the sample: a miss found stands for 1/share of them."""
        return len(self.drawn) / self.unalerted if self.unalerted else 0.0


def draw(connection: sqlite3.Connection, count: int, since_ms: int, seed: str) -> Sample:
    """Draw without replacement from the broadcasts with events since a time (epoch milliseconds).

    A broadcast's place in the draw is the hash of the seed and its name, so neither the order of the journal nor
    anybody's choice moves it.
    """
    seen: dict[tuple[str, str], bool] = {}
    where = "at >= ? AND kind IN ('event', 'decision') AND broadcast != ''"
    for placed in store.read(connection, 0, where, (since_ms,)):
        key = placed.entry.platform, placed.entry.broadcast
        raised = seen.get(key, False)
        if not raised and placed.entry.kind is Kind.DECISION:
            raised = decode_decision(placed.entry.body).level != Level.CLEAR.word
        seen[key] = raised
    unalerted = [key for key, raised in seen.items() if not raised]
    unalerted.sort(key=lambda key: hashlib.sha256(f"{seed}\0{key[0]}\0{key[1]}".encode()).digest())
    drawn = tuple(unalerted[: min(count, MAX_SAMPLE)])
    return Sample(drawn, len(unalerted), len(seen) - len(unalerted), seed)
