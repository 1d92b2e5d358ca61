"""Reads the content: cards and words by language, places of help by country. What makes good content is in ``lint``."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import yaml

from upstander.model.vocabulary import AgeBand, Tactic
from upstander.nudge.payload import Do, Headings

T = TypeVar("T")

FOLDER = Path(__file__).parent
#: Every scalar stays text: YAML would read the band 10_12 as the number 1012. The C one is much faster, where it is.
LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
GENERAL = "general"
INTERNATIONAL = "international"
TOPICS: tuple[str, ...] = (*(str(tactic) for tactic in Tactic), GENERAL)

#: The bands a card may be written for, youngest first.
BANDS: tuple[AgeBand, ...] = (
    AgeBand.UNDER_10,
    AgeBand.FROM_10_TO_12,
    AgeBand.FROM_13_TO_15,
    AgeBand.FROM_16_TO_17,
)
#: Bands that every card has. Who is 16 or 17 reads the wording for 13 to 15 where there is none of their own.
NEEDED = BANDS[:3]
#: For a host's band, the wordings that serve it, best first. An unknown host may be a child of any age.
WORDINGS: dict[AgeBand, tuple[AgeBand, ...]] = {
    AgeBand.UNDER_10: (AgeBand.UNDER_10,),
    AgeBand.FROM_10_TO_12: (AgeBand.FROM_10_TO_12,),
    AgeBand.FROM_13_TO_15: (AgeBand.FROM_13_TO_15,),
    AgeBand.FROM_16_TO_17: (AgeBand.FROM_16_TO_17, AgeBand.FROM_13_TO_15),
    AgeBand.UNKNOWN: (AgeBand.FROM_10_TO_12,),
    AgeBand.ADULT: (AgeBand.FROM_16_TO_17, AgeBand.FROM_13_TO_15),
}


class CardError(ValueError):
    """Content that cannot be read; the message names the file, the reason and the fix."""


class HelpKind(StrEnum):
    """What a place of help is for."""

    TALK = "talk"
    REPORT = "report"
    IMAGES = "images"
    EMERGENCY = "emergency"


class Text(msgspec.Struct, frozen=True):
    """The wording for one band: a title, and what was noticed and need not be done."""

    title: str
    noticed: str

    @property
    def whole(self) -> str:
        """Title and text as running prose."""
        end = "" if self.title.endswith((".", "?", "!", "…")) else "."
        return f"{self.title}{end} {self.noticed}"


class Front(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The front matter of a card. ``reading_target``: the measure of ``readability`` that each band's text reaches."""

    topic: str
    language: Annotated[str, msgspec.Meta(pattern="^[a-z]{2,3}$")]
    bands: tuple[AgeBand, ...]
    version: Annotated[int, msgspec.Meta(ge=1)]
    reviewed_on: date
    review_by: date
    reading_target: dict[AgeBand, float]
    actions: tuple[Do, ...]
    help: tuple[HelpKind, ...]
    sources: tuple[str, ...]


class Sheet(msgspec.Struct, frozen=True):
    """One card file: its front matter and the wording for each band."""

    path: Path
    front: Front
    texts: dict[AgeBand, Text]


