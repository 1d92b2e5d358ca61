"""Reads scripts of the simulated stream: wire events with annotations, and what a class sees around them."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from upstander.model.events import AnyEvent
from upstander.model.vocabulary import Tactic
from upstander.model.wire import WireError, decode_event
from upstander.teach.bands import Band
from upstander.teach.lessons import Language
from upstander.teach.reading import FOLDER, TeachError, read_text, read_yaml, typed

#: What a pupil may say of a line that shows no tactic.
KIND = "tag_kind"

Mood = Literal["happy", "unsure", "worried", "calm"]


class Choice(StrEnum):
    """What a host can do."""

    IGNORE = "ignore"
    BLOCK = "block"
    COMMENTS_OFF = "comments_off"
    END = "end"
    TELL = "tell"


class Outcome(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What follows from a choice, in words, and how the host looks then."""

    then: str
    mood: Mood


class Point(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A moment at which the class chooses: after the event with this index (from 0)."""

    after: Annotated[int, msgspec.Meta(ge=1)]
    ask: str
    choices: dict[Choice, Outcome]


class Host(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The cartoon host."""

    name: str
    animal: Literal["fox", "rabbit", "cat", "bear", "owl"]


class Story(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What stands around a script's events. ``tags``: tactics that pupils may choose from, or ``tag_kind``."""

    title: str
    language: Language
    band: Band
    benign: bool
    host: Host
    version: int
    reviewed_on: date
    review_by: date
    intro: str
    tags: tuple[str, ...]
    points: tuple[Point, ...]
    debrief: tuple[str, ...]


class Teaching(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The annotation of an event: tactics that it shows, and how the host looks from there on."""

    shows: tuple[Tactic, ...] = ()
    mood: Mood | None = None


class Step(msgspec.Struct, frozen=True):
    """One event of a script and its annotation."""

    event: AnyEvent
    teaching: Teaching


class Script(msgspec.Struct, frozen=True):
    """A script: its file of events, its name, its story, its steps."""

    path: Path
    name: str
    story: Story
    steps: tuple[Step, ...]

    def point_after(self, index: int) -> int | None:
        """The index of the point that comes after an event, if there is one."""
        return next((number for number, point in enumerate(self.story.points) if point.after == index), None)


class _Annotated(msgspec.Struct):
    teaching: Teaching = Teaching()


def read_script(path: Path) -> Script:
    """A script from its ``.jsonl`` and the ``.yaml`` beside it. Raises ``TeachError`` when either cannot be used."""
    story = read_yaml(path.with_suffix(".yaml"), Story)
    steps = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        try:
            event = decode_event(line.encode(), number)
            annotated = typed(json.loads(line), _Annotated, path)
        except WireError as error:
            raise TeachError(f"{path}: {error}") from None
        steps.append(Step(event, annotated.teaching))
    _check(path, story, len(steps))
    return Script(path, path.stem, story, tuple(steps))


def _check(path: Path, story: Story, steps: int) -> None:
    if path.parent.name != story.language:
        raise TeachError(f"{path}: the folder is {path.parent.name!r}, `language` says {story.language!r}.")
    for tag in story.tags:
        if tag != KIND and tag not in set(Tactic):
            raise TeachError(f"{path.with_suffix('.yaml')}: the tag {tag!r} is no tactic and not {KIND!r}.")
    for point in story.points:
        if point.after >= steps - 1:
            raise TeachError(f"{path.with_suffix('.yaml')}: a point comes after event {point.after} of {steps}.")
        if missing := [str(choice) for choice in Choice if choice not in point.choices]:
            raise TeachError(f"{path.with_suffix('.yaml')}: {point.ask!r} has no outcome for {', '.join(missing)}.")


Scripts = Mapping[tuple[str, str], Script]


def read_scripts(folder: Path = FOLDER / "scripts") -> Scripts:
    """All scripts of ``<folder>/<language>/*.jsonl``, by language and name, youngest band first."""
    found: dict[tuple[str, str], Script] = {}
    for language in sorted(path for path in folder.glob("*") if path.is_dir()):
        read = [read_script(path) for path in sorted(language.glob("*.jsonl"))]
        for script in sorted(read, key=lambda script: list(Band).index(script.story.band)):
            found[language.name, script.name] = script
    return found


@functools.cache
def shipped() -> Scripts:
    """The scripts that ship, read once."""
    return read_scripts()
