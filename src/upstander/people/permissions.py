"""Who may do what, in one table: permission by role, and the permission that each route of the console needs.

The console's routes are made from ``ROUTES``: one that is not listed here is not served.
"""

from __future__ import annotations

from enum import StrEnum

from upstander.gateway.keys import Scope


class Role(StrEnum):
    """What a person is here for. A person may have several, but see ``conflict``."""

    STATISTICS = "statistics"
    MODERATOR = "moderator"
    SENIOR = "senior"
    EVIDENCE = "evidence"
    ANALYST = "analyst"
    ADMINISTRATOR = "administrator"
    AUDITOR = "auditor"


class Permission(StrEnum):
    """One thing that a person may be allowed to do."""

    ACCOUNT_OWN = "account:own"
    STATISTICS_VIEW = "statistics:view"
    WALL_VIEW = "wall:view"
    BROADCAST_VIEW = "broadcast:view"
    BROADCAST_ACT = "broadcast:act"
    CASE_VIEW = "case:view"
    CASE_ACT = "case:act"
    CASE_APPROVE = "case:approve"
    CASE_FILE = "case:file"
    EVIDENCE_VIEW = "evidence:view"
    EVIDENCE_HOLD = "evidence:hold"
    EVIDENCE_EXPORT = "evidence:export"
    REPORT_VIEW = "report:view"
    REPORT_DRAFT = "report:draft"
    REPORT_APPROVE = "report:approve"
    REPORT_FILE = "report:file"
    POLICY_VIEW = "policy:view"
    HEALTH_VIEW = "health:view"
    KEYS_MANAGE = "keys:manage"
    PEOPLE_MANAGE = "people:manage"
    AUDIT_VIEW = "audit:view"
    AUDIENCE_TRACE = "audience:trace"


class Access(StrEnum):
    """What a route needs that is no permission: nothing, a password already given, or a session still in set-up."""

    ANYONE = "anyone"
    CODE = "second factor due"
    SETUP = "set-up due"


_WATCHING = frozenset({Role.MODERATOR, Role.SENIOR})

#: The one table. An administrator runs the installation and sees no broadcast; an auditor sees what others did.
GRANTS: dict[Permission, frozenset[Role]] = {
    Permission.ACCOUNT_OWN: frozenset(Role),
    Permission.STATISTICS_VIEW: frozenset(Role),
    Permission.WALL_VIEW: _WATCHING,
    Permission.BROADCAST_VIEW: _WATCHING | {Role.EVIDENCE},
    Permission.BROADCAST_ACT: _WATCHING,
    Permission.CASE_VIEW: _WATCHING | {Role.EVIDENCE},
    Permission.CASE_ACT: _WATCHING,
    Permission.CASE_APPROVE: frozenset({Role.SENIOR}),
    Permission.CASE_FILE: frozenset({Role.SENIOR, Role.EVIDENCE}),
    Permission.EVIDENCE_VIEW: frozenset({Role.SENIOR, Role.EVIDENCE}),
    Permission.EVIDENCE_HOLD: frozenset({Role.EVIDENCE}),
    Permission.EVIDENCE_EXPORT: frozenset({Role.EVIDENCE}),
    Permission.REPORT_VIEW: _WATCHING | {Role.EVIDENCE},
    Permission.REPORT_DRAFT: _WATCHING,
    Permission.REPORT_APPROVE: frozenset({Role.SENIOR}),
    Permission.REPORT_FILE: frozenset({Role.SENIOR, Role.EVIDENCE}),
    Permission.POLICY_VIEW: frozenset({Role.SENIOR, Role.ANALYST, Role.ADMINISTRATOR}),
    Permission.HEALTH_VIEW: frozenset({Role.SENIOR, Role.ADMINISTRATOR}),
    Permission.KEYS_MANAGE: frozenset({Role.ADMINISTRATOR}),
    Permission.PEOPLE_MANAGE: frozenset({Role.ADMINISTRATOR}),
    Permission.AUDIT_VIEW: frozenset({Role.AUDITOR}),
    # Who was there when a capture was made.
    Permission.AUDIENCE_TRACE: frozenset({Role.SENIOR, Role.EVIDENCE}),
}

