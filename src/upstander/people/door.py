"""Who must wait before the next try to sign in, so that guessing is slow and nobody can lock anybody else out.

What is counted: wrong tries of one source at one account, of one source at all, of a known browser. Nothing that
strangers do makes a known browser wait, or somebody who also sends the right code of the second factor.
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

import msgspec

#: So many wrong tries are free; then the wait doubles from two seconds to a quarter of an hour.
FREE = 5
FREE_OF_A_SOURCE = 30
FIRST_WAIT_MS = 2_000
LONGEST_WAIT_MS = 15 * 60_000
#: Wrong tries are forgotten an hour after the last.
MEMORY_MS = 3_600_000
#: So many strangers' wrong passwords at one account, and the code is asked for together with the password.
CROWD = 50
#: So many wrong codes at one account from unknown browsers (which means that its password is known), and codes from
#: unknown browsers wait.
WRONG_CODES = 20
_KEPT = 100_000


class _Tries(msgspec.Struct):
    count: int = 0
    last: int = 0
    until: int = 0


class Door:
    """Counts in memory; ``clock`` gives epoch milliseconds. A restart forgets."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._tries: OrderedDict[tuple[str, ...], _Tries] = OrderedDict()

    def wait_ms(self, name: str, source: str, browser: str = "") -> int:
        """How long this source must wait before its next try at this account. ``browser``: the secret of a browser that
        is known to be the person's; then only its own tries count."""
        if browser:
            return self._left(("browser", name, browser))
        return max(self._left(("pair", name, place(source))), self._left(("source", place(source))))

    def crowded(self, name: str) -> bool:
        """Whether strangers tried so many passwords at this account that the code must come with the password."""
        return self._count(("strangers", name)) >= CROWD

    def codes_wait_ms(self, name: str, source: str, browser: str = "") -> int:
        """How long to wait before the next try at the second factor."""
        own = self.wait_ms(name, source, browser)
        return own if browser else max(own, self._left(("codes", name)))

    def wrong(self, name: str, source: str, browser: str = "", *, code: bool = False) -> bool:
        """Count a wrong password, or a wrong ``code`` after a right password. Whether this begins an alarm."""
        if browser:
            self._add(("browser", name, browser), FREE)
            return False
        self._add(("pair", name, place(source)), FREE)
        self._add(("source", place(source)), FREE_OF_A_SOURCE)
        if code:
            return self._add(("codes", name), WRONG_CODES) == WRONG_CODES
        return self._add(("strangers", name), LONGEST_WAIT_MS) == CROWD

    def right(self, name: str, source: str, browser: str = "") -> None:
        """A sign-in went through: the tries of this browser, or else of this source, at this account are forgotten.

        Those of others are not: somebody may be guessing from the same network.
        """
        self._tries.pop(("browser", name, browser) if browser else ("pair", name, place(source)), None)

    def _count(self, key: tuple[str, ...]) -> int:
        tries = self._tries.get(key)
        return tries.count if tries is not None and tries.last + MEMORY_MS > self._clock() else 0

    def _left(self, key: tuple[str, ...]) -> int:
        tries = self._tries.get(key)
        return max(0, tries.until - self._clock()) if tries is not None else 0

    def _add(self, key: tuple[str, ...], free: int) -> int:
        now, count = self._clock(), self._count(key) + 1
        over = min(count - free, 20)
        wait = min(FIRST_WAIT_MS << over, LONGEST_WAIT_MS) if over >= 0 else 0
        self._tries[key] = _Tries(count, now, now + wait)
        self._tries.move_to_end(key)
        while len(self._tries) > _KEPT:
            self._tries.popitem(last=False)
        return count


class Rate:
    """At most ``limit`` requests a minute for each key, counted in memory."""

    def __init__(self, limit: int, clock: Callable[[], int]) -> None:
        self._limit, self._clock = limit, clock
        self._minute, self._counts = -1, dict[str, int]()

    def over(self, key: str) -> bool:
        """Count a request; whether it is one too many."""
        minute = self._clock() // 60_000
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return count > self._limit


def place(source: str) -> str:
    """What a source counts as: an IPv4 address, or an IPv6 network of 64 bits, which is one customer's."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
