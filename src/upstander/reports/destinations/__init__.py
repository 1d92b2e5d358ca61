"""Destinations of reports, by name: one module each (the two hotlines share one)."""

from __future__ import annotations

from upstander.reports.destinations.base import Destination
from upstander.reports.destinations.ceop import CEOP
from upstander.reports.destinations.hotlines import INHOPE, IWF
from upstander.reports.destinations.nca import NCA
from upstander.reports.destinations.ncmec import NCMEC
from upstander.reports.destinations.police import POLICE
from upstander.reports.destinations.takedown import TAKEDOWN
from upstander.reports.model import ReportError

ALL: dict[str, Destination] = {each.name: each for each in (NCMEC, NCA, IWF, INHOPE, CEOP, POLICE, TAKEDOWN)}


def named(name: str) -> Destination:
    """The destination of this name. Raises ``ReportError`` when there is none."""
    if name not in ALL:
        raise ReportError(f"the destination {name!r} is not known. Use one of: {', '.join(ALL)}.")
    return ALL[name]
