"""A YAML document read piece by piece, with every problem at its place and a suggestion. Reads texts only."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec
import yaml

_DURATION = re.compile(r"(\d+)\s*(ms|s|m|h|d)")
_UNITS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MAX_DURATION_MS = 30 * 86_400_000
#: How many characters follow an escape's letter in double quotes.
_ESCAPES = {"x": 2, "u": 4, "U": 8}
_BLANK_ESCAPES = frozenset("abtnvfre0 N_LP\t\n")


class Problem(msgspec.Struct, frozen=True):
    """Something wrong: where (``line`` and ``column`` from 1, ``length`` characters), why, and what to do."""

    file: str
    line: int
    column: int
    length: int
    reason: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.reason}. {self.fix}"


class PolicyError(ValueError):
    """A policy that cannot be used, with all that is wrong with it; the message names the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        more = f" (and {len(problems) - 1} more: upstander policy check)" if len(problems) > 1 else ""
        super().__init__(f"{problems[0]}{more}")


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A suggestion for a word that is not known."""
    near = difflib.get_close_matches(word, sorted(known), 1)
    return f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(sorted(known))}."


class Document:
    """One file. ``problems`` grows as parts are read; readers return a harmless value beside what is wrong."""

    def __init__(self, file: str, text: str) -> None:
        self.file, self.source, self.lines = file, text, text.splitlines()
        self.problems: list[Problem] = []
        self.root: yaml.Node | None = None
        try:
            self.root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            reason = getattr(error, "problem", None) or str(error)
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            fix = "Check the indentation, the colons and the brackets here and above."
            self.problems.append(Problem(file, line, column, 1, f"not YAML ({' '.join(reason.split())})", fix))
        except RecursionError:
            self.problems.append(Problem(file, 1, 1, 1, "nested too deeply", "A policy needs four levels at most."))

    def say(self, node: yaml.Node | None, reason: str, fix: str, start: int = 0, length: int = 0) -> None:
        """Note a problem at a node; ``start`` and ``length``: at these characters of the text that it holds."""
        if node is None:
            self.problems.append(Problem(self.file, 1, 1, 1, reason, fix))
            return
        first, last = node.start_mark, node.end_mark
        line, column = first.line + 1, first.column + 1
        if isinstance(node, yaml.CollectionNode):
            width = 1
        else:
            end = last.column if last.line == first.line else len(self.lines[first.line])
            width = max(1, end - first.column)
        if length and isinstance(node, yaml.ScalarNode):
            line, column = self._inside(node, start)
            width = max(1, min(length, len(self.lines[line - 1]) - column + 1)) if line <= len(self.lines) else 1
        self.problems.append(Problem(self.file, line, column, width, reason, fix))

    def _inside(self, node: yaml.ScalarNode, start: int) -> tuple[int, int]:
        """The place of a character of a scalar's value in the file, whatever its quotes and over however many lines.

        YAML folds blanks and drops indentation, but keeps all other characters in their order: those are counted.
        """
        left = sum(not character.isspace() for character in node.value[:start])
        at, end = node.start_mark.index, min(node.end_mark.index, len(self.source))
        if node.style in ("'", '"'):
            at += 1
        elif node.style in ("|", ">"):
            at = self.source.find("\n", at) + 1
        while at < end:
            width, blank = self._step(at, node.style or "")
            if not blank:
                if not left:
                    break
                left -= 1
            at += width
        begin = max(self.source.rfind(new, 0, at) for new in "\n\r\x85\u2028\u2029") + 1
        return len(self.source[:begin].splitlines()) + 1, at - begin + 1

    def _step(self, at: int, style: str) -> tuple[int, bool]:
        """How many characters of the file the next one of a value takes, and whether it is blank."""
        character, following = self.source[at], self.source[at + 1 : at + 2]
        if style == "'" and character == following == "'":
            return 2, False
        if style == '"' and character == "\\":
            return 2 + _ESCAPES.get(following, 0), following in _BLANK_ESCAPES
        return 1, character.isspace()

    # -- readers -----------------------------------------------------------------------------------------------------

    def mapping(
        self, node: yaml.Node | None, what: str, keys: Collection[str] | None = None
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """A mapping's entries as ``key: (key node, value node)``; ``keys``: those allowed (None: any)."""
        if not isinstance(node, yaml.MappingNode):
            self.say(node, f"{what} must be a mapping", "Write `key: value` lines under it.")
            return {}
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = str(key.value)
            if keys is not None and name not in keys:
                self.say(key, f"unknown key `{name}` in {what}", did_you_mean(name, keys))
            elif name in found:
                self.say(key, f"`{name}` stands twice in {what}", "Keep one of them.")
            else:
                found[name] = (key, value)
        return found

    def items(self, node: yaml.Node | None, what: str) -> Iterator[yaml.Node]:
        """A list's items."""
        if node is None:
            return
        if not isinstance(node, yaml.SequenceNode):
            self.say(node, f"{what} must be a list", "Write `- item` lines, or `[a, b]`.")
            return
        yield from node.value

    def word(self, node: yaml.Node | None, what: str, known: Collection[str]) -> str:
        """One of the known words, or the empty word."""
        text = self.text(node, what)
        if text and text not in known:
            self.say(node, f"{what} is `{text}`", did_you_mean(text, known))
            return ""
        return text

    def words(self, node: yaml.Node | None, what: str, known: Collection[str]) -> tuple[str, ...]:
        """A list of known words."""
        found = (self.word(item, what, known) for item in self.items(node, what))
        return tuple(word for word in found if word)

    def text(self, node: yaml.Node | None, what: str) -> str:
        """A text."""
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self.say(node, f"{what} must be a text", "Put it in quotes.")
            return ""
        return str(node.value)

    def number(self, node: yaml.Node | None, what: str, low: float, high: float) -> float:
        """A number between two limits."""
        try:
            value = float(node.value) if isinstance(node, yaml.ScalarNode) else float("nan")
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            self.say(node, f"{what} must be a number from {low:g} to {high:g}", f"Write it plainly, such as {low:g}.")
            return low
        return value

    def whole(self, node: yaml.Node | None, what: str, low: int, high: int) -> int:
        """A whole number between two limits."""
        value = self.number(node, what, low, high)
        if value != int(value):
            self.say(node, f"{what} must be a whole number", f"Write {int(value)}.")
        return int(value)

    def duration(self, node: yaml.Node | None, what: str) -> int:
        """A duration in milliseconds, from ``90s``, ``5m``, ``1h``."""
        text = self.text(node, what)
        match = _DURATION.fullmatch(text)
        if match is None:
            if text:
                self.say(node, f"{what} is `{text}`, which is no duration", "Write it as `90s`, `5m`, `1h` or `1d`.")
            return 0
        found = int(match.group(1)[:18]) * _UNITS[match.group(2)]
        if not 0 < found <= MAX_DURATION_MS:
            self.say(node, f"{what} is `{text}`, which is not between 1ms and 30d", "Write it as `90s`, `5m` or `1h`.")
            return 0
        return found

    def require(self, node: yaml.Node | None, entries: dict[str, Any], what: str, keys: Collection[str]) -> None:
        """Note the keys that are missing."""
        for key in keys:
            if key not in entries:
                self.say(node, f"{what} has no `{key}`", f"Add `{key}:`.")
