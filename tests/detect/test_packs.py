"""The packs that ship keep the promises of their own examples, and a wrong pack is refused by file, line and fix."""

from __future__ import annotations

from collections import defaultdict

import pytest

from upstander.detect import packs
from upstander.detect.cache import cache_folder
from upstander.detect.matcher import Hit, Matcher
from upstander.detect.normalise import views
from upstander.detect.packs import PackError, Pattern
from upstander.model.vocabulary import Tactic

#: Exposures that the host's own words show; the others come from the broadcast's numbers, not from a pack.
TEXT_EXPOSURES = (
    "alone",
    "disclosed_contact",
    "disclosed_name",
    "disclosed_place",
    "disclosed_school",
    "distress",
    "home_setting",
    "like_bargain",
    "stated_age",
)
#: From here a single pattern raises a notice by itself, and from the second only for the gravest tactics.
SEVERE = 3.2
MAY_BE_SEVERE = {"meet_up", "sexualised_request", "threat"}

SHIPPED = packs.load(packs.bundled())
ENGLISH = tuple(pattern for pattern in SHIPPED.patterns if pattern.language == "en")
BY_LABEL: dict[str, list[Pattern]] = defaultdict(list)
for _pattern in ENGLISH:
    BY_LABEL[_pattern.label].append(_pattern)


@pytest.fixture(scope="module")
def matcher() -> Matcher:
    return Matcher(SHIPPED, cache_folder())


def who_says(pattern: Pattern) -> str:
    return "host" if pattern.who == "host" else "viewer"


def scan(matcher: Matcher, text: str, who: str = "viewer") -> list[Hit]:
    return matcher.scan(text, views(text), who)


@pytest.mark.parametrize("pattern", ENGLISH, ids=lambda pattern: pattern.name)
def test_pattern_fires_on_its_own_examples(matcher: Matcher, pattern: Pattern) -> None:
    silent = [
        text
        for text in pattern.fires
        if pattern.name not in [hit.pattern.name for hit in scan(matcher, text, who_says(pattern))]
    ]
    assert not silent


@pytest.mark.parametrize("pattern", ENGLISH, ids=lambda pattern: pattern.name)
def test_no_pattern_of_the_label_fires_on_a_benign_twin(matcher: Matcher, pattern: Pattern) -> None:
    struck = {
        text: names
        for text in pattern.spares
        if (
            names := [
                hit.pattern.name
                for hit in scan(matcher, text, who_says(pattern))
                if hit.pattern.label == pattern.label and hit.pattern.language == pattern.language
            ]
        )
    }
    assert not struck


@pytest.mark.parametrize("pattern", ENGLISH, ids=lambda pattern: pattern.name)
def test_pattern_has_examples_enough(pattern: Pattern) -> None:
    assert len(set(pattern.fires)) == len(pattern.fires) >= 3
    assert len(set(pattern.spares)) == len(pattern.spares) >= 2


@pytest.mark.parametrize("tactic", [str(tactic) for tactic in Tactic])
def test_tactic_is_covered(tactic: str) -> None:
    patterns = BY_LABEL[tactic]
    assert {pattern.who for pattern in patterns} == {"viewer"}
    assert len(patterns) >= 8
    assert sum(len(pattern.fires) for pattern in patterns) >= 25
    assert sum(len(pattern.spares) for pattern in patterns) >= 20


@pytest.mark.parametrize("exposure", TEXT_EXPOSURES)
def test_exposure_is_covered(exposure: str) -> None:
    patterns = BY_LABEL[exposure]
    assert {pattern.who for pattern in patterns} == {"host"}
    assert 4 <= len(patterns) <= 8


def test_no_pack_has_a_label_of_another_source() -> None:
    assert set(BY_LABEL) == {str(tactic) for tactic in Tactic} | set(TEXT_EXPOSURES)


def test_only_the_gravest_tactics_speak_loudest() -> None:
    loud = {pattern.name for pattern in ENGLISH if pattern.strength >= SEVERE and pattern.label not in MAY_BE_SEVERE}
    assert not loud
    assert all(0.8 <= pattern.strength <= 4.5 for pattern in ENGLISH)


