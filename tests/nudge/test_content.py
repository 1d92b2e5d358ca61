"""The content that ships passes every rule, each kind of fault is found, and what cannot be read says why."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import pytest

from upstander.model.vocabulary import AgeBand, Tactic
from upstander.nudge import readability
from upstander.nudge.cards import (
    BANDS,
    FOLDER,
    GENERAL,
    NEEDED,
    TOPICS,
    CardError,
    HelpKind,
    Library,
    Sheet,
    read_library,
    read_sheet,
    shipped,
)
from upstander.nudge.lint import MOST_WORDS, Fault, Lint
from upstander.nudge.preview import cards

TODAY = date(2026, 11, 25)
FULL = ("en", "es")
GRAVEST = ("threat", "sexualised_request", "meet_up", "off_platform", "secrecy", "gift_lure")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A copy of the content that a test may spoil."""
    for name in ("cards", "help.yaml"):
        source = FOLDER / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, tmp_path / name)
    yield tmp_path


def spoil(folder: Path, old: str, new: str, card: str = "cards/en/threat.md") -> Library:
    path = folder / card
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return read_library(folder)


def rules(library: Library, today: date = TODAY) -> list[str]:
    return [fault.rule for fault in Lint(library, today).faults()]


# -- what ships ---------------------------------------------------------------------------------------------------


def test_every_card_that_ships_passes_every_rule() -> None:
    assert readability.available(), "the development tools measure reading levels"
    assert [str(fault) for fault in Lint(shipped(), TODAY).faults()] == []


@pytest.mark.parametrize("language", shipped().languages)
@pytest.mark.parametrize("band", BANDS)
def test_reading_levels_keep_to_the_bands_bound(language: str, band: AgeBand) -> None:
    scale = readability.MEASURES[language]
    for (spoken, topic), sheet in shipped().sheets.items():
        if spoken == language and band in sheet.texts:
            value = readability.measure(sheet.texts[band].whole, language)
            assert scale.within(value, scale.bound(band)), (topic, value)


def test_the_youngest_get_the_simplest_words() -> None:
    for language in shipped().languages:
        means = []
        for band in NEEDED:
            texts = [s.texts[band].whole for (spoken, _), s in shipped().sheets.items() if spoken == language]
            means.append(sum(readability.measure(text, language) for text in texts) / len(texts))
        harder = sorted(means, reverse=readability.MEASURES[language].higher_is_easier)
        assert means == harder, language


def test_what_there_is() -> None:
    sheets = shipped().sheets
    assert set(shipped().languages) == {"en", "es", "de", "fr", "pt"}
    for language in FULL:
        assert {topic for spoken, topic in sheets if spoken == language} == {*Tactic, GENERAL}
    for language in shipped().languages:
        assert all((language, topic) in sheets for topic in (GENERAL, *GRAVEST))
    for (_, topic), sheet in sheets.items():
        assert set(NEEDED) <= set(sheet.texts)
        assert (AgeBand.FROM_16_TO_17 in sheet.texts) == (topic in GRAVEST)


def test_every_card_names_two_things_to_do_and_a_place_of_help_in_every_country() -> None:
    for country in shipped().directory.countries:
        for card in cards(shipped(), country):
            assert len([offer for offer in card.actions if offer.do != "dismiss"]) >= 2
            assert card.actions[-1].do == "dismiss"
            assert all(offer.label for offer in card.actions)
            assert 1 <= len(card.help) <= 3
            assert all(place.name and place.purpose and (place.contact or place.url) for place in card.help)


def test_a_translation_says_of_its_topic_what_the_english_one_does() -> None:
    for (_, topic), sheet in shipped().sheets.items():
        english = shipped().sheets["en", topic].front
        assert (sheet.front.actions, sheet.front.help) == (english.actions, english.help)
        assert sheet.front.bands == english.bands


def test_places_of_help_are_official_and_never_said_to_be_verified_when_they_are_not() -> None:
    for country, listed in shipped().directory.countries.items():
        assert {place.kind for place in listed} == set(HelpKind), country
        for place in listed:
            assert place.verified_on is not None or "not verified from here" in place.note
            assert place.url.startswith("https://") or (place.url == "" and place.contact)
    known = {
        (country, place.contact): place.name
        for country, listed in shipped().directory.countries.items()
        for place in listed
    }
    assert known["GB", "0800 1111"] == "Childline"
    assert known["CA", "1-800-668-6868"] == "Kids Help Phone"
    assert known["DE", "116 111"] == "Nummer gegen Kummer"
    assert {("GB", "999"), ("US", "911"), ("AU", "000"), ("NZ", "111"), ("IE", "112"), ("FR", "119")} <= set(known)


