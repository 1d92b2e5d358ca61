"""What each route of the console takes and gives as JSON, for the OpenAPI document: types and one line each."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from upstander.care.budget import Standing
from upstander.care.reviews import Agreement
from upstander.care.store import Ask, Preferences
from upstander.cases import search
from upstander.cases.bulk import Batch, Effect, Undone
from upstander.cases.model import Step
from upstander.cases.queue import Line, Service
from upstander.cases.reading import Line as Words
from upstander.cases.related import Related
from upstander.cases.states import State
from upstander.console.policy_page import Held
from upstander.gateway.broadcasts import BroadcastView
from upstander.gateway.keys import Key, Scope
from upstander.gateway.wall import Update
from upstander.model.decision import Decision, Reason
from upstander.model.vocabulary import AgeBand, Intervention, Level, Tactic
from upstander.people.audit import Checked, Entry
from upstander.people.permissions import Role
from upstander.policy.coverage import Finding
from upstander.policy.describe import Section
from upstander.vault.vault import Item


class Shape(msgspec.Struct, frozen=True):
    """One route: what it does, the answer it gives, the body it takes, its query, and the answer's media type (empty:
    it has no body) and status."""

    summary: str
    answer: Any = None
    body: Any = None
    query: dict[str, dict[str, Any]] = {}
    media: str = "application/json"
    code: str = "200"


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


class Check(msgspec.Struct):
    """One thing that an operator asks first."""

    what: str
    good: bool
    found: str


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


class HealthAnswer(msgspec.Struct):
    """The state of the service."""

    checks: list[Check]
    version: str


class KeysAnswer(msgspec.Struct):
    """All keys without their secrets; ``made``: the text of the one just made, told once."""

    keys: list[Key]
    made: str


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


_TEXT = {"type": "string", "maxLength": 200}


def _one_of(*values: object) -> dict[str, Any]:
    return {"type": "string", "enum": [str(value) for value in values]}


_QUEUE = {
    "state": _one_of(search.QUEUE, *State, search.ALL),
    "level": _one_of(*(level.word for level in Level)),
    "band": _one_of(*AgeBand),
    "tactic": _one_of(*Tactic),
    "holder": {"type": "string", "maxLength": 100, "description": "An account, `me`, or `-` for nobody's."},
    "alarm": _one_of("1"),
    "order": _one_of(*search.ORDERS),
    "after": {"type": "string", "maxLength": 100, "description": "`next` of the page before."},
}
_LEDGER = dict.fromkeys(("who", "what", "broadcast", "subject", "from", "to", "below"), _TEXT)
_ACTS = {
    "claim": ("Take a case for a while", Why),
    "release": ("Give a case back to the queue", Why),
    "hand-over": ("Hand a case over to somebody else", HandOver),
    "note": ("Write something down about a case", Why),
    "verdict": ("Judge a case's last decision: it teaches", Judge),
    "snooze": ("Put a case aside; it returns by itself", Snooze),
    "escalate": ("Propose to report the person; a second person approves", Why),
    "close": ("Close a case, perhaps with a verdict", Judge),
    "reopen": ("Put a closed or filed case back into the queue", Why),
    "approve": ("Approve what somebody else has escalated", Why),
    "refuse": ("Refuse an escalation", Why),
    "file": ("Note that the approved report was filed", File),
}
SHAPES: dict[tuple[str, str], Shape] = {
    ("GET", "/account"): Shape("One's own account", AccountAnswer),
    ("POST", "/account/here"): Shape("Somebody is at the screen", media=""),
    ("POST", "/account/password"): Shape("Change one's password", AccountAnswer, PasswordChange),
    ("POST", "/account/recovery-codes"): Shape("New recovery codes in place of the old ones", Codes, Code),
    ("POST", "/account/sessions"): Shape("End one's other sessions", AccountAnswer),
    ("POST", "/account/passkeys/options"): Shape("What a browser needs to make a passkey", None, Code),
    ("POST", "/account/passkeys"): Shape("Keep a passkey", None, PasskeyMade, code="201"),
    ("POST", "/account/passkeys/remove"): Shape("Forget a passkey", AccountAnswer, PasskeyId),
    ("GET", "/live"): Shape("The live wall", Update),
    ("GET", "/live/broadcasts/{platform}/{broadcast:path}"): Shape("One broadcast", BroadcastView),
    ("POST", "/live/orders"): Shape("Give an order about a broadcast", OrderAnswer, OrderGiven),
    ("GET", "/cases"): Shape("A page of the queue: no names", CasesAnswer, None, _QUEUE),
    ("POST", "/cases/bulk"): Shape("What an act on many cases would do", BulkPreview, Bulk),
    ("POST", "/cases/bulk/apply"): Shape("Do to many cases what the preview showed", Batch, BulkDo),
    ("POST", "/cases/bulk/{batch}/undo"): Shape("Take a bulk action back", Undone, Why),
    ("GET", "/cases/{case}"): Shape("One case", CaseAnswer),
    ("POST", "/cases/{case}/unveil"): Shape("Unveil the words of a case for a while", CaseAnswer),
    ("POST", "/cases/{case}/skip"): Shape("Skip a case, without a reason or a trace", Skipped),
    **{("POST", f"/cases/{{case}}/{name}"): Shape(said, ActAnswer, body) for name, (said, body) in _ACTS.items()},
    ("GET", "/cases/{case}/evidence"): Shape("A case's evidence, without contents", EvidenceAnswer),
    ("POST", "/cases/{case}/evidence/hold"): Shape("Put evidence under a legal hold", EvidenceAnswer, Hold),
    ("POST", "/cases/{case}/evidence/release"): Shape("End a legal hold", EvidenceAnswer, Hold),
    ("POST", "/cases/{case}/evidence/export"): Shape(
        "A package that can be checked anywhere", None, Export, media="application/zip"
    ),
    ("GET", "/evidence/{item}"): Shape("One item of evidence", ItemAnswer),
    ("POST", "/evidence/{item}/unveil"): Shape("Unveil an item for a while", ItemAnswer),
    ("GET", "/care"): Shape("What one unveiled, and what one prefers", CareAnswer),
    ("POST", "/care/preferences"): Shape("Keep what one prefers", CareAnswer, Prefer),
    ("POST", "/care/break"): Shape("Take a break now", CareAnswer),
    ("POST", "/care/asks"): Shape("Ask to unveil something beyond the budget", CareAnswer, AskFor),
    ("POST", "/care/asks/{ask}/allow"): Shape("Allow what somebody else asks for", CareAnswer),
    ("POST", "/care/asks/{ask}/decline"): Shape("Decline what somebody else asks for", CareAnswer),
    ("GET", "/reviews"): Shape("The case that waits for a second review", ReviewAnswer),
    ("POST", "/reviews/{case}"): Shape("Judge a case a second time", Reviewed, Review),
    ("POST", "/reviews/{case}/unveil"): Shape("Unveil the words of the case under review", ReviewAnswer),
    ("GET", "/policy"): Shape("The policy in force", PolicyAnswer),
    ("POST", "/policy/back-test"): Shape("Try another policy on the last events", PolicyAnswer, PolicyText),
    ("GET", "/statistics"): Shape("Counts, time to the first look, agreement of second reviews", StatisticsAnswer),
    ("GET", "/health"): Shape("The state of the service", HealthAnswer),
    ("GET", "/keys"): Shape("API keys", KeysAnswer),
    ("POST", "/keys"): Shape("Make an API key", KeysAnswer, NewKey),
    ("POST", "/keys/{key}/revoke"): Shape("Take a key out of force", KeysAnswer),
    ("GET", "/people"): Shape("All accounts", PeopleAnswer),
    ("POST", "/people"): Shape("Add a person", PeopleAnswer, NewPerson),
    ("POST", "/people/{person}/roles"): Shape("Give a person other roles", PeopleAnswer, Roles),
    ("POST", "/people/{person}/reset"): Shape("A temporary password, and no second factor", PeopleAnswer),
    ("POST", "/people/{person}/disable"): Shape("Take an account out of force", PeopleAnswer),
    ("POST", "/people/{person}/enable"): Shape("Put an account in force again", PeopleAnswer),
    ("GET", "/audit"): Shape("Search the ledger of looks and acts", LedgerAnswer, None, _LEDGER),
    ("GET", "/audit/check"): Shape("Check that the ledger is whole", Checked),
}
