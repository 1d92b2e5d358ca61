"""Tactic packs: the files that ship or lie in a folder, read into one set of patterns. One file is in ``packfile``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import msgspec

from upstander import __version__
from upstander.detect.cache import keep, kept
from upstander.detect.packfile import PackError, Pattern, Read

__all__ = [
    "EXAMPLES",
    "PackError",
    "PackSet",
    "Pattern",
    "bundled",
    "files_in",
    "from_folder",
    "load",
    "load_kept",
    "read",
    "set_of",
    "text_of",
]

#: A folder of this name beside the packs holds lines to write patterns on, not packs.
EXAMPLES = "examples"


#: Changes whenever another set of files is accepted, or the same files are read into other patterns.
READER_VERSION = 1


class PackSet(msgspec.Struct, frozen=True):
    """All patterns in force, in a fixed order. ``hash`` names exactly this set (SHA-256, 64 hexadecimal digits)."""

    patterns: tuple[Pattern, ...]
    hash: str


def bundled() -> list[tuple[str, str]]:
    """The packs that ship: ``(name, YAML text)`` sorted by name, such as ``("en/secrecy.yaml", …)``."""
    found: list[tuple[str, str]] = []

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                if entry.name != EXAMPLES:
                    walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.endswith(".yaml"):
                found.append((prefix + entry.name, entry.read_text(encoding="utf-8")))

    walk(files("upstander.packs"), "")
    return sorted(found)


def files_in(folder: Path) -> list[tuple[str, Path]]:
    """The pack files of a folder of one's own: ``(name, path)``, in the order in which they are read."""
    if not folder.is_dir():
        raise PackError(str(folder), 1, "there is no such folder", "Set `packs` to a folder of YAML packs.")
    paths = sorted(p for p in folder.rglob("*.yaml") if EXAMPLES not in p.relative_to(folder).parts[:-1])
    if not paths:
        raise PackError(str(folder), 1, "the folder holds no pack", "Put `<language>/<tactic>.yaml` files in it.")
    return [(path.relative_to(folder).as_posix(), path) for path in paths]


def text_of(name: str, path: Path) -> str:
    """A pack file's text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "Check its rights, and that it is saved as UTF-8."
        raise PackError(name, 1, f"the file cannot be read ({error})", fix) from None


def from_folder(folder: Path) -> list[tuple[str, str]]:
    """The packs in a folder of one's own, as ``bundled`` gives them."""
    return [(name, text_of(name, path)) for name, path in files_in(folder)]


def read(sources: Iterable[tuple[str, str]]) -> list[Read]:
    """Every file with all that is wrong with it."""
    taken: dict[str, str] = {}
    return [Read(file, text, taken) for file, text in sources]


def load(sources: Iterable[tuple[str, str]]) -> PackSet:
    """Read packs; raises ``PackError`` on the first thing that is wrong."""
    found = read(sources)
    for one in found:
        for problem in one.errors:
            raise PackError(problem.file, problem.line, problem.reason, problem.fix)
    return set_of(pattern for one in found for pattern in one.patterns)


def load_kept(sources: Sequence[tuple[str, str]], cache: Path) -> PackSet:
    """``load``, with what was read before taken from a folder: checking thousands of patterns takes seconds."""
    name = hashlib.sha256(msgspec.json.encode([READER_VERSION, __version__, sources])).hexdigest()[:32]
    path = cache / f"{name}.packs"
    data = kept(path)
    if data is not None:
        try:
            return msgspec.msgpack.decode(data, type=PackSet)
        except msgspec.DecodeError:
            pass  # another release's
    pack_set = load(sources)
    keep(path, msgspec.msgpack.encode(pack_set))
    return pack_set


def set_of(patterns: Iterable[Pattern]) -> PackSet:
    """Patterns as one set, in a fixed order, with its hash."""
    ordered = sorted(patterns, key=lambda pattern: pattern.name)
    # Only what changes a decision is hashed: a new example must not make old decisions look different.
    essence = [(p.name, p.label, p.who, p.expression, p.strength, p.unless) for p in ordered]
    return PackSet(tuple(ordered), hashlib.sha256(msgspec.json.encode(essence)).hexdigest())
