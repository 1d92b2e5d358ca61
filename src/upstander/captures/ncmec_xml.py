"""NCMEC's hash sharing XML (version 2): entries with their fingerprints, to and from bytes. Calls are in ``exchanges``.

Written from the public description of the API; entity tricks in what comes in are refused (defusedxml).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

import msgspec
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from upstander.captures.banks import Value
from upstander.captures.errors import CaptureError
from upstander.captures.values import Kind, checked

NAMESPACE = "https://hashsharing.ncmec.org/hashsharing/v2"
_TIME = "%Y-%m-%dT%H:%M:%SZ"
#: Fingerprints by NCMEC's names; others that an entry has are left alone.
NAMES = {"md5": Kind.MD5, "sha1": Kind.SHA1, "pdna": Kind.PHOTODNA, "pdq": Kind.PDQ, "sha256": Kind.SHA256}
TYPES = {kind: name.upper() for name, kind in NAMES.items()}


class Shared(msgspec.Struct, frozen=True):
    """An entry as it is shared. ``reference``: member and entry id; ``deleted``: it was withdrawn."""

    reference: str
    values: tuple[Value, ...]
    deleted: bool = False


class Page(msgspec.Struct, frozen=True):
    """One answer: entries, the path of the next page (empty: this was the last), how many values could not be read."""

    entries: tuple[Shared, ...]
    next: str
    unread: int


def root_of(body: bytes) -> Element:
    """The document's root, names without their namespace. Raises ``CaptureError`` for what is no whole XML."""
    try:
        root: Element = fromstring(body)
    except (ParseError, DefusedXmlException, ValueError) as error:
        raise CaptureError(f"the answer is no whole XML ({type(error).__name__}: {error}). Ask again.") from None
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def page_of(body: bytes) -> Page:
    """One page of entries. Raises ``CaptureError`` when it is not one; single values that are none are counted."""
    root = root_of(body)
    if root.tag != "queryResult":
        raise CaptureError(f"the answer is a <{root.tag[:40]}>, not a <queryResult>. Check the address.")
    entries, unread = [], 0
    for part in ("images", "videos"):
        found = root.find(part)
        if found is None:
            continue
        if found.get("count", str(len(found))) != str(len(found)):
            reason = f"{len(found)} of {found.get('count')} {part} are there"
            raise CaptureError(f"the answer is a part of one: {reason}. Ask again.")
        for element in found:
            one, bad = _entry(element)
            unread += bad
            entries.append(one)
    return Page(tuple(entries), (root.findtext("paging/next") or "").strip(), unread)


def _entry(element: Element) -> tuple[Shared, int]:
    identifier, member = element.findtext("id"), element.find("member")
    if not identifier or member is None or not member.get("id"):
        raise CaptureError("an entry has no id, or no member. Ask again; if it stays so, tell who runs the exchange.")
    reference = f"{member.get('id')}/{identifier}"
    if element.tag.startswith("deleted"):
        return Shared(reference, (), True), 0
    label = element.findtext("classification") or ""
    values, unread = [], 0
    prints = element.find("fingerprints")
    for fingerprint in prints if prints is not None else ():
        kind = NAMES.get(fingerprint.tag.lower())
        if kind is None or not fingerprint.text:
            continue
        try:
            value = checked(kind, fingerprint.text)
        except CaptureError:
            unread += 1
            continue
        values.append(Value(kind, value, reference, (label,) if label else ()))
    return Shared(reference, tuple(values)), unread


def written(entries: Iterable[tuple[str, str, Iterable[tuple[Kind, str]]]], member: str = "0") -> bytes:
    """Entries (id, classification, values) as one document of the same form."""
    root = Element("queryResult", xmlns=NAMESPACE)
    images = SubElement(root, "images", count="0", maxTimestamp=datetime.now(UTC).strftime(_TIME))
    for identifier, label, values in entries:
        image = SubElement(images, "image")
        SubElement(image, "member", id=member).text = "upstander"
        SubElement(image, "timestamp").text = datetime.now(UTC).strftime(_TIME)
        SubElement(image, "id").text = identifier
        if label:
            SubElement(image, "classification").text = label
        prints = SubElement(image, "fingerprints")
        for kind, value in values:
            if kind in TYPES:
                SubElement(prints, TYPES[kind].lower()).text = value
    images.set("count", str(len(images)))
    return b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n' + tostring(root)
