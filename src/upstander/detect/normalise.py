"""Views of a text: the raw one, and folded ones in which common ways to evade a word list are undone.

Every folding step is written once and run in two ways: on text alone (fast, for every message) and with an offset
map (slow, only for a message in which something fired), so that what fired can be underlined in the original.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

import msgspec

from upstander.model.events import MAX_SPEECH

#: No view is longer than this many characters: what is beyond it is not read.
LENGTH_CAP = MAX_SPEECH

_INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufe0e\ufe0f\ufeff\uffa0"
)
#: Invisible characters between two Latin letters have no use in ordinary writing (unlike those inside emoji or
#: in Persian), so only these are counted as a sign of evasion.
_HIDDEN = re.compile(f"(?<=[A-Za-z])[{_INVISIBLE}]+(?=[A-Za-z])")
_PUNCTUATION = {
    "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u02bc": "'", "\u00b4": "'", "`": "'",
    "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-",
}  # fmt: skip
_SPECIAL = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "\u0131": "i"}

#: Letters of other scripts that look like Latin ones (after Unicode TR39, the part met in chat), lower case.
_LOOKALIKES = str.maketrans(
    "абвгԁеѕзікӏмнорстухуѡһԛԝјɡɑ" + "αβγικνορτυχωη" + "ցհոսօԍ",
    "abbrdes3iklmhopctyxywhqwjga" + "abyiKvoptuxwn".lower() + "ghnuog",
)
_OTHER_SCRIPT = re.compile("[\u0370-\u03ff\u0400-\u052f\u0530-\u058f\u0250-\u02af]")
_LEET = str.maketrans("013457@$!|", "oieastasii")


class _FoldTable(dict[int, str | None]):
    """A ``str.translate`` table, filled as characters are met: NFKD, no marks, no invisibles, lower case."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        folded: str | None
        unseen = unicodedata.category(character) in ("Cc", "Cf") and character not in "\t\n\r"
        if character in _INVISIBLE or unseen:
            folded = None
        elif character in _PUNCTUATION:
            folded = _PUNCTUATION[character]
        elif character.isspace():
            folded = " "
        else:
            decomposed = unicodedata.normalize("NFKD", character.lower())
            kept = "".join(_SPECIAL.get(c, c) for c in decomposed.lower() if unicodedata.category(c) != "Mn")
            folded = kept if len(kept) <= 8 else character
        self[code] = folded
        return folded


_FOLD = _FoldTable()

#: A step replaces what its pattern finds by what its function makes of it.
_Step = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _unmix(match: re.Match[str]) -> str:
    """A token that mixes scripts becomes its Latin look-alike; a token in one script stays."""
    token = match.group()
    if re.search("[a-z]", token) and _OTHER_SCRIPT.search(token):
        return token.translate(_LOOKALIKES)
    return token


def _unspace(match: re.Match[str]) -> str:
    return re.sub(r"[\W_]", "", match.group())


_COMMON_STEPS: tuple[_Step, ...] = (
    (re.compile(r"[^\W\d_]+"), _unmix),
    # Digits and symbols standing for letters inside a word ("s3cr3t", "1nsta", "ag3"), not "im 13" nor "hi!".
    (
        re.compile(r"[013457@$!|]+(?=[a-z013457@$!|]*[a-z])|(?<=[a-z])[013457@$]+(?![\w@$])"),
        lambda match: match.group().translate(_LEET),
    ),
    # Spaced-out letters: "s e c r e t", "s.e.c.r.e.t".
    (re.compile(r"(?<![^\W_])(?:[a-z][ .,\-_*/~]){2,}[a-z](?![^\W_])"), _unspace),
    (re.compile(r"\s{2,}"), lambda match: " "),
)
_RUN = re.compile(r"([^\W\d_])\1{2,}")
_TO_TWO: _Step = (_RUN, lambda match: match.group(1) * 2)
_TO_ONE: _Step = (_RUN, lambda match: match.group(1))

