"""Obfuscated variants of a line, as people who evade a word filter write them. Deterministic: the seed decides.

The writers of these variants know nothing of the detectors: each generator does what is done in real chats (leet,
look-alikes, invisible characters, spacing, emoji, split messages), whether or not anything undoes it. A person can
still read every variant. Nothing here reads a file or judges anything.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import msgspec

from upstander.evaluate import alphabets


class Sent(msgspec.Struct, frozen=True):
    """One message of a variant: which of its viewers (from 0) sent it, and its text."""

    viewer: int
    text: str


class Variant(msgspec.Struct, frozen=True):
    """A line obfuscated: by which generator, in which of its styles, and the messages in the order they are sent."""

    generator: str
    style: str
    messages: tuple[Sent, ...]


#: A generator gives its style and its messages, or None when the line offers nothing to change.
Generator = Callable[[str, random.Random], "tuple[str, tuple[Sent, ...]] | None"]

_WORD = re.compile(r"[^\W\d_]+")
#: Words of fewer letters are left alone: nobody hides "to", and hiding it makes a line hard to read.
_LETTERS = 4


def variant(generator: str, text: str, seed: int = 0) -> Variant | None:
    """The variant of a line that a generator makes with this seed; None when it has nothing to change there.

    Raises ``KeyError`` for a generator that is not in ``GENERATORS``.
    """
    # A text as the seed: its value does not depend on the machine or on PYTHONHASHSEED.
    chance = random.Random(f"{seed}|{generator}|{text}")  # noqa: S311 - variants, not secrets
    made = GENERATORS[generator](text, chance)
    if made is None or made[1] == (Sent(0, text),):
        return None
    return Variant(generator, *made)


def _one(style: str, text: str) -> tuple[str, tuple[Sent, ...]]:
    return style, (Sent(0, text),)


def _words(text: str, letters: int = _LETTERS) -> list[re.Match[str]]:
    """The words worth hiding, longest first; of a line that has only short ones, its longest."""
    found = sorted(_WORD.finditer(text), key=lambda match: -len(match.group()))
    return [match for match in found if len(match.group()) >= letters] or found[:1]


def _some(text: str, chance: random.Random, share: float, letters: int = 3) -> list[int]:
    """Places (indices into the text) of about ``share`` of the letters in words worth hiding, at least one a word."""
    places: list[int] = []
    for match in _words(text, letters):
        span = range(match.start(), match.end())
        places += [place for place in span if chance.random() < share] or [chance.choice(span)]
    return places


def _replace(text: str, places: dict[int, str]) -> str:
    return "".join(places.get(index, character) for index, character in enumerate(text))


def leet(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Digits and signs for the letters they look like ("s3cr3t"): slips past a list of words."""
    spelling = {letter: chance.choice(signs) for letter, signs in alphabets.LEET.items()}
    able = [index for index, c in enumerate(text) if c.lower() in spelling]
    chosen = [index for index in able if chance.random() < 0.5] or able[:1]
    return _one("leet", _replace(text, {index: spelling[text[index].lower()] for index in chosen}))


