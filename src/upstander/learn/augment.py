"""Variants of an example as chat writes them: slang, typing errors, small words around. Seeded, never obfuscation."""

from __future__ import annotations

import random
import re

_SLANG = {
    "you": ("u", "yu"), "your": ("ur", "yr"), "you're": ("ur", "youre"), "are": ("r",), "please": ("pls", "plz"),
    "ur": ("your",), "u": ("you",), "pls": ("please",), "r": ("are",), "dont": ("don't", "dnt"), "to": ("2",),
    "for": ("4",), "parents": ("folks", "mum and dad", "mom and dad"), "mum": ("mom", "mommy", "dad"),
    "mom": ("mum", "dad"), "dad": ("mum", "father"), "really": ("rly",), "because": ("cuz", "bc"), "and": ("n", "&"),
    "with": ("w",), "going": ("goin",), "want": ("wanna",), "know": ("kno",), "what": ("wat",), "tell": ("say",),
    "someone": ("some1",), "anyone": ("any1", "anybody"), "girl": ("babe", "queen"), "ok": ("okay", "k"),
    "ill": ("i will", "i'll"), "i'll": ("ill",), "im": ("i'm", "i am"), "i'm": ("im",), "now": ("rn", "right now"),
}  # fmt: skip
_BEFORE = ("hey", "hi", "omg", "lol", "yo", "so", "but", "ok", "btw", "wait", "aw", "haha")
_AFTER = ("lol", "pls", "ok", "rn", "haha", "tho", "fr", "now", "xx", "btw", "yeah")


def variants(text: str, count: int, chance: random.Random) -> list[str]:
    """Up to ``count`` variants of a line, each different from it and from one another."""
    made: dict[str, None] = {}
    for _ in range(count * 3):
        if len(made) == count:
            break
        words = re.findall(r"\S+", text.lower())
        words = [_swap(word, chance) for word in words]
        if len(words) > 2 and chance.random() < 0.3:
            _mistype(words, chance)
        if chance.random() < 0.35:
            words.insert(0, chance.choice(_BEFORE))
        if chance.random() < 0.35:
            words.append(chance.choice(_AFTER))
        variant = " ".join(words)
        if variant != text.lower():
            made[variant] = None
    return list(made)


def _swap(word: str, chance: random.Random) -> str:
    others = _SLANG.get(word)
    return chance.choice(others) if others and chance.random() < 0.5 else word


def _mistype(words: list[str], chance: random.Random) -> None:
    index = chance.randrange(len(words))
    word = words[index]
    if len(word) < 4:
        return
    at = chance.randrange(len(word) - 1)
    if chance.random() < 0.5:
        words[index] = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    else:
        words[index] = word[:at] + word[at + 1 :]
