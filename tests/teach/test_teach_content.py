"""Lessons, scripts, topics and figures that ship are in order, and the linter finds each fault that can be made."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import msgspec
import pytest
from babel.messages.pofile import read_po

from upstander.nudge import readability
from upstander.teach import interface, lessons, newsletter, palette, scripts, statistics, words
from upstander.teach.bands import Band, bound, within
from upstander.teach.lint import Lint, texts_to_measure
from upstander.teach.lint_stream import StreamLint
from upstander.teach.reading import FOLDER, TeachError

TODAY = date(2026, 11, 25)
NEEDED = {
    "8-10-attention": 30,
    "8-10-confident": 30,
    "11-13-audience": 45,
    "11-13-likes-gifts-dares": 45,
    "11-13-leaving-pressure": 45,
    "14-16-captures": 50,
    "14-16-upstander": 50,
    "parents-evening": 60,
    "staff-briefing": 30,
}


@pytest.mark.parametrize("language", ["en", "es"])
def test_every_lesson_that_is_promised_ships_in_both_languages(language: str) -> None:
    found = {name: lesson.front.minutes for (spoken, name), lesson in lessons.shipped().items() if spoken == language}
    assert found == NEEDED


def test_nothing_that_ships_has_a_fault() -> None:
    lint, figures = StreamLint(TODAY), statistics.read_statistics()
    faults = Lint(lessons.shipped(), TODAY).faults()
    faults += lint.of_scripts(scripts.shipped(), lessons.shipped())
    faults += lint.of_topics(newsletter.shipped(), figures)
    faults += lint.of_statistics(figures)
    assert [str(fault) for fault in faults] == []


def test_every_text_is_as_easy_as_the_band_that_reads_it_needs() -> None:
    for (language, name), lesson in lessons.shipped().items():
        for what, (text, band) in texts_to_measure(lesson).items():
            value = readability.measure(text, language)
            assert within(value, language, band), f"{language} {name} {what}: {value}, bound {bound(language, band)}"


def test_a_parent_sheet_is_held_to_the_parents_bound_and_cards_to_the_pupils() -> None:
    found = texts_to_measure(lessons.shipped()["en", "8-10-attention"])
    assert found["parent_sheet"][1] is Band.PARENTS
    assert found["cards"][1] is Band.FROM_8_TO_10


# -- the linter can fail -------------------------------------------------------------------------------------------


@pytest.fixture
def faults_after(tmp_path: Path) -> Callable[..., set[str]]:
    """Copies the lessons, changes one, and says which rules it breaks."""

    def change(old: str, new: str, name: str = "8-10-attention", language: str = "en", today: date = TODAY) -> set[str]:
        folder = tmp_path / "lessons"
        if not folder.exists():
            shutil.copytree(FOLDER / "lessons", folder)
        path = folder / language / f"{name}.md"
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")
        return {fault.rule for fault in Lint(lessons.read_lessons(folder), today).faults()}

    return change


CASES = [
    ("minutes: 30", "minutes: 35", "timings"),
    ("review_by: 2027-11-23", "review_by: 2026-11-24", "review"),
    ("reviewed_on: 2026-11-24", "reviewed_on: 2025-01-01", "review"),
    ("## safeguarding\n{{safeguarding}}", "## safeguarding\nBe kind.", "template"),
    ("## disclosure\n{{disclosure}}", "## disclosure\nTell the lead.", "disclosure"),
    ("help: [talk, report, emergency]", "help: [talk]", "help"),
    ("answer: 3}", "answer: 2}", "translation"),
    ("Today we talked about attention online.", "It was your fault.", "blame"),
    ("Today we talked about attention online.", "Predators are everywhere.", "scare"),
    ("Today we talked about attention online.", "Take TikTok away.", "app"),
    ("Today we talked about attention online.", "STOP it.", "shouting"),
    ("Who could Fern tell?", "Which responsible authority should subsequently receive notification?", "reading"),
    ("- Fern feels odd in her tummy. What does that tell her?", "", "translation"),
    ("kcsie: [contact, conduct]", "kcsie: []", "framework"),
]


@pytest.mark.parametrize(("old", "new", "rule"), CASES, ids=[f"{case[2]}-{n}" for n, case in enumerate(CASES)])
def test_a_lesson_with_this_fault_is_refused(
    faults_after: Callable[..., set[str]], old: str, new: str, rule: str
) -> None:
    assert rule in faults_after(old, new)


def test_a_lesson_without_sources_is_refused(faults_after: Callable[..., set[str]]) -> None:
    text = (FOLDER / "lessons/en/8-10-confident.md").read_text(encoding="utf-8")
    listed = re.search(r"^sources:\n(?:  - .*\n)+", text, re.M)
    assert listed
    assert "sources" in faults_after(listed[0], "sources: []\n", "8-10-confident")


def test_an_app_may_be_named_with_a_review_date_of_its_own_and_only_until_then(
    faults_after: Callable[..., set[str]],
) -> None:
    told = ("Today we talked about attention online.", "Today we talked about TikTok.")
    assert "app" in faults_after(*told)
    assert "app" not in faults_after("help: [talk", "apps: {TikTok: 2027-01-01}\nhelp: [talk")
    assert "app" in faults_after("apps: {TikTok: 2027-01-01}", "apps: {TikTok: 2026-11-01}")


def test_pale_colours_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert palette.faint() == []
    monkeypatch.setattr(palette, "PAIRS", (("grey on grey", "#999999", "#aaaaaa", 4.5),))
    assert "contrast" in {fault.rule for fault in Lint({}, TODAY).faults()}


def test_contrast_is_that_of_the_standard() -> None:
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("no front matter", "no front matter"),
        ("---\nid: [\n---\n", "not YAML"),
        ("---\nid: x\n---\n", "missing required field"),
    ],
)
def test_a_file_that_is_no_lesson_is_refused_with_file_reason_and_fix(tmp_path: Path, body: str, message: str) -> None:
    path = tmp_path / "x.md"
    path.write_text(body, encoding="utf-8")
    with pytest.raises(TeachError, match=message) as raised:
        lessons.read_lesson(path, {})
    assert str(path) in str(raised.value)


# -- scripts, topics, figures --------------------------------------------------------------------------------------


def test_there_are_scripts_for_every_band_of_lessons_and_two_benign_ones() -> None:
    for language in ("en", "es"):
        ours = [script.story for (spoken, _), script in scripts.shipped().items() if spoken == language]
        assert len(ours) >= 4
        assert {story.band for story in ours} == {Band.FROM_8_TO_10, Band.FROM_11_TO_13, Band.FROM_14_TO_16}
        assert sum(story.benign for story in ours) >= 2


def test_a_figure_past_its_review_is_refused_and_says_what_to_do() -> None:
    figures = statistics.read_statistics()
    with pytest.raises(TeachError, match=r"was to be reviewed by 2027-11-25.*Check it against its source"):
        statistics.quotable(figures, "iwf-2018-home", "en", date(2027, 11, 26))
    with pytest.raises(TeachError, match="has no figure"):
        statistics.quotable(figures, "invented", "en", TODAY)
    with pytest.raises(TeachError, match="is not said in 'fr'"):
        statistics.quotable(figures, "iwf-2018-home", "fr", TODAY)


@pytest.mark.parametrize(
    ("study", "figure", "says"),
    [
        ("iwf-1999", "age_13", "there is no study 'iwf-1999'"),
        ("iwf-2018", "age_99", "has no percentage 'age_99'"),
        ("iwf-2018", "youngest", "has no percentage 'youngest'"),
        ("iwf-2018", "girls_secondary", "is quoted second-hand"),
        ("iwf-2018", "image_hosts", "is quoted second-hand"),
    ],
)
def test_a_figure_that_no_study_bears_out_is_refused(tmp_path: Path, study: str, figure: str, says: str) -> None:
    path = tmp_path / "statistics.yaml"
    path.write_text(f"- {{id: one, study: {study}, figure: {figure}, text: {{en: a}}, limits: {{en: b}}}}\n")
    with pytest.raises(TeachError, match=says):
        statistics.read_statistics(path)


def test_a_figure_whose_text_says_another_value_is_found() -> None:
    figure = msgspec.structs.replace(statistics.read_statistics()["iwf-2018-home"], value="97%")
    assert {fault.rule for fault in StreamLint(TODAY).of_statistics({figure.id: figure})} == {"value"}


def test_a_topic_with_too_few_actions_or_a_month_left_out_is_found() -> None:
    topics = dict(newsletter.shipped())
    key = ("en", "pressure")
    texts = topics[key].texts | {"actions_parents": "- One thing."}
    front = msgspec.structs.replace(topics[key].front, months=(3, 7))
    topics[key] = msgspec.structs.replace(topics[key], texts=texts, front=front)
    rules = {fault.rule for fault in StreamLint(TODAY).of_topics(topics, statistics.read_statistics())}
    assert {"actions", "months"} <= rules


def test_a_script_whose_tactic_pupils_cannot_choose_is_found() -> None:
    found = dict(scripts.shipped())
    script = found["en", "dance-dares"]
    story = msgspec.structs.replace(script.story, tags=("dare", "tag_kind"))
    found["en", "dance-dares"] = msgspec.structs.replace(script, story=story)
    rules = [fault.rule for fault in StreamLint(TODAY).of_scripts(found, lessons.shipped())]
    assert "tags" in rules
    assert "translation" in rules


# -- words ---------------------------------------------------------------------------------------------------------


def test_the_template_of_translations_has_every_english_text_and_no_other() -> None:
    with (words.LOCALE / "teach.pot").open("rb") as file:
        template = {str(each.id) for each in read_po(file) if each.id}
    assert template == set(interface.MESSAGES.values())


@pytest.mark.parametrize("language", words.languages()[1:])
def test_a_translation_is_complete_and_keeps_every_place_to_fill_in(language: str) -> None:
    spoken, english = words.words(language), words.words("en")
    for key, text in english.texts.items():
        assert sorted(re.findall(r"\{(\w+)\}", spoken.texts[key])) == sorted(re.findall(r"\{(\w+)\}", text)), key


def test_every_word_that_the_pages_ask_for_is_there() -> None:
    asked = set()
    for path in (FOLDER / "static").iterdir():
        text = path.read_text(encoding="utf-8")
        asked |= set(re.findall(r'say\("(\w+)"', text)) | set(re.findall(r'data-w="(\w+)"', text))
    assert len(asked) > 40
    assert asked <= set(interface.MESSAGES)


def test_a_language_without_words_is_refused() -> None:
    with pytest.raises(TeachError, match="no words in 'xx'"):
        words.words("xx")
