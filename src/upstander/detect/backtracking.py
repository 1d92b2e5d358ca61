"""How much work a regular expression can make of a text that nearly matches: counted on its parse tree, not measured.

Spans are found again with Python's ``re``, which tries one way after another. A pattern such as ``(?:a|a){0,30}b``
has 2**30 ways to fail on thirty letters. Here its ways are counted; nothing is matched.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

# The parser that ``re`` itself uses: what it makes of a pattern is what will be run.
_parser: Any = importlib.import_module("re._parser")
_ops: Any = importlib.import_module("re._constants")

#: More than any pattern needs; counting stops here.
HUGE = 10**12
#: Positions (letters, digits, classes, with repeats written out) that ``worst`` looks at.
MAX_POSITIONS = 4_000

_ALL = (1 << 256) - 1
_NEWLINE = 1 << 10
_LOOKS = (_ops.ASSERT, _ops.ASSERT_NOT)
_ZERO_WIDTH = (_ops.AT, *_LOOKS)
_REPEATS = (_ops.MAX_REPEAT, _ops.MIN_REPEAT)

#: One item of a parse tree: an operation and its argument.
Item = tuple[Any, Any]


def _class_of(expression: bytes) -> int:
    matcher = re.compile(expression)
    return sum(1 << byte for byte in range(256) if matcher.match(bytes([byte])))


_CATEGORIES = {
    _ops.CATEGORY_DIGIT: _class_of(rb"\d"),
    _ops.CATEGORY_NOT_DIGIT: _class_of(rb"\D"),
    _ops.CATEGORY_SPACE: _class_of(rb"\s"),
    _ops.CATEGORY_NOT_SPACE: _class_of(rb"\S"),
    _ops.CATEGORY_WORD: _class_of(rb"\w"),
    _ops.CATEGORY_NOT_WORD: _class_of(rb"\W"),
}


def parse(expression: str) -> list[Item]:
    """The parse tree of a pattern as it is matched (on UTF-8). Raises ``re.error`` and ``OverflowError``."""
    return list(_parser.parse(expression.encode(), re.MULTILINE).data)


def byte_set(item: Item) -> int | None:
    """The bytes that an item takes, as a set of 256 bits; ``None`` when it is not one byte wide."""
    op, argument = item
    if op is _ops.LITERAL:
        return 1 << int(argument)
    if op is _ops.NOT_LITERAL:
        return _ALL & ~(1 << int(argument))
    if op is _ops.ANY:
        return _ALL & ~_NEWLINE
    if op is not _ops.IN:
        return None
    found, negated = 0, False
    for kind, value in argument:
        if kind is _ops.NEGATE:
            negated = True
        elif kind is _ops.LITERAL:
            found |= 1 << int(value)
        elif kind is _ops.RANGE:
            low, high = value
            found |= ((1 << (high - low + 1)) - 1) << low
        else:
            found |= _CATEGORIES[value]
    return _ALL & ~found if negated else found


def look_arounds(items: Iterable[Item]) -> Iterator[list[Item]]:
    """The insides of every look-around in a tree: they are matched too."""
    for op, argument in items:
        if op in _LOOKS:
            yield list(argument[1])
            yield from look_arounds(argument[1])
        elif op is _ops.SUBPATTERN:
            yield from look_arounds(argument[3])
        elif op is _ops.BRANCH:
            for alternative in argument[1]:
                yield from look_arounds(alternative)
        elif op in _REPEATS:
            yield from look_arounds(argument[2])


# -- a bound: never too low, quickly found -----------------------------------------------------------------------


class Bound(NamedTuple):
    """At most so much, whatever the text.

    ``ways``: in which a match can go on from one start; ``steps``: tried from one start; ``first``: the bytes it can
    begin with; ``empty``: whether it can match nothing; ``size``: positions with repeats written out.
    """

    ways: int
    steps: int
    first: int
    empty: bool
    size: int


_NOTHING = Bound(1, 1, 0, True, 0)


def bound(items: Sequence[Item]) -> Bound:
    """The bound of a sequence: what follows is tried once for each way of what stands before it."""
    # From the end, to know what can follow each part: when a repeat shares no byte with it, only the longest run
    # survives.
    after, nothing_after, size = 0, True, 0
    parts: list[tuple[int, int]] = []
    for item in reversed(items):
        part = _bound(item)
        count = part.ways
        if count > 1 and not nothing_after and item[0] in _REPEATS:
            low, high, body = item[1]
            run = byte_set(body[0]) if len(body) == 1 else None
            if run is not None and not run & after:
                count = 1
            elif (low, high) == (0, 1) and not part.first & after:
                count -= 1
        parts.append((count, part.steps))
        after = part.first | after if part.empty else part.first
        nothing_after = part.empty and nothing_after
        size += part.size
    ways, steps = 1, 0
    for count, tried in reversed(parts):
        steps += ways * tried
        ways = min(ways * count, HUGE)
    return Bound(ways, min(steps, HUGE), after, nothing_after, size)


_LITERALS = [Bound(1, 1, 1 << byte, False, 1) for byte in range(256)]


def _bound(item: Item) -> Bound:
    op, argument = item
    if op is _ops.LITERAL:
        return _LITERALS[argument]
    single = byte_set(item)
    if single is not None:
        return Bound(1, 1, single, False, 1)
    if op is _ops.SUBPATTERN:
        return bound(argument[3])
    if op is _ops.BRANCH:
        return _branch(argument[1])
    if op in _REPEATS:
        return _repeat(*argument)
    if op in _ZERO_WIDTH:
        inside = bound(argument[1]) if op is not _ops.AT else _NOTHING
        return Bound(1, inside.steps, 0, True, inside.size)
    raise re.error(f"{op} is not available")


def _repeat(low: int, high: int, body: Sequence[Item]) -> Bound:
    once = bound(body)
    size = min(once.size * high, HUGE)
    if len(body) == 1 and byte_set(body[0]) is not None:
        return Bound(high - low + 1, high + 1, once.first, low == 0, size)
    ways, steps, power = 0, 1, 1
    for count in range(high + 1):
        if count >= low:
            ways += power
        if count < high:
            steps += power * once.steps
        power *= once.ways
        if power > HUGE:
            ways = steps = HUGE
            break
    return Bound(max(ways, 2 if once.empty else 1), steps, once.first, once.empty or low == 0, size)


def _branch(alternatives: Sequence[Sequence[Item]], begin: int = 0) -> Bound:
    """Alternatives (from their item ``begin`` on) as a tree of their first bytes: words that part ways cannot both
    go on."""
    ended = 0
    groups: dict[int, list[Sequence[Item]]] = {}
    parts: list[Bound] = []
    for alternative in alternatives:
        if len(alternative) <= begin:
            ended += 1
            continue
        single = byte_set(alternative[begin])
        if single is None:
            parts.append(bound(alternative[begin:]))
        else:
            groups.setdefault(single, []).append(alternative)
    for single, group in groups.items():
        tail = bound(group[0][begin + 1 :]) if len(group) == 1 else _branch(group, begin + 1)
        parts.append(Bound(tail.ways, tail.steps + 1, single, False, tail.size + 1))
    steps, first, empty, size, wide = ended, 0, bool(ended), 0, 0
    by_byte: dict[int, int] = {}
    for part in parts:
        steps, first, empty, size = steps + part.steps, first | part.first, empty or part.empty, size + part.size
        if part.empty or part.first.bit_count() > 16:
            wide += part.ways
            continue
        for byte in _bytes(part.first):
            by_byte[byte] = by_byte.get(byte, 0) + part.ways
    ways = ended + wide + max(by_byte.values(), default=0)
    return Bound(max(1, ways), steps, first, empty, size)


def _bytes(chosen: int) -> Iterator[int]:
    while chosen:
        lowest = chosen & -chosen
        yield lowest.bit_length() - 1
        chosen ^= lowest


# -- the worst text: searched for, seldom missed by much ---------------------------------------------------------

#: Positions, and in how many ways each is reached.
_Live = dict[int, int]


class _Fragment(NamedTuple):
    first: _Live
    last: _Live
    empty: int


class _Automaton:
    """A pattern with its repeats written out: which positions follow which, in how many ways."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.sets: list[int] = []
        self.follow: list[_Live] = []
        self.start = self._sequence(items).first

    def _sequence(self, items: Iterable[Item]) -> _Fragment:
        found = _Fragment({}, {}, 1)
        for item in items:
            found = self._chain(found, self._item(item))
        return found

    def _chain(self, left: _Fragment, right: _Fragment) -> _Fragment:
        for position, ways in left.last.items():
            _add(self.follow[position], right.first, ways)
        first, last = dict(left.first), dict(right.last)
        _add(first, right.first, left.empty)
        _add(last, left.last, right.empty)
        return _Fragment(first, last, min(left.empty * right.empty, HUGE))

    def _item(self, item: Item) -> _Fragment:
        op, argument = item
        single = byte_set(item)
        if single is not None:
            if len(self.sets) >= MAX_POSITIONS:
                raise OverflowError
            self.sets.append(single)
            self.follow.append({})
            position = len(self.sets) - 1
            return _Fragment({position: 1}, {position: 1}, 0)
        if op is _ops.SUBPATTERN:
            return self._sequence(argument[3])
        if op is _ops.BRANCH:
            first: _Live = {}
            last: _Live = {}
            empty = 0
            for alternative in argument[1]:
                part = self._sequence(alternative)
                _add(first, part.first, 1)
                _add(last, part.last, 1)
                empty += part.empty
            return _Fragment(first, last, empty)
        if op in _REPEATS:
            return self._repeat(*argument)
        return _Fragment({}, {}, 1)

    def _repeat(self, low: int, high: int, body: Sequence[Item]) -> _Fragment:
        copies = [self._sequence(body) for _ in range(high)]
        nullable = bool(copies and copies[0].empty)
        found = _Fragment({}, {}, 1)
        for count in range(high, 0, -1):
            copy = copies[count - 1]
            if high > 1:
                copy = copy._replace(empty=0)  # ``re`` leaves a repeat as soon as one round matched nothing
            found = self._chain(copy, found)
            if count > low or nullable:
                found = found._replace(empty=found.empty + 1)
        return found