# -- faults that the lint finds -----------------------------------------------------------------------------------

PLAIN = "Someone said they will do something mean."


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        ("You should have ended the stream.", "blame"),
        ("It was your fault.", "blame"),
        ("Why did you answer?", "blame"),
        ("That was a silly thing.", "blame"),
        ("you must be more careful", "blame"),
        ("This person is dangerous.", "scare"),
        ("He may be a predator.", "scare"),
        ("It will be there forever.", "scare"),
        ("STOP this now.", "shouting"),
        ("Stop this now!", "shouting"),
        ('Someone wrote "show me".', "quote"),
        ("Someone wrote “show me”.", "quote"),
        ("Someone wrote 'show me'.", "quote"),
        ("Read https://example.org now.", "markup"),
        ("Block {viewer} now.", "markup"),
        ("Block **them** now.", "markup"),
        ("Turn off chats on Snapchat.", "app"),
    ],
)
def test_the_wording_lint_catches(folder: Path, said: str, rule: str) -> None:
    faults = Lint(spoil(folder, PLAIN, said), TODAY).faults()
    assert {fault.rule for fault in faults} >= {rule}, faults
    assert all(str(folder) in str(fault) and "[under_10]" in str(fault) for fault in faults)


@pytest.mark.parametrize(
    ("language", "said", "rule"),
    [
        ("es", "Es tu culpa.", "blame"),
        ("es", "Es muy peligroso.", "scare"),
        ("es", "¡Para ya!", "shouting"),
        ("de", "Das ist deine Schuld.", "blame"),
        ("de", "Das ist gefährlich.", "scare"),
        ("de", "Jemand schrieb „zeig“.", "quote"),
        ("fr", "C'est ta faute.", "blame"),
        ("fr", "C'est un danger.", "scare"),
        ("fr", "On a écrit « oui ».", "quote"),
        ("pt", "A culpa é sua culpa.", "blame"),
        ("pt", "Isso é perigoso.", "scare"),
        ("pt", "PARE agora.", "shouting"),
    ],
)
def test_the_wording_lint_speaks_the_languages_of_the_cards(language: str, said: str, rule: str) -> None:
    assert rule in [found for found, _ in Lint(shipped(), TODAY).of_text(said, language)]
    for text in ("OK. That is fine.",):
        assert list(Lint(shipped(), TODAY).of_text(text, "en")) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("review_by: 2027-11-24", "review_by: 2026-11-24", "review"),
        ("review_by: 2027-11-24", "review_by: 2031-11-24", "review"),
        ("reviewed_on: 2026-11-24", "reviewed_on: 2026-12-24", "review"),
        ("actions: [block_viewer, end_stream, tell_someone]", "actions: [block_viewer]", "actions"),
        ("actions: [block_viewer, end_stream, tell_someone]", "actions: [block_viewer, dismiss]", "actions"),
        ("help: [talk, images, emergency]", "help: []", "help"),
        ("under_10: 3,", "under_10: 4,", "reading"),
        ("{under_10: 3, ", "{", "reading"),
        (PLAIN, "Somebody has communicated intimidating possibilities regarding consequences.", "reading"),
        (PLAIN, PLAIN + " You can look at it. " * 6, "length"),
    ],
)
def test_the_lint_catches(folder: Path, old: str, new: str, rule: str) -> None:
    assert rule in rules(spoil(folder, old, new))


def test_a_card_without_sources_or_a_needed_band_is_a_fault() -> None:
    sheet = shipped().sheets["en", "threat"]
    bare = msgspec.structs.replace(sheet, front=msgspec.structs.replace(sheet.front, sources=()), texts={})
    found = [fault.rule for fault in Lint(shipped(), TODAY).of_sheet(bare)]
    assert found == ["sources", "bands", "bands", "bands"]


def test_a_review_that_has_run_out_is_a_fault_of_every_card() -> None:
    late = date(2027, 11, 25)
    faults = Lint(shipped(), late).faults()
    assert {fault.rule for fault in faults} == {"review"}
    assert len(faults) == len(shipped().sheets) + 1
    assert "is past" in str(faults[0])


