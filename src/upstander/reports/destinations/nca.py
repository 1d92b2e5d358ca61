"""The UK's National Crime Agency, under section 66 of the Online Safety Act 2023 and SI 2026/268.

The Agency's interface is not public: what is made here is a JSON package of our own, documented in docs/reports.md, and
a form whose fields a registered person enters at its portal. Never tested against it.
"""

from __future__ import annotations

from upstander.reports.destinations import parts
from upstander.reports.destinations.base import HOUR_MS, Destination, Field, Need
from upstander.reports.model import Report
from upstander.reports.settings import ReportSettings
from upstander.reports.words import INCIDENTS

R, W, P = Need.REQUIRED, Need.WANTED, Need.OPTIONAL
_IP_WHY = "The regulations define address and port: together with the time they lead to one connection."

FIELDS = (
    Field("reference", "Our reference", "It ties questions and later reports to this one.", R, lambda r: r.id),
    Field("reporter", "Who reports", "The Agency answers to a registered organisation and person.", R, parts.reporter),
    Field("priority", "How urgent it is", "Urgent reports are read first.", R,
          lambda r: "urgent" if r.incident.urgent else "standard"),
    Field("priority_reason", "Why it cannot wait", "Say what the danger is.", P, lambda r: r.incident.urgent),
    Field("type", "Type of content", "It decides which team looks first.", R,
          lambda r: INCIDENTS.get(r.incident.kind, "")),
    Field("occurred_at", "When it happened, with time zone", "Address logs are kept by the second.", R,
          lambda r: parts.when(r.incident.at)),
    Field("detected_at", "When it was first seen", "It shows how long content was up.", W,
          lambda r: parts.when(r.first_signal_at)),
    Field("platform", "Platform", "Which part of the service it happened on.", R,
          lambda r: r.reporter.service or r.incident.platform),
    Field("livestream", "Live stream", "Whether it may be going on now.", R, lambda r: r.incident.broadcast),
    Field("urls", "Addresses", "Whether content is still there.", W, parts.locations),
    Field("description", "What happened", "A reader's first look.", W, lambda r: r.incident.described),
    Field("chat", "What was said, and who pressed", "The words that an offence is proven with.", W, parts.chat),
    Field("gifts", "Gifts", "Payment shows intent, and leads to an account.", P, parts.gifts),
    Field("user.identifier", "Account reported", "Legal requests name it.", W,
          lambda r: parts.of(r.reported, "identifier")),
    Field("user.username", "Username", "It is used elsewhere, too.", W, lambda r: parts.of(r.reported, "screen_name")),
    Field("user.name", "Name on the account", "A lead, even when it is invented.", P,
          lambda r: parts.name_of(r.reported)),
    Field("user.emails", "E-mail addresses", "A verified one leads to the next provider.", W,
          lambda r: parts.emails(r.reported)),
    Field("user.phones", "Telephone numbers", "A verified one names its owner.", W,
          lambda r: [each.number for each in r.reported.phones] if r.reported else ()),
    Field("user.ip_addresses", "IP addresses with port and time", _IP_WHY, W, lambda r: parts.ips(r.reported)),
    Field("user.location", "Where it is believed to be", "Whether it is linked to the UK, and which force it is for.",
          W, parts.place_of),
    Field("user.connections", "Connections with other accounts", "Others who took part.", P,
          lambda r: [each.identifier for each in r.recipients if each.identifier]),
    Field("child.identifier", "Account of the child", "Nobody can help a child that cannot be found.", W,
          lambda r: parts.of(r.victim, "identifier")),
    Field("child.age", "Age of the child", "It decides how fast.", W,
          lambda r: parts.of(r.victim, "age") if parts.of(r.victim, "age") not in ("", None)
          else parts.note_of(r.victim)),
    Field("child.school", "School", "Somebody there can look after the child today.", P,
          lambda r: parts.of(r.victim, "school")),
    Field("child.ip_addresses", "IP addresses of the child", "The way to the child's home.", W,
          lambda r: parts.ips(r.victim)),
    Field("files", "Files", "What goes along, and whether a person looked at it.", W, parts.files),
    Field("hashes", "Hash values", "Copies are found by them.", W, parts.hashes),
    Field("other_reports", "Reported elsewhere", "So that nobody does the same work twice.", P,
          lambda r: parts.law(r, "agency")),
    Field("explanation", "Why software called a person", "It says what was measured, and what not.", W,
          parts.explanation),
    Field("additional", "More", "What no other field takes.", P, lambda r: r.note),
    Field("declaration", "Declaration", "That all that is reasonably at hand is there.", R,
          lambda r: "All the information that is reasonably available to the provider has been included."),
)  # fmt: skip


def _deadline(settings: ReportSettings, report: Report) -> int:
    hours = settings.nca.urgent_hours if report.incident.urgent else settings.nca.deadline_hours
    return report.at + hours * HOUR_MS


NCA = Destination(
    name="nca",
    title="National Crime Agency (UK, Online Safety Act s.66)",
    note="Entered at the Agency's portal by a registered person. The interface is not public: not tested against it.",
    by_hand=True,
    persons=True,
    fields=FIELDS,
    deadline=_deadline,
    hold_days=lambda settings: settings.nca.hold_days,
    media=lambda settings: True,
)