def _add(target: _Live, source: _Live, times: int) -> None:
    if times:
        for position, ways in source.items():
            target[position] = min(target.get(position, 0) + ways * times, HUGE)


class Worst(NamedTuple):
    """A text that makes a pattern try ``steps`` ways from one start."""

    steps: int
    text: bytes


def worst(items: Sequence[Item], limit: int, width: int = 16) -> Worst:
    """The hardest text found for a pattern: byte by byte, keeping the ``width`` texts that leave most ways open.

    Stops as soon as ``limit`` is passed. Raises ``OverflowError`` when the pattern has more than ``MAX_POSITIONS``.
    """
    automaton = _Automaton(items)
    bytes_of = _representatives(automaton.sets)
    found = Worst(1, b"")
    front: list[tuple[int, _Live, bytes]] = [(1, automaton.start, b"")]
    while front and found.steps <= limit:
        fresh: dict[frozenset[tuple[int, int]], tuple[int, _Live, bytes]] = {}
        for steps, live, text in front:
            for byte, taken in _choices(live, automaton.sets, bytes_of):
                total = steps + sum(taken.values())
                longer = text + bytes([byte])
                if total > found.steps:
                    found = Worst(total, longer)
                after: _Live = {}
                for position, ways in taken.items():
                    _add(after, automaton.follow[position], ways)
                key = frozenset(after.items())
                if after and (key not in fresh or fresh[key][0] < total):
                    fresh[key] = (total, after, longer)
        front = sorted(fresh.values(), key=lambda state: (-state[0], -sum(state[1].values()), state[2]))[:width]
    return found


