"""The French and German packs keep the promises of their own examples, and leave other languages' lines alone."""

from __future__ import annotations

from collections import defaultdict

import pytest

from upstander.detect import packs
from upstander.detect.cache import cache_folder
from upstander.detect.matcher import Matcher
from upstander.detect.normalise import views
from upstander.detect.packs import Pattern
from upstander.model.vocabulary import Exposure, Tactic

LANGUAGES = ("de", "fr")
TACTICS = tuple(str(tactic) for tactic in Tactic)
EXPOSURES = (str(Exposure.ALONE), str(Exposure.DISTRESS), str(Exposure.STATED_AGE))
#: Above this a pattern may only be one of the gravest tactics'.
LOUDEST = 3.2
MAY_BE_LOUDER = {str(Tactic.MEET_UP), str(Tactic.SEXUALISED_REQUEST), str(Tactic.THREAT)}

ALL = packs.load(packs.bundled()).patterns
OURS = tuple(pattern for pattern in ALL if pattern.language in LANGUAGES)
FOREIGN = tuple(pattern for pattern in ALL if pattern.language not in LANGUAGES)
BY_LABEL: dict[tuple[str, str], list[Pattern]] = defaultdict(list)
for _pattern in OURS:
    BY_LABEL[_pattern.language, _pattern.label].append(_pattern)

each_pattern = pytest.mark.parametrize("pattern", OURS, ids=lambda pattern: pattern.name)
each_language = pytest.mark.parametrize("language", LANGUAGES)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    sources = [(name, text) for name, text in packs.bundled() if name.startswith(tuple(f"{x}/" for x in LANGUAGES))]
    return Matcher(packs.load(sources), cache_folder())


def struck(matcher: Matcher, text: str, who: str) -> list[Pattern]:
    return [hit.pattern for hit in matcher.scan(text, views(text), "host" if who == "host" else "viewer")]


@each_pattern
def test_pattern_fires_on_its_own_examples(matcher: Matcher, pattern: Pattern) -> None:
    assert not [text for text in pattern.fires if pattern not in struck(matcher, text, pattern.who)]


@each_pattern
def test_no_pattern_of_the_label_fires_on_a_benign_twin(matcher: Matcher, pattern: Pattern) -> None:
    kin = (pattern.language, pattern.label)
    found = {
        text: [hit.name for hit in struck(matcher, text, pattern.who) if (hit.language, hit.label) == kin]
        for text in pattern.spares
    }
    assert not {text: names for text, names in found.items() if names}


@each_pattern
def test_pattern_has_examples_enough_and_a_fitting_strength(pattern: Pattern) -> None:
    assert len(set(pattern.fires)) == len(pattern.fires) >= 3
    assert len(set(pattern.spares)) == len(pattern.spares) >= 2
    assert 0.8 <= pattern.strength <= (4.5 if pattern.label in MAY_BE_LOUDER else LOUDEST)


@each_language
@pytest.mark.parametrize("tactic", TACTICS)
def test_tactic_is_covered(language: str, tactic: str) -> None:
    patterns = BY_LABEL[language, tactic]
    assert {pattern.who for pattern in patterns} == {"viewer"}
    assert len(patterns) >= 5
    assert sum(len(pattern.fires) for pattern in patterns) >= 20
    assert sum(len(pattern.spares) for pattern in patterns) >= 15


@each_language
def test_the_hosts_exposures_are_covered(language: str) -> None:
    for exposure in EXPOSURES:
        assert {pattern.who for pattern in BY_LABEL[language, exposure]} == {"host"}
        assert len(BY_LABEL[language, exposure]) >= 4
    assert {label for known, label in BY_LABEL if known == language} == {*TACTICS, *EXPOSURES}


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("j'ai 12 ans", "12"),
        ("J\u2019AI 11 ANS ET DEMI", "11"),
        ("je viens d'avoir 13 ans", "13"),
        ("mon \u00e2ge c'est 14", "14"),
        ("9 ans et toi", "9"),
        ("ich bin 12 und du", "12"),
        ("BIN ERST 11", "11"),
        ("ich werd morgen 13", "13"),
        ("mein alter ist 14", "14"),
        ("ja 9 jahre", "9"),
    ],
)
def test_stated_age_is_captured(matcher: Matcher, text: str, age: str) -> None:
    hits = [hit for hit in matcher.scan(text, views(text), "host") if hit.pattern.label == Exposure.STATED_AGE]
    assert age in [hit.groups.get("age") for hit in hits]


@pytest.mark.parametrize(
    "text",
    [
        "j'ai 25 ans",
        "mon chien a 12 ans",
        "j'ai 10 ans de boxe",
        "j'ai 12 kills",
        "ich bin 25",
        "bin 5 minuten weg",
        "ich bin level 12",
        "mein hund ist 12",
    ],
)
def test_what_is_no_childs_age_is_not_captured(matcher: Matcher, text: str) -> None:
    assert Exposure.STATED_AGE not in [hit.label for hit in struck(matcher, text, "host")]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        # With and without accents, apostrophes, umlauts and a sharp s; the formal and the familiar address.
        ("dis rien a ta mere", "secrecy"),
        ("T\u2019as quel \u00c2GE", "age_probe"),
        ("tu habites ou", "personal_probe"),
        ("t habites o\u00f9", "personal_probe"),
        ("vous habitez dans quelle ville", "personal_probe"),
        ("fais un tour sur toi-m\u00eame", "sexualised_request"),
        ("loesch unseren chat danach", "secrecy"),
        ("l\u00f6sch unseren chat danach", "secrecy"),
        ("erzaehl das keinem", "secrecy"),
        ("wie heisst deine schule", "personal_probe"),
        ("wie hei\u00dft deine schule", "personal_probe"),
        ("mach deine tuer zu", "supervision_probe"),
        ("habt ihr insta ?", "off_platform"),
    ],
)
def test_spellings_of_one_thing_fire_alike(matcher: Matcher, text: str, label: str) -> None:
    assert label in [hit.label for hit in struck(matcher, text, "viewer")]


def test_lines_of_other_languages_are_hardly_ever_struck_under_a_wrong_label(matcher: Matcher) -> None:
    lines = wrong = 0
    for pattern in FOREIGN:
        for text, allowed in [(t, {pattern.label}) for t in pattern.fires] + [(t, set()) for t in pattern.spares]:
            lines += 1
            wrong += any(hit.label not in allowed for hit in struck(matcher, text, pattern.who))
    assert wrong * 500 <= lines