#: What each role is for, in one line, for pages and the command line.
PURPOSE: dict[Role, str] = {
    Role.STATISTICS: "sees counts, no broadcast",
    Role.MODERATOR: "watches the wall, works on cases, acts",
    Role.SENIOR: "a moderator who also approves, looks at evidence and sees the state of the service",
    Role.EVIDENCE: "keeps, holds and exports evidence, notes that a report was filed; does not act",
    Role.ANALYST: "sees counts and the policy, no broadcast",
    Role.ADMINISTRATOR: "runs accounts, API keys and the service; sees no broadcast",
    Role.AUDITOR: "searches and checks the ledger; has no other role",
}

#: Each route of the console: method and path, and what it needs.
ROUTES: dict[tuple[str, str], Access | Permission] = {
    ("GET", "/"): Access.ANYONE,
    ("GET", "/assets/{name}"): Access.ANYONE,
    ("GET", "/sign-in"): Access.ANYONE,
    ("POST", "/sign-in"): Access.ANYONE,
    ("GET", "/sign-in/link"): Access.ANYONE,
    ("POST", "/sign-in/passkey/options"): Access.ANYONE,
    ("POST", "/sign-in/passkey"): Access.ANYONE,
    ("GET", "/sign-in/provider"): Access.ANYONE,
    ("GET", "/sign-in/provider/return"): Access.ANYONE,
    ("GET", "/sign-in/code"): Access.CODE,
    ("POST", "/sign-in/code"): Access.CODE,
    ("GET", "/set-up"): Access.SETUP,
    ("POST", "/set-up/password"): Access.SETUP,
    ("POST", "/set-up/code"): Access.SETUP,
    ("POST", "/sign-out"): Access.ANYONE,
    ("GET", "/account"): Permission.ACCOUNT_OWN,
    ("POST", "/account/here"): Permission.ACCOUNT_OWN,
    ("POST", "/account/password"): Permission.ACCOUNT_OWN,
    ("POST", "/account/recovery-codes"): Permission.ACCOUNT_OWN,
    ("POST", "/account/sessions"): Permission.ACCOUNT_OWN,
    ("POST", "/account/passkeys/options"): Permission.ACCOUNT_OWN,
    ("POST", "/account/passkeys"): Permission.ACCOUNT_OWN,
    ("POST", "/account/passkeys/remove"): Permission.ACCOUNT_OWN,
    ("GET", "/live"): Permission.WALL_VIEW,
    ("GET", "/live/events"): Permission.WALL_VIEW,
    ("GET", "/live/broadcasts/{platform}/{broadcast:path}"): Permission.BROADCAST_VIEW,
    ("POST", "/live/orders"): Permission.BROADCAST_ACT,
    ("GET", "/cases"): Permission.CASE_VIEW,
    ("GET", "/cases/events"): Permission.CASE_VIEW,
    ("POST", "/cases/bulk"): Permission.CASE_ACT,
    ("POST", "/cases/bulk/apply"): Permission.CASE_ACT,
    ("POST", "/cases/bulk/{batch}/undo"): Permission.CASE_ACT,
    ("GET", "/cases/{case}"): Permission.CASE_VIEW,
    ("POST", "/cases/{case}/unveil"): Permission.CASE_VIEW,
    ("POST", "/cases/{case}/claim"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/release"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/hand-over"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/note"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/verdict"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/snooze"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/escalate"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/close"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/reopen"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/skip"): Permission.CASE_ACT,
    ("POST", "/cases/{case}/approve"): Permission.CASE_APPROVE,
    ("POST", "/cases/{case}/refuse"): Permission.CASE_APPROVE,
    ("POST", "/cases/{case}/file"): Permission.CASE_FILE,
    ("GET", "/cases/{case}/evidence"): Permission.EVIDENCE_VIEW,
    ("POST", "/cases/{case}/evidence/hold"): Permission.EVIDENCE_HOLD,
    ("POST", "/cases/{case}/evidence/release"): Permission.EVIDENCE_HOLD,
    ("POST", "/cases/{case}/evidence/export"): Permission.EVIDENCE_EXPORT,
    ("GET", "/evidence/{item}"): Permission.EVIDENCE_VIEW,
    ("POST", "/evidence/{item}/unveil"): Permission.EVIDENCE_VIEW,
    ("GET", "/cases/{case}/report"): Permission.REPORT_VIEW,
    ("POST", "/cases/{case}/report"): Permission.REPORT_DRAFT,
    ("GET", "/reports"): Permission.REPORT_VIEW,
    ("GET", "/reports/{report}"): Permission.REPORT_VIEW,
    ("POST", "/reports/{report}/unveil"): Permission.REPORT_VIEW,
    ("POST", "/reports/{report}/approve"): Permission.REPORT_APPROVE,
    ("POST", "/reports/{report}/refuse"): Permission.REPORT_APPROVE,
    ("POST", "/reports/{report}/file"): Permission.REPORT_FILE,
    ("POST", "/reports/{report}/again"): Permission.REPORT_FILE,
    ("POST", "/reports/{report}/retract"): Permission.REPORT_FILE,
    ("POST", "/reports/{report}/outcome"): Permission.REPORT_FILE,
    ("POST", "/reports/{report}/export"): Permission.EVIDENCE_EXPORT,
    ("GET", "/care"): Permission.CASE_VIEW,
    ("POST", "/care/preferences"): Permission.CASE_VIEW,
    ("POST", "/care/break"): Permission.CASE_VIEW,
    ("POST", "/care/asks"): Permission.CASE_VIEW,
    ("POST", "/care/asks/{ask}/allow"): Permission.CASE_APPROVE,
    ("POST", "/care/asks/{ask}/decline"): Permission.CASE_APPROVE,
    ("GET", "/reviews"): Permission.CASE_ACT,
    ("POST", "/reviews/{case}"): Permission.CASE_ACT,
    ("POST", "/reviews/{case}/unveil"): Permission.CASE_ACT,
    ("GET", "/policy"): Permission.POLICY_VIEW,
    ("POST", "/policy/back-test"): Permission.POLICY_VIEW,
    ("GET", "/statistics"): Permission.STATISTICS_VIEW,
    ("GET", "/health"): Permission.HEALTH_VIEW,
    ("GET", "/keys"): Permission.KEYS_MANAGE,
    ("POST", "/keys"): Permission.KEYS_MANAGE,
    ("POST", "/keys/{key}/revoke"): Permission.KEYS_MANAGE,
    ("GET", "/people"): Permission.PEOPLE_MANAGE,
    ("POST", "/people"): Permission.PEOPLE_MANAGE,
    ("POST", "/people/{person}/roles"): Permission.PEOPLE_MANAGE,
    ("POST", "/people/{person}/reset"): Permission.PEOPLE_MANAGE,
    ("POST", "/people/{person}/disable"): Permission.PEOPLE_MANAGE,
    ("POST", "/people/{person}/enable"): Permission.PEOPLE_MANAGE,
    ("GET", "/audit"): Permission.AUDIT_VIEW,
    ("GET", "/audit/check"): Permission.AUDIT_VIEW,
}

#: What a command needs where it is about a person's right, not about who may read the data folder.
COMMANDS: dict[str, Permission] = {"trace --audience": Permission.AUDIENCE_TRACE}

#: Routes that an API key opens, too: the scope it needs there. What needs a second person, unveils words or takes
#: evidence out is not among them: a key is nobody in particular.
KEYS: dict[tuple[str, str], Scope] = {
    ("GET", "/live/events"): Scope.LIVE_READ,
    ("GET", "/cases"): Scope.CASES_READ,
    ("GET", "/cases/{case}"): Scope.CASES_READ,
    **{
        ("POST", f"/cases/{{case}}/{act}"): Scope.CASES_WRITE
        for act in ("claim", "release", "hand-over", "note", "verdict", "snooze", "close")
    },
}


def granted(roles: frozenset[Role]) -> list[Permission]:
    """The permissions that these roles give together, in the table's order."""
    return [permission for permission, holders in GRANTS.items() if roles & holders]


def conflict(roles: frozenset[Role]) -> str:
    """Why these roles cannot be one person's; empty when they can."""
    if not roles:
        return "a person needs at least one role"
    if Role.AUDITOR in roles and len(roles) > 1:
        return "an auditor looks over what others do and can have no other role"
    return ""
