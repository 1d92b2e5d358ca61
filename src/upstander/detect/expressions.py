"""What a pack's regular expression may be: the first fault of one, with its place and the fix."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

from upstander.detect import backtracking
from upstander.detect.backtracking import MAX_POSITIONS, Item

MAX_PATTERN = 1_000
#: From one start a pattern may try this many ways on the hardest text that is found for it (shipped: up to 2,100).
MAX_STEPS = 10_000
#: A pattern whose bound is below this is taken without looking for its hardest text: the bound is far too high.
SURE_STEPS = 100_000
#: How many texts the search for the hardest one keeps: few, for it runs whenever packs are loaded.
WIDTH = 4


class Fault(NamedTuple):
    """What is wrong with an expression, how to mend it, and which characters of it are meant."""

    reason: str
    fix: str
    start: int = 0
    length: int = 0


# Expressions that were looked at are not looked at again when a service reads its packs once more.
@functools.lru_cache(maxsize=16_384)
def fault(expression: str, look_around: bool = False) -> Fault | None:
    """The first fault of an expression, ``None`` when it may be used. ``look_around``: it may look around."""
    if len(expression) > MAX_PATTERN:
        return Fault(f"is {len(expression)} characters long", f"Keep it under {MAX_PATTERN}, or split it.")
    found = _construct(expression, look_around)
    if found is not None:
        return found
    try:
        tree = backtracking.parse(expression)
        whole = backtracking.bound(tree)
        # The parser alone does not look into look-behinds; what only looks around can match nothing and yet ask much.
        anything = re.compile(expression.encode()).search(b"") is not None if look_around else whole.empty
    except re.error as error:
        place = len(expression.encode()[: error.pos or 0].decode(errors="replace"))
        return Fault(f"is no regular expression ({error})", "Check brackets and escapes.", place, 1)
    except (OverflowError, RecursionError):
        return Fault("is no regular expression (too large)", "Use smaller counts and fewer brackets.")
    if anything:
        return Fault("matches everything", "Ask for at least one word.")
    if whole.size > MAX_POSITIONS:
        reason = f"is {whole.size:,} characters long when its repeats are written out"
        return Fault(reason, f"Keep that under {MAX_POSITIONS:,}: use smaller counts.", *_largest(expression))
    return _catastrophe(expression, tree) if whole.steps > SURE_STEPS else None


def _catastrophe(expression: str, tree: list[Item]) -> Fault | None:
    """Whether some text makes a pattern, or a look-around in it, try more ways than there is time for."""
    for part in (tree, *backtracking.look_arounds(tree)):
        worst = backtracking.worst(part, MAX_STEPS, WIDTH)
        if worst.steps > MAX_STEPS:
            text = worst.text.decode(errors="replace")
            reason = f"can try more than {MAX_STEPS:,} ways on a text such as {text!r}"
            fix = "Let its repeats and alternatives match in one way only: no repeat of what may vary in length, "
            return Fault(reason, fix + "no alternatives that begin alike.", *_hostile(expression))
    return None


#: An escape, a class, the start of a group, an open or plain repeat, a capital: all that has to be looked at.
_TOKEN = re.compile(
    r"(?P<escape>\\.?)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\]?)|(?P<group>\(\?(?:P<\w+>|[:=!]|<[=!]))"
    r"|(?P<repeat>[*+]|\{\d+,\})|(?P<capital>[^\W\d_a-z])",
    re.DOTALL,
)
_LOOKS = ("(?=", "(?!", "(?<=", "(?<!")


def _construct(expression: str, look_around: bool) -> Fault | None:
    """The first thing in an expression that is not allowed there."""
    for token in _TOKEN.finditer(expression):
        kind, found, start = token.lastgroup, token.group(), token.start()
        place = (start, len(found))
        if kind == "escape" and found[1:].isdigit() and found[1:] != "0":
            return Fault(
                "refers back to a group", "Write the alternatives out: back-references are not available.", *place
            )
        if kind == "group" and found in _LOOKS and not look_around:
            fix = "Use `unless` for what calls it off: look-around is not available."
            return Fault("looks around", fix, *place)
        if kind == "capital" and found.isupper():
            return Fault("has capitals", "Texts are matched in lower case: write it so.", *place)
        if kind == "repeat":
            # Unbounded repeats make matching slow and spans meaningless.
            fix = "Bound it, such as `.{0,20}` or `(?:\\w{1,12} ){0,3}`."
            return Fault("has an unbounded repeat", fix, *place)
    return None


def torn_letter(expression: str) -> str:
    """A letter beyond ASCII in a class or before a count, where only one of its bytes is meant; empty: none."""
    for token in _TOKEN.finditer(expression):
        if token.lastgroup == "set" and (letter := re.search(r"[^\x00-\x7f]", token.group())):
            return letter.group()
    counted = re.search(r"[^\x00-\x7f](?=[?{])", expression)
    return counted.group() if counted else ""


def _repeats(expression: str) -> Iterator[tuple[int, int]]:
    """Where each repeated group or class stands, its count included: ``(start, end)``, inner ones first."""
    open_at: list[int] = []
    position, class_at = 0, -1
    while position < len(expression):
        character, begin = expression[position], -1
        if character == "\\":
            begin = position
            position += 1
        elif class_at >= 0:
            if character == "]" and position > class_at + 1:
                begin, class_at = class_at, -1
        elif character == "[":
            class_at = position
        elif character == "(":
            open_at.append(position)
        elif character == ")" and open_at:
            begin = open_at.pop()
        elif character == ".":
            begin = position
        position += 1
        count = re.match(r"\{[\d,]+\}", expression[position:])
        if begin >= 0 and count is not None:
            yield begin, position + count.end()


def _hostile(expression: str) -> tuple[int, int]:
    """The innermost repeat that is too much by itself: ``(start, length)``, (0, 0) when only the whole is."""
    for start, end in _repeats(expression):
        try:
            if backtracking.bound(backtracking.parse(expression[start:end])).steps > SURE_STEPS:
                return start, end - start
        except (re.error, OverflowError):
            continue
    return 0, 0


def _largest(expression: str) -> tuple[int, int]:
    """The innermost repeat that is too long by itself when written out: ``(start, length)``."""
    for start, end in _repeats(expression):
        try:
            if backtracking.bound(backtracking.parse(expression[start:end])).size > MAX_POSITIONS:
                return start, end - start
        except (re.error, OverflowError):
            continue
    return 0, 0
