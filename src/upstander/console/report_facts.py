"""The form that drafts a report: what a person adds to a case, from its fields to ``Facts``."""

from __future__ import annotations

from datetime import UTC, datetime

from upstander.console.web import Visit
from upstander.reports.facts import Facts, check
from upstander.reports.model import Account, Email, IpEvent, Law, Phone, ReportError, Target

#: Fields of the form that are kept when something was wrong with one of them.
TYPED = (
    "to", "why", "incident", "urgent", "described", "urls", "screen_name", "first_name", "last_name", "email", "phone",
    "ip", "ip_port", "ip_at", "profile_url", "child_age", "child_school", "child_ip", "agency", "case_number",
    "legal_basis", "officer_email", "host", "host_contact", "note",
)  # fmt: skip


def facts_of(visit: Visit) -> Facts:
    """The facts that were typed. Raises ``ReportError`` naming the field, the reason and the fix."""
    get = visit.text
    urls = tuple(get("urls").split())
    facts = Facts(
        incident=get("incident") or "enticement",
        urgent=get("urgent"),
        described=get("described"),
        annotations=tuple(visit.values("tag")),
        urls=urls,
        reported=Account(
            screen_name=get("screen_name"),
            first_name=get("first_name"),
            last_name=get("last_name"),
            emails=(Email(get("email")),) if get("email") else (),
            phones=(Phone(get("phone")),) if get("phone") else (),
            ips=_ip(get("ip"), get("ip_port"), get("ip_at")),
            profile_urls=(get("profile_url"),) if get("profile_url") else (),
        ),
        victim=Account(
            age=_number("child_age", get("child_age"), 150),
            school=get("child_school"),
            ips=_ip(get("child_ip"), "", ""),
        ),
        law=_law(visit),
        target=Target(get("host"), get("host_contact"), urls) if get("host") else None,
        note=get("note"),
    )
    check(facts)
    return facts


def _law(visit: Visit) -> Law | None:
    if not visit.text("agency"):
        return None
    get = visit.text
    return Law(
        agency=get("agency"),
        case_number=get("case_number"),
        legal_basis=get("legal_basis"),
        officer_email=get("officer_email"),
    )


def _ip(address: str, port: str, at: str) -> tuple[IpEvent, ...]:
    if not address:
        return ()
    return (IpEvent(address, _time(at), "Login", _number("port", port, 65_535) or 0),)


def _number(name: str, text: str, most: int) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text) <= most):
        raise ReportError(f"`{name}` is {text!r}. Give a whole number up to {most:,}, or leave it out.")
    return int(text)


def _time(text: str) -> int:
    """A time in UTC, as ``2026-11-25 09:46:40``; 0 for none."""
    if not text:
        return 0
    try:
        moment = datetime.fromisoformat(text)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise ReportError("the time of the IP address is none. Write it as 2026-11-25 09:46:40 (UTC).") from None