def _representatives(sets: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """For every set of bytes, one byte of each kind in it: bytes that all sets treat alike are one kind."""
    distinct = sorted(set(sets))
    kinds: dict[tuple[int, ...], int] = {}
    # Letters before digits before the rest, so that the texts found can be read.
    for byte in (*range(97, 123), *range(48, 58), *range(97), *range(123, 256)):
        kinds.setdefault(tuple(chosen >> byte & 1 for chosen in distinct), byte)
    bytes_of = sorted(kinds.values())
    return {chosen: tuple(byte for byte in bytes_of if chosen >> byte & 1) for chosen in distinct}


def _choices(live: _Live, sets: Sequence[int], bytes_of: dict[int, tuple[int, ...]]) -> Iterator[tuple[int, _Live]]:
    """The next bytes worth trying, with the positions that take them: none that another byte serves as well."""
    by_byte: dict[int, _Live] = {}
    for position, ways in live.items():
        for byte in bytes_of[sets[position]]:
            by_byte.setdefault(byte, {})[position] = ways
    kept: list[frozenset[int]] = []
    for byte, taken in sorted(by_byte.items(), key=lambda choice: (-len(choice[1]), choice[0])):
        positions = frozenset(taken)
        if not any(positions <= other for other in kept):
            kept.append(positions)
            yield byte, taken
