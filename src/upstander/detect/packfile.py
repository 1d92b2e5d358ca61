"""One pack file read into patterns, with everything that is wrong with it and where. Sets of files are in ``packs``."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection
from typing import Any

import msgspec
import yaml

from upstander.detect import expressions
from upstander.model.vocabulary import Exposure, Tactic

#: A single pattern may say at most this much (nats); more would let one line decide alone.
MAX_STRENGTH = 5.0

_LABELS = [str(t) for t in Tactic] + [str(e) for e in Exposure]
_WHO = ("viewer", "host", "anyone")
_FILE_KEYS = ("label", "language", "who", "source", "patterns")
_PATTERN_KEYS = ("id", "pattern", "strength", "unless", "fires", "spares", "note")
#: For "did you mean": ISO 639 codes that packs are likely to be written in.
_LANGUAGES = re.findall(
    "[a-z]+",
    "ar bg bn ca cs da de el en es et fa fi fil fr ga he hi hr hu id is it ja ko lt lv ms mt nl no pl pt ro ru sk sl "
    "sq sr sv sw ta te th tr uk ur vi zh",
)

# libyaml's loader is several times faster than the one in Python; both are the safe kind.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_LINES = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Something wrong in a pack: ``line`` and ``column`` from 1 (column 0: the whole line), ``length`` characters."""

    file: str
    line: int
    reason: str
    fix: str
    column: int = 0
    length: int = 0
    severity: str = "error"


class PackError(ValueError):
    """A pack that cannot be used: ``file``, ``line`` (from 1), ``reason`` and ``fix``."""

    def __init__(self, file: str, line: int, reason: str, fix: str) -> None:
        self.file, self.line, self.reason, self.fix = file, line, reason, fix
        super().__init__(f"{file}:{line}: {reason}. {fix}")


