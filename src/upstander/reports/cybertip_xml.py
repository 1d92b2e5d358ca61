"""A report and its files as the XML of NCMEC's CyberTipline. Pure; the order of children is part of the schema.

Written after the published documentation (https://report.cybertip.org/ispws/documentation) and clients that use it; not
tested against the real server. ``schema`` validates what is made here.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from datetime import UTC, datetime

from upstander.reports.build import hashes_of
from upstander.reports.model import Account, Device, File, IpEvent, Law, Report, Reporter
from upstander.reports.words import CATEGORIES, FILE_TAGS, INCIDENTS, REPORT_TAGS, clean

MAX_LONG = 3_000


def report_xml(report: Report, prior: Iterable[str] = ()) -> bytes:
    """The document that opens a report. ``prior``: numbers of reports about the same person, beside those it holds."""
    root = ET.Element("report")
    _summary(root, report)
    _details(root, report)
    if report.law is not None:
        _law(root, report.law)
    _reporter(root, report.reporter)
    numbers = tuple(dict.fromkeys([*map(str, report.prior), *prior]))
    if report.reported is not None:
        _account(root, "personOrUserReported", "personOrUserReportedPerson", report.reported, numbers)
    for recipient in report.recipients:
        _account(root, "intendedRecipient", "intendedRecipientPerson", recipient)
    if report.victim is not None:
        _account(root, "victim", "victimPerson", report.victim)
    _text(root, "additionalInfo", additional_of(report))
    return _bytes(root)


def file_xml(file: File, report_id: str, file_id: str, *, damaged_for: str = "") -> bytes:
    """The document that describes an uploaded file. ``damaged_for``: it is a copy that was damaged on the way, and that
    is the id of the good one."""
    root = ET.Element("fileDetails")
    _text(root, "reportId", report_id)
    _text(root, "fileId", file_id)
    _text(root, "fileName", file.name)
    if damaged_for:
        _text(root, "fileRelevance", "Supplemental Reported")
        _text(root, "additionalInfo", f"Damaged in transfer: see file {damaged_for}, which is the same file unharmed.")
        return _bytes(root)
    _text(root, "originalFileName", file.original_name)
    _time(root, "uploadedToEspTimestamp", file.uploaded_at)
    _text(root, "locationOfFile", file.location)
    _flag(root, "fileViewedByEsp", file.viewed)
    _flag(root, "exifViewedByEsp", file.exif_viewed)
    _flag(root, "publiclyAvailable", file.public)
    _text(root, "fileRelevance", file.relevance)
    _tags(root, "fileAnnotations", file.annotations, FILE_TAGS)
    if file.category in CATEGORIES:
        _text(root, "industryClassification", file.category)
    for each in hashes_of(file):
        _text(root, "originalFileHash", each.value, hashType=each.kind)
    if file.ip is not None:
        _ip(root, file.ip)
    for device in file.devices:
        _device(root, device)
    _text(root, "additionalInfo", file.additional)
    return _bytes(root)


def additional_of(report: Report) -> str:
    """What the schema has no element for: our reference, the explanation, gifts, and what was left out."""
    parts = [f"Reference of the reporter: {report.id} (case {report.case})."]
    if report.note:
        parts.append(report.note)
    if report.incident.tactics:
        parts.append("Seen by software: " + ", ".join(report.incident.tactics) + ".")
    parts += [f"- {each.what}: {each.why}" for each in report.explanation]
    if report.gifts:
        parts.append("Gifts (UTC, who, what, value, words):")
        parts += [
            f"- {moment(g.at)} {g.role} {g.actor}: {g.gift} {g.value:g} {g.currency} {g.text}".rstrip()
            for g in report.gifts
        ]
    if report.left_out:
        parts.append(f"Not in the chat below: {report.left_out}.")
    return "\n".join(parts)


def chat_of(report: Report) -> str:
    """The chat, one line each: time (UTC), who pressed (or the host, or others), what was said."""
    return "\n".join(
        f"{moment(line.at)} {line.role}{f' {line.actor}' if line.actor else ''}{' (spoken)' if line.spoken else ''}:"
        f" {line.text}"
        for line in report.lines
    )


def moment(at: int) -> str:
    """A time (epoch ms) with its zone, which investigators need: ISO 8601, UTC."""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _summary(root: ET.Element, report: Report) -> None:
    incident = report.incident
    made = ET.SubElement(root, "incidentSummary")
    _text(made, "incidentType", INCIDENTS[incident.kind])
    _text(made, "platform", (report.reporter.service or incident.platform)[:256])
    _text(made, "escalateToHighPriority", incident.urgent[:MAX_LONG])
    _tags(made, "reportAnnotations", incident.annotations, REPORT_TAGS)
    _time(made, "incidentDateTime", incident.at)
    _text(made, "incidentDateTimeDescription", incident.described[:MAX_LONG])


def _details(root: ET.Element, report: Report) -> None:
    incident = report.incident
    if incident.urls:
        page = ET.SubElement(ET.SubElement(root, "internetDetails"), "webPageIncident")
        for url in incident.urls:
            _text(page, "url", url)
        _text(page, "additionalInfo", f"Live stream on {incident.platform}")
    chat = ET.SubElement(ET.SubElement(root, "internetDetails"), "chatImIncident")
    _text(chat, "chatClient", (report.reporter.service or incident.platform)[:255])
    _text(chat, "chatRoomName", incident.broadcast[:255])
    _text(chat, "content", chat_of(report))
    live = f"Chat of a live stream{f', titled: {incident.title}' if incident.title else ''}."
    _text(chat, "additionalInfo", live)


def _law(root: ET.Element, law: Law) -> None:
    if not law.agency.strip():
        return
    made = ET.SubElement(root, "lawEnforcement")
    _text(made, "agencyName", law.agency[:255])
    _text(made, "caseNumber", law.case_number[:100])
    if law.officer_first or law.officer_last or law.officer_email:
        officer = ET.SubElement(made, "officerContact")
        _text(officer, "firstName", law.officer_first)
        _text(officer, "lastName", law.officer_last)
        _text(officer, "email", law.officer_email)
    _flag(made, "reportedToLe", law.reported)


def _reporter(root: ET.Element, reporter: Reporter) -> None:
    made = ET.SubElement(root, "reporter")
    person = ET.SubElement(made, "reportingPerson")
    _text(person, "firstName", reporter.first_name)
    _text(person, "lastName", reporter.last_name)
    _text(person, "phone", reporter.phone)
    _text(person, "email", reporter.email)
    if reporter.address or reporter.city or reporter.country:
        address = ET.SubElement(person, "address", type="Business")
        _text(address, "address", reporter.address)
        _text(address, "city", reporter.city)
        _text(address, "country", reporter.country)
    _text(made, "companyTemplate", reporter.company_template)
    _text(made, "termsOfService", reporter.terms_of_service)
    _text(made, "legalURL", reporter.legal_url)


def _account(root: ET.Element, name: str, person_name: str, account: Account, prior: Iterable[str] = ()) -> None:
    made = ET.SubElement(root, name)
    reported, victim = name == "personOrUserReported", name == "victim"
    _person(made, person_name, account, always=victim)
    _text(made, "espIdentifier", account.identifier[:255])
    _text(made, "espService", account.service[:100])
    _flag(made, "compromisedAccount", account.compromised)
    _text(made, "screenName", account.screen_name[:256])
    for shown in account.display_names:
        _text(made, "displayName", shown)
    for url in account.profile_urls:
        _text(made, "profileUrl", url)
    _text(made, "profileBio", account.bio)
    for event in account.ips:
        _ip(made, event)
    for device in account.devices:
        _device(made, device)
    if reported:
        _flag(made, "thirdPartyUserReported", account.third_party)
    if victim:
        _text(made, "schoolName", account.school[:255])
    for number in prior:
        _text(made, "priorCTReports", number)
    if not victim:
        _text(made, "groupIdentifier", account.group[:255])
    if account.disabled_at:
        _text(made, "accountPermanentlyDisabled", "true", disabledDate=moment(account.disabled_at))
    place_known = account.place and f"{account.place.city}{account.place.region}{account.place.country}".strip()
    if account.place is not None and place_known:
        at = {"timestamp": moment(account.place.at)} if account.place.at else {}
        place = ET.SubElement(made, "estimatedLocation", at)
        _text(place, "city", account.place.city)
        _text(place, "region", account.place.region)
        _text(place, "countryCode", account.place.country)
    _text(made, "additionalInfo", account_note(account))


def account_note(account: Account) -> str:
    """What is known of an account and has no element: the age band, beside what was added."""
    band = account.age_band.replace("_", " to ") if account.age_band not in ("", "unknown") else ""
    parts = [f"Age band on the platform: {band.replace('under to', 'under')}." if band else "", account.additional]
    return " ".join(part for part in parts if part)


def _person(root: ET.Element, name: str, account: Account, *, always: bool) -> None:
    known = (account.first_name, account.last_name, account.emails, account.phones, account.age is not None)
    if not always and not any(known):
        return
    person = ET.SubElement(root, name)
    _text(person, "firstName", account.first_name)
    _text(person, "lastName", account.last_name)
    for phone in account.phones:
        _text(person, "phone", phone.number, verified=_word(phone.verified))
    for email in account.emails:
        at = moment(email.verified_at) if email.verified_at else ""
        _text(person, "email", email.address, verified=_word(email.verified), verificationDate=at)
    _text(person, "age", "" if account.age is None else str(account.age))


def _ip(root: ET.Element, event: IpEvent) -> None:
    made = ET.SubElement(root, "ipCaptureEvent")
    _text(made, "ipAddress", event.address)
    _text(made, "eventName", event.event)
    _time(made, "dateTime", event.at)
    _flag(made, "possibleProxy", event.proxy)
    _text(made, "port", str(event.port) if event.port else "")


def _device(root: ET.Element, device: Device) -> None:
    made = ET.SubElement(root, "deviceId")
    _text(made, "idType", device.kind)
    _text(made, "idValue", device.value)
    _text(made, "eventName", device.event)
    _time(made, "dateTime", device.at)


def _tags(root: ET.Element, name: str, chosen: Iterable[str], known: tuple[str, ...]) -> None:
    there = [tag for tag in known if tag in set(chosen)]
    if there:
        made = ET.SubElement(root, name)
        for tag in there:
            _text(made, tag, "true")


def _text(root: ET.Element, name: str, text: str, **attributes: str) -> None:
    """An element with text; none when there is none."""
    found = clean(text)
    if found.strip():
        # Attributes in a fixed order: the same report gives the same bytes.
        ET.SubElement(root, name, {key: value for key, value in attributes.items() if value}).text = found


def _flag(root: ET.Element, name: str, value: bool | None) -> None:
    _text(root, name, _word(value))


def _time(root: ET.Element, name: str, at: int) -> None:
    _text(root, name, moment(at) if at else "")


def _word(value: bool | None) -> str:
    return "" if value is None else "true" if value else "false"


def _bytes(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written
