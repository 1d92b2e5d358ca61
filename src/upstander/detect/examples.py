"""The packs' examples as labelled lines: what the word list and the paraphrase model are made from."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import msgspec
import yaml

from upstander.detect import packs
from upstander.model.vocabulary import Tactic

_TACTICS = frozenset(str(tactic) for tactic in Tactic)


class Example(msgspec.Struct, frozen=True):
    """A line and the tactic it is an example of. ``shows`` is False for a benign twin of it (``""``: of none)."""

    text: str
    tactic: str
    language: str
    shows: bool


def of_patterns(pack_set: packs.PackSet) -> Iterator[Example]:
    """The ``fires`` and ``spares`` of a pack set's tactic patterns."""
    for pattern in pack_set.patterns:
        if pattern.label in _TACTICS:
            for text in pattern.fires:
                yield Example(text, pattern.label, pattern.language, True)
            for text in pattern.spares:
                yield Example(text, pattern.label, pattern.language, False)


def of_rows() -> Iterator[Example]:
    """The functional examples that ship beside the packs: ``packs/<language>/examples/<tactic>.yaml``."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    for language in sorted(files("upstander.packs").iterdir(), key=lambda entry: entry.name):
        folder = language / packs.EXAMPLES
        if not folder.is_dir():
            continue
        for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
            suite = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - a safe loader
            for row in suite["rows"]:
                for text in row["examples"]:
                    yield Example(text, suite["tactic"], suite["language"], row["expected"] == "fires")


def ordinary() -> Iterator[Example]:
    """Ordinary chat that ships beside the packs: ``packs/ordinary/<language>.txt``."""
    for file in sorted((files("upstander.packs") / "ordinary").iterdir(), key=lambda entry: entry.name):
        for line in file.read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                yield Example(line, "", file.name.removesuffix(".txt"), False)


def bundled() -> list[Example]:
    """All examples that ship, each line once for each tactic."""
    pack_set = packs.load(packs.bundled())
    return list(dict.fromkeys([*of_patterns(pack_set), *of_rows(), *ordinary()]))
