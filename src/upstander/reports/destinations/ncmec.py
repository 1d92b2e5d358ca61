"""NCMEC's CyberTipline: the fields of its XML, in the order of its schema. The XML itself is in ``cybertip_xml``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from upstander.reports import cybertip_xml as xml
from upstander.reports.destinations import parts
from upstander.reports.destinations.base import HOUR_MS, Destination, Field, Need, empty, told
from upstander.reports.model import Report
from upstander.reports.settings import ReportSettings
from upstander.reports.words import CATEGORIES, INCIDENTS

Get = Callable[[Report], Any]
R, W, P = Need.REQUIRED, Need.WANTED, Need.OPTIONAL
_IP_WHY = "An address with its time and port leads to one connection; without the port it may lead to hundreds."
_P, _V, _S = "personOrUserReported", "victim", "incidentSummary"


def _reported(field: str) -> Get:
    return lambda report: parts.of(report.reported, field)


def _victim(field: str) -> Get:
    return lambda report: parts.of(report.victim, field)


def _any_ip(field: str) -> Get:
    return lambda report: [value for event in (report.reported.ips if report.reported else ())
                           if (value := getattr(event, field)) not in (0, "", None)]  # fmt: skip


def _file(field: str) -> Get:
    """Values of a field of all files that have it."""

    def values(report: Report) -> list[str]:
        found = [(file.name, getattr(file, field)) for file in report.files]
        return [
            f"{name}: {told(value)}" for name, value in found if (not empty(value) and value != 0) or value is False
        ]

    return values


def _service(report: Report) -> str:
    return report.reporter.service or report.incident.platform


_ROWS: tuple[tuple[str, str, str, Need, Get], ...] = (
    (f"{_S}/incidentType", "Type of incident", "It decides which unit looks at the report first.", R,
     lambda r: INCIDENTS.get(r.incident.kind, "")),
    (f"{_S}/platform", "Application", "Investigators address the legal request to it.", W, _service),
    (f"{_S}/escalateToHighPriority", "Why it cannot wait", "Filled in, the report is read at once: say what the danger "
     "is, and only when there is one now.", P, lambda r: r.incident.urgent),
    (f"{_S}/reportAnnotations", "Tags", "Reports of one kind are found together.", P, lambda r: r.incident.annotations),
    (f"{_S}/incidentDateTime", "When it happened, with time zone", "Providers keep address logs by the second and in "
     "other zones: a wrong hour names a wrong household.", R, lambda r: parts.when(r.incident.at)),
    (f"{_S}/incidentDateTimeDescription", "About the time", "Whether it is the start, the end or one moment.", P,
     lambda r: r.incident.described),
    ("internetDetails/webPageIncident/url", "Address of the stream", "It shows whether a copy is still up.", W,
     lambda r: r.incident.urls),
    ("internetDetails/chatImIncident/chatClient", "Chat", "Which chat the lines come from.", W, _service),
    ("internetDetails/chatImIncident/chatRoomName", "Broadcast", "The platform finds the broadcast by it.", W,
     lambda r: r.incident.broadcast),
    ("internetDetails/chatImIncident/content", "What was said, and who pressed", "The words are what an offence is "
     "proven with; who pressed and who only watched is told apart by them.", W, parts.chat),
    ("lawEnforcement/agencyName", "Police that know already", "Two forces then do not work against each other.", P,
     lambda r: parts.law(r, "agency")),
    ("lawEnforcement/caseNumber", "Their case number", "The report is put to the case that exists.", P,
     lambda r: parts.law(r, "case_number") if parts.law(r, "agency").strip() else ""),
    ("reporter/reportingPerson/firstName", "First name of who reports", "Investigators call a person.", R,
     lambda r: r.reporter.first_name),
    ("reporter/reportingPerson/lastName", "Last name of who reports", "Investigators call a person.", R,
     lambda r: r.reporter.last_name),
    ("reporter/reportingPerson/phone", "Telephone of who reports", "In danger a call is faster than a letter.", W,
     lambda r: r.reporter.phone),
    ("reporter/reportingPerson/email", "E-mail of who reports", "Questions and legal requests go there.", R,
     lambda r: r.reporter.email),
    ("reporter/companyTemplate", "How legal process is served", "It saves the days of asking where to send it.", W,
     lambda r: r.reporter.company_template),
    ("reporter/termsOfService", "Terms of service", "They say what the user had agreed to.", P,
     lambda r: r.reporter.terms_of_service),
    ("reporter/legalURL", "Page for law enforcement", "The same, kept up to date.", P, lambda r: r.reporter.legal_url),
    (f"{_P}/personOrUserReportedPerson/firstName", "First name on the account", "A lead, even when it is invented.", P,
     _reported("first_name")),
    (f"{_P}/personOrUserReportedPerson/lastName", "Last name on the account", "A lead, even when it is invented.", P,
     _reported("last_name")),
    (f"{_P}/personOrUserReportedPerson/phone", "Telephone on the account", "A verified one names its owner.", W,
     lambda r: [p.number for p in r.reported.phones] if r.reported else ()),
    (f"{_P}/personOrUserReportedPerson/email", "E-mail on the account", "A verified one leads to the next provider.", W,
     lambda r: parts.emails(r.reported)),
    (f"{_P}/personOrUserReportedPerson/age", "Age on the account", "Whether an adult presses, or another child.", P,
     _reported("age")),
    (f"{_P}/espIdentifier", "Account", "The one name that does not change: legal requests name it.", W,
     _reported("identifier")),
    (f"{_P}/espService", "Service of the account", "Which of the company's services it is.", W,
     lambda r: parts.of(r.reported, "service")),
    (f"{_P}/compromisedAccount", "Taken over by somebody", "Then its owner is not the one to look for.", P,
     _reported("compromised")),
    (f"{_P}/screenName", "Screen name", "Children and witnesses know it by this name; it is used elsewhere, too.", W,
     _reported("screen_name")),
    (f"{_P}/displayName", "Display names", "Others that it was shown with.", P, _reported("display_names")),
    (f"{_P}/profileUrl", "Profile", "It shows other victims and other accounts.", P, _reported("profile_urls")),
    (f"{_P}/profileBio", "About text", "Often it names the next platform.", P, _reported("bio")),
    (f"{_P}/ipCaptureEvent/ipAddress", "IP addresses", _IP_WHY, W, _any_ip("address")),
    (f"{_P}/ipCaptureEvent/dateTime", "When each address was used", _IP_WHY, W, _any_ip("at")),
    (f"{_P}/ipCaptureEvent/port", "Port of each address", _IP_WHY, W, _any_ip("port")),
    (f"{_P}/deviceId", "Devices", "A device ties accounts to one person.", P,
     lambda r: [f"{d.kind} {d.value}" for d in r.reported.devices] if r.reported else ()),
    (f"{_P}/thirdPartyUserReported", "User of another company", "Whom to ask instead.", P,
     _reported("third_party")),
    (f"{_P}/priorCTReports", "Earlier reports about the account", "One person's reports are read together.", P,
     lambda r: r.prior if r.reported else ()),
    (f"{_P}/groupIdentifier", "Group", "Whether several people act together.", P, _reported("group")),
    (f"{_P}/accountPermanentlyDisabled", "Account closed on", "Whether the danger from it goes on.", P,
     lambda r: parts.when(parts.of(r.reported, "disabled_at") or 0)),
    (f"{_P}/estimatedLocation", "Where it is believed to be", "It decides which force gets the report.", W,
     parts.place_of),
    ("intendedRecipient/espIdentifier", "Others who took part", "They may be offenders, or victims.", P,
     lambda r: [each.identifier for each in r.recipients if each.identifier]),
    (f"{_V}/espIdentifier", "Account of the child", "Without it nobody can find the child and help.", W,
     _victim("identifier")),
    (f"{_V}/screenName", "Screen name of the child", "The name by which a school or a parent knows the account.", P,
     _victim("screen_name")),
    (f"{_V}/victimPerson/age", "Age of the child", "It decides how fast, and under which law.", P, _victim("age")),
    (f"{_V}/ipCaptureEvent", "IP addresses of the child", "With time and port: the way to the child's home.", W,
     lambda r: parts.ips(r.victim)),
    (f"{_V}/schoolName", "School", "Somebody there can look after the child today.", P, _victim("school")),
    (f"{_V}/additionalInfo", "Age band, and more about the child", "What the platform knows of the age.", P,
     lambda r: parts.note_of(r.victim)),
    ("additionalInfo", "Explanation, gifts, our reference", "Why software called a person, what was offered and paid, "
     "and how to ask about this report.", R, xml.additional_of),
)  # fmt: skip
_FILE_ROWS: tuple[tuple[str, str, str, Need, Get], ...] = (
    ("fileDetails/fileName", "Files", "What is sent: evidence as it was sealed.", W,
     lambda r: [f.name for f in r.files]),
    ("fileDetails/originalFileName", "Name that the user gave a file", "It is found elsewhere by it.", P,
     _file("original_name")),
    ("fileDetails/uploadedToEspTimestamp", "When a file was uploaded", "It belongs to one address.", P,
     _file("uploaded_at")),
    ("fileDetails/locationOfFile", "Where a file was seen", "Whether it is still up.", P, _file("location")),
    ("fileDetails/fileViewedByEsp", "Looked at by a person", "Whether police may open it without a warrant (US). It "
     "follows from the vault's audit and cannot be typed in.", W,
     lambda r: [f"{f.name}: {'yes' if f.viewed else 'no'}" for f in r.files]),
    ("fileDetails/publiclyAvailable", "Was it public", "Whether others have copies.", W, _file("public")),
    ("fileDetails/fileRelevance", "Reported, or beside it", "What to look at first.", P, _file("relevance")),
    ("fileDetails/fileAnnotations", "Tags of files", "Live, made by software, and so on: set by a person.", P,
     _file("annotations")),
    ("fileDetails/industryClassification", "Category", "As a trained person coded it; no machine does.", P,
     lambda r: [f"{f.name}: {f.category} ({f.coded_by})" for f in r.files if f.category in CATEGORIES]),
    ("fileDetails/originalFileHash", "Hashes", "Copies are found by them.", W, parts.hashes),
    ("fileDetails/ipCaptureEvent", "Address that a file came from", _IP_WHY, P,
     lambda r: [f"{f.name}: {f.ip.address}" for f in r.files if f.ip]),
)  # fmt: skip


def _faults(report: Report) -> list[str]:
    at = report.incident.at
    found = ["the incident's time is missing"] if not at else []
    return found + ([f"`{_S}/incidentDateTime` lies in the future"] if at > report.at else [])


def _deadline(settings: ReportSettings, report: Report) -> int:
    """18 U.S.C. 2258A says "as soon as reasonably possible": a day, or an hour when it cannot wait."""
    return report.at + (1 if report.incident.urgent else 24) * HOUR_MS


NCMEC = Destination(
    name="ncmec",
    title="NCMEC CyberTipline",
    note="Sent by the service. Not tested against the real server.",
    by_hand=False,
    persons=True,
    fields=tuple(Field(*row) for row in (*_ROWS, *_FILE_ROWS)),
    deadline=_deadline,
    hold_days=lambda settings: settings.ncmec.hold_days,
    media=lambda settings: True,
    faults=_faults,
)