class Words(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What all cards of a language share: headings, the buttons' words by band, what each kind of help is for."""

    direction: Literal["ltr", "rtl"]
    headings: Headings
    labels: dict[AgeBand, dict[Do, str]]
    help: dict[HelpKind, str]
    emergency_number: str


class Listed(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A place of help as listed. ``verified_on``: when a person checked it; ``None`` means not verified."""

    kind: HelpKind
    name: str
    contact: Annotated[str, msgspec.Meta(pattern="^[0-9 -]*$")]
    url: Annotated[str, msgspec.Meta(pattern="^(https://[^ ]+)?$")]
    hours: str | None
    verified_on: date | None
    note: str


class Directory(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The places of help by country (ISO 3166-1 alpha-2, or ``international``)."""

    version: int
    reviewed_on: date
    review_by: date
    countries: dict[Annotated[str, msgspec.Meta(pattern="^([A-Z]{2}|international)$")], tuple[Listed, ...]]


class Library(msgspec.Struct, frozen=True):
    """All content: sheets by language and topic, words by language, places of help."""

    sheets: Mapping[tuple[str, str], Sheet]
    words: Mapping[str, Words]
    directory: Directory

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages there are, in alphabetical order."""
        return tuple(sorted(self.words))


def _tree(text: str, path: Path, first_line: int = 1) -> Any:
    try:
        return yaml.load(text, LOADER)  # noqa: S506 - it makes text, lists and mappings only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + first_line}" if mark else str(path)
        reason = getattr(error, "problem", None) or str(error)
        raise CardError(f"{where}: not YAML ({reason}). Check the indentation and quotes there.") from None


def _typed(tree: Any, kind: type[T], path: Path) -> T:
    try:
        return msgspec.convert(tree, kind, strict=False)
    except msgspec.ValidationError as error:
        fields = ", ".join(kind.__struct_fields__)  # type: ignore[attr-defined]
        raise CardError(f"{path}: {error}. The keys are {fields}; compare with a card that ships.") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CardError(f"{path}: cannot be read ({error}). Cards are UTF-8 text files.") from None


def read_sheet(path: Path) -> Sheet:
    """One card file: front matter between two lines of ``---``, then ``## band``, ``### title`` and a paragraph."""
    parts = re.split(r"^---[ \t]*$", _read(path), maxsplit=2, flags=re.M)
    if len(parts) != 3 or parts[0].strip():
        raise CardError(f"{path}: no front matter. Begin with a line `---`, the keys, and another line `---`.")
    front = _typed(_tree(parts[1], path), Front, path)
    if front.topic not in TOPICS:
        raise CardError(f"{path}: the topic {front.topic!r} is none. Use one of: {', '.join(TOPICS)}.")
    if (path.parent.name, path.stem) != (front.language, front.topic):
        expected = f"{front.language}/{front.topic}.md"
        raise CardError(f"{path}: the front matter says {expected}. Move the file there, or mend `topic`, `language`.")
    texts: dict[AgeBand, Text] = {}
    for section in re.split(r"^## ", parts[2], flags=re.M)[1:]:
        name, _, body = section.partition("\n")
        found = re.fullmatch(r"\s*### (?P<title>[^\n]+)\n(?P<noticed>.+)", body.rstrip(), flags=re.S)
        if name.strip() not in BANDS or found is None:
            fix = f"A section is `## band` ({', '.join(BANDS)}), `### title`, and one paragraph."
            raise CardError(f"{path}: the section {name.strip()!r} cannot be read. {fix}")
        texts[AgeBand(name.strip())] = Text(found["title"].strip(), " ".join(found["noticed"].split()))
    if tuple(texts) != front.bands:
        reason = f"`bands` says {', '.join(front.bands)}, the sections are {', '.join(texts)}"
        raise CardError(f"{path}: {reason}. Make them the same, in the same order.")
    return Sheet(path, front, texts)


def read_library(folder: Path = FOLDER) -> Library:
    """All content of a folder with ``cards/<language>/*.md``, ``cards/<language>/words.yaml`` and ``help.yaml``.

    Raises ``CardError`` at the first file that cannot be read, and when a language lacks its general card.
    """
    sheets: dict[tuple[str, str], Sheet] = {}
    words: dict[str, Words] = {}
    for language in sorted(path for path in (folder / "cards").glob("*") if path.is_dir()):
        path = language / "words.yaml"
        words[language.name] = _typed(_tree(_read(path), path), Words, path)
        for file in sorted(language.glob("*.md")):
            sheet = read_sheet(file)
            sheets[sheet.front.language, sheet.front.topic] = sheet
        if (language.name, GENERAL) not in sheets:
            raise CardError(f"{language}: no general.md. Write it first: it serves every topic that has no card yet.")
    path = folder / "help.yaml"
    directory = _typed(_tree(_read(path), path), Directory, path)
    if INTERNATIONAL not in directory.countries:
        raise CardError(f"{path}: no `{INTERNATIONAL}`. It serves every country that is not listed.")
    return Library(sheets, words, directory)


@functools.cache
def shipped() -> Library:
    """The content that ships, read once."""
    return read_library()