@pytest.mark.parametrize(
    ("text", "group", "value"),
    [
        ("im 12", "age", "12"),
        ("i\u2019m only 9 years old", "age", "9"),
        ("I AM 13 BTW", "age", "13"),
        ("11 yo here", "age", "11"),
        ("i turn 12 next week", "age", "12"),
        ("my age is 14", "age", "14"),
        ("im twelve", "word", "twelve"),
        ("i just turned thirteen", "word", "thirteen"),
    ],
)
def test_stated_age_is_captured(matcher: Matcher, text: str, group: str, value: str) -> None:
    stated = [hit for hit in scan(matcher, text, "host") if hit.pattern.label == "stated_age"]
    assert value in [hit.groups.get(group) for hit in stated]


@pytest.mark.parametrize("text", ["im 25", "i turn 40 next week", "my dog is 7 years old", "im 10 points ahead"])
def test_what_is_no_childs_age_is_not_captured(matcher: Matcher, text: str) -> None:
    assert "stated_age" not in [hit.pattern.label for hit in scan(matcher, text, "host")]


def test_a_host_is_not_scanned_for_what_viewers_do(matcher: Matcher) -> None:
    text = "are your parents home"
    assert "supervision_probe" in [hit.pattern.label for hit in scan(matcher, text, "viewer")]
    assert scan(matcher, text, "host") == []


@pytest.mark.parametrize(
    ("text", "label", "shown"),
    [
        ("hi!! are y0ur p4rents h0me lol", "supervision_probe", "are y0ur p4rents h0me"),
        ("ARE YOUR PARENTS HOME", "supervision_probe", "ARE YOUR PARENTS HOME"),
        # Cyrillic look-alikes.
        ("ok are your p\u0430r\u0435nts home", "supervision_probe", "are your p\u0430r\u0435nts home"),
        # A zero-width space inside a word.
        ("pls don't te\u200bll anyone ok", "secrecy", "don't te\u200bll anyone"),
        # A typographic apostrophe, accents and full-width letters.
        ("so don\u2019t t\u00e9ll anyone", "secrecy", "don\u2019t t\u00e9ll anyone"),
        ("\uff41\uff44\uff44 me on snap", "off_platform", "\uff41\uff44\uff44 me on snap"),
        ("its our s e c r e t", "secrecy", "our s e c r e t"),
        ("heyyy hooow ooold are you", "age_probe", "hooow ooold are you"),
        ("\U0001f600\U0001f600 d0 a sp1n for me", "sexualised_request", "d0 a sp1n for me"),
        ("so  what   school do u go to", "personal_probe", "what   school do u go to"),
    ],
)
def test_span_underlines_what_was_written(matcher: Matcher, text: str, label: str, shown: str) -> None:
    spans = [text[hit.start : hit.end] for hit in scan(matcher, text) if hit.pattern.label == label]
    assert shown in [span.strip() for span in spans]


HEAD = """\
# A pack made for this test.
label: secrecy
language: en
who: viewer
source: "a test"
patterns:
"""
GOOD = """\
  - id: dont_tell
    pattern: '\\bdon''?t tell any ?one\\b'
    strength: 2.2
    fires:
      - "dont tell anyone"
    spares:
      - "tell everyone"
"""
FILE = "en/secrecy.yaml"


def entry(pattern: str = "\\bkeep it quiet\\b", identifier: str = "quiet", extra: str = "strength: 2.0") -> str:
    return f"  - id: {identifier}\n    pattern: '{pattern}'\n    {extra}\n"


def refused(text: str, file: str = FILE) -> PackError:
    """What a pack is refused with, be it when it is read or when it is compiled."""
    with pytest.raises(PackError) as caught:
        Matcher(packs.load([(file, text)]))
    return caught.value


def test_the_good_pack_of_these_tests_is_good() -> None:
    loaded = packs.load([(FILE, HEAD + GOOD + entry())])
    assert [pattern.name for pattern in loaded.patterns] == ["en.secrecy.dont_tell", "en.secrecy.quiet"]
    assert [hit.pattern.name for hit in scan(Matcher(loaded), "pls keep it quiet")] == ["en.secrecy.quiet"]


