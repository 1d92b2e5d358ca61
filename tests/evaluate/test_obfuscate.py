"""Every obfuscation generator changes the line, is deterministic, and leaves it readable in the way it claims."""

from __future__ import annotations

import re
import unicodedata

import pytest

from upstander.evaluate import alphabets
from upstander.evaluate.obfuscate import GENERATORS, Variant, variant

LINES = [
    "are your parents home right now",
    "dont tell your mom about our secret",
    "send me a pic on snap and I will send you a gift",
    "Add me on the other app, ok?",
    "qué guapa eres, no se lo digas a nadie",
    "nobody needs to know",
]
SEEDS = range(25)


def made(generator: str) -> list[tuple[str, Variant]]:
    found = [(line, variant(generator, line, seed)) for line in LINES for seed in SEEDS]
    return [(line, one) for line, one in found if one is not None]


def text_of(one: Variant) -> str:
    assert len(one.messages) == 1
    assert one.messages[0].viewer == 0
    return one.messages[0].text


@pytest.mark.parametrize("generator", GENERATORS)
def test_it_changes_the_line_and_the_seed_decides_how(generator: str) -> None:
    variants = made(generator)
    assert len(variants) == len(LINES) * len(SEEDS)
    for line, one in variants:
        assert one.generator == generator
        assert [sent.text for sent in one.messages] != [line]
    assert variants == made(generator)
    assert len({one.messages for _, one in variants}) > len(LINES)


def test_the_variants_are_the_same_on_every_machine() -> None:
    line = "dont tell your mom about our secret"
    assert {name: [sent.text for sent in one.messages] for name in GENERATORS if (one := variant(name, line))} == {
        "leet": ["dont t311 your mom abou7 0ur $3cr37"],
        "homoglyph": ["dont tell yo\u03c5r m\u03bfm \u03b1b\u03bfut o\u03c5r secret"],
        "zero_width": [
            "d\ufeffon\xadt t\u200bel\u200cl y\u200dour m\u200com "
            "a\u2060b\u2060o\u2060u\ufefft o\u200bu\u200dr s\u200cecret"
        ],
        "spacing": ["dont tell your mom about our s_e_c_r_e_t"],
        "repeats": ["donttt tellllll your mommmmm abooooout oooour secreeeeet"],
        "emoji": ["🤐 your 👩 about our 🤫"],
        "mixed_script": ["dont tell your mom about our 𝓼𝓮𝓬𝓻𝓮𝓽"],
        "split_messages": ["dont", "tell", "your mom about our secret"],
        "split_accounts": ["dont", "tell your mom about", "our secret"],
        "typo": ["dont tell your mom abut our secret"],
    }


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_line_with_nothing_to_change_has_no_variant(generator: str) -> None:
    for line in ("?!", ":)"):
        assert variant(generator, line) is None


def test_leet_reads_back() -> None:
    letters = {sign: letter for letter, signs in alphabets.LEET.items() for sign in signs}
    for line, one in made("leet"):
        # "1" stands for both "i" and "l".
        back = "".join(letters.get(c, c) for c in text_of(one).lower()).replace("i", "l")
        assert back == line.lower().replace("i", "l")


def test_homoglyphs_look_the_same_and_only_some_letters_change() -> None:
    latin = {new: old for table in alphabets.LOOKALIKES.values() for old, new in table.items()}
    for line, one in made("homoglyph"):
        text = text_of(one)
        assert "".join(latin.get(c, c) for c in text) == line
        changed = [c for c in text if c in latin]
        assert 1 <= len(changed) < len(re.findall(r"\w", line))
        assert all(unicodedata.name(c).startswith(("CYRILLIC", "GREEK")) for c in changed)


def test_zero_width_is_invisible_and_inside_words() -> None:
    for line, one in made("zero_width"):
        text = text_of(one)
        assert re.sub(f"[{alphabets.INVISIBLE}]", "", text) == line
        assert not re.search(rf"(^|\s)[{alphabets.INVISIBLE}]|[{alphabets.INVISIBLE}](\s|$)", text)


def test_spacing_only_adds_or_takes_separators() -> None:
    styles = set()
    for line, one in made("spacing"):
        text = text_of(one)
        styles.add(one.style)
        if one.style == "joined":
            assert text.replace(" ", "") == line.replace(" ", "")
            assert len(text.split()) < len(line.split())
            joined = max(text.split(), key=len)
            assert len(joined) < 45
        else:
            assert re.sub(r"[\W_]", "", text) == re.sub(r"[\W_]", "", line)
            assert re.search(r"(?:[^\W_][ ._-]){3}", text)
    assert styles == {"joined", "apart"}


def test_repeats_collapse_to_the_line() -> None:
    for line, one in made("repeats"):
        text = text_of(one)
        assert re.sub(r"(\w)\1+", r"\1", text) == re.sub(r"(\w)\1+", r"\1", line)
        assert re.search(r"(\w)\1\1", text)


def test_emoji_stand_between_or_for_words() -> None:
    styles = set()
    for line, one in made("emoji"):
        text = text_of(one)
        styles.add(one.style)
        if one.style == "instead":
            sign = alphabets.PICTURED.sub(lambda match: alphabets.PICTURES[match.group().lower()], line)
            assert text == sign
        else:
            bare = re.sub("|".join(alphabets.EMOJI), "", text)
            assert "".join(bare.split()) == "".join(line.split())
    assert styles == {"instead", "between_words", "between_letters"}


def test_emoji_take_the_longest_phrase() -> None:
    assert alphabets.PICTURED.findall("dont tell them, snapchat and Gifts") == ["dont tell", "snapchat", "Gifts"]


def test_fancy_letters_and_marks_decompose_to_the_line() -> None:
    styles = set()
    for line, one in made("mixed_script"):
        styles.add(one.style)

        def plain(text: str) -> str:
            return "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")

        assert plain(text_of(one)) == plain(line)
    assert styles == {"marks", "fullwidth", *alphabets.MATHEMATICAL}


@pytest.mark.parametrize(("generator", "viewers"), [("split_messages", {0}), ("split_accounts", {0, 1})])
def test_split_lines_join_to_the_line(generator: str, viewers: set[int]) -> None:
    counts = set()
    for line, one in made(generator):
        assert " ".join(sent.text for sent in one.messages) == line
        assert {sent.viewer for sent in one.messages} == viewers
        counts.add(len(one.messages))
    assert counts == {2, 3}


def test_typos_swap_or_drop_a_letter_and_keep_the_first() -> None:
    for line, one in made("typo"):
        text = text_of(one)
        assert [word[0] for word in text.split()] == [word[0] for word in line.split()]
        if one.style == "swapped":
            assert sorted(text) == sorted(line)
        else:
            assert len(line) - 2 <= len(text) < len(line)
