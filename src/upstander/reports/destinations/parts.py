"""Values that several destinations take from a report, in the same form."""

from __future__ import annotations

from typing import Any

from upstander.reports.build import hashes_of
from upstander.reports.cybertip_xml import account_note, chat_of, moment
from upstander.reports.model import Account, IpEvent, Report

Record = dict[str, Any]


def when(at: int) -> str:
    """A time with its zone; empty for never."""
    return moment(at) if at else ""


def ips(account: Account | None) -> list[Record]:
    """Addresses of an account: address, port, time, for what."""
    return [ip(event) for event in account.ips] if account else []


def ip(event: IpEvent) -> Record:
    """One address, without what is not known."""
    made = {"address": event.address, "port": event.port or "", "at": when(event.at), "event": event.event}
    return {key: value for key, value in made.items() if value != ""}


def emails(account: Account | None) -> list[str]:
    """E-mail addresses, and whether they were verified."""
    found = account.emails if account else ()
    word = {True: " (verified)", False: " (not verified)", None: ""}
    return [each.address + word[each.verified] for each in found if each.address.strip()]


def name_of(account: Account | None) -> str:
    """First and last name."""
    return f"{account.first_name} {account.last_name}".strip() if account else ""


def of(account: Account | None, field: str) -> Any:
    """A field of an account that may not be there."""
    return getattr(account, field) if account else ""


def place_of(report: Report) -> str:
    """Where the account reported is believed to be."""
    found = report.reported.place if report.reported else None
    return ", ".join(part for part in (found.city, found.region, found.country) if part) if found else ""


def note_of(account: Account | None) -> str:
    """The age band, and what was added about an account."""
    return account_note(account) if account else ""


def hashes(report: Report) -> list[Record]:
    """Hashes of files, and those that were given about what is elsewhere."""
    return [{"file": file.name, **{each.kind.lower(): each.value for each in hashes_of(file)}} for file in report.files]


def categories(report: Report) -> list[Record]:
    """Categories as a trained person coded them."""
    return [
        {"file": file.name, "category": file.category, "coded_by": file.coded_by}
        for file in report.files
        if file.category
    ]


def files(report: Report) -> list[Record]:
    """The files: name, size, hash, and whether a person looked at them."""
    return [
        {"name": file.name, "part": file.part, "bytes": file.size, "sha256": file.sha256, "viewed": file.viewed}
        for file in report.files
    ]


def gifts(report: Report) -> list[str]:
    """Gifts, one line each."""
    return [
        f"{moment(g.at)} {g.role} {g.actor}: {g.gift} {g.value:g} {g.currency} {g.text}".rstrip() for g in report.gifts
    ]


def explanation(report: Report) -> list[str]:
    """Why the software called a person, one line each."""
    return [f"{each.what}: {each.why}" for each in report.explanation]


def chat(report: Report) -> str:
    """What was said, one line each."""
    return chat_of(report)


def reporter(report: Report) -> Record:
    """Who reports, without what is not known."""
    who = report.reporter
    made = {
        "company": who.company,
        "service": who.service,
        "name": f"{who.first_name} {who.last_name}".strip(),
        "email": who.email,
        "phone": who.phone,
        "address": who.address,
        "city": who.city,
        "country": who.country,
    }
    return {key: value for key, value in made.items() if value}


def contact(report: Report, *keys: str) -> Record:
    """Some of who reports: what a destination needs to answer."""
    return {key: value for key, value in reporter(report).items() if key in keys}


def law(report: Report, field: str) -> str:
    """A field of what law enforcement knows."""
    return str(getattr(report.law, field)) if report.law else ""


def locations(report: Report) -> list[str]:
    """Where it can be seen: addresses of the target, of the incident and of files."""
    target = report.target.urls if report.target else ()
    found = [*target, *report.incident.urls, *(file.location for file in report.files if file.location)]
    return list(dict.fromkeys(found))
