"""Reads data files of the teaching part: YAML to typed values; errors name the file, the reason and the fix."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from upstander.nudge.cards import LOADER

T = TypeVar("T")

FOLDER = Path(__file__).parent


class TeachError(ValueError):
    """Content that cannot be read or used; the message names the file, the reason and the fix."""


def read_text(path: Path) -> str:
    """A UTF-8 text file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TeachError(f"{path}: cannot be read ({error}). Content is kept in UTF-8 text files.") from None


def parse_yaml(text: str, path: Path) -> Any:
    """A YAML tree in which every scalar is text."""
    try:
        return yaml.load(text, LOADER)  # noqa: S506 - it makes text, lists and mappings only
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}, line {mark.line + 1} of the YAML" if mark else str(path)
        reason = getattr(error, "problem", None) or str(error)
        raise TeachError(f"{where}: not YAML ({reason}). Check the indentation and quotes there.") from None


def typed(tree: Any, kind: type[T], path: Path) -> T:
    """A tree as the type that the file is of."""
    try:
        return msgspec.convert(tree, kind, strict=False)
    except msgspec.ValidationError as error:
        fields = ", ".join(getattr(kind, "__struct_fields__", ()))
        keys = f" The keys are {fields}." if fields else ""
        raise TeachError(f"{path}: {error}.{keys} Compare with a file that ships.") from None


def read_yaml(path: Path, kind: type[T]) -> T:
    """A YAML file as a type."""
    return typed(parse_yaml(read_text(path), path), kind, path)


def split_front_matter(path: Path, kind: type[T]) -> tuple[T, str]:
    """A Markdown file's front matter as a type, and the Markdown below it."""
    parts = re.split(r"^---[ \t]*$", read_text(path), maxsplit=2, flags=re.M)
    if len(parts) != 3 or parts[0].strip():
        raise TeachError(f"{path}: no front matter. Begin with a line `---`, the keys, and another line `---`.")
    return typed(parse_yaml(parts[1], path), kind, path), parts[2]


def sections(body: str, path: Path, names: tuple[str, ...]) -> dict[str, str]:
    """The Markdown below each ``## name``, stripped. Raises ``TeachError`` at a name that is none or comes twice."""
    found: dict[str, str] = {}
    for part in re.split(r"^## ", body, flags=re.M)[1:]:
        name, _, text = part.partition("\n")
        name = name.strip()
        if name not in names or name in found:
            reason = "comes twice" if name in found else "is none of the template's"
            raise TeachError(f"{path}: the section {name!r} {reason}. Sections are: {', '.join(names)}.")
        found[name] = text.strip()
    return found
