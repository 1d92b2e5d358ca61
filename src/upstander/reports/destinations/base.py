"""What a destination is: a table of fields, each with what it is, why investigators want it, and where it comes from.

A draft, the package that is handed over, and the tests all read the same table. One module a destination.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import msgspec

from upstander.reports.model import Report
from upstander.reports.settings import ReportSettings
from upstander.reports.words import clean

HOUR_MS = 3_600_000


class Need(StrEnum):
    """How much a field matters: without a ``required`` one nothing is sent; a ``wanted`` one is asked for."""

    REQUIRED = "required"
    WANTED = "wanted"
    OPTIONAL = "optional"


class Field(msgspec.Struct, frozen=True):
    """A field of a destination. ``name`` is its place there; ``of`` gives its value (empty: it is absent)."""

    name: str
    what: str
    why: str
    need: Need
    of: Callable[[Report], Any]


class Shown(msgspec.Struct, frozen=True):
    """A field of a draft: its value as text, or that it is missing."""

    name: str
    what: str
    why: str
    need: str
    value: str

    @property
    def missing(self) -> bool:
        """Whether there is nothing, where something is wanted."""
        return not self.value and self.need != Need.OPTIONAL


Contents = dict[str, bytes]


class Destination(msgspec.Struct, frozen=True):
    """A destination. ``by_hand``: a person hands the package over; ``persons``: it is told who is reported.

    ``deadline`` and ``hold_days`` come from the settings; ``own`` gives files of a package beside ``report.json`` and
    ``form.html``; ``faults`` what else is wrong with a report for it.
    """

    name: str
    title: str
    note: str
    by_hand: bool
    persons: bool
    fields: tuple[Field, ...]
    deadline: Callable[[ReportSettings, Report], int]
    hold_days: Callable[[ReportSettings], int]
    media: Callable[[ReportSettings], bool]
    follow_up_hours: Callable[[ReportSettings], int] = lambda settings: 0
    own: Callable[[Report], dict[str, bytes]] = lambda report: {}
    faults: Callable[[Report], list[str]] = lambda report: []


def empty(value: Any) -> bool:
    """Whether a field's value is no value. ``False`` and ``0`` are values, blanks are none."""
    if isinstance(value, str):
        return not clean(value).strip()
    if isinstance(value, tuple | list):
        return all(empty(each) for each in value)
    if isinstance(value, dict):
        return all(empty(each) for each in value.values())
    return value is None


def shown(destination: Destination, report: Report) -> list[Shown]:
    """Every field of a draft for a destination, in order."""
    made = []
    for field in destination.fields:
        value = field.of(report)
        text = "" if empty(value) else told(value)
        made.append(Shown(field.name, field.what, field.why, str(field.need), text))
    return made


def told(value: Any) -> str:
    """A value for a reader."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return "\n".join(told(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}: {told(each)}" for key, each in value.items() if not empty(each))
    return str(value)


def document(destination: Destination, report: Report) -> dict[str, Any]:
    """The fields that are there, as the JSON document that is handed over."""
    found = {field.name: field.of(report) for field in destination.fields}
    return {name: value for name, value in found.items() if not empty(value)}


def stops(destination: Destination, report: Report) -> list[str]:
    """Why a report cannot go to a destination: required fields that are missing, and what else is wrong."""
    lacking = [each for each in shown(destination, report) if each.need == Need.REQUIRED and not each.value]
    return [f"`{each.name}` is missing ({each.what})" for each in lacking] + destination.faults(report)