@pytest.mark.parametrize(
    ("text", "line", "reason", "fix"),
    [
        pytest.param(HEAD + GOOD + entry(extra="strenght: 2.0"), 16, "strenght", "strength", id="typo in a pattern"),
        pytest.param(HEAD.replace("who:", "whom:") + GOOD, 4, "whom", "`who`", id="typo in the head"),
        pytest.param(HEAD.replace("secrecy", "secrcy") + GOOD, 2, "secrcy", "`secrecy`", id="unknown label"),
        pytest.param(HEAD.replace("viewer", "viewr") + GOOD, 4, "viewr", "`viewer`", id="unknown speaker"),
        pytest.param(HEAD.replace('"a test"', '""') + GOOD, 5, "source", "described", id="no source"),
        pytest.param(HEAD + GOOD + entry("\\bKeep it quiet\\b"), 15, "capitals", "lower case", id="capitals"),
        pytest.param(HEAD + GOOD + entry("keep .* quiet"), 15, "unbounded", "Bound it", id="any number of anything"),
        pytest.param(HEAD + GOOD + entry("keep (?:it )+quiet"), 15, "unbounded", "Bound it", id="any number of groups"),
        pytest.param(HEAD + GOOD + entry("keep [a-z]{2,} quiet"), 15, "unbounded", "Bound it", id="open count"),
        pytest.param(HEAD + GOOD + entry("(?:keep it quiet)?"), 15, "everything", "one word", id="matches nothing"),
        pytest.param(HEAD + GOOD + entry("keep (it quiet"), 15, "no regular expression", "brackets", id="open bracket"),
        pytest.param(HEAD + GOOD + entry(extra="strength: 9"), 16, "strength", "nats", id="too strong"),
        pytest.param(HEAD + GOOD + entry(extra="strength: true"), 16, "strength", "nats", id="strength is no number"),
        pytest.param(HEAD + GOOD + entry(identifier="Quiet!"), 14, "Quiet!", "lower case", id="odd id"),
        pytest.param(HEAD + GOOD + entry(identifier="dont_tell"), 14, "is taken", "Rename", id="duplicated id"),
        pytest.param(HEAD + "  - id: [\n", 8, "not YAML", "indentation", id="no YAML"),
        pytest.param(HEAD.replace("patterns:\n", "patterns: []\n"), 6, "patterns", "at least one", id="no pattern"),
        pytest.param(
            HEAD + GOOD + entry("(quiet|hush) and \\1"),
            15,
            "quiet",
            "ack-reference",
            id="back-reference",
        ),
        pytest.param(
            HEAD + GOOD + entry("(?<!not )quiet"),
            15,
            "quiet",
            "ook-around",
            id="look-around",
        ),
    ],
)
def test_a_wrong_pack_is_refused_by_file_line_and_fix(text: str, line: int, reason: str, fix: str) -> None:
    error = refused(text)
    assert (error.file, error.line) == (FILE, line)
    assert reason in error.reason
    assert fix in error.fix
    assert str(error).startswith(f"{FILE}:{line}: ")


@pytest.mark.parametrize("pattern", ["(quiet|hush) and \\1", "(?<!not )quiet", "quiet(?= ok)"])
def test_what_cannot_be_compiled_is_refused_by_name(pattern: str) -> None:
    error = refused(HEAD + GOOD + entry(pattern))
    assert "quiet" in str(error)
    assert "not available" in error.fix


def test_an_id_taken_by_another_file_is_refused_by_both_names() -> None:
    with pytest.raises(PackError, match=r"en/b\.yaml:7: .*en\.secrecy\.dont_tell.*en/a\.yaml"):
        packs.load([("en/a.yaml", HEAD + GOOD), ("en/b.yaml", HEAD + GOOD)])


def test_hash_names_what_decides_and_no_more() -> None:
    first = packs.load([(FILE, HEAD + GOOD)]).hash
    assert packs.load([(FILE, HEAD + GOOD.replace("tell everyone", "tell them all"))]).hash == first
    assert packs.load([(FILE, HEAD + GOOD.replace("2.2", "2.3"))]).hash != first
