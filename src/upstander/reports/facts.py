"""What a person adds to a case before it is reported: what the platform knows and Upstander does not. Read from JSON.

Nothing here is kept by itself: it goes into the sealed draft.
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from upstander.reports.model import Account, Hash, IpEvent, Law, ReportError, Target
from upstander.reports.words import CATEGORIES, FILE_TAGS, INCIDENTS, IP_EVENTS, RELEVANCE, REPORT_TAGS, clean

MAX_TEXT = 3_000
MAX_URL = 2_000
#: The year 2100, epoch ms.
END_OF_TIME = 4_102_444_800_000
_KIND, _VALUE = re.compile("[A-Za-z0-9_-]{1,32}"), re.compile("[A-Za-z0-9+/=:._-]{1,1000}")
_URLS = ("urls", "profile_urls", "location", "original_name")


class FileFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a sealed item, named by its part (``chat``) or the first digits of its address."""

    item: str
    public: bool | None = None
    relevance: str = ""
    original_name: str = ""
    location: str = ""
    uploaded_at: int = 0
    annotations: tuple[str, ...] = ()
    category: str = ""
    coded_by: str = ""
    hashes: tuple[Hash, ...] = ()
    ip: IpEvent | None = None
    additional: str = ""


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that can be added. ``incident`` is a key of ``INCIDENTS``; ``urgent``: why it cannot wait; ``parts``: which
    sealed items go along (empty: all)."""

    incident: str = "enticement"
    urgent: str = ""
    described: str = ""
    annotations: tuple[str, ...] = ()
    urls: tuple[str, ...] = ()
    reported: Account = Account()
    victim: Account = Account()
    recipients: tuple[Account, ...] = ()
    law: Law | None = None
    target: Target | None = None
    files: tuple[FileFacts, ...] = ()
    parts: tuple[str, ...] = ()
    note: str = ""


def read(data: bytes) -> Facts:
    """Facts from JSON. Raises ``ReportError`` naming the field, the reason and the fix."""
    try:
        facts = msgspec.json.decode(data, type=Facts)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ReportError(f"the facts cannot be used: {error}. See docs/reports.md for their form.") from None
    check(facts)
    return facts


def check(facts: Facts) -> None:
    """Raises ``ReportError`` for a word that no destination knows, and for what is no address."""
    _walk(facts, "facts")
    _among("incident", (facts.incident,), INCIDENTS)
    _among("annotations", facts.annotations, REPORT_TAGS)
    for name, text in (("urgent", facts.urgent), ("described", facts.described)):
        if len(text) > MAX_TEXT:
            raise ReportError(f"`{name}` has {len(text):,} characters; {MAX_TEXT:,} can be sent. Shorten it.")
    for account in (facts.reported, facts.victim, *facts.recipients):
        _account(account)
    for file in facts.files:
        _among("files.annotations", file.annotations, FILE_TAGS)
        _among("files.category", (file.category,) if file.category else (), CATEGORIES)
        _among("files.relevance", (file.relevance,) if file.relevance else (), RELEVANCE)
        if any(not (_KIND.fullmatch(each.kind) and _VALUE.fullmatch(each.value)) for each in file.hashes):
            raise ReportError(f"a hash of {file.item!r} is none. Give `kind`, such as PDQ, and `value` in hexadecimal.")
        if file.category and not file.coded_by:
            raise ReportError(f"`category` of {file.item!r} needs `coded_by`: a trained person codes, never a machine.")
        if file.ip is not None:
            _ip(file.ip)


def _account(account: Account) -> None:
    for ip in account.ips:
        _ip(ip)
    for device in account.devices:
        if not (clean(device.kind).strip() and clean(device.value).strip()):
            raise ReportError("a device needs `kind` and `value`, such as IMEI and its digits.")
        _among("event", (device.event,) if device.event else (), IP_EVENTS)
    if account.age is not None and not 0 <= account.age <= 150:
        raise ReportError(f"`age` is {account.age}. Give a whole number from 0 to 150, or leave it out.")


def _walk(value: object, name: str) -> None:
    """Times, addresses and countries anywhere in the facts."""
    if isinstance(value, tuple):
        for each in value:
            _walk(each, name)
    elif isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            _walk(getattr(value, field), field)
    elif isinstance(value, int) and (name == "at" or name.endswith("_at")) and not 0 <= value < END_OF_TIME:
        raise ReportError(f"`{name}` is {value}. Give a time as epoch milliseconds.")
    elif isinstance(value, str) and name in _URLS and len(value) > MAX_URL:
        raise ReportError(f"`{name}` has {len(value):,} characters; {MAX_URL:,} can be sent. Shorten it.")
    elif name == "country" and value and not re.fullmatch("[A-Z]{2}", str(value)):
        raise ReportError(f"`country` is {value!r}. Give its two letters (ISO 3166-1), such as GB.")


def _ip(event: IpEvent) -> None:
    try:
        ipaddress.ip_address(event.address)
    except ValueError:
        raise ReportError("`address` of an IP event is no IPv4 or IPv6 address. Give the address alone.") from None
    _among("event", (event.event,), IP_EVENTS)
    if not 0 <= event.port <= 65_535:
        raise ReportError(f"`port` is {event.port}. Give a number up to 65,535, or leave it out.")


def _among(name: str, values: tuple[str, ...], known: tuple[str, ...] | dict[str, str]) -> None:
    for value in values:
        if value not in known:
            raise ReportError(f"`{name}`: {value!r} is not known. Use one of: {', '.join(known)}.")