def homoglyph(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Some Latin letters swapped for Cyrillic or Greek ones that look the same (TR39): a reader sees no difference."""
    style = chance.choice(sorted(alphabets.LOOKALIKES))
    letters = alphabets.LOOKALIKES[style]
    able = [index for index, c in enumerate(text) if c in letters]
    chosen = [index for index in able if chance.random() < 0.5] or able[:1]
    return _one(style, _replace(text, {index: letters[text[index]] for index in chosen}))


def zero_width(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Invisible characters inside words: the line looks untouched and no word of it is whole."""
    inside = {}
    for match in _words(text, 3):
        for place in range(match.start() + 1, match.end()):
            if chance.random() < 0.4 or place == match.start() + 1:
                inside[place] = chance.choice(alphabets.INVISIBLE) + text[place]
    return _one("zero_width", _replace(text, inside))


def spacing(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Letters set apart ("s e c r e t", "s.e.c.r.e.t"), or words run together ("donttellyourmom")."""
    if chance.random() < 0.5 and len(text.split()) >= 2:
        return _one("joined", _joined(text, chance))
    sign = chance.choice((" ", ".", "-", "_", " "))
    apart = {}
    for match in _words(text)[: chance.choice((1, 2))]:
        apart.update({place: text[place] + sign for place in range(match.start(), match.end() - 1)})
    return _one("apart", _replace(text, apart))


def _joined(text: str, chance: random.Random) -> str:
    """A short line without its spaces; of a long one, a stretch of three or four words (longer could not be read)."""
    words = text.split()
    if len(words) <= 5:
        return "".join(words)
    count = chance.choice((3, 4))
    first = chance.randrange(len(words) - count + 1)
    return " ".join([*words[:first], "".join(words[first : first + count]), *words[first + count :]])


def repeats(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Letters drawn out ("seeecret", "plssss"): ordinary in chat, and enough to miss a list of words."""
    drawn: dict[int, str] = {}
    for match in _words(text, 3):
        vowels = [place for place in range(match.start(), match.end()) if text[place].lower() in "aeiouy"]
        if not drawn or chance.random() < 0.5:
            place = chance.choice([*vowels, match.end() - 1])
            drawn[place] = text[place] * chance.choice((3, 4, 5))
    return _one("repeats", _replace(text, drawn))


def emoji(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Emoji for words that have one ("dont tell 🤫"), or scattered between words or letters to break them up."""
    drawn, count = alphabets.PICTURED.subn(lambda match: alphabets.PICTURES[match.group().lower()], text)
    if count and chance.random() < 0.6:
        return _one("instead", drawn)
    sign = chance.choice(alphabets.EMOJI)
    if chance.random() < 0.5 or not _words(text):
        gaps = [match.start() for match in re.finditer(r"(?<=\S) (?=\S)", text)]
        chosen = {place for place in gaps if chance.random() < 0.6} or set(gaps)
        if chosen:
            return _one("between_words", _replace(text, dict.fromkeys(chosen, f" {sign} ")))
    words = _words(text)
    if not words:
        return None
    span = range(words[0].start(), words[0].end() - 1)
    return _one("between_letters", _replace(text, {place: text[place] + sign for place in span}))


def mixed_script(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Fancy letters from a font generator (fullwidth, mathematical), or marks piled on letters."""
    style = chance.choice(["marks", "fullwidth", *sorted(alphabets.MATHEMATICAL)])
    if style == "marks":
        chosen = _some(text, chance, 0.3)
        return _one(style, _replace(text, {place: text[place] + chance.choice(alphabets.MARKS) for place in chosen}))
    table = alphabets.FULLWIDTH if style == "fullwidth" else alphabets.MATHEMATICAL[style]
    whole = chance.random() < 0.5
    words = [] if whole else _words(text)[: chance.choice((1, 2, 3))]
    places = range(len(text)) if whole else [p for match in words for p in range(match.start(), match.end())]
    return _one(style, _replace(text, {place: table.get(text[place], text[place]) for place in places}))


def split_messages(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """The line in two or three messages, one after the other: no single one says anything."""
    pieces = _pieces(text, chance)
    return (f"in_{len(pieces)}", tuple(Sent(0, piece) for piece in pieces)) if pieces else None


def split_accounts(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """The line in pieces, sent by two accounts in turn: neither says anything."""
    pieces = _pieces(text, chance)
    if not pieces:
        return None
    return f"in_{len(pieces)}", tuple(Sent(index % 2, piece) for index, piece in enumerate(pieces))


def _pieces(text: str, chance: random.Random) -> list[str]:
    words = text.split()
    if len(words) < 2:
        return []
    count = 3 if len(words) >= 6 and chance.random() < 0.5 else 2
    cuts = sorted(chance.sample(range(1, len(words)), count - 1))
    return [" ".join(words[a:b]) for a, b in zip([0, *cuts], [*cuts, len(words)], strict=True)]


def typo(text: str, chance: random.Random) -> tuple[str, tuple[Sent, ...]] | None:
    """Two letters swapped or one left out inside a word or two: haste, or meant to look like it."""
    words = [match for match in _words(text, 5) if len(match.group()) >= 4]
    if not words:
        return None
    style = chance.choice(("swapped", "dropped"))
    changed = {}
    for match in chance.sample(words, min(len(words), chance.choice((1, 2)))):
        inner = range(match.start() + 1, match.end() - 2)
        # Two equal letters swapped would be no change.
        able = [place for place in inner if text[place] != text[place + 1]]
        if able:
            place = chance.choice(able)
            changed[place] = text[place + 1] if style == "swapped" else ""
            if style == "swapped":
                changed[place + 1] = text[place]
    return _one(style, _replace(text, changed))


#: All of them, by the name they are reported under.
GENERATORS: dict[str, Generator] = {
    function.__name__: function
    for function in (
        leet,
        homoglyph,
        zero_width,
        spacing,
        repeats,
        emoji,
        mixed_script,
        split_messages,
        split_accounts,
        typo,
    )
}
