"""Where other parts add to the page of a case, so that its module need not know them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from upstander.cases.model import Case
from upstander.console.web import Visit


class Link(msgspec.Struct, frozen=True):
    """A link on the page of a case. ``key``: the one key that opens it (empty: none)."""

    href: str
    text: str
    key: str = ""


#: Each is asked for a link when a case is shown; ``None`` when there is none for this visitor and case.
CASE_LINKS: list[Callable[[Visit, Case], Link | None]] = []


def links_of(visit: Visit, case: Case) -> list[Link]:
    """The links that other parts have for this case."""
    return [link for link in (make(visit, case) for make in CASE_LINKS) if link is not None]
