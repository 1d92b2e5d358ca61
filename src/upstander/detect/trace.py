"""Why a text fires or does not: every pattern that is found in it, in which view, and what called it off.

Slow and thorough, for people who write packs; what decides is ``matcher``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from upstander.detect.normalise import Views, align
from upstander.detect.packs import Pattern


class Found(msgspec.Struct, frozen=True):
    """A pattern that is found in a view of a text.

    ``view`` is the view's place (0: raw); ``start`` and ``end`` are character offsets into the original text;
    ``called_off`` is the ``unless`` that silences it (empty: none), ``off_start`` and ``off_end`` where that is found.
    """

    pattern: Pattern
    view: int
    start: int
    end: int
    called_off: str = ""
    off_start: int = -1
    off_end: int = -1


def every_view(views: Views) -> tuple[str, ...]:
    """All views of a text, the raw one first."""
    return (views.raw, *views.folded)


def trace(patterns: Iterable[Pattern], text: str, views: Views) -> list[Found]:
    """Every pattern found in a text, each in the first view that shows it."""
    found = []
    for pattern in patterns:
        expression = re.compile(pattern.expression.encode(), re.MULTILINE)
        for index, view in enumerate(every_view(views)):
            data = view.encode("utf-8", "replace")
            match = expression.search(data)
            if match is None:
                continue
            start, end = original(text, view, data, match.span())
            for unless in pattern.unless:
                off = re.search(unless.encode(), data)
                if off is not None:
                    found.append(Found(pattern, index, start, end, unless, *original(text, view, data, off.span())))
                    break
            else:
                found.append(Found(pattern, index, start, end))
            break
    return found


def original(text: str, view: str, data: bytes, span: tuple[int, int]) -> tuple[int, int]:
    """A span of a view's bytes as character offsets into the original text."""
    first = len(data[: span[0]].decode("utf-8", "replace"))
    last = len(data[: span[1]].decode("utf-8", "replace"))
    offsets = align(text, view)
    if offsets is None or not offsets:
        return 0, len(text)
    return offsets[first], (offsets[last - 1] + 1 if last > first else offsets[first])
