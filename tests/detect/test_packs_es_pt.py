"""The Spanish and Portuguese packs keep the promises of their own examples, as ``test_packs`` checks the English."""

from __future__ import annotations

import re

import pytest

from upstander.detect import packs
from upstander.detect.matcher import Hit, Matcher
from upstander.detect.normalise import views
from upstander.detect.packs import Pattern
from upstander.model.vocabulary import Tactic

LANGUAGES = ("es", "pt")
TACTICS = tuple(str(tactic) for tactic in Tactic)
#: The host's exposures that these languages have packs for.
EXPOSURES = ("alone", "distress", "stated_age")
#: Above this only the gravest tactics may speak.
SEVERE = 3.2
MAY_BE_SEVERE = {"meet_up", "sexualised_request", "threat"}

LOADED = packs.load([(name, text) for name, text in packs.bundled() if name.split("/")[0] in LANGUAGES])
PATTERNS = LOADED.patterns


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(LOADED)


def scan(matcher: Matcher, text: str, who: str = "viewer") -> list[Hit]:
    return matcher.scan(text, views(text), who)


def of(language: str, label: str) -> list[Pattern]:
    return [pattern for pattern in PATTERNS if (pattern.language, pattern.label) == (language, label)]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_pattern_fires_on_its_own_examples_and_spares_its_twins(matcher: Matcher, pattern: Pattern) -> None:
    silent = [
        t for t in pattern.fires if pattern.name not in [hit.pattern.name for hit in scan(matcher, t, pattern.who)]
    ]
    struck = [
        (text, hit.pattern.name)
        for text in pattern.spares
        for hit in scan(matcher, text, pattern.who)
        if (hit.pattern.label, hit.pattern.language) == (pattern.label, pattern.language)
    ]
    assert (silent, struck) == ([], [])


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_hyperscan_and_python_agree_on_the_examples(matcher: Matcher, pattern: Pattern) -> None:
    # A view on its own is scanned too: Hyperscan must not lose in the joined views what it finds in one of them.
    expression = re.compile(pattern.expression.encode())
    for text in (*pattern.fires, *pattern.spares):
        seen = views(text)
        found = any(expression.search(view.encode()) for view in (seen.raw, *seen.folded))
        called_off = any(
            re.search(each.encode(), v.encode()) for each in pattern.unless for v in (seen.raw, *seen.folded)
        )
        fired = pattern.name in [hit.pattern.name for hit in scan(matcher, text, pattern.who)]
        assert fired == (found and not called_off), text


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_pattern_has_examples_enough_and_a_strength_in_range(pattern: Pattern) -> None:
    assert len(set(pattern.fires)) == len(pattern.fires) >= 3
    assert len(set(pattern.spares)) == len(pattern.spares) >= 2
    assert not set(pattern.fires) & set(pattern.spares)
    assert 0.8 <= pattern.strength <= 4.5
    assert pattern.strength < SEVERE or pattern.label in MAY_BE_SEVERE


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("label", (*TACTICS, *EXPOSURES))
def test_label_is_covered(language: str, label: str) -> None:
    patterns = of(language, label)
    assert {pattern.who for pattern in patterns} == {"viewer" if label in TACTICS else "host"}
    assert 5 <= len(patterns) <= 22
    assert sum(len(pattern.fires) for pattern in patterns) >= 20
    assert sum(len(pattern.spares) for pattern in patterns) >= 15


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_pack_has_a_label_of_another_source(language: str) -> None:
    assert {pattern.label for pattern in PATTERNS if pattern.language == language} == {*TACTICS, *EXPOSURES}


def test_patterns_are_written_for_views_without_accents() -> None:
    # What calls a pattern off is looked for in every view, so with accents too.
    assert all(pattern.expression.isascii() for pattern in PATTERNS)


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("Tengo 12 años", "12"),
        ("tengo 13", "13"),
        ("ayer cumplí 11 años", "11"),
        ("soy una niña de 9 años", "9"),
        ("mi edad es 14", "14"),
        ("eu tenho só 10 aninhos", "10"),
        ("fiz 11 ontem", "11"),
        ("minha idade é 12", "12"),
        ("sou uma menina de 13 anos", "13"),
    ],
)
def test_stated_age_is_captured(matcher: Matcher, text: str, age: str) -> None:
    stated = [hit for hit in scan(matcher, text, "host") if hit.pattern.label == "stated_age"]
    assert age in [hit.groups.get("age") for hit in stated]


@pytest.mark.parametrize(
    "text",
    ["tengo 25 años", "tengo 12 vidas", "mi perro tiene 7 años", "tenho 30 anos", "tenho 10 kills", "faz 10 anos"],
)
def test_what_is_no_childs_age_is_not_captured(matcher: Matcher, text: str) -> None:
    assert "stated_age" not in [hit.pattern.label for hit in scan(matcher, text, "host")]


@pytest.mark.parametrize(
    ("text", "label", "shown"),
    [
        ("oye ¿dónde vives? jaja", "personal_probe", "dónde vives"),
        ("NO LE DIGAS A TU MAMÁ ok", "secrecy", "NO LE DIGAS A TU MAMÁ"),
        ("onde você mora", "personal_probe", "onde você mora"),
        ("pfv n\u200bão conta pra sua mãe", "secrecy", "n\u200bão conta pra sua mãe"),
    ],
)
def test_span_underlines_what_was_written(matcher: Matcher, text: str, label: str, shown: str) -> None:
    assert shown in [text[hit.start : hit.end] for hit in scan(matcher, text) if hit.pattern.label == label]


@pytest.mark.parametrize(
    "text",
    [
        "hola a todos que juego es ese",
        "te reto a un 1v1",
        "cierra la puerta rapido que viene freddy",
        "nos vemos mañana en el stream",
        "no confíes en desconocidos",
        "oi gente tudo bem, que horas começa o torneio",
        "te desafio num x1",
        "vira a panqueca devagar",
        "até amanhã na live",
        "se te incomodarem fala com seus pais",
        "can you do a spin on the map",
        "im solo in the lobby",
        "the casa skin is so linda",
    ],
)
def test_ordinary_chat_is_left_alone(matcher: Matcher, text: str) -> None:
    assert scan(matcher, text) == []
