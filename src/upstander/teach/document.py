"""A lesson as a document: parts made of headings, paragraphs and lists, which every way out (screen, print) writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec
from markdown_it import MarkdownIt

from upstander.nudge.cards import INTERNATIONAL, Listed
from upstander.nudge.cards import shipped as shipped_cards
from upstander.nudge.payload import Place
from upstander.teach.lessons import Lesson
from upstander.teach.reading import TeachError
from upstander.teach.words import Words, words

#: Which parts each handout has.
HANDOUTS: dict[str, tuple[str, ...]] = {
    "teacher": ("glance", "ground_rules", "safeguarding", "disclosure", "activities", "cards", "check", "answers",
                "parent_sheet", "help", "sources"),
    "pupil": ("ground_rules", "check", "help"),
    "parents": ("parent_sheet", "help"),
    "disclosure": ("disclosure", "help"),
}  # fmt: skip


class Block(msgspec.Struct, frozen=True):
    """A heading (level 3 and below), a paragraph, or a list (``items``)."""

    kind: Literal["heading", "paragraph", "bullets", "numbers", "choices"]
    text: str = ""
    items: tuple[str, ...] = ()


class Part(msgspec.Struct, frozen=True):
    """A part of a document: its key, its heading, its blocks."""

    key: str
    title: str
    blocks: tuple[Block, ...]


class Document(msgspec.Struct, frozen=True):
    """A whole lesson: title, one line below it, parts in order, and the small print (version and review)."""

    title: str
    subtitle: str
    language: str
    parts: tuple[Part, ...]
    small_print: str

    def part(self, key: str) -> Part:
        """The part with a key."""
        return next(part for part in self.parts if part.key == key)

    def only(self, handout: str) -> Document:
        """The same with a handout's parts only."""
        keys = HANDOUTS[handout]
        return msgspec.structs.replace(self, parts=tuple(part for part in self.parts if part.key in keys))


def blocks_of(markdown: str) -> tuple[Block, ...]:
    """Markdown as blocks. Only headings, paragraphs and flat lists are used in lessons; anything else is its text."""
    made: list[Block] = []
    items: list[str] = []
    inside: Literal["", "bullets", "numbers"] = ""
    heading = False
    for token in MarkdownIt("commonmark").parse(markdown):
        if token.type in ("bullet_list_open", "ordered_list_open"):
            inside, items = "bullets" if token.type.startswith("bullet") else "numbers", []
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            assert inside
            made.append(Block(inside, items=tuple(items)))
            inside = ""
        elif token.type == "heading_open":
            heading = True
        elif token.type == "inline":
            text = " ".join(_plain(child) for child in token.children or ())
            text = " ".join(text.split())
            if inside:
                items.append(text)
            else:
                made.append(Block("heading" if heading else "paragraph", text))
            heading = False
    return tuple(made)


def _plain(token: object) -> str:
    content = getattr(token, "content", "")
    return str(content) if content else " "


def places_of(lesson_help: tuple[str, ...], country: str, language: str) -> list[Place]:
    """The places of help of a country in a language's words, in the order that a lesson names.

    Raises ``TeachError`` when the language has no words for them.
    """
    library = shipped_cards()
    if language not in library.words:
        raise TeachError(f"there are no words for places of help in {language!r}: {', '.join(library.languages)}.")
    spoken = library.words[language]
    listed = library.directory.countries.get(country) or library.directory.countries[INTERNATIONAL]
    chosen: list[Listed] = [each for kind in lesson_help for each in listed if each.kind == kind]
    return [
        Place(each.name or spoken.emergency_number, spoken.help[each.kind], each.contact, each.url) for each in chosen
    ]


def check_country(country: str) -> None:
    """Raise ``TeachError`` when no places of help are listed for a country."""
    known = shipped_cards().directory.countries
    if country not in known:
        raise TeachError(f"no places of help are listed for {country!r}. There are: {', '.join(sorted(known))}.")


def document_of(lesson: Lesson, country: str = INTERNATIONAL) -> Document:
    """A lesson with a country's places of help. Raises ``TeachError`` for a country that is not listed."""
    check_country(country)
    front, say = lesson.front, words(lesson.front.language)
    subtitle = say("for_minutes", band=say(f"band_{front.band}"), minutes=front.minutes)
    small = say("small_print", version=front.version, reviewed=front.reviewed_on, until=front.review_by)
    return Document(front.title, subtitle, front.language, tuple(_parts(lesson, country, say)), small)


def _parts(lesson: Lesson, country: str, say: Words) -> Iterator[Part]:
    front = lesson.front
    yield Part("glance", say("at_a_glance"), tuple(_glance(lesson, say)))
    for key in ("ground_rules", "safeguarding", "disclosure"):
        yield Part(key, say(key), blocks_of(lesson.texts.get(key, "")))
    steps: list[Block] = []
    for step in lesson.activities:
        steps += [Block("heading", say("minutes_step", minutes=step.minutes, title=step.title)), *blocks_of(step.text)]
    yield Part("activities", say("activities"), tuple(steps))
    yield Part("cards", say("cards"), (Block("bullets", items=lesson.cards),))
    answers = tuple(each.options[each.answer - 1] for each in front.questions)
    yield Part("answers", say("answers"), (Block("numbers", items=answers),))
    asked: list[Block] = []
    for number, question in enumerate(front.questions, 1):
        asked += [Block("heading", f"{number}. {question.ask}"), Block("choices", items=question.options)]
    yield Part("check", say("check"), tuple(asked))
    if "parent_sheet" in lesson.texts:
        yield Part("parent_sheet", say("parent_sheet"), blocks_of(lesson.texts["parent_sheet"]))
    places = [help_line(place) for place in places_of(tuple(front.help), country, front.language)]
    yield Part("help", say("help"), (Block("bullets", items=tuple(places)),))
    yield Part("sources", say("sources"), (Block("bullets", items=tuple(str(each) for each in front.sources)),))


def _glance(lesson: Lesson, say: Words) -> Iterator[Block]:
    front = lesson.front
    yield Block("bullets", items=front.objectives)
    strands = ", ".join(say(f"strand_{strand}") for strand in front.strands)
    risks = ", ".join(say(f"risk_{risk}") for risk in front.kcsie)
    tactics = ", ".join(say(f"tactic_{tactic}") for tactic in front.tactics)
    yield Block("paragraph", say("framework", strands=strands, risks=risks))
    yield Block("paragraph", say("tactics_in_it", tactics=tactics))
    yield Block("paragraph", say("you_need", materials="; ".join(front.materials)))


def help_line(place: Place) -> str:
    """A place of help in one line."""
    return f"{place.purpose}: {', '.join(each for each in (place.name, place.contact, place.url) if each)}"


def as_markdown(document: Document) -> str:
    """The document as Markdown."""
    lines = [f"# {document.title}", "", document.subtitle, ""]
    for part in document.parts:
        lines += [f"## {part.title}", ""]
        for block in part.blocks:
            if block.kind == "heading":
                lines += [f"### {block.text}", ""]
            elif block.kind == "paragraph":
                lines += [block.text, ""]
            else:
                mark = "1." if block.kind == "numbers" else "-"
                lines += [*(f"{mark} {item}" for item in block.items), ""]
    return "\n".join([*lines, document.small_print, ""])
