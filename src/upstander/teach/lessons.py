"""Reads lesson packs: Markdown with front matter, by language. What makes a good lesson is in ``lint``."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from upstander.model.vocabulary import Tactic
from upstander.nudge.cards import HelpKind
from upstander.teach.bands import Band
from upstander.teach.reading import FOLDER, TeachError, read_yaml, sections, split_front_matter

#: The parts of every lesson, in this order. ``parent_sheet`` is left out of a staff briefing only.
SECTIONS = ("ground_rules", "safeguarding", "disclosure", "activities", "cards", "parent_sheet")

Language = Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}$")]
Slug = Annotated[str, msgspec.Meta(pattern="^[a-z0-9][a-z0-9-]*$")]


class Strand(StrEnum):
    """The strands of *Education for a Connected World* (UK Council for Internet Safety, 2020)."""

    SELF_IMAGE_AND_IDENTITY = "self_image_and_identity"
    ONLINE_RELATIONSHIPS = "online_relationships"
    ONLINE_REPUTATION = "online_reputation"
    ONLINE_BULLYING = "online_bullying"
    MANAGING_ONLINE_INFORMATION = "managing_online_information"
    HEALTH_WELLBEING_AND_LIFESTYLE = "health_wellbeing_and_lifestyle"
    PRIVACY_AND_SECURITY = "privacy_and_security"
    COPYRIGHT_AND_OWNERSHIP = "copyright_and_ownership"


class Risk(StrEnum):
    """The four areas of online risk in *Keeping children safe in education*."""

    CONTENT = "content"
    CONTACT = "contact"
    CONDUCT = "conduct"
    COMMERCE = "commerce"


class Source(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a text rests on: title, who published it, the year, and an address where there is a lasting one."""

    name: str
    publisher: str
    year: Annotated[int, msgspec.Meta(ge=1990, le=2100)]
    url: Annotated[str, msgspec.Meta(pattern="^(https://[^ ]+)?$")] = ""

    def __str__(self) -> str:
        """One line for a list of sources."""
        return f"{self.publisher} ({self.year}): {self.name}{f'. {self.url}' if self.url else ''}"


class Question(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A question of the exit check. ``answer`` counts from 1. Before and after a lesson it measures learning."""

    id: Slug
    ask: str
    options: tuple[str, ...]
    answer: Annotated[int, msgspec.Meta(ge=1)]


class Front(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The front matter of a lesson. ``apps`` names apps that the text speaks of, each with its own review-by date."""

    id: Slug
    title: str
    language: Language
    band: Band
    minutes: Annotated[int, msgspec.Meta(ge=5, le=240)]
    version: Annotated[int, msgspec.Meta(ge=1)]
    reviewed_on: date
    review_by: date
    objectives: tuple[str, ...]
    strands: tuple[Strand, ...]
    kcsie: tuple[Risk, ...]
    tactics: tuple[Tactic, ...]
    scripts: tuple[Slug, ...]
    materials: tuple[str, ...]
    help: tuple[HelpKind, ...]
    sources: tuple[Source, ...]
    questions: tuple[Question, ...]
    apps: dict[str, date] = {}


class Activity(msgspec.Struct, frozen=True):
    """One step of a lesson: minutes, title, and what the teacher does (Markdown)."""

    minutes: int
    title: str
    text: str


class Lesson(msgspec.Struct, frozen=True):
    """One lesson: its file, front matter, activities and cards, and the other sections as Markdown."""

    path: Path
    front: Front
    texts: dict[str, str]
    activities: tuple[Activity, ...]
    cards: tuple[str, ...]


Lessons = Mapping[tuple[str, str], Lesson]


def read_lesson(path: Path, shared: Mapping[str, str]) -> Lesson:
    """One lesson file. ``{{name}}`` on a line of its own stands for shared wording.

    Raises ``TeachError`` when it cannot be read, and when an activity's heading is not ``### minutes | title``.
    """
    front, body = split_front_matter(path, Front)
    if (path.parent.name, path.stem) != (front.language, front.id):
        expected = f"{front.language}/{front.id}.md"
        raise TeachError(f"{path}: the front matter says {expected}. Move the file there, or mend `id`, `language`.")
    for question in front.questions:
        if question.answer > len(question.options):
            reason = f"question {question.id!r} has {len(question.options)} options, its answer is {question.answer}"
            raise TeachError(f"{path}: {reason}. The answer counts from 1.")
    found = sections(_expand(body, path, shared), path, SECTIONS)
    activities = _activities(found.pop("activities", ""), path)
    cards = tuple(re.findall(r"^- (.+)$", found.pop("cards", ""), flags=re.M))
    return Lesson(path, front, found, activities, cards)


def _expand(body: str, path: Path, shared: Mapping[str, str]) -> str:
    def wording(match: re.Match[str]) -> str:
        if match[1] not in shared:
            known = ", ".join(shared)
            raise TeachError(f"{path}: there is no shared wording {match[1]!r}. shared.yaml has: {known}.")
        return shared[match[1]].rstrip()

    return re.sub(r"^\{\{(\w+)\}\}$", wording, body, flags=re.M)


def _activities(text: str, path: Path) -> tuple[Activity, ...]:
    made = []
    for part in re.split(r"^### ", text, flags=re.M)[1:]:
        heading, _, body = part.partition("\n")
        match = re.fullmatch(r"(\d+) \| (.+)", heading.strip())
        if match is None:
            raise TeachError(f"{path}: the activity {heading.strip()!r} has no time. Write `### 10 | Title`.")
        made.append(Activity(int(match[1]), match[2], body.strip()))
    return tuple(made)


def read_lessons(folder: Path = FOLDER / "lessons") -> Lessons:
    """All lessons of ``<folder>/<language>/*.md`` by language and id, youngest band first."""
    lessons: dict[tuple[str, str], Lesson] = {}
    for language in sorted(path for path in folder.glob("*") if path.is_dir()):
        shared = read_yaml(language / "shared.yaml", dict[str, str])
        read = [read_lesson(path, shared) for path in sorted(language.glob("*.md"))]
        for lesson in sorted(read, key=lambda lesson: list(Band).index(lesson.front.band)):
            lessons[language.name, lesson.front.id] = lesson
    return lessons


@functools.cache
def shipped() -> Lessons:
    """The lessons that ship, read once."""
    return read_lessons()


def find(lessons: Lessons, identifier: str, language: str) -> Lesson:
    """The lesson of an id in a language. Raises ``TeachError`` that says which there are."""
    lesson = lessons.get((language, identifier))
    if lesson is None:
        known = ", ".join(each for spoken, each in lessons if spoken == language)
        languages = ", ".join(sorted({spoken for spoken, _ in lessons}))
        reason = f"there is no lesson {identifier!r} in {language!r}"
        raise TeachError(f"{reason}. Lessons in it: {known or 'none'}. Languages: {languages}.")
    return lesson