class Pattern(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One pattern of a pack.

    ``name`` is the full id (``en.secrecy.dont_tell``); ``expression`` a regular expression over the views of a text
    (lower case, no accents); ``unless`` expressions that call it off when one is found in the same text; ``fires``
    and ``spares`` its own examples: it must fire on the first and not on the second.
    """

    name: str
    label: str
    language: str
    who: str
    expression: str
    strength: float
    unless: tuple[str, ...] = ()
    fires: tuple[str, ...] = ()
    spares: tuple[str, ...] = ()
    file: str = ""
    line: int = 1


class Read:
    """What a file holds: ``patterns`` that can be used, ``problems`` by place, and where each pattern's parts stand.

    ``taken``: the ids there are so far and the file of each; this file's are added.
    """

    def __init__(self, file: str, text: str, taken: dict[str, str]) -> None:
        self.file, self._text, self._taken = file, text, taken
        self.patterns: list[Pattern] = []
        self.problems: list[Problem] = []
        self._nodes: dict[str, dict[str, Any]] = {}
        #: as YAML counts lines
        self.lines = _LINES.split(text)
        try:
            self._loader = _Safe(text)
            self._file(self._loader.get_single_node())
        except yaml.YAMLError as error:
            self._no_yaml(error)
        del self._loader
        self.problems.sort(key=lambda problem: (problem.line, problem.column))

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep the file from being used."""
        return [problem for problem in self.problems if problem.severity == "error"]

    def problem(self, pattern: str, key: str, index: int, reason: str, fix: str, *, warning: bool = False) -> Problem:
        """Something wrong with a part of a pattern: its ``pattern``, ``id``, or the ``index``-th of a list."""
        parts = self._nodes.get(pattern, {})
        node = parts.get(key) or parts.get("id")
        if isinstance(node, yaml.SequenceNode) and index < len(node.value):
            node = node.value[index]
        return self._at(node, reason, fix, severity="warning" if warning else "error")

    def place(self, pattern: str, key: str, index: int) -> tuple[int, int]:
        """Where a part of a pattern stands: (line, column) from 1."""
        found = self.problem(pattern, key, index, "", "")
        return found.line, found.column

    # -- places ------------------------------------------------------------------------------------------------------

    def _at(self, node: Any, reason: str, fix: str, span: tuple[int, int] = (0, 0), severity: str = "error") -> Problem:
        """A problem at a node, or at ``span`` (start, length) of the text that the node holds."""
        if node is None:
            return Problem(file=self.file, line=1, reason=reason, fix=fix, severity=severity)
        start, end = node.start_mark, node.end_mark
        line, column = start.line + 1, start.column + 1
        if isinstance(node, yaml.CollectionNode):
            length = 1
        elif end.line == start.line:
            length = max(1, end.column - start.column)
        else:
            length = max(1, len(self.lines[start.line]) - start.column)
        if span[1] and isinstance(node, yaml.ScalarNode) and end.line == start.line:
            inner = _inside(node, self.lines[start.line][start.column : end.column])
            if span[0] + span[1] <= len(inner):
                first, last = inner[span[0]], inner[span[0] + span[1] - 1]
                column, length = column + first, last - first + 1
        return Problem(
            file=self.file, line=line, column=column, length=length, reason=reason, fix=fix, severity=severity
        )

    def _say(self, node: Any, reason: str, fix: str, span: tuple[int, int] = (0, 0)) -> None:
        self.problems.append(self._at(node, reason, fix, span))

    def _no_yaml(self, error: yaml.YAMLError) -> None:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 0)
        at = getattr(error, "position", None)
        if at is not None:
            line = len(_LINES.findall(self._text[:at])) + 1
        reason, fix = f"not YAML ({what})", "Check the indentation, and put texts in quotes."
        self.problems.append(
            Problem(file=self.file, line=line, column=column, length=int(bool(mark)), reason=reason, fix=fix)
        )

    # -- reading -----------------------------------------------------------------------------------------------------

    def _file(self, root: Any) -> None:
        if not isinstance(root, yaml.MappingNode):
            self._say(root, "a pack is a mapping", f"Start it with {', '.join(_FILE_KEYS)}.")
            return
        found = self._mapping(root, _FILE_KEYS)
        label = self._one_of(root, found, "label", _LABELS)
        who = self._one_of(root, found, "who", _WHO)
        language = self._language(root, found)
        source = found.get("source")
        if source is None or not str(self._value(source) or "").strip():
            self._say(source or root, "`source` is missing", "Say where the tactic is described.")
        entries = found.get("patterns")
        if not isinstance(entries, yaml.SequenceNode) or not entries.value:
            self._say(entries or root, "`patterns` is missing or empty", "List at least one pattern.")
            return
        for entry in entries.value:
            if isinstance(entry, yaml.MappingNode):
                self._entry(entry, label, language, who)
            else:
                self._say(entry, "a pattern is a mapping", "Give it `id`, `pattern`, `strength`.")

    def _value(self, node: Any) -> Any:
        try:
            return self._loader.construct_object(node, deep=True)
        except ValueError as error:  # such as a date that there is not
            self._say(node, f"cannot be read ({error})", "Put it in quotes.")
            return None

    def _mapping(self, node: Any, keys: Collection[str]) -> dict[str, Any]:
        """The values of a mapping by key; unknown and repeated keys are problems."""
        found: dict[str, Any] = {}
        odd: list[tuple[str, Any]] = []
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            if name not in keys:
                self._say(key, f"unknown key `{name}`", _hint(name, keys))
                odd.append((name, value))
            elif name in found:
                self._say(key, f"`{name}` is given twice", "Keep one of them.")
            else:
                found[name] = value
        for name, value in odd:
            # Read on as it was meant: that the right key is missing is not a second mistake.
            for near in difflib.get_close_matches(name, keys, 1):
                found.setdefault(near, value)
        return found

    def _entry(self, node: Any, label: str | None, language: str | None, who: str | None) -> None:
        before = len(self.problems)
        found = self._mapping(node, _PATTERN_KEYS)
        value = {key: self._value(part) for key, part in found.items()}
        identifier = value.get("id")
        if not isinstance(identifier, str) or not re.fullmatch("[a-z0-9_]+", identifier):
            fix = "Use lower case, digits, underscores."
            self._say(found.get("id", node), f"the id {identifier!r} is missing or odd", fix)
        strength = value.get("strength")
        if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength <= MAX_STRENGTH:
            reason = f"`strength` of `{identifier}` is {strength!r}"
            self._say(found.get("strength", node), reason, f"Give nats, 0 to {MAX_STRENGTH}.")
        self._expression(found.get("pattern", node), identifier, value.get("pattern"))
        lists = {key: self._texts(node, found, value, key) for key in ("unless", "fires", "spares")}
        if isinstance(found.get("unless"), yaml.SequenceNode):
            for part, expression in zip(found["unless"].value, lists["unless"], strict=False):
                self._expression(part, identifier, expression, look_around=True)
        if len(self.problems) > before or not (label and language and who):
            return
        name = f"{language}.{label}.{identifier}"
        if name in self._taken:
            self._say(found["id"], f"the id `{name}` is taken by {self._taken[name]}", "Rename one.")
            return
        self._taken[name] = self.file
        self._nodes[name] = found
        self.patterns.append(
            Pattern(
                name=name,
                label=label,
                language=language,
                who=who,
                expression=str(value["pattern"]),
                strength=float(value["strength"]),
                **lists,
                file=self.file,
                line=node.start_mark.line + 1,
            )
        )

    def _expression(self, node: Any, identifier: object, expression: object, look_around: bool = False) -> None:
        if not isinstance(expression, str) or not expression:
            self._say(node, f"`{identifier}` has no pattern", "Write a regular expression in quotes.")
            return
        fault = expressions.fault(expression, look_around)
        if fault is not None:
            which = "an `unless`" if look_around else "the pattern"
            self._say(node, f"{which} of `{identifier}` {fault.reason}", fault.fix, (fault.start, fault.length))

    def _texts(self, node: Any, found: dict[str, Any], value: dict[str, Any], key: str) -> tuple[str, ...]:
        texts = value.get(key, [])
        if isinstance(texts, list) and all(isinstance(item, str) for item in texts):
            return tuple(texts)
        odd = found.get(key, node)
        if isinstance(texts, list):
            odd = next(part for part, item in zip(odd.value, texts, strict=True) if not isinstance(item, str))
        self._say(odd, f"`{key}` must be a list of texts", "Quote each, one a line.")
        return ()

    def _one_of(self, root: Any, found: dict[str, Any], key: str, allowed: Collection[str]) -> str | None:
        node = found.get(key)
        value = node.value if isinstance(node, yaml.ScalarNode) else None
        if value in allowed:
            return str(value)
        reason = f"`{key}` is missing" if node is None else f"`{key}` is {value!r}"
        self._say(node or root, reason, _hint(str(value), allowed))
        return None

    def _language(self, root: Any, found: dict[str, Any]) -> str | None:
        node = found.get("language")
        value = node.value if isinstance(node, yaml.ScalarNode) else ""
        near = difflib.get_close_matches(value.lower()[:3], _LANGUAGES, 1, 0.5) if value else []
        meant = f"Did you mean `{near[0]}`?" if near else ""
        if re.fullmatch("[a-z]{2,3}", value):
            if value not in _LANGUAGES:
                fix = meant or "Use the two-letter code of ISO 639."
                self.problems.append(self._at(node, f"`{value}` is a rare language code", fix, severity="warning"))
            return str(value)
        self._say(node or root, "`language` is missing or no code", meant or "Write `language: en`.")
        return None


def _hint(name: str, allowed: Collection[str]) -> str:
    near = difflib.get_close_matches(name, allowed, 1)
    return f"Did you mean `{near[0]}`?" if near else f"Use {', '.join(allowed)}."


def _inside(node: Any, source: str) -> list[int]:
    """For each character of a scalar's value, its offset in the scalar's source. Empty when that is not known."""
    if node.style == "'":
        offsets, position = [], 1
        while position < len(source) - 1:
            offsets.append(position)
            position += 2 if source[position] == "'" else 1
    else:
        start = 1 if node.style == '"' else 0
        offsets = list(range(start, len(source) - start))
    return offsets if len(offsets) == len(node.value) else []
