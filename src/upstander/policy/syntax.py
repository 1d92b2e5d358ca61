"""What is wrong with the form of a rule expression: brackets, quotes, signs of other languages. Types: ``language``."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

#: Deeper than this nobody reads, and no parser is asked to.
MAX_NESTING = 16
#: Words that CEL keeps for itself.
RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
    "namespace", "null", "package", "return", "true", "var", "void", "while",
})  # fmt: skip
_PAIRS = {")": "(", "]": "[", "}": "{"}
_PART = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[\"']|[()\[\]{}]|//[^\n]*")
_WORD = re.compile(r"\w+|&&|\|\||[=<>!]{2,}|[^\w\s]")
_UNFINISHED = re.compile(r"(&&|\|\||[-<>=!+*/,.?:]|\bin)\s*\Z")
#: What other languages write, and what CEL does.
OTHERS = {
    "=": "Write `==`.",
    "===": "Write `==`.",
    "is": "Write `==`.",
    "<>": "Write `!=`.",
    "=>": "Write `>=`.",
    "=<": "Write `<=`.",
    "and": "Write `&&`.",
    "&": "Write `&&`.",
    "or": "Write `||`.",
    "|": "Write `||`.",
    "not": "Write `!`, or `!(x in list)`.",
    "True": "Write `true`.",
    "False": "Write `false`.",
}


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with an expression, at which of its characters (``length`` 0: with all of it)."""

    start: int
    length: int
    reason: str
    fix: str


def _parts(expression: str) -> Iterator[tuple[int, str]]:
    """Brackets and lone quotes outside texts and comments, with their places."""
    for match in _PART.finditer(expression):
        if len(match.group()) == 1:
            yield match.start(), match.group()


def brackets(expression: str) -> Fault | None:
    """A bracket or a quote without its fellow."""
    open_: list[tuple[int, str]] = []
    for place, part in _parts(expression):
        if part in "\"'":
            return Fault(place, 1, "this quote is never closed", f"Add {part} where the text ends.")
        if part in "([{":
            open_.append((place, part))
        elif open_ and open_[-1][1] == _PAIRS[part]:
            open_.pop()
        elif open_:
            return Fault(place, 1, f"`{part}` closes `{open_[-1][1]}`", "Close what was opened last, first.")
        else:
            return Fault(place, 1, f"`{part}` closes what was never opened", "Take it away, or open it before.")
    if open_:
        place, part = open_[-1]
        return Fault(place, 1, f"`{part}` is never closed", "Close it, or take it away.")
    return None


def nesting(expression: str) -> Fault | None:
    """Brackets, or signs in a row, deeper than ``MAX_NESTING``."""
    depth = 0
    for place, part in _parts(expression):
        depth += 1 if part in "([{" else -1
        if depth > MAX_NESTING:
            return Fault(place, 1, f"brackets are nested deeper than {MAX_NESTING}", "Split the rule.")
    signs = re.search(rf"([!-]\s*){{{MAX_NESTING},}}", expression)
    return Fault(signs.start(), 1, "too many signs in a row", "Keep one, or none.") if signs else None


def out_of_place(expression: str, start: int) -> Fault:
    """Where the parser stopped, in words."""
    unfinished = _UNFINISHED.search(expression)
    if unfinished is not None or start >= len(expression.rstrip()):
        end = unfinished.start() if unfinished else len(expression.rstrip()) - 1
        return Fault(end, 1, "the expression ends too soon", "Write what should follow, or take the last sign away.")
    words = list(_WORD.finditer(expression))
    # A parser stops behind what it could still have read: the word before may be the one that is foreign.
    near = [word for word in words if word.end() > start][:1] + [word for word in words if word.end() <= start][-1:]
    for word in near:
        if word.group() in OTHERS:
            return Fault(word.start(), len(word.group()), f"`{word.group()}` has no meaning here", OTHERS[word.group()])
    found = near[0]
    return Fault(
        found.start(), len(found.group()), f"`{found.group()}` is out of place here", "Check what stands before it."
    )
