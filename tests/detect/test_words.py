"""Disguised words and words run together: what is found, and what is left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upstander.detect import words
from upstander.detect.normalise import views

KNOWN = words.build({"tell": 9, "your": 8, "mom": 7, "secret": 6, "dont": 5, "live": 4, "a": 3, "is": 2, "kids": 1})


@pytest.mark.parametrize(
    ("token", "word"),
    [
        ("t3ll", "tell"),
        ("te11", "tell"),
        ("s3cr3t", "secret"),
        ("seeecret", "secret"),
        ("se.cret", "secret"),
        ("1ive", "live"),
        ("$ecre+", "secret"),
        ("k1d5", "kids"),
    ],
)
def test_disguised_words_are_known_again(token: str, word: str) -> None:
    assert words.undisguised(token, KNOWN) == word


@pytest.mark.parametrize("token", ["tell", "xq7", "1st", "a1", "pogchamp"])
def test_other_tokens_are_left_alone(token: str) -> None:
    assert words.undisguised(token, KNOWN) is None


def test_of_words_with_the_same_signs_the_commoner_is_meant() -> None:
    both = words.build({"till": 1, "tell": 9, "tiii": 2})
    assert words.undisguised("t1ll", both) == "tiii"
    assert words.undisguised("t3ll", both) == "tell"


@pytest.mark.parametrize(
    ("run", "apart"),
    [
        ("donttellyourmom", "dont tell your mom"),
        ("secretsecret", "secret secret"),
        ("donttellx", None),
        ("aaaaaaaa", None),
        ("tell", None),
        ("a" * 500, None),
    ],
)
def test_runs_of_words_are_taken_apart(run: str, apart: str | None) -> None:
    assert words.taken_apart(run, KNOWN) == apart


@given(st.lists(st.sampled_from(["tell", "your", "mom", "secret", "dont"]), min_size=2, max_size=6))
def test_whatever_is_taken_apart_is_made_of_the_same_letters(pieces: list[str]) -> None:
    run = "".join(pieces)
    apart = words.taken_apart(run, KNOWN)
    if apart is not None:
        assert apart.replace(" ", "") == run
        assert set(apart.split()) <= KNOWN.cost.keys()


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("d.o.n.t t.e.l.l y.o.u.r m.o.m", "dont tell your mom"),
        ("d o n t t e l l y o u r m o m", "dont tell your mom"),
        ("🤫 te😀ll 😀 your mom", "tell your mom"),
        ("🇸🇪🇨🇷🇪🇹", "secret"),
        ("🅳🅾🅽🆃 tell", "dont tell"),
        ("add me on 👻", "add me on snap"),
        ("cafÃ© donâ€™t tell", "cafe don't tell"),
        ("аre yоu hоme аlone", "are you home alone"),
    ],
)
def test_views_undo_what_people_do(text: str, seen: str) -> None:
    assert seen in [view.strip() for view in views(text).folded]
