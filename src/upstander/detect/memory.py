"""What was found in the latest texts: about half of a chat's lines were written before, word for word."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")

#: Texts remembered, at least; twice as many at most.
TEXTS = 5_000
#: A longer one is hardly ever written twice, and would make the memory large.
MAX_CHARACTERS = 200


class Memory(Generic[V]):
    """The last texts and what was found of each. Bounded: the older half goes when the newer is full.

    For pure functions only: whether something is remembered never changes a result, only how soon it comes.
    """

    def __init__(self) -> None:
        self._now: dict[str, V] = {}
        self._before: dict[str, V] = {}

    def get(self, text: str) -> V | None:
        """What was kept under a text."""
        found = self._now.get(text)
        if found is None:
            found = self._before.get(text)
            if found is not None:
                self.keep(text, found)
        return found

    def keep(self, text: str, value: V) -> None:
        """Remember something of a text."""
        if len(text) > MAX_CHARACTERS:
            return
        if len(self._now) >= TEXTS:
            self._now, self._before = {}, self._now
        self._now[text] = value
