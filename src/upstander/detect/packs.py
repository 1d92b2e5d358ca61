"""Tactic packs: YAML files of patterns with their own examples, read into types with errors that name the line."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import msgspec
import yaml

from upstander.model.vocabulary import Exposure, Tactic

MAX_PATTERN = 1_000
#: A single pattern may say at most this much (nats); more would let one line decide alone.
MAX_STRENGTH = 5.0


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


class PackSet(msgspec.Struct, frozen=True):
    """All patterns in force, in a fixed order. ``hash`` names exactly this set (SHA-256, 64 hexadecimal digits)."""

    patterns: tuple[Pattern, ...]
    hash: str


_LABELS = [str(t) for t in Tactic] + [str(e) for e in Exposure]
_FILE_KEYS = ("label", "language", "who", "source", "patterns")
_PATTERN_KEYS = ("id", "pattern", "strength", "unless", "fires", "spares", "note")


# libyaml's loader is several times faster than the one in Python; both are the safe kind.
_Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _LineLoader(_Safe):  # type: ignore[misc]
    """A safe loader that keeps each mapping's line under the key ``__line__``."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    mapping["__line__"] = node.start_mark.line + 1
    return mapping


_LineLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def bundled() -> list[tuple[str, str]]:
    """The packs that ship: ``(name, YAML text)`` sorted by name, such as ``("en/secrecy.yaml", …)``."""
    found: list[tuple[str, str]] = []

    def walk(folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            if entry.is_dir():
                walk(entry, f"{prefix}{entry.name}/")
            elif entry.name.endswith(".yaml"):
                found.append((prefix + entry.name, entry.read_text(encoding="utf-8")))

    walk(files("upstander.packs"), "")
    return sorted(found)


def from_folder(folder: Path) -> list[tuple[str, str]]:
    """The packs in a folder of one's own, as ``bundled`` gives them."""
    if not folder.is_dir():
        raise PackError(str(folder), 1, "there is no such folder", "Set `packs` to a folder of YAML packs.")
    paths = sorted(folder.rglob("*.yaml"))
    if not paths:
        raise PackError(str(folder), 1, "the folder holds no pack", "Put `<language>/<tactic>.yaml` files in it.")
    return [(path.relative_to(folder).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def load(sources: Iterable[tuple[str, str]]) -> PackSet:
    """Read packs; raises ``PackError`` on the first thing that is wrong."""
    patterns: list[Pattern] = []
    seen: dict[str, str] = {}
    for file, text in sources:
        for line, pattern in _read(file, text):
            if pattern.name in seen:
                raise PackError(file, line, f"the id `{pattern.name}` is taken by {seen[pattern.name]}", "Rename one.")
            seen[pattern.name] = file
            patterns.append(pattern)
    patterns.sort(key=lambda pattern: pattern.name)
    # Only what changes a decision is hashed: a new example must not make old decisions look different.
    essence = [(p.name, p.label, p.who, p.expression, p.strength, p.unless) for p in patterns]
    return PackSet(tuple(patterns), hashlib.sha256(msgspec.json.encode(essence)).hexdigest())


def _read(file: str, text: str) -> Iterable[tuple[int, Pattern]]:
    try:
        # S506: _LineLoader derives from SafeLoader.
        pack = yaml.load(text, Loader=_LineLoader)  # noqa: S506
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise PackError(file, mark.line + 1 if mark else 1, f"not YAML ({problem})", "Check the indentation.") from None
    if not isinstance(pack, dict):
        raise PackError(file, 1, "a pack is a mapping", f"Start it with {', '.join(_FILE_KEYS)}.")
    _known(file, pack, _FILE_KEYS)
    label = _one_of(file, pack, "label", _LABELS)
    who = _one_of(file, pack, "who", ["viewer", "host", "anyone"])
    language = pack.get("language")
    if not isinstance(language, str) or not re.fullmatch("[a-z]{2,3}", language):
        raise PackError(file, pack["__line__"], "`language` is missing or no code", "Write `language: en`.")
    if not isinstance(pack.get("source"), str) or not pack["source"].strip():
        raise PackError(file, pack["__line__"], "`source` is missing", "Say where the tactic is described.")
    entries = pack.get("patterns")
    if not isinstance(entries, list) or not entries:
        raise PackError(file, pack["__line__"], "`patterns` is missing or empty", "List at least one pattern.")
    for entry in entries:
        if not isinstance(entry, dict):
            raise PackError(file, pack["__line__"], "a pattern is a mapping", "Give it `id`, `pattern`, `strength`.")
        yield entry["__line__"], _pattern(file, entry, label, language, who)


def _pattern(file: str, entry: dict[str, Any], label: str, language: str, who: str) -> Pattern:
    line = entry["__line__"]
    _known(file, entry, _PATTERN_KEYS)
    identifier = entry.get("id")
    if not isinstance(identifier, str) or not re.fullmatch("[a-z0-9_]+", identifier):
        raise PackError(file, line, f"the id {identifier!r} is missing or odd", "Use lower case, digits, underscores.")
    strength = entry.get("strength")
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 < strength <= MAX_STRENGTH:
        raise PackError(file, line, f"`strength` of `{identifier}` is {strength!r}", f"Give nats, 0 to {MAX_STRENGTH}.")
    expression = entry.get("pattern")
    _check_expression(file, line, identifier, expression)
    unless = _texts(file, entry, "unless")
    for extra in unless:
        _check_expression(file, line, identifier, extra, look_around=True)
    return Pattern(
        name=f"{language}.{label}.{identifier}",
        label=label,
        language=language,
        who=who,
        expression=str(expression),
        strength=float(strength),
        unless=unless,
        fires=_texts(file, entry, "fires"),
        spares=_texts(file, entry, "spares"),
        file=file,
        line=line,
    )


def _construct(expression: str, look_around: bool) -> tuple[str, str] | None:
    """The first thing in a pattern that is not allowed there, with the fix.

    A plain walk over its characters, escapes and classes skipped.
    """
    position, in_class = 0, False
    while position < len(expression):
        character, rest = expression[position], expression[position:]
        group = re.match(r"\(\?(?:P<\w+>|[:=!]|<[=!])", rest)
        if character == "\\":
            if rest[1:2].isdigit() and rest[1] != "0":
                return "refers back to a group", "Write the alternatives out: back-references are not available."
            position += 2
            continue
        if character == "[" or (character == "]" and in_class):
            in_class = character == "["
            position += 2 if rest.startswith(("[]", "[^")) else 1
            continue
        if in_class:
            position += 1
            continue
        if group is not None:
            if not look_around and group.group() in ("(?=", "(?!", "(?<=", "(?<!"):
                return "looks around", "Use `unless` for what calls it off: look-around is not available."
            position += group.end()
            continue
        if character.isupper():
            return "has capitals", "Texts are matched in lower case: write it so."
        # Unbounded repeats make matching slow and spans meaningless.
        if character in "*+" or re.match(r"\{\d+,\}", rest):
            return "has an unbounded repeat", "Bound it, such as `.{0,20}` or `(?:\\w{1,12} ){0,3}`."
        position += 1
    return None


def _check_expression(file: str, line: int, identifier: str, expression: object, look_around: bool = False) -> None:
    if not isinstance(expression, str) or not expression:
        raise PackError(file, line, f"`{identifier}` has no pattern", "Write a regular expression in quotes.")
    if len(expression) > MAX_PATTERN:
        reason = f"the pattern of `{identifier}` is {len(expression)} characters long"
        raise PackError(file, line, reason, f"Keep it under {MAX_PATTERN}, or split it.")
    fault = _construct(expression, look_around=look_around)
    if fault is not None:
        reason, fix = fault
        raise PackError(file, line, f"the pattern of `{identifier}` {reason}", fix)
    try:
        compiled = re.compile(expression.encode())
    except re.error as error:
        reason = f"the pattern of `{identifier}` is no regular expression ({error})"
        raise PackError(file, line, reason, "Check brackets and escapes.") from None
    if compiled.search(b"") is not None:
        raise PackError(file, line, f"the pattern of `{identifier}` matches everything", "Ask for at least one word.")


def _texts(file: str, entry: dict[str, Any], key: str) -> tuple[str, ...]:
    value = entry.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise PackError(file, entry["__line__"], f"`{key}` must be a list of texts", "Quote each, one a line.")
    return tuple(value)


def _known(file: str, mapping: dict[str, Any], keys: tuple[str, ...]) -> None:
    for key in mapping:
        if key != "__line__" and key not in keys:
            near = difflib.get_close_matches(str(key), keys, 1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Use {', '.join(keys)}."
            raise PackError(file, mapping["__line__"], f"unknown key `{key}`", hint)


def _one_of(file: str, mapping: dict[str, Any], key: str, allowed: list[str]) -> str:
    value = mapping.get(key)
    if value not in allowed:
        near = difflib.get_close_matches(str(value), allowed, 1)
        hint = f"Did you mean `{near[0]}`?" if near else f"Use one of {', '.join(allowed)}."
        raise PackError(file, mapping["__line__"], f"`{key}` is {value!r}", hint)
    return str(value)
