"""What each route of the console takes and gives as JSON, for the OpenAPI document. The types are in ``api_types``."""

from __future__ import annotations

from typing import Any

import msgspec

from upstander.cases import search
from upstander.cases.bulk import Batch, Undone
from upstander.cases.states import State
from upstander.console.api_admin_types import (
    AccountAnswer,
    BanksAnswer,
    Code,
    Codes,
    HealthAnswer,
    KeysAnswer,
    LedgerAnswer,
    NewKey,
    NewPerson,
    OrderAnswer,
    OrderGiven,
    PasskeyId,
    PasskeyMade,
    PasswordChange,
    PeopleAnswer,
    Roles,
    StatisticsAnswer,
)
from upstander.console.api_types import (
    ActAnswer,
    AskFor,
    Bulk,
    BulkDo,
    BulkPreview,
    CareAnswer,
    CaseAnswer,
    CasesAnswer,
    EvidenceAnswer,
    Export,
    File,
    HandOver,
    Hold,
    ItemAnswer,
    Judge,
    PolicyAnswer,
    PolicyText,
    Prefer,
    Review,
    ReviewAnswer,
    Reviewed,
    Skipped,
    Snooze,
    Why,
)
from upstander.gateway.broadcasts import BroadcastView
from upstander.gateway.wall import Update
from upstander.model.vocabulary import AgeBand, Level, Tactic
from upstander.people.audit import Checked


class Shape(msgspec.Struct, frozen=True):
    """One route: what it does, the answer it gives, the body it takes, its query, and the answer's media type (empty:
    it has no body) and status."""

    summary: str
    answer: Any = None
    body: Any = None
    query: dict[str, dict[str, Any]] = {}
    media: str = "application/json"
    code: str = "200"


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
    ("GET", "/banks"): Shape("Banks of fingerprints, without their values", BanksAnswer),
    ("POST", "/banks/entries/{entry}/release"): Shape("Take an entry out of quarantine", BanksAnswer, Why),
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
