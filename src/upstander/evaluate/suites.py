"""The functional suite as types: rows of lines that must fire a tactic, and of benign twins that must not.

In the manner of HateCheck (Röttger et al., 2021): each row tests one functionality and says which. Reads the files,
runs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
import yaml

from upstander.evaluate.split import Part
from upstander.model.events import MAX_TEXT
from upstander.model.vocabulary import Tactic

#: libyaml's loader where it is there, for speed; both are the safe kind.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class SuiteError(ValueError):
    """A suite that cannot be used: ``file``, ``place`` in it, ``reason`` and ``fix``."""

    def __init__(self, file: str, place: str, reason: str, fix: str) -> None:
        self.file, self.place, self.reason, self.fix = file, place, reason, fix
        super().__init__(f"{file}: {place + ': ' if place else ''}{reason}. {fix}")


class Expected(StrEnum):
    """What a row's lines must do."""

    FIRES = "fires"
    SPARES = "spares"


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One functionality: ``id`` (unique in its file), ``what`` it tests in words, and lines that show it."""

    id: str
    what: str
    expected: Expected
    examples: tuple[str, ...]


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rows of one tactic in one language (ISO 639 code)."""

    tactic: Tactic
    language: str
    rows: tuple[Row, ...]

    def lines(self, expected: Expected) -> list[tuple[Row, str]]:
        """Every line of the rows that are expected to fire (or to spare), with its row, in the file's order."""
        return [(row, text) for row in self.rows if row.expected is expected for text in row.examples]


def parse(file: str, text: str) -> Suite:
    """A suite from its YAML; raises ``SuiteError`` on the first thing that is wrong."""
    try:
        # S506: both loaders are the safe kind.
        data = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        place = f"line {mark.line + 1}" if mark else ""
        raise SuiteError(file, place, f"not YAML ({problem})", "Check quotes and indentation.") from None
    try:
        suite = msgspec.convert(data, Suite)
    except msgspec.ValidationError as error:
        raise _explain(file, data, str(error)) from None
    _check(file, suite)
    return suite


def _explain(file: str, data: object, message: str) -> SuiteError:
    """The decoder's complaint, with the row's own id in place of its index."""
    reason, _, path = message.partition(" - at ")
    place = path.strip("`").removeprefix("$").removeprefix(".")
    match = re.match(r"rows\[(\d+)\]", place)
    rows = data.get("rows") if isinstance(data, dict) else None
    if match and isinstance(rows, list) and isinstance(rows[int(match[1])], dict) and "id" in rows[int(match[1])]:
        place = place.replace(match[0], f"row `{rows[int(match[1])]['id']}`", 1)
    fix = "A suite has `tactic`, `language` and `rows`; a row `id`, `what`, `expected` (fires or spares), `examples`."
    if "examples[" in place:
        fix = "Put each example in quotation marks: it must be a text."
    return SuiteError(file, place, reason[:1].lower() + reason[1:], fix)


def _check(file: str, suite: Suite) -> None:
    if not re.fullmatch("[a-z]{2,3}", suite.language):
        raise SuiteError(file, "language", f"{suite.language!r} is no language code", "Write `language: en`.")
    seen: set[str] = set()
    for row in suite.rows:
        place = f"row `{row.id}`"
        if not re.fullmatch("[a-z0-9_]+", row.id):
            raise SuiteError(file, place, "the id is odd", "Use lower case, digits and underscores.")
        if row.id in seen:
            raise SuiteError(file, place, "the id is taken by a row above", "Rename one.")
        seen.add(row.id)
        if not row.what.strip():
            raise SuiteError(file, place, "`what` is empty", "Say in a few words what the row tests.")
        if not row.examples:
            raise SuiteError(file, place, "`examples` is empty", "Give at least one line, or take the row out.")
        for number, example in enumerate(row.examples, 1):
            if not example.strip() or len(example) > MAX_TEXT:
                fix = f"Write 1 to {MAX_TEXT:,} characters."
                raise SuiteError(file, place, f"example {number} is empty or too long", fix)


def folder(part: Part, language: str) -> Traversable:
    """Where a part's files of a language ship: one ``<tactic>.yaml`` each. It need not exist."""
    if part is Part.HELD_OUT:
        return files("upstander.evaluate") / "suites" / language
    return files("upstander.packs") / language / "examples"


def languages(part: Part) -> list[str]:
    """The languages of which a part has files, sorted."""
    top = files("upstander.evaluate") / "suites" if part is Part.HELD_OUT else files("upstander.packs")
    if not top.is_dir():
        return []
    return sorted(entry.name for entry in top.iterdir() if entry.is_dir() and _names(folder(part, entry.name)))


def _names(where: Traversable) -> list[str]:
    if not where.is_dir():
        return []
    return sorted(entry.name for entry in where.iterdir() if entry.name.endswith(".yaml"))


def load(part: Part, language: str, tactics: Iterable[Tactic] = ()) -> list[Suite]:
    """The suites of one language, sorted by file name; only of ``tactics`` when some are given.

    Raises ``SuiteError`` when a file is broken, says it is about another language or tactic than its name, or when
    there is nothing to load.
    """
    wanted = set(tactics)
    where = folder(part, language)
    found = []
    for name in _names(where):
        if wanted and name.removesuffix(".yaml") not in wanted:
            continue
        file = f"{part}/{language}/{name}"
        suite = parse(file, (where / name).read_text(encoding="utf-8"))
        if (suite.language, f"{suite.tactic}.yaml") != (language, name):
            reason = f"the file is about {suite.tactic} in {suite.language}"
            raise SuiteError(file, "", reason, "Its folder and name must say the same: move it.")
        found.append(suite)
    if not found:
        known = ", ".join(languages(part)) or "none"
        what = f"no {part} lines in `{language}`" + (f" for {', '.join(sorted(wanted))}" if wanted else "")
        raise SuiteError(str(part), "", what, f"Languages that have some: {known}.")
    return found
