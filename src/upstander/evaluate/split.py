"""The committed split of the functional suite: which lines are held out, and what counts as the same line.

Nothing here reads a file. The deal itself is in ``scripts/deal_examples.py``; the lines are in ``suites/`` (held out)
and in each pack's ``examples/`` (the rest).
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from enum import StrEnum

from upstander.detect.normalise import views

#: Changing the salt deals anew: only for a suite that is written anew.
SALT = "upstander-suite-1"
#: One line in this many is held out.
SHARE = 3
#: Two lines whose sets of three-letter runs overlap this much (Jaccard) are one line written twice.
NEAR = 0.8


class Part(StrEnum):
    """The two parts of the suite: ``held_out`` lines nobody tunes on, ``examples`` the packs are written on."""

    HELD_OUT = "held_out"
    EXAMPLES = "examples"


def part_of(language: str, tactic: str, text: str) -> Part:
    """The part a line belongs to: it depends on the line alone, so that neither order nor additions move others.

    The SHA-256 of salt, language, tactic and the line (stripped, casefolded), as a number, divided by ``SHARE``:
    without a remainder it is held out.
    """
    data = f"{SALT}|{language}|{tactic}|{text.strip().casefold()}".encode()
    held_out = int(hashlib.sha256(data).hexdigest(), 16) % SHARE == 0
    return Part.HELD_OUT if held_out else Part.EXAMPLES


def folded(text: str) -> str:
    """A line casefolded, with its runs of white space as one space each."""
    return " ".join(text.casefold().split())


def identities(text: str) -> frozenset[str]:
    """All a line is known by: the folded line and every folded view the detectors make of it.

    Two lines are the same when they share one of these.
    """
    seen = views(text)
    return frozenset({folded(text), *(folded(view) for view in (seen.raw, *seen.folded))})


def runs(text: str) -> frozenset[str]:
    """The three-letter runs of a folded line (of a shorter line: the line itself)."""
    line = folded(text)
    return frozenset(line[start : start + 3] for start in range(max(1, len(line) - 2)))


def near_pairs(these: Sequence[str], those: Iterable[str], near: float = NEAR) -> list[tuple[int, int]]:
    """Pairs ``(index in these, index in those)`` that are the same line, or whose overlap is at least ``near``.

    Only lines that share a run are compared, through an index from runs to lines.
    """
    known = list(those)
    sets = [runs(text) for text in known]
    holders: defaultdict[str, list[int]] = defaultdict(list)
    for index, found in enumerate(sets):
        for run in found:
            holders[run].append(index)
    owners: defaultdict[str, list[int]] = defaultdict(list)
    for index, text in enumerate(known):
        for identity in identities(text):
            owners[identity].append(index)
    pairs: set[tuple[int, int]] = set()
    for index, text in enumerate(these):
        own = runs(text)
        shared: Counter[int] = Counter()
        for run in own:
            shared.update(holders[run])
        pairs |= {
            (index, other) for other, count in shared.items() if count >= near * (len(own) + len(sets[other]) - count)
        }
        pairs |= {(index, other) for identity in identities(text) for other in owners.get(identity, ())}
    return sorted(pairs)