#: ASCII text in which none of this occurs folds to itself: the fast path.
_NEEDS_FOLDING = re.compile(
    r"([a-z])\1\1|[a-z][013457@$!|]|[013457@$!|][a-z]|\b[a-z][ .,\-_*/~][a-z][ .,\-_*/~][a-z]\b|\s\s|[\x00-\x1f\x7f`]"
)


class Views(msgspec.Struct, frozen=True, gc=False):
    """A text as the detectors read it.

    ``raw`` is the text in lower case. ``folded`` holds up to two further views (repeats cut to two letters, and to
    one), only those that differ from what came before. ``hidden`` counts invisible characters inside Latin words.
    """

    raw: str
    folded: tuple[str, ...] = ()
    hidden: int = 0


def views(text: str) -> Views:
    """The views of a text. Pure, and linear in its length."""
    if len(text) > LENGTH_CAP:
        text = text[:LENGTH_CAP]
    raw = text.lower()
    if raw.isascii():
        if _NEEDS_FOLDING.search(raw) is None:
            return Views(raw)
        hidden, folded = 0, raw.translate(_FOLD)
    else:
        hidden = sum(len(run) for run in _HIDDEN.findall(text))
        folded = text.translate(_FOLD)
    if _NEEDS_FOLDING.search(folded) is not None or not folded.isascii():
        for pattern, function in _COMMON_STEPS:
            folded = pattern.sub(function, folded)
    two, one = folded, folded
    if _RUN.search(folded) is not None:
        two = _TO_TWO[0].sub(_TO_TWO[1], folded)
        one = _TO_ONE[0].sub(_TO_ONE[1], folded)
    found: tuple[str, ...] = ()
    if two != raw:
        found = (two,)
    if one not in (two, raw):
        found = (*found, one)
    return Views(raw, found, hidden)


def align(text: str, view: str) -> list[int] | None:
    """For each character of ``view`` (one of this text's views), the index in ``text`` it came from.

    The list has one entry more than the view: the end. ``None`` when ``view`` is not a view of ``text``.
    """
    text = text[:LENGTH_CAP]
    lower, offsets = _translate(text, {}, lowered=True)
    if lower == view:
        return offsets
    folded, offsets = _translate(text, _FOLD)
    for step in _COMMON_STEPS:
        folded, offsets = _substitute(step, folded, offsets)
    if folded == view:
        return offsets
    for step in (_TO_TWO, _TO_ONE):
        candidate, moved = _substitute(step, folded, offsets)
        if candidate == view:
            return moved
    return None


def _translate(text: str, table: Mapping[int, str | None], lowered: bool = False) -> tuple[str, list[int]]:
    parts: list[str] = []
    offsets: list[int] = []
    for index, character in enumerate(text):
        new = character.lower() if lowered else (table[ord(character)] or "")
        parts.append(new)
        offsets.extend([index] * len(new))
    offsets.append(len(text))
    return "".join(parts), offsets


def _substitute(step: _Step, text: str, offsets: list[int]) -> tuple[str, list[int]]:
    pattern, function = step
    parts: list[str] = []
    moved: list[int] = []
    done = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        new = function(match)
        parts += (text[done:start], new)
        moved += offsets[done:start]
        old = match.group()
        if len(new) == end - start:
            moved += offsets[start:end]
        else:
            moved += _squeeze(old, new, offsets[start:end])
        done = end
    parts.append(text[done:])
    moved += offsets[done:]
    return "".join(parts), moved


def _squeeze(old: str, new: str, offsets: list[int]) -> list[int]:
    """Offsets for a replacement that only dropped characters: each new one is found in order in the old."""
    moved: list[int] = []
    position = 0
    for character in new:
        found = old.find(character, position)
        found = min(position, len(old) - 1) if found < 0 else found
        moved.append(offsets[found])
        position = found + 1
    return moved
