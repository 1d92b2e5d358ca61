"""Bodies and answers, as ``api_types``: accounts, keys, the ledger, health, statistics, orders."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from upstander.care.reviews import Agreement
from upstander.gateway.keys import Key, Scope
from upstander.model.vocabulary import Intervention
from upstander.people.audit import Entry
from upstander.people.permissions import Role

Outcome = Literal["harmful", "benign", "unsure"]


class Table(msgspec.Struct):
    """Live broadcasts of a platform by level; small counts are not told exactly."""

    platform: str
    rows: list[tuple[str, str]]
    events: str


class Looks(msgspec.Struct):
    """First looks at cases on one day; ``None`` where there were too few to tell."""

    day: str
    looks: str
    median_s: float | None
    p90_s: float | None
    within: float | None


class StatisticsAnswer(msgspec.Struct):
    """Counts: broadcasts, first looks against the service level, agreement of second reviews."""

    tables: list[Table]
    target_s: int
    days: list[Looks]
    agreement: Agreement


class Check(msgspec.Struct):
    """One thing that an operator asks first."""

    what: str
    good: bool
    found: str


class HealthAnswer(msgspec.Struct):
    """The state of the service."""

    checks: list[Check]
    version: str


class KeysAnswer(msgspec.Struct):
    """All keys without their secrets; ``made``: the text of the one just made, told once."""

    keys: list[Key]
    made: str


class BanksAnswer(msgspec.Struct):
    """Banks of fingerprints as ``captures.overview`` tells them (the extra `captures` may be missing: then why)."""

    banks: list[Any]
    quarantined: list[Any]
    missing: str


class NewKey(msgspec.Struct):
    """A key to be made."""

    platform: str
    scope: list[Scope]
    note: str = ""


class PersonTold(msgspec.Struct):
    """An account, without anything that could sign anybody in."""

    name: str
    roles: list[Role]
    platforms: list[str]
    factor: str
    passkeys: int
    made_at: int
    disabled_at: int
    signed_in_at: int


class PeopleAnswer(msgspec.Struct):
    """All accounts; ``password``: a temporary one just made, told once."""

    people: list[PersonTold]
    done: str
    password: str


class Roles(msgspec.Struct):
    """Roles and platforms (comma-separated; empty: all)."""

    role: list[Role]
    platforms: str = ""


class NewPerson(Roles, kw_only=True):
    """An account to be made."""

    name: str


class LedgerAnswer(msgspec.Struct):
    """Entries that fit, the latest first; ``older``: the query of the next page."""

    entries: list[Entry]
    alerts: list[Entry]
    older: str


class AccountAnswer(msgspec.Struct):
    """One's own account."""

    name: str
    roles: list[str]
    platforms: list[str]
    sessions: list[dict[str, Any]]
    passkeys: list[dict[str, Any]]
    recovery_left: int
    done: str


class PasswordChange(msgspec.Struct):
    """The password one has, and the new one twice."""

    old: str
    new: str
    again: str


class Code(msgspec.Struct):
    """A code of one's authenticator."""

    code: str


class Codes(msgspec.Struct):
    """Recovery codes, told once."""

    codes: list[str]


class PasskeyMade(msgspec.Struct):
    """What the browser made."""

    credential: dict[str, Any]
    label: str = ""


class PasskeyId(msgspec.Struct):
    """A passkey's id."""

    id: str


class OrderGiven(msgspec.Struct):
    """An order about a broadcast."""

    platform: str
    broadcast: str
    do: Intervention
    reason: str
    target: str = ""


class OrderAnswer(msgspec.Struct):
    """The order that was given."""

    order: str
    broadcast: str
    do: str
