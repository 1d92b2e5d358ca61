"""The packs' own words: what a disguised token most likely stands for, and where a run of letters falls into words.

Only words that the packs use are known here, so nothing is read into a text that no pattern could look for.
"""

from __future__ import annotations

import functools
import math
import re
from importlib.resources import files

import msgspec

#: Signs that may stand for a letter, by the letter they are read as. ``l`` and ``i`` share their signs ("1ive", "k1d").
_SKELETON = str.maketrans("l1!|034@5$7+896", "iiiioeaassttbgg")
_DOUBLES = re.compile(r"(.)\1+")
_INNER = re.compile(r"[^a-z0-9]")

#: A run of letters longer than this is no word, and a longer one is not taken apart.
LONGEST_WORD = 20
LONGEST_RUN = 80
#: The shortest disguised word that is looked up, and the shortest run that is taken apart.
SHORTEST_WORD = 3
SHORTEST_RUN = 8
_ONE_LETTER = frozenset("aiurn")


class Words(msgspec.Struct, frozen=True):
    """``cost`` of each word (nats: the rarer, the dearer), and words by their skeleton, with and without doubles."""

    cost: dict[str, float]
    by_skeleton: dict[str, str]
    by_single: dict[str, str]


def skeleton(token: str) -> str:
    """A token with every sign read as the letter it may stand for."""
    return token.translate(_SKELETON)


def singled(token: str) -> str:
    """A token with runs of one letter cut to one."""
    return _DOUBLES.sub(r"\1", token)


def build(counts: dict[str, int]) -> Words:
    """Index words by how often the packs' examples use them."""
    total = sum(counts.values())
    by_skeleton: dict[str, str] = {}
    by_single: dict[str, str] = {}
    for word in sorted(counts, key=lambda word: (-counts[word], word)):
        if len(word) >= SHORTEST_WORD:
            by_skeleton.setdefault(skeleton(word), word)
            by_single.setdefault(singled(skeleton(word)), word)
    return Words({word: math.log(total / count) + 1.0 for word, count in counts.items()}, by_skeleton, by_single)


@functools.cache
def bundled() -> Words:
    """The words of the packs that ship."""
    counts = {}
    for line in (files("upstander.detect") / "data" / "words.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            word, count = line.split("\t")
            counts[word] = int(count)
    return build(counts)


def undisguised(token: str, words: Words) -> str | None:
    """The word that a token with signs, doubled letters or inner punctuation stands for; ``None`` when unknown."""
    if token in words.cost:
        return None
    for form in (token, _INNER.sub("", token)):
        if len(form) < SHORTEST_WORD:
            continue
        seen = skeleton(form)
        word = words.by_skeleton.get(seen) or words.by_single.get(singled(seen))
        if word is not None:
            return word
    return None


def taken_apart(run: str, words: Words) -> str | None:
    """A run of letters without spaces, as the cheapest sequence of known words; ``None`` when it is none."""
    length = len(run)
    if not SHORTEST_RUN <= length <= LONGEST_RUN or run in words.cost:
        return None
    best = [0.0] + [math.inf] * length
    came_from = [0] * (length + 1)
    for end in range(1, length + 1):
        for start in range(max(0, end - LONGEST_WORD), end):
            if best[start] == math.inf:
                continue
            piece = run[start:end]
            cost = words.cost.get(piece)
            if cost is None or (len(piece) == 1 and piece not in _ONE_LETTER):
                continue
            if best[start] + cost < best[end]:
                best[end], came_from[end] = best[start] + cost, start
    if best[length] == math.inf:
        return None
    pieces = []
    end = length
    while end:
        pieces.append(run[came_from[end] : end])
        end = came_from[end]
    # A name or a foreign word falls apart into crumbs; a sentence into words.
    if len(pieces) < 2 or length / len(pieces) < 2.6:
        return None
    return " ".join(reversed(pieces))
