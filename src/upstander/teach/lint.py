"""What a lesson must be: complete, timed, sourced, reviewed, easy to read for its band, calm, and never blaming."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from upstander.nudge import readability
from upstander.nudge.cards import HelpKind
from upstander.nudge.cards import shipped as shipped_cards
from upstander.nudge.lint import LONGEST_REVIEW, Fault
from upstander.nudge.lint import Lint as CardLint
from upstander.teach import palette
from upstander.teach.bands import Band, bound, within
from upstander.teach.lessons import SECTIONS, Lesson, Lessons

#: The language that the others follow.
FIRST = "en"
FEWEST_CARDS, FEWEST_QUESTIONS, FEWEST_OBJECTIVES = 5, 3, 2
FEWEST_WORDS = {"safeguarding": 60, "disclosure": 100, "parent_sheet": 50}
#: What a disclosure page has to cover; each in the words that lessons of a language use.
DISCLOSURE_SAYS: dict[str, tuple[str, ...]] = {
    "en": ("did nothing wrong", "safeguarding lead", "Never look at, copy", "Write down", "emergency number"),
    "es": ("no has hecho nada malo", "protección", "Nunca mires, copies", "Escribe", "emergencias"),
}
#: Rules of ``nudge.lint`` that hold for whatever a child or a parent reads, and for what a teacher reads.
READER_RULES = frozenset({"blame", "scare", "app", "shouting"})
TEACHER_RULES = frozenset({"blame", "app"})


class Lint:
    """Checks lessons against the template. ``today`` decides whether a review is still good."""

    def __init__(self, lessons: Lessons, today: date) -> None:
        self.lessons = lessons
        self.today = today
        self._cards = CardLint(shipped_cards(), today)

    def faults(self) -> list[Fault]:
        """Everything that is wrong, in the order of the lessons. Reading levels only where textstat is installed."""
        found = [fault for lesson in self.lessons.values() for fault in self.of_lesson(lesson)]
        found += [Fault(Path(str(palette.__file__)), "", "contrast", each) for each in palette.faint()]
        for (language, identifier), lesson in self.lessons.items():
            first = self.lessons.get((FIRST, identifier))
            if language != FIRST and first is None:
                message = f"there is no lesson {identifier!r} in {FIRST!r} that this one follows."
                found.append(Fault(lesson.path, "", "translation", message))
            elif first is not None:
                found += _differences(lesson, first)
        return found

    def of_lesson(self, lesson: Lesson) -> Iterator[Fault]:
        """What is wrong with one lesson."""
        band = lesson.front.band.years
        for rule, message in (
            *self._front(lesson),
            *_template(lesson),
            *self._wording(lesson),
            *self._reading(lesson),
        ):
            yield Fault(lesson.path, band, rule, message)

    def _front(self, lesson: Lesson) -> Iterator[tuple[str, str]]:
        front = lesson.front
        yield from review_faults(front.reviewed_on, front.review_by, self.today)
        if not front.sources:
            yield "sources", "none is named. Say what the lesson rests on, with publisher and year."
        if late := [source for source in front.sources if source.year > self.today.year]:
            yield "sources", f"{late[0]} is dated in the future."
        if len(front.objectives) < FEWEST_OBJECTIVES:
            yield "objectives", f"fewer than {FEWEST_OBJECTIVES}. Begin each with: I can, or I know."
        if not front.strands or not front.kcsie:
            yield "framework", "`strands` and `kcsie` each need at least one tag."
        if HelpKind.TALK not in front.help or HelpKind.REPORT not in front.help:
            yield "help", "`help` needs at least talk and report."
        if len(front.questions) < FEWEST_QUESTIONS:
            yield "exit check", f"fewer than {FEWEST_QUESTIONS} questions."
        if len({question.id for question in front.questions}) < len(front.questions):
            yield "exit check", "two questions have the same id."
        if front.questions and len({question.answer for question in front.questions}) == 1:
            yield "exit check", "every answer stands at the same place. Move some."
        for app, review_by in front.apps.items():
            if review_by < self.today:
                yield "app", f"what is said of {app} was to be reviewed by {review_by}. Check it, or take it out."
        if not front.scripts and not front.materials:
            yield "materials", "neither a script nor any material is named."

    def _wording(self, lesson: Lesson) -> Iterator[tuple[str, str]]:
        front = lesson.front
        read_by_all = readable(lesson)
        for text, rules in ((read_by_all, READER_RULES), (for_teachers(lesson), TEACHER_RULES)):
            for rule, message in self._cards.of_text(text, front.language):
                named = any(message.casefold().startswith(repr(app.casefold())) for app in front.apps)
                if rule == "wording" or (rule in rules and not (rule == "app" and named)):
                    yield rule, message

    def _reading(self, lesson: Lesson) -> Iterator[tuple[str, str]]:
        language = lesson.front.language
        for what, (text, band) in texts_to_measure(lesson).items():
            if bound(language, band) is None:
                yield "reading", f"no bound for {language!r}. Add it to bands.py and a measure to readability.py."
                return
            if readability.available() and not within(value := readability.measure(text, language), language, band):
                name = readability.MEASURES[language].name
                message = f"{what}: {name} is {value}; the bound for {band.years} is {bound(language, band):g}."
                yield "reading", f"{message} Use shorter sentences and words."
        # A page that is easy on the whole may hide one card that is not.
        for line in (*lesson.cards, *(question.ask for question in lesson.front.questions)):
            if readability.available() and not within(
                value := readability.measure(line, language), language, lesson.front.band, alone=True
            ):
                yield "reading", f"{line!r} alone is {value}. Say it in shorter words, or in two sentences."


def review_faults(on: date, by: date, today: date) -> Iterator[tuple[str, str]]:
    """What is wrong with a pair of review dates, as ``(rule, message)``."""
    if on > today:
        yield "review", f"reviewed_on {on} lies in the future."
    if by < today:
        yield "review", f"review_by {by} is past. Read it again, check its sources, and set both dates."
    if not 0 < (by - on).days <= LONGEST_REVIEW:
        yield "review", f"review_by {by} must follow reviewed_on {on} by at most {LONGEST_REVIEW} days."


def _template(lesson: Lesson) -> Iterator[tuple[str, str]]:
    front = lesson.front
    for name in SECTIONS:
        filled = {"activities": lesson.activities, "cards": lesson.cards}.get(name, lesson.texts.get(name))
        if not filled and not (name == "parent_sheet" and front.band is Band.PROFESSIONALS):
            yield "template", f"the section {name!r} is missing or empty."
    if lesson.activities and (total := sum(each.minutes for each in lesson.activities)) != front.minutes:
        yield "timings", f"the activities take {total} minutes, `minutes` says {front.minutes}."
    if len(lesson.cards) < FEWEST_CARDS:
        yield "cards", f"fewer than {FEWEST_CARDS} discussion cards."
    for name, fewest in FEWEST_WORDS.items():
        text = lesson.texts.get(name, "")
        if text and (count := len(text.split())) < fewest:
            yield "template", f"{name!r} has {count} words; fewer than {fewest} leave a teacher alone."
    says = DISCLOSURE_SAYS.get(front.language)
    if says is None:
        yield "disclosure", f"lint.py does not know what a disclosure page says in {front.language!r}. Add it."
    for phrase in says or ():
        if phrase not in lesson.texts.get("disclosure", ""):
            yield "disclosure", f"{phrase!r} is missing. Use the shared wording."


def _differences(lesson: Lesson, first: Lesson) -> Iterator[Fault]:
    """Where a translation departs from the lesson it follows."""

    def shape(each: Lesson) -> dict[str, object]:
        front = each.front
        return {
            "band": front.band,
            "minutes": front.minutes,
            "version": front.version,
            "timings": [activity.minutes for activity in each.activities],
            "cards": len(each.cards),
            "answers": [(question.id, question.answer, len(question.options)) for question in front.questions],
            "objectives": len(front.objectives),
            "strands, kcsie": (front.strands, front.kcsie),
            "tactics, scripts": (front.tactics, front.scripts),
            "help": front.help,
        }

    ours, theirs = shape(lesson), shape(first)
    for name, value in ours.items():
        if value != theirs[name]:
            message = (
                f"{name} differ from {first.path.parent.name}/{first.path.name}. Bring the translation up to date."
            )
            yield Fault(lesson.path, lesson.front.band.years, "translation", message)


def prose(lines: Iterable[str]) -> str:
    """Markdown lines as running sentences: without marks, each line ended by a stop."""
    said = []
    for line in lines:
        text = re.sub(r"^\s*(?:[-*#]+|\d+\.)\s*", "", line).strip()
        if text:
            said.append(text if text[-1] in ".?!:…" else f"{text}.")
    return " ".join(said)


def readable(lesson: Lesson) -> str:
    """All that pupils or parents read of a lesson."""
    return " ".join(text for text, _ in texts_to_measure(lesson).values())


def for_teachers(lesson: Lesson) -> str:
    """All that the teacher reads of a lesson."""
    texts = [lesson.texts.get("safeguarding", ""), lesson.texts.get("disclosure", "")]
    return prose(line for text in (*texts, *(each.text for each in lesson.activities)) for line in text.splitlines())


def texts_to_measure(lesson: Lesson) -> dict[str, tuple[str, Band]]:
    """By what it is: each text whose reading level is bound, and the band that reads it."""
    front = lesson.front
    check = [line for question in front.questions for line in (question.ask, *question.options)]
    found = {
        "objectives": (prose(front.objectives), front.band),
        "ground_rules": (prose(lesson.texts.get("ground_rules", "").splitlines()), front.band),
        "cards": (prose(lesson.cards), front.band),
        "exit check": (prose(check), front.band),
        "parent_sheet": (prose(lesson.texts.get("parent_sheet", "").splitlines()), Band.PARENTS),
    }
    return {what: (text, band) for what, (text, band) in found.items() if text}
