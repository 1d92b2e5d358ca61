"""Writes the data that normalising goes by: TR39's look-alikes of Latin letters, and the packs' own words.

``--check`` writes nothing and fails when a file is not what it would write.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from pathlib import Path

from upstander.detect import examples, packs
from upstander.detect.characters import FOLD
from upstander.detect.words import LONGEST_WORD

_WORD = re.compile("[a-z]+")
ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "src" / "upstander" / "detect" / "data"


def confusables() -> str:
    """Characters outside Latin that Unicode TR39 lists as confusable with one Latin letter."""
    from confusable_homoglyphs import confusables as tr39  # noqa: PLC0415 - needed by this table alone

    found: dict[str, str] = {}
    for character, alike in tr39.confusables_data.items():
        if len(character) != 1 or character.isascii() or unicodedata.category(character)[0] != "L":
            continue
        folded = FOLD[ord(character)] or ""
        if len(folded) != 1 or folded.isascii():
            continue  # NFKD makes a Latin letter of it by itself
        for entry in alike:
            latin = entry["c"]
            if len(latin) == 1 and latin.isascii() and latin.isalpha():
                found.setdefault(folded, latin.lower())
    lines = [f"{character}\t{latin}" for character, latin in sorted(found.items())]
    return "\n".join(["# Made by scripts/generate_detect_data.py from Unicode TR39's confusables.", *lines]) + "\n"


def words() -> str:
    """Every word of the packs' examples with how often it is used."""
    counts: Counter[str] = Counter()
    # Lines of the host count too: a child's words are disguised as a viewer's are.
    texts = {example.text for example in examples.bundled()}
    texts.update(text for pattern in packs.load(packs.bundled()).patterns for text in (*pattern.fires, *pattern.spares))
    for text in texts:
        # Spaced and disguised words of the examples are no words: what has an apostrophe is read with and without it.
        folded = text.translate(FOLD)
        for form in {folded, folded.replace("'", "")}:
            counts.update(word for word in _WORD.findall(form) if len(word) <= LONGEST_WORD)
    lines = [f"{word}\t{count}" for word, count in sorted(counts.items())]
    return "\n".join(["# Made by scripts/generate_detect_data.py from the packs' examples.", *lines]) + "\n"


def main() -> None:
    """Write both files, or check them."""
    check = "--check" in sys.argv
    for name, make in (("confusables.tsv", confusables), ("words.tsv", words)):
        path, text = DATA / name, make()
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            sys.exit(f"{path.relative_to(ROOT)} is not current: run scripts/generate_detect_data.py")


if __name__ == "__main__":
    main()
