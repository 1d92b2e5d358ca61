"""Character tables: folding to plain lower-case letters, look-alikes of other scripts, emoji as words. No state."""

from __future__ import annotations

import functools
import re
import unicodedata
from importlib.resources import files

import emoji

INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e"
    "\u200b\u200c\u200d\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064"
    "\u2066\u2067\u2068\u2069\u206a\u206b\u206c\u206d\u206e\u206f\u3164\ufe0e\ufe0f\ufeff\uffa0"
)
#: Invisible characters between two Latin letters have no use in ordinary writing (unlike those inside emoji or
#: in Persian), so only these are counted as a sign of evasion.
HIDDEN = re.compile(f"(?<=[A-Za-z])[{INVISIBLE}]+(?=[A-Za-z])")

_PUNCTUATION = {
    "\u2018": "'", "\u2019": "'", "\u201b": "'", "\u02bc": "'", "\u00b4": "'", "`": "'",
    "\u201c": '"', "\u201d": '"', "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-",
}  # fmt: skip
_SPECIAL = {"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "\u0131": "i"}

#: Pictures of letters that Unicode does not decompose: negative circled and negative squared capitals.
_LETTER_PICTURES = {start + i: chr(97 + i) for start in (0x1F150, 0x1F170) for i in range(26)}

#: What is drawn like a Latin letter but is not among TR39's confusables; met in chat.
_DRAWN_ALIKE = dict(zip("вкмнтизяԛԝκντηωɑ", "bkmhtu3rqwkvtnwa", strict=True))

#: Emoji, and the joiners, selectors, skin tones and tags inside them.
PICTURE = re.compile(
    "[\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299"
    "\U0001f000-\U0001f0ff\U0001f1e6-\U0001faff\U000e0020-\U000e007f\u200d\ufe0f\u20e3]+"
)
_FLAG_LETTERS = re.compile("[\U0001f1e6-\U0001f1ff]{3,}")

#: Emoji that stand for a word in chat. The others go by their Unicode name ("wrapped gift").
_WORDS = {
    "🎁": "gift", "💝": "gift", "📱": "phone", "☎": "phone", "📞": "call", "🤙": "call", "🤫": "secret", "🤐": "secret",
    "👻": "snap", "📸": "picture", "📷": "picture", "🏠": "home", "🏡": "home", "🏫": "school", "💵": "money",
    "💰": "money", "💸": "money", "🪙": "coins", "💎": "diamonds", "🌹": "rose", "👀": "see", "💃": "dance",
    "🚪": "door", "🔒": "lock", "👩": "mom", "👨": "dad", "👪": "parents", "👧": "girl", "👦": "boy", "🛏": "bed",
    "👗": "dress", "❤": "love", "💋": "kiss", "😘": "kiss", "🦶": "feet", "🎥": "video", "📹": "video", "✉": "message",
    "💬": "chat", "📩": "message", "🤝": "meet", "🎂": "birthday", "🔪": "knife", "⏰": "time", "👑": "queen",
}  # fmt: skip


class _FoldTable(dict[int, str | None]):
    """A ``str.translate`` table, filled as characters are met: NFKD, no marks, no invisibles, lower case."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        folded: str | None
        unseen = unicodedata.category(character) in ("Cc", "Cf") and character not in "\t\n\r"
        if character in INVISIBLE or unseen:
            folded = None
        elif character in _PUNCTUATION:
            folded = _PUNCTUATION[character]
        elif code in _LETTER_PICTURES:
            folded = _LETTER_PICTURES[code]
        elif character.isspace():
            folded = " "
        else:
            decomposed = unicodedata.normalize("NFKD", character.lower())
            kept = "".join(_SPECIAL.get(c, c) for c in decomposed.lower() if unicodedata.category(c) != "Mn")
            folded = kept if len(kept) <= 8 else character
        self[code] = folded
        return folded


#: Fold one character to what it stands for.
FOLD = _FoldTable()


@functools.cache
def look_alikes() -> dict[int, str]:
    """Characters of other scripts that look like a Latin letter, as a translation table (Unicode TR39 and more)."""
    text = (files("upstander.detect") / "data" / "confusables.tsv").read_text(encoding="utf-8")
    table = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            character, latin = line.split("\t")
            table[ord(character)] = latin
    table.update({ord(character): latin for character, latin in _DRAWN_ALIKE.items()})
    return table


def without_pictures(match: re.Match[str]) -> str:
    """A run of emoji, dropped; three and more flag letters ("🇸🇪🇨🇷🇪🇹") become the letters they show."""
    letters = _FLAG_LETTERS.search(match.group())
    return "".join(chr(ord(c) - 0x1F1E6 + 97) for c in letters.group()) if letters else ""


def named_pictures(match: re.Match[str]) -> str:
    """A run of emoji as the words they stand for."""
    return "".join(f" {name} " for name in map(_name, match.group()) if name)


@functools.lru_cache(maxsize=4096)
def _name(character: str) -> str:
    if character in _WORDS:
        return _WORDS[character]
    known = emoji.EMOJI_DATA.get(character)
    return known["en"].strip(":").replace("_", " ").lower() if known else ""
