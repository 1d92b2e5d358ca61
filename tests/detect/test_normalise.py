"""Views of a text, and the offsets that lead back to the original."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.detect.normalise import LENGTH_CAP, align, views

PLAIN = "are your parents home"
WAYS = {
    "capitals": "ARE YOUR PARENTS HOME",
    "leet": "ar3 y0ur p4rent5 h0me",
    "full width": "ａｒｅ ｙｏｕｒ ｐａｒｅｎｔｓ ｈｏｍｅ",
    "homoglyphs": "аrе уоur pаrеnts hоmе",
    "zero width": "a\u200bre yo\u200dur par\u2060ents ho\ufeffme",
    "soft hyphen": "are your par\u00adents home",
    "accents": "àré yóùr pàrénts hômé",
    "spaced": "are your p a r e n t s home",
    "dotted": "are your p.a.r.e.n.t.s home",
    "repeats": "areeee yourrrr parentssss homeeee",
    "spaces": "are   your  parents    home",
    "controls": "are your\x00 parents\x07 home",
    "bidi": "\u202eare your\u202c parents home",
    "mathematical": "𝐚𝐫𝐞 𝐲𝐨𝐮𝐫 𝐩𝐚𝐫𝐞𝐧𝐭𝐬 𝐡𝐨𝐦𝐞",
}


@pytest.mark.parametrize("way", WAYS)
def test_common_ways_to_hide_words_are_undone(way: str) -> None:
    seen = views(WAYS[way])
    assert PLAIN in (seen.raw, *seen.folded)


@pytest.mark.parametrize("text", ["im 13", "hi!", "2nd place", "gg wp", "10/10", "see you at 4", "ok 100%", PLAIN])
def test_ordinary_ascii_takes_the_fast_path_or_stays_itself(text: str) -> None:
    assert text in (views(text).raw, *views(text).folded)


def test_other_scripts_stay_what_they_are() -> None:
    assert views("привет как дела").raw == "привет как дела"
    assert views("привет как дела").folded == ()
    assert views("可愛い").folded == () or "可愛い" in views("可愛い").folded[0]


def test_only_invisible_characters_inside_latin_words_are_counted() -> None:
    assert views("se\u200bcr\u200bet").hidden == 2
    assert views("👨\u200d👩\u200d👧 \u200f").hidden == 0
    assert views("می\u200cخواهم").hidden == 0


def test_long_texts_are_cut() -> None:
    assert len(views("é" * (LENGTH_CAP + 500)).raw) == LENGTH_CAP


def spans(text: str, word: str) -> str:
    seen = views(text)
    for view in (seen.raw, *seen.folded):
        if word in view:
            offsets = align(text, view)
            assert offsets is not None
            start = view.index(word)
            return text[offsets[start] : offsets[start + len(word) - 1] + 1]
    raise AssertionError(f"{word!r} is in no view of {text!r}")


@pytest.mark.parametrize(
    ("text", "word", "original"),
    [
        ("hey ARE your p\u200bare\u200bnts h o m e pls", "home", "h o m e"),
        ("hey ARE your p\u200bare\u200bnts h o m e pls", "parents", "p\u200bare\u200bnts"),
        ("so s3cr3t ok", "secret", "s3cr3t"),
        ("do it sooooo nooooow ok", "ok", "ok"),
        ("æther and ßecret then parents", "parents", "parents"),
        ("pаrеnts hоmе", "parents", "pаrеnts"),
        ("ok    then", "then", "then"),
        ("İ am home", "home", "home"),
    ],
)
def test_what_fired_is_found_in_the_original(text: str, word: str, original: str) -> None:
    assert spans(text, word) == original


awkward = st.text(
    alphabet=st.sampled_from("aabeosil 013457@$!|.,-_'\u200b\u200d\u00ad\ufefféÀßæаеоİıｈ𝐚😀\u0301\x00\t\u2019漢й"),
    max_size=40,
)


@given(awkward | st.text(max_size=60))
def test_every_view_can_be_led_back_to_its_text(text: str) -> None:
    seen = views(text)
    for view in (seen.raw, *seen.folded):
        offsets = align(text, view)
        assert offsets is not None
        assert len(offsets) == len(view) + 1
        assert offsets == sorted(offsets)
        assert all(0 <= offset <= len(text) for offset in offsets)


@given(st.text(max_size=200))
def test_views_are_pure_lower_case_and_few(text: str) -> None:
    seen = views(text)
    assert views(text) == seen
    assert len(seen.folded) <= 2
    assert all(view != seen.raw for view in seen.folded)
