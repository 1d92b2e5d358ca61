"""One report, whatever its destination, as types. How it is built from a case is in ``build``; times are epoch ms.

A field that is empty, ``None`` or ``()`` is not known: nothing is ever filled in with a guess.
"""

from __future__ import annotations

import msgspec


class ReportError(ValueError):
    """Something cannot be done with a report; the message names the report, the reason and the fix."""


class Changed(ReportError):
    """Somebody else has changed the report since it was read: it has to be looked at again."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every part of a report has: it cannot change, and an unknown field is refused."""


class IpEvent(_Part, frozen=True):
    """An address that an account used, when, for what, and from which port. ``event``: one of ``IP_EVENTS``."""

    address: str
    at: int = 0
    event: str = "Unknown"
    port: int = 0
    proxy: bool | None = None


class Device(_Part, frozen=True):
    """A device's identifier, such as ``kind`` IMEI."""

    kind: str
    value: str
    at: int = 0
    event: str = ""


class Email(_Part, frozen=True):
    """An e-mail address of an account, and whether it was verified (and when)."""

    address: str
    verified: bool | None = None
    verified_at: int = 0


class Phone(_Part, frozen=True):
    """A telephone number of an account."""

    number: str
    verified: bool | None = None


class Place(_Part, frozen=True):
    """Where an account is believed to be."""

    city: str = ""
    region: str = ""
    country: str = ""
    at: int = 0


class Account(_Part, frozen=True):
    """An account on the platform and what the platform knows of its owner."""

    identifier: str = ""
    service: str = ""
    screen_name: str = ""
    display_names: tuple[str, ...] = ()
    profile_urls: tuple[str, ...] = ()
    bio: str = ""
    first_name: str = ""
    last_name: str = ""
    age: int | None = None
    age_band: str = ""
    emails: tuple[Email, ...] = ()
    phones: tuple[Phone, ...] = ()
    ips: tuple[IpEvent, ...] = ()
    devices: tuple[Device, ...] = ()
    place: Place | None = None
    school: str = ""
    group: str = ""
    compromised: bool | None = None
    third_party: bool | None = None
    disabled_at: int = 0
    additional: str = ""


class Line(_Part, frozen=True):
    """Something that was said: ``role`` is ``reported``, ``host`` or ``other``; ``seq`` its number in the journal."""

    at: int
    role: str
    actor: str
    text: str
    spoken: bool = False
    event: str = ""
    seq: int = 0


class Present(_Part, frozen=True):
    """A gift, with its value in ``currency`` and the words that came with it."""

    at: int
    role: str
    actor: str
    gift: str
    value: float
    currency: str = ""
    text: str = ""
    event: str = ""


class Hash(_Part, frozen=True):
    """A hash of a file; ``kind`` such as ``MD5``, ``SHA256`` or ``PDQ``."""

    kind: str
    value: str


class File(_Part, frozen=True):
    """A sealed item that goes with the report. ``viewed``, ``exif_viewed``: a person looked at it, by the vault's audit
    and nothing else. ``category`` (``A1`` to ``B2``) is a trained person's coding; ``coded_by`` says whose."""

    address: str
    part: str
    name: str
    size: int
    md5: str
    sha256: str
    viewed: bool = False
    exif_viewed: bool = False
    public: bool | None = None
    relevance: str = "Reported"
    original_name: str = ""
    uploaded_at: int = 0
    location: str = ""
    annotations: tuple[str, ...] = ()
    category: str = ""
    coded_by: str = ""
    hashes: tuple[Hash, ...] = ()
    ip: IpEvent | None = None
    devices: tuple[Device, ...] = ()
    additional: str = ""


class Incident(_Part, frozen=True):
    """What happened: ``kind`` is the destination's type of incident, ``urgent`` why it cannot wait (empty: it can)."""

    kind: str
    at: int
    described: str = ""
    platform: str = ""
    broadcast: str = ""
    title: str = ""
    urls: tuple[str, ...] = ()
    urgent: str = ""
    annotations: tuple[str, ...] = ()
    tactics: tuple[str, ...] = ()
    level: str = ""
    host_asked_help: bool = False


class Law(_Part, frozen=True):
    """Law enforcement that knows already, or that asks."""

    agency: str = ""
    case_number: str = ""
    officer_first: str = ""
    officer_last: str = ""
    officer_email: str = ""
    reported: bool | None = None
    legal_basis: str = ""


class Reporter(_Part, frozen=True):
    """Who reports."""

    company: str = ""
    service: str = ""
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    phone: str = ""
    address: str = ""
    city: str = ""
    country: str = ""
    company_template: str = ""
    terms_of_service: str = ""
    legal_url: str = ""


class Why(_Part, frozen=True):
    """A term of the explanation: what was seen, in words, and its weight in nats."""

    what: str
    why: str
    weight: float = 0.0


class Target(_Part, frozen=True):
    """Where a take-down notice goes: the host, its abuse address, and the addresses of what is to be taken down."""

    host: str = ""
    contact: str = ""
    urls: tuple[str, ...] = ()


class Report(_Part, frozen=True):
    """A report. ``id`` is ours; ``prior`` are report numbers of the destination about the same person.

    ``note`` is what the person who drafted it adds. ``left_out``: what of the chat is not there, and why.
    """

    id: str
    case: str
    destination: str
    at: int
    incident: Incident
    reporter: Reporter
    reported: Account | None = None
    victim: Account | None = None
    recipients: tuple[Account, ...] = ()
    law: Law | None = None
    lines: tuple[Line, ...] = ()
    gifts: tuple[Present, ...] = ()
    files: tuple[File, ...] = ()
    explanation: tuple[Why, ...] = ()
    versions: dict[str, str] = {}
    prior: tuple[int, ...] = ()
    target: Target | None = None
    first_signal_at: int = 0
    note: str = ""
    left_out: str = ""


_DECODER = msgspec.json.Decoder(Report)


def encode(report: Report) -> bytes:
    """The report's bytes: the same report always gives the same."""
    return msgspec.json.encode(report)


def decode(data: bytes) -> Report:
    """The report in its bytes. Raises ``ReportError`` when they are none."""
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReportError(f"this is no report ({error}). Draft it again.") from None
