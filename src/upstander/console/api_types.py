"""The bodies and answers of the console as JSON, as types. Which route takes and gives which is in ``api_shapes``."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from upstander.care.budget import Standing
from upstander.care.store import Ask, Preferences
from upstander.cases.bulk import Effect
from upstander.cases.model import Step
from upstander.cases.queue import Line, Service
from upstander.cases.reading import Line as Words
from upstander.cases.related import Related
from upstander.cases.states import State
from upstander.console.policy_page import Held
from upstander.model.decision import Decision, Reason
from upstander.model.vocabulary import AgeBand, Tactic
from upstander.policy.coverage import Finding
from upstander.policy.describe import Section
from upstander.vault.vault import Item

Outcome = Literal["harmful", "benign", "unsure"]


class CaseTold(msgspec.Struct):
    """A case as it stands. Times are epoch milliseconds; 0 means never."""

    id: str
    platform: str
    broadcast: str
    viewer: str
    host: str
    event: str
    subject: str
    band: AgeBand
    state: State
    level: str
    tactics: list[str]
    belief: float
    opened_at: int
    updated_at: int
    version: int
    decisions: int
    holder: str
    lease_until: int
    snooze_until: int
    due_at: int
    alarm: int
    looked_at: int
    waiting_since: int
    escalated_by: str
    approved_by: str
    outcome: str
    reason: str
    report: str


class CasesAnswer(msgspec.Struct):
    """A page of cases, counts by state, the service level; ``next`` goes into ``after`` for the next page."""

    cases: list[Line]
    counts: dict[str, int]
    service: Service
    next: str
    at: int


class CaseDecision(msgspec.Struct):
    """A decision of a case and its number in the journal."""

    seq: int
    decision: Decision


class CaseAction(msgspec.Struct):
    """What the system did on the platform."""

    asked: str
    target: str
    state: str


class CaseAnswer(msgspec.Struct, omit_defaults=True):
    """A case with all that its page shows. ``words``: only while they are unveiled."""

    case: CaseTold
    decisions: list[CaseDecision]
    related: list[Related]
    history: list[Step]
    looks: int
    actions: list[CaseAction]
    words: list[Words] | None = None


class ActAnswer(msgspec.Struct):
    """The case as it stands after an act."""

    case: CaseTold


class Why(msgspec.Struct, omit_defaults=True):
    """A reason, and for a key who acts."""

    why: str = ""
    by: str = ""


class HandOver(Why):
    """To whom."""

    to: str = ""


class Snooze(Why):
    """For how many minutes."""

    minutes: int = 60


class Judge(Why):
    """What it was, and which tactics were seen."""

    outcome: Outcome = "unsure"
    tactic: list[Tactic] = []


class File(Why):
    """The report's reference at its destination."""

    reference: str = ""


class Bulk(Why):
    """An act on many cases."""

    act: Literal["claim", "note", "release", "snooze", "close"] = "claim"
    case: list[str] = []
    minutes: int = 60
    until: int = 0
    outcome: Literal["harmful", "benign", "unsure", ""] = ""


class BulkDo(Bulk):
    """Exactly what a preview showed: its token, and its ``until``."""

    token: str = ""


class BulkPreview(msgspec.Struct):
    """What would become of each case."""

    token: str
    effects: list[Effect]
    doable: int
    until: int


class EvidenceAnswer(msgspec.Struct):
    """A case's items without their contents, and the vault's public key."""

    case: str
    items: list[Item]
    signer: str


class Hold(msgspec.Struct):
    """A legal hold."""

    reference: str
    why: str


class Export(msgspec.Struct):
    """For whom a package is, and why."""

    recipient: str
    why: str


class Custody(msgspec.Struct):
    """A line of the chain of custody."""

    seq: int
    at: int
    what: str
    by: str
    why: str
    items: list[str]


class ItemAnswer(msgspec.Struct):
    """An item; ``content`` (facts, a table, or text) only while it is unveiled."""

    item: Item
    custody: list[Custody]
    content: dict[str, Any] | None


class CareAnswer(msgspec.Struct):
    """Where one stands, what one prefers, what one asked for and what others ask for."""

    standing: Standing
    preferences: Preferences
    asked: list[Ask]
    asks: list[Ask]


class Prefer(msgspec.Struct, rename={"having": "with"}):
    """What one prefers."""

    theme: Literal["system", "dark", "light"]
    having: list[Literal["slow", "text_only"]] = []


class AskFor(msgspec.Struct):
    """What is to be unveiled beyond the budget (``case ID`` or ``item ADDRESS``), and why."""

    what: str
    why: str


class ReviewDecision(msgspec.Struct):
    """A decision as a reviewer sees it."""

    level: str
    belief: float
    reasons: list[Reason]


class ReviewAnswer(msgspec.Struct, omit_defaults=True):
    """The case that waits longest for a second review, without its first verdict and without names."""

    waiting: int
    case: str = ""
    band: str = ""
    decisions: list[ReviewDecision] = []
    words: list[Words] | None = None


class Review(msgspec.Struct):
    """What it was."""

    outcome: Outcome


class Reviewed(msgspec.Struct):
    """The case that was reviewed."""

    reviewed: str


class Skipped(msgspec.Struct):
    """The case that was skipped."""

    skipped: str


class TestTable(msgspec.Struct):
    """A table of a back-test."""

    key: str
    title: str
    note: str
    heads: list[str]
    rows: list[list[str]]
    wordy: bool


class PolicyAnswer(msgspec.Struct):
    """The policy in force, how often its rules held within a day, and the rules of presets against what runs."""

    name: str
    hash: str
    presets: list[str]
    sections: list[Section]
    rules: list[Held]
    counted: int
    coverage: list[Finding]
    back_test: list[TestTable]


class PolicyText(msgspec.Struct):
    """A policy to try, as YAML."""

    policy: str
