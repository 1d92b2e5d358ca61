"""The colours of everything that is printed, sent or shown, as pairs that lie on each other, and their contrast."""

from __future__ import annotations

INK = "#1d2733"
SOFT = "#4a5768"
PAPER = "#ffffff"
TINT = "#eef3fb"
BRAND = "#1f4f99"
LEAF = "#1d6b4c"
SUN = "#fff4d6"

#: ``(what, text, ground, least contrast)``: text needs 4.5, large text and shapes 3 (WCAG 2.2, 1.4.3 and 1.4.11).
PAIRS: tuple[tuple[str, str, str, float], ...] = (
    ("text on paper", INK, PAPER, 4.5),
    ("small print on paper", SOFT, PAPER, 4.5),
    ("text on a tinted box", INK, TINT, 4.5),
    ("small print on a tinted box", SOFT, TINT, 4.5),
    ("headings on paper", BRAND, PAPER, 4.5),
    ("headings on a tinted box", BRAND, TINT, 4.5),
    ("title on a title slide", PAPER, BRAND, 4.5),
    ("text on a discussion card", INK, SUN, 4.5),
    ("places of help on paper", LEAF, PAPER, 4.5),
)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """The contrast ratio of two ``#rrggbb`` colours, 1 to 21, as WCAG 2.2 defines it."""
    low, high = sorted((_luminance(first), _luminance(second)))
    return (high + 0.05) / (low + 0.05)


def faint() -> list[str]:
    """The pairs whose contrast is too low, one line each."""
    return [
        f"{what}: {text} on {ground} is {contrast(text, ground):.2f}, at least {least:g} is needed"
        for what, text, ground, least in PAIRS
        if contrast(text, ground) < least
    ]
