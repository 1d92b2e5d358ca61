"""A part of a line with what is meant underlined: for errors in packs and for what fired in a text."""

from __future__ import annotations

import unicodedata

#: Longer lines are cut around what is underlined.
WIDTH = 100


def columns(text: str) -> int:
    """How many columns of a terminal a text takes."""
    total = 0
    for character in text:
        if not unicodedata.combining(character):
            total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total


def shown(text: str) -> str:
    """A text with every character to be seen: what would move the cursor or be invisible becomes ``·``."""
    return "".join(
        " " if character in "\t\n\r\u2028\u2029" else "·" if unicodedata.category(character) in _UNSEEN else character
        for character in text
    )


_UNSEEN = ("Cc", "Cf", "Cs", "Cn", "Co")


def window(text: str, start: int, length: int, width: int = WIDTH) -> tuple[str, int, int]:
    """The part of a line that shows ``start`` and ``length`` characters from there: (part, start in it, length)."""
    if len(text) <= width:
        return text, start, min(length, max(1, len(text) - start))
    begin = max(0, min(start - width // 4, len(text) - width))
    part = text[begin : begin + width]
    before, after = "…" if begin else "", "…" if begin + width < len(text) else ""
    inside = start - begin + len(before)
    return before + part + after, inside, max(1, min(length, len(before) + len(part) - inside))


def underlined(text: str, start: int, length: int, width: int = WIDTH) -> tuple[str, str]:
    """Two lines: the part of ``text`` around ``start``, and carets under ``length`` characters from there."""
    part, start, length = window(shown(text), start, length, width)
    return part, " " * columns(part[:start]) + "^" * max(1, columns(part[start : start + length]))
