"""Views of a text: the raw one, and folded ones in which common ways to evade a word list are undone.

Every folding step is written once and run in two ways: on text alone (fast, for every message) and with an offset
map (slow, only for a message in which something fired), so that what fired can be underlined in the original.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable

import ftfy
import msgspec

from upstander.detect import words
from upstander.detect.characters import FOLD, HIDDEN, PICTURE, look_alikes, named_pictures, without_pictures
from upstander.model.events import MAX_SPEECH

#: No view is longer than this many characters: what is beyond it is not read.
LENGTH_CAP = MAX_SPEECH

#: Text read in the wrong encoding, such as UTF-8 read as Latin-1.
_MOJIBAKE = re.compile(
    "[\u00c2-\u00c5\u00d0\u00d1\u00e2\u00f0]"
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u2026\u2030\u2039\u203a\u20ac\u2122]+"
)
#: Chat repeats itself: what a token stands for is remembered for so many of them.
TOKENS_REMEMBERED = 50_000
_LEET = str.maketrans("013457@$!|", "oieastasii")

#: A step replaces what its pattern finds by what its function makes of it.
_Step = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _mended(match: re.Match[str]) -> str:
    return ftfy.fix_encoding(match.group())


def _folded(match: re.Match[str]) -> str:
    return FOLD[ord(match.group())] or ""


def _unmix(match: re.Match[str]) -> str:
    """A token that mixes scripts becomes its Latin look-alike, and so does one that then is a known word."""
    token = match.group()
    if token.isascii():
        return token
    latin = token.translate(look_alikes())
    if latin == token:
        return token
    if re.search("[a-z]", token):
        return latin
    return latin if len(latin) > 1 and latin in words.bundled().cost else token


def _unspace(match: re.Match[str]) -> str:
    return re.sub(r"[\W_]", "", match.group())


def _undisguise(match: re.Match[str]) -> str:
    return _undisguised(match.group())


#: What makes a token look disguised: a sign, a doubled letter, punctuation inside.
_DISGUISE = re.compile(r"[^a-z]|(.)\1")


@functools.lru_cache(TOKENS_REMEMBERED)
def _undisguised(token: str) -> str:
    """A token with signs, runs or punctuation inside becomes the word that it stands for, when that is known."""
    known = words.bundled()
    if token in known.cost or _DISGUISE.search(token) is None:
        return token
    core = token.rstrip("!.-*'")
    if core in known.cost:
        return token
    for form in (core, token) if core != token else (token,):
        found = words.undisguised(form, known)
        if found is not None:
            return found
    return token


def _take_apart(match: re.Match[str]) -> str:
    return _taken_apart(match.group())


@functools.lru_cache(TOKENS_REMEMBERED)
def _taken_apart(run: str) -> str:
    return words.taken_apart(run, words.bundled()) or run


_MEND: _Step = (_MOJIBAKE, _mended)
_FOLD_EACH: _Step = (re.compile(r"(?s)."), _folded)
_QUIET: _Step = (PICTURE, without_pictures)
_NAMED: _Step = (PICTURE, named_pictures)

_COMMON_STEPS: tuple[_Step, ...] = (
    (re.compile(r"[^\W\d_]+"), _unmix),
    # Spaced-out letters: "s e c r e t", "s.e.c.r.e.t".
    (re.compile(r"(?<![^\W_])(?:[a-z][ .,\-_*/~|]){2,}[a-z](?![^\W_])"), _unspace),
    # Signs for letters, letters repeated, punctuation inside a word.
    (re.compile(r"[a-z0-9@$!|+][a-z0-9@$!|+.*_'\-]{2,39}"), _undisguise),
    # Digits and symbols standing for letters inside any other word ("1nsta", "ag3"), not "im 13" nor "hi!".
    (
        re.compile(r"[013457@$!|]+(?=[a-z013457@$!|]*[a-z])|(?<=[a-z])[013457@$]+(?![\w@$])"),
        lambda match: match.group().translate(_LEET),
    ),
    # Words run together: "donttellyourmom".
    (re.compile(r"[a-z]{8,80}"), _take_apart),
    (re.compile(r"\s{2,}"), lambda match: " "),
)
_RUN = re.compile(r"([^\W\d_])\1{2,}")
_TO_TWO: _Step = (_RUN, lambda match: match.group(1) * 2)
_TO_ONE: _Step = (_RUN, lambda match: match.group(1))

#: ASCII text in which none of this occurs folds to itself: the fast path.
_NEEDS_FOLDING = re.compile(
    r"([a-z])\1\1|[a-z][013457@$!|]|[0134578@$!|+][a-z]|\b[a-z][ .,\-_*/~|][a-z][ .,\-_*/~|][a-z]\b|\s\s"
    r"|[\x00-\x1f\x7f`]|[a-z]{12}|[a-z][.*_\-][a-z]"
)


class Views(msgspec.Struct, frozen=True, gc=False):
    """A text as the detectors read it.

    ``raw`` is the text in lower case. ``folded`` holds up to three further views (repeats cut to two letters, and to
    one; emoji as words), only those that differ from what came before. ``hidden`` counts invisible characters inside
    Latin words. ``plain`` is the view furthest from all disguise, without emoji: what a model reads.
    """

    raw: str
    folded: tuple[str, ...]
    hidden: int
    plain: str


def views(text: str) -> Views:
    """The views of a text. Pure, and linear in its length."""
    if len(text) > LENGTH_CAP:
        text = text[:LENGTH_CAP]
    raw = text.lower()
    if raw.isascii():
        if _NEEDS_FOLDING.search(raw) is None:
            return Views(raw, (), 0, raw)
        hidden, named = 0, ""
        folded = raw.translate(FOLD)
    else:
        hidden = sum(len(run) for run in HIDDEN.findall(text))
        if _MOJIBAKE.search(text) is not None:
            text = _MOJIBAKE.sub(_mended, text)
        named = ""
        if PICTURE.search(text) is not None:
            named = PICTURE.sub(named_pictures, text).translate(FOLD)
            text = PICTURE.sub(without_pictures, text)
        folded = text.translate(FOLD)
    folded = _plain(folded)
    two, one = folded, folded
    if _RUN.search(folded) is not None:
        two = _RUN.sub(_TO_TWO[1], folded)
        one = _RUN.sub(_TO_ONE[1], folded)
    found = [two] if two != raw else []
    if one not in (two, raw):
        found.append(one)
    if named:
        named = _RUN.sub(_TO_ONE[1], _plain(named)).strip()
        if named not in (raw, two, one):
            found.append(named)
    return Views(raw, tuple(found), hidden, one)


def _plain(folded: str) -> str:
    if _NEEDS_FOLDING.search(folded) is not None or not folded.isascii():
        for pattern, function in _COMMON_STEPS:
            folded = pattern.sub(function, folded)
    return folded


def align(text: str, view: str) -> list[int] | None:
    """For each character of ``view`` (one of this text's views), the index in ``text`` it came from.

    The list has one entry more than the view: the end. ``None`` when ``view`` is not a view of ``text``.
    """
    text = text[:LENGTH_CAP]
    offsets = list(range(len(text) + 1))
    lower, moved = _substitute((_FOLD_EACH[0], lambda match: match.group().lower()), text, offsets)
    if lower == view:
        return moved
    if not lower.isascii():
        text, offsets = _substitute(_MEND, text, offsets)
    else:
        text = lower
    quiet = _aligned(text, offsets, _QUIET, (_TO_TWO, _TO_ONE))
    for candidate, moved in quiet:
        if candidate == view:
            return moved
    for candidate, moved in _aligned(text, offsets, _NAMED, (_TO_ONE,)):
        start = len(candidate) - len(candidate.lstrip())
        if candidate.strip() == view:
            return [*moved[start : start + len(view)], moved[start + len(view)]]
    return None


def _aligned(text: str, offsets: list[int], pictures: _Step, runs: tuple[_Step, ...]) -> list[tuple[str, list[int]]]:
    if not text.isascii():
        text, offsets = _substitute(pictures, text, offsets)
    text, offsets = _substitute(_FOLD_EACH, text, offsets)
    if _NEEDS_FOLDING.search(text) is not None or not text.isascii():
        for step in _COMMON_STEPS:
            text, offsets = _substitute(step, text, offsets)
    return [_substitute(step, text, offsets) for step in runs]


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
    """Offsets for a replacement of another length: each new character is found in order in the old.

    What was put in (a space between words, a letter for a sign) lies where the search stands.
    """
    moved: list[int] = []
    position = 0
    for character in new:
        found = old.find(character, position)
        if found < 0:
            moved.append(offsets[min(position, len(old) - 1)])
            continue
        moved.append(offsets[found])
        position = found + 1
    return moved