def test_missing_words_and_places_are_faults() -> None:
    words = shipped().words["en"]
    spoiled = msgspec.structs.replace(words, labels={AgeBand.UNDER_10: {}}, help={})
    assert {f.rule for f in Lint(shipped(), TODAY).of_words("en", spoiled)} == {"labels", "help"}
    listed = shipped().directory.countries["GB"]
    odd = (msgspec.structs.replace(listed[0], name="", contact="", url="", verified_on=date(2030, 1, 1)),)
    directory = msgspec.structs.replace(shipped().directory, countries={"GB": odd})
    library = msgspec.structs.replace(shipped(), directory=directory)
    said = " ".join(str(fault) for fault in Lint(library, TODAY).of_directory())
    for part in ("no place of the kind", "neither a number nor an address", "has no name", "verified in the future"):
        assert part in said


def test_a_language_without_lists_or_measure_is_a_fault() -> None:
    sheet = shipped().sheets["en", "threat"]
    foreign: Sheet = msgspec.structs.replace(sheet, front=msgspec.structs.replace(sheet.front, language="xx"))
    words = {**shipped().words, "xx": shipped().words["en"]}
    lint = Lint(msgspec.structs.replace(shipped(), words=words), TODAY)
    assert {fault.rule for fault in lint.of_sheet(foreign)} == {"wording", "reading"}


def test_length_counts_title_text_and_buttons() -> None:
    for sheet in shipped().sheets.values():
        for band, text in sheet.texts.items():
            labels = shipped().words[sheet.front.language].labels[band]
            buttons = " ".join(labels[do] for do in sheet.front.actions)
            assert len(f"{text.title} {text.noticed} {buttons}".split()) <= MOST_WORDS[band]


def test_a_fault_is_one_line() -> None:
    assert str(Fault(Path("a.md"), "", "blame", "x.")) == "a.md: blame: x."


# -- what cannot be read ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("---\ntopic", "topic", "no front matter"),
        ("topic: threat", "topic: thread", "'thread' is none"),
        ("topic: threat", "topic: dare", "the front matter says en/dare.md"),
        ("language: en", "language: es", "the front matter says es/threat.md"),
        ("version: 1", "version: one", "Expected `int`"),
        ("version: 1", "wersion: 1", "unknown field `wersion`"),
        ("actions: [block_viewer,", "actions: [ban,", "Invalid enum value"),
        ("help: [talk,", "help: [talk, [", "not YAML"),
        ("## under_10", "## under_9", "'under_9' cannot be read"),
        ("### You are not alone\n", "", "cannot be read"),
        ("bands: [under_10, 10_12,", "bands: [10_12, under_10,", "the sections are"),
    ],
)
def test_what_cannot_be_read_says_why(folder: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(CardError) as caught:
        spoil(folder, old, new)
    assert said in str(caught.value)
    assert "threat.md" in str(caught.value)


def test_a_line_of_bad_yaml_is_named(folder: Path) -> None:
    with pytest.raises(CardError, match=r"threat\.md:\d+: not YAML"):
        spoil(folder, "version: 1", "version: [1")


def test_a_language_needs_its_general_card_and_the_world_its_places(folder: Path) -> None:
    (folder / "cards/fr/general.md").unlink()
    with pytest.raises(CardError, match=r"no general\.md"):
        read_library(folder)
    shutil.copy(FOLDER / "cards/fr/general.md", folder / "cards/fr/general.md")
    text = re.sub(r"  international:.*", "", (folder / "help.yaml").read_text(encoding="utf-8"), flags=re.S)
    (folder / "help.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(CardError, match="no `international`"):
        read_library(folder)
    (folder / "help.yaml").unlink()
    with pytest.raises(CardError, match="cannot be read"):
        read_library(folder)


def test_a_sheet_reads_as_it_is_written() -> None:
    sheet = read_sheet(FOLDER / "cards/en/secrecy.md")
    assert sheet.front.bands == BANDS
    assert sheet.texts[AgeBand.UNDER_10].title == "You can tell"
    assert sheet.texts[AgeBand.UNDER_10].whole.startswith("You can tell. Someone asked")
    assert set(TOPICS) == {*Tactic, GENERAL}
