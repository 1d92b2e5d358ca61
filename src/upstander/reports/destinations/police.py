"""A disclosure to the police, under a warrant or their request: what was asked for, and on which legal basis.

The vault's own package of the evidence goes with it (``upstander report export`` adds it): it can be checked anywhere.
"""

from __future__ import annotations

from upstander.reports.destinations import parts
from upstander.reports.destinations.base import HOUR_MS, Destination, Field, Need

R, W, P = Need.REQUIRED, Need.WANTED, Need.OPTIONAL

POLICE = Destination(
    name="police",
    title="Police disclosure (under a warrant or a request)",
    note="A package to hand over, with the vault's evidence package in it.",
    by_hand=True,
    persons=True,
    fields=(
        Field("reference", "Our reference", "It ties questions to this disclosure.", R, lambda r: r.id),
        Field("agency", "Who asks", "Data is disclosed to one authority, not to whoever calls.", R,
              lambda r: parts.law(r, "agency")),
        Field("request", "Reference of the warrant or request", "Without one there is no basis to disclose.", R,
              lambda r: parts.law(r, "case_number")),
        Field("legal_basis", "Legal basis", "It has to be named, and a court asks for it.", R,
              lambda r: parts.law(r, "legal_basis")),
        Field("officer", "Officer", "The package is handed to a person.", W,
              lambda r: f"{parts.law(r, 'officer_first')} {parts.law(r, 'officer_last')}".strip()),
        Field("officer_email", "Officer's e-mail", "To check that the request is real.", W,
              lambda r: parts.law(r, "officer_email")),
        Field("occurred_at", "When it happened, with time zone", "Logs are compared by the second.", R,
              lambda r: parts.when(r.incident.at)),
        Field("platform", "Platform", "Where it happened.", R, lambda r: r.reporter.service or r.incident.platform),
        Field("broadcast", "Broadcast", "Which stream it was.", R, lambda r: r.incident.broadcast),
        Field("account", "Account asked about", "The subject of the request.", W,
              lambda r: parts.of(r.reported, "identifier")),
        Field("screen_name", "Screen name", "Witnesses know it by this name.", W,
              lambda r: parts.of(r.reported, "screen_name")),
        Field("name", "Name on the account", "As it was given, not checked.", P, lambda r: parts.name_of(r.reported)),
        Field("emails", "E-mail addresses", "Whether they were verified is said.", W,
              lambda r: parts.emails(r.reported)),
        Field("ip_addresses", "IP addresses with port and time", "With the port they lead to one connection.", W,
              lambda r: parts.ips(r.reported)),
        Field("child_account", "Account of the child", "To find and protect the child.", W,
              lambda r: parts.of(r.victim, "identifier")),
        Field("chat", "What was said, and who pressed", "As sealed; the package proves it.", W, parts.chat),
        Field("gifts", "Gifts", "Payment leads to an account.", P, parts.gifts),
        Field("files", "Evidence", "What is in the package, and whether a person looked at it.", W, parts.files),
        Field("explanation", "Why software called a person", "A court asks how the case began.", W, parts.explanation),
        Field("versions", "Versions of software and rules", "The decision can be replayed with them.", W,
              lambda r: dict(r.versions)),
        Field("contact", "Whom to ask", "A person who can testify.", R, parts.reporter),
        Field("note", "More", "What no other field takes.", P, lambda r: r.note),
    ),
    deadline=lambda settings, report: report.at + (4 if report.incident.urgent else settings.police.deadline_hours)
    * HOUR_MS,
    hold_days=lambda settings: settings.police.hold_days,
    media=lambda settings: settings.police.media,
    follow_up_hours=lambda settings: settings.police.follow_up_hours,
)  # fmt: skip
