"""Newsletter items in the pattern that schools use: what it is, why children like it, a figure, risks, actions."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

from upstander.nudge.cards import INTERNATIONAL, HelpKind
from upstander.teach.document import Block, Document, Part, blocks_of, check_country, help_line, places_of
from upstander.teach.lessons import Language, Slug, Source
from upstander.teach.reading import FOLDER, TeachError, sections, split_front_matter
from upstander.teach.statistics import Statistic, quotable, read_statistics
from upstander.teach.words import words

SECTIONS = ("what", "why", "risks", "actions_parents", "actions_staff", "post", "post_long")
#: How many characters a post may have, by where it goes. Links count as they are written.
POST_LIMITS: dict[str, int] = {"sms": 160, "x": 280, "bluesky": 300, "mastodon": 500}
FEWEST_ACTIONS, MOST_ACTIONS = 4, 6


class Audience(StrEnum):
    """Whom an item is for."""

    PARENTS = "parents"
    STAFF = "staff"


class Front(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The front matter of a topic. ``months`` (1 to 12): when the item comes; ``statistic`` names a figure."""

    id: Slug
    title: str
    language: Language
    version: int
    months: tuple[Annotated[int, msgspec.Meta(ge=1, le=12)], ...]
    reviewed_on: date
    review_by: date
    statistic: Slug
    help: tuple[HelpKind, ...]
    lessons: tuple[Slug, ...]
    sources: tuple[Source, ...]


class Topic(msgspec.Struct, frozen=True):
    """One topic: its file, front matter, and sections as Markdown."""

    path: Path
    front: Front
    texts: dict[str, str]


Topics = Mapping[tuple[str, str], Topic]


class Item(msgspec.Struct, frozen=True):
    """A newsletter item: the document, and posts by where they go."""

    document: Document
    posts: dict[str, str]


def read_topics(folder: Path = FOLDER / "topics") -> Topics:
    """All topics of ``<folder>/<language>/*.md`` by language and id. Raises ``TeachError`` at an incomplete one."""
    found: dict[tuple[str, str], Topic] = {}
    for path in sorted(folder.glob("*/*.md")):
        front, body = split_front_matter(path, Front)
        if (path.parent.name, path.stem) != (front.language, front.id):
            raise TeachError(f"{path}: the front matter says {front.language}/{front.id}.md. Move the file there.")
        texts = sections(body, path, SECTIONS)
        if missing := [name for name in SECTIONS if not texts.get(name)]:
            raise TeachError(f"{path}: no section {', '.join(missing)}.")
        found[front.language, front.id] = Topic(path, front, texts)
    return found


@functools.cache
def shipped() -> Topics:
    """The topics that ship, read once."""
    return read_topics()


def topic_of(topics: Topics, month: date, language: str, name: str = "") -> Topic:
    """The topic of a month, or the one named. Raises ``TeachError`` when there is none."""
    ours = {identifier: topic for (spoken, identifier), topic in topics.items() if spoken == language}
    if name:
        if name in ours:
            return ours[name]
        raise TeachError(f"there is no topic {name!r} in {language!r}. There are: {', '.join(ours) or 'none'}.")
    for topic in ours.values():
        if month.month in topic.front.months:
            return topic
    raise TeachError(f"no topic in {language!r} is for month {month.month}. Name one with --topic: {', '.join(ours)}.")


def compose(
    topic: Topic,
    audience: Audience,
    month: date,
    country: str = INTERNATIONAL,
    *,
    today: date,
    statistics: dict[str, Statistic] | None = None,
    seen: str = "",
) -> Item:
    """The item of a topic for an audience. ``seen``: what platforms saw lately (see ``digest``), one paragraph.

    Raises ``TeachError`` for a country that is not listed, and when the topic's or the figure's review is past.
    """
    check_country(country)
    front = topic.front
    if front.review_by < today:
        reason = f"{topic.path} was to be reviewed by {front.review_by}, and it is {today}"
        raise TeachError(f"{reason}. Read it again, check its sources, and set both dates.")
    figures = read_statistics() if statistics is None else statistics
    figure = quotable(figures, front.statistic, front.language, today)
    say = words(front.language)
    named = {"audience": say(f"audience_{audience}"), "month": say(f"month_{month.month}"), "year": month.year}
    subtitle = say("newsletter_for", **named)
    parts = tuple(_parts(topic, audience, country, figure, seen))
    small = say("small_print", version=front.version, reviewed=front.reviewed_on, until=front.review_by)
    document = Document(front.title, subtitle, front.language, parts, small)
    link = places_of((HelpKind.REPORT,), country, front.language)[0]
    return Item(document, posts_of(topic, link.url or link.contact))


def _parts(topic: Topic, audience: Audience, country: str, figure: Statistic, seen: str) -> Iterator[Part]:
    front, texts, say = topic.front, topic.texts, words(topic.front.language)
    yield Part("what", say("news_what"), blocks_of(texts["what"]))
    yield Part("why", say("news_why"), blocks_of(texts["why"]))
    said = (Block("paragraph", figure.text[front.language]), Block("paragraph", figure.limits[front.language]))
    yield Part("figure", say("news_figure"), (*said, Block("paragraph", say("news_source", source=figure.source))))
    if seen:
        yield Part("seen", say("news_seen"), (Block("paragraph", seen),))
    yield Part("risks", say("news_risks"), blocks_of(texts["risks"]))
    yield Part("actions", say("news_actions"), blocks_of(texts[f"actions_{audience}"]))
    places = tuple(help_line(place) for place in places_of(tuple(front.help), country, front.language))
    yield Part("help", say("help"), (Block("bullets", items=places),))


def posts_of(topic: Topic, link: str) -> dict[str, str]:
    """A post for each place, with the link, as long as fits. Raises ``TeachError`` when not even the short one does."""
    short, long = (" ".join(topic.texts[name].split()) for name in ("post", "post_long"))
    posts = {}
    for place, limit in POST_LIMITS.items():
        fitting = [text for text in (f"{long} {link}", f"{short} {link}", short) if len(text) <= limit]
        if not fitting:
            raise TeachError(f"{topic.path}: the post has {len(short)} characters; {place} takes {limit}. Say less.")
        posts[place] = fitting[0]
    return posts


def actions_of(topic: Topic, audience: Audience) -> list[str]:
    """The things to do that an item lists."""
    return re.findall(r"^- (.+)$", topic.texts[f"actions_{audience}"], flags=re.M)
