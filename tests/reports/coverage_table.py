"""The one table: every field of every destination, and what it comes from; and in which configuration that is there.

A configuration is a case and what was added to it. A field that is absent is absent for the reason in its column.
"""

from __future__ import annotations

#: Source -> configurations in which it is there. ``bare``: a case about a viewer, nothing added. ``broadcast``:
#: about nobody in particular. ``emergency``: of the highest level. ``gifts``: gifts were given. ``full``:
#: everything is known. ``nobody``: nothing stands under [reports.reporter].
SOURCES: dict[str, str] = {
    "always": "bare broadcast emergency gifts full nobody",
    # the case names a viewer
    "viewer": "bare emergency gifts full nobody",
    # the case names a viewer, and the settings name the service
    "viewer+service": "bare emergency gifts full",
    # gifts are among the evidence
    "gifts": "gifts full",
    # the level is the highest, or a person says that it cannot wait
    "urgent": "emergency full",
    # the settings say who reports
    "reporter": "bare broadcast emergency gifts full",
    # only a person knows it, and adds it
    "facts": "full",
}
CONFIGURATIONS = SOURCES["always"].split()

_IS, _ID, _RP = "incidentSummary", "internetDetails", "reporter/reportingPerson"
_P, _V, _F = "personOrUserReported", "victim", "fileDetails"
TABLE: dict[str, dict[str, str]] = {
    "ncmec": {
        f"{_IS}/incidentType": "always", f"{_IS}/platform": "always", f"{_IS}/escalateToHighPriority": "urgent",
        f"{_IS}/reportAnnotations": "facts", f"{_IS}/incidentDateTime": "always",
        f"{_IS}/incidentDateTimeDescription": "facts", f"{_ID}/webPageIncident/url": "facts",
        f"{_ID}/chatImIncident/chatClient": "always", f"{_ID}/chatImIncident/chatRoomName": "always",
        f"{_ID}/chatImIncident/content": "always", "lawEnforcement/agencyName": "facts",
        "lawEnforcement/caseNumber": "facts", f"{_RP}/firstName": "reporter", f"{_RP}/lastName": "reporter",
        f"{_RP}/phone": "reporter", f"{_RP}/email": "reporter", "reporter/companyTemplate": "reporter",
        "reporter/termsOfService": "reporter", "reporter/legalURL": "reporter",
        f"{_P}/personOrUserReportedPerson/firstName": "facts", f"{_P}/personOrUserReportedPerson/lastName": "facts",
        f"{_P}/personOrUserReportedPerson/phone": "facts", f"{_P}/personOrUserReportedPerson/email": "facts",
        f"{_P}/personOrUserReportedPerson/age": "facts", f"{_P}/espIdentifier": "viewer",
        f"{_P}/espService": "viewer+service", f"{_P}/compromisedAccount": "facts", f"{_P}/screenName": "facts",
        f"{_P}/displayName": "facts", f"{_P}/profileUrl": "facts", f"{_P}/profileBio": "facts",
        f"{_P}/ipCaptureEvent/ipAddress": "facts", f"{_P}/ipCaptureEvent/dateTime": "facts",
        f"{_P}/ipCaptureEvent/port": "facts", f"{_P}/deviceId": "facts", f"{_P}/thirdPartyUserReported": "facts",
        f"{_P}/priorCTReports": "facts", f"{_P}/groupIdentifier": "facts",
        f"{_P}/accountPermanentlyDisabled": "facts", f"{_P}/estimatedLocation": "facts",
        "intendedRecipient/espIdentifier": "facts", f"{_V}/espIdentifier": "always", f"{_V}/screenName": "facts",
        f"{_V}/victimPerson/age": "facts", f"{_V}/ipCaptureEvent": "facts", f"{_V}/schoolName": "facts",
        f"{_V}/additionalInfo": "always", "additionalInfo": "always", f"{_F}/fileName": "always",
        f"{_F}/originalFileName": "facts", f"{_F}/uploadedToEspTimestamp": "facts", f"{_F}/locationOfFile": "facts",
        f"{_F}/fileViewedByEsp": "always", f"{_F}/publiclyAvailable": "facts", f"{_F}/fileRelevance": "always",
        f"{_F}/fileAnnotations": "always", f"{_F}/industryClassification": "facts",
        f"{_F}/originalFileHash": "always", f"{_F}/ipCaptureEvent": "facts",
    },
    "nca": {
        "reference": "always", "reporter": "reporter", "priority": "always", "priority_reason": "urgent",
        "type": "always", "occurred_at": "always", "detected_at": "always", "platform": "always",
        "livestream": "always", "urls": "facts", "description": "facts", "chat": "always", "gifts": "gifts",
        "user.identifier": "viewer", "user.username": "facts", "user.name": "facts", "user.emails": "facts",
        "user.phones": "facts", "user.ip_addresses": "facts", "user.location": "facts", "user.connections": "facts",
        "child.identifier": "always", "child.age": "always", "child.school": "facts", "child.ip_addresses": "facts",
        "files": "always", "hashes": "always", "other_reports": "facts", "explanation": "always",
        "additional": "facts", "declaration": "always",
    },
    "iwf": {
        "reference": "always", "urls": "facts", "seen_at": "always", "hashes": "always", "categories": "facts",
        "live": "always", "viewed": "always", "contact": "reporter",
    },
    "inhope": {
        "reference": "always", "urls": "facts", "seen_at": "always", "hashes": "always", "categories": "facts",
        "live": "always", "hosted_by": "facts", "contact": "reporter",
    },
    "ceop": {
        "reference": "always", "child.account": "always", "child.name": "facts", "child.age": "always",
        "child.school": "facts", "danger_now": "urgent", "asked_for_help": "always", "happened_at": "always",
        "where": "always", "tactics": "always", "said": "always", "gifts": "gifts", "other.account": "viewer",
        "other.screen_name": "facts", "known_to_police": "facts", "contact": "reporter", "note": "facts",
    },
    "police": {
        "reference": "always", "agency": "facts", "request": "facts", "legal_basis": "facts", "officer": "facts",
        "officer_email": "facts", "occurred_at": "always", "platform": "always", "broadcast": "always",
        "account": "viewer", "screen_name": "facts", "name": "facts", "emails": "facts", "ip_addresses": "facts",
        "child_account": "always", "chat": "always", "gifts": "gifts", "files": "always", "explanation": "always",
        "versions": "always", "contact": "reporter", "note": "facts",
    },
    "takedown": {
        "reference": "always", "host": "facts", "contact": "facts", "urls": "facts", "seen_at": "always",
        "hashes": "always", "ground": "always", "sender": "reporter",
    },
}  # fmt: skip
