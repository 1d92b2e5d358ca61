"""A CEOP referral sheet: what a safeguarding lead needs to refer a child's case to CEOP, or to act at a school.

About the child and what happened, in words that do not blame; no media and no hashes of any.
"""

from __future__ import annotations

from upstander.reports.destinations import parts
from upstander.reports.destinations.base import HOUR_MS, Destination, Field, Need

R, W, P = Need.REQUIRED, Need.WANTED, Need.OPTIONAL

CEOP = Destination(
    name="ceop",
    title="CEOP referral sheet (for a safeguarding lead)",
    note="A sheet that a safeguarding lead enters at CEOP's form. Not tested against it.",
    by_hand=True,
    persons=True,
    fields=(
        Field("reference", "Our reference", "It ties questions to this sheet.", R, lambda r: r.id),
        Field("child.account", "Account of the child", "CEOP asks the platform by it.", W,
              lambda r: parts.of(r.victim, "identifier")),
        Field("child.name", "Name of the child", "A school or the police can reach the child today.", W,
              lambda r: parts.name_of(r.victim)),
        Field("child.age", "Age, or age band", "It decides how fast, and who is asked.", W,
              lambda r: parts.of(r.victim, "age") if parts.of(r.victim, "age") not in ("", None)
              else parts.note_of(r.victim)),
        Field("child.school", "School", "Its safeguarding lead is the nearest adult.", W,
              lambda r: parts.of(r.victim, "school")),
        Field("danger_now", "Danger now", "Filled in: call 999 first, then send this.", P, lambda r: r.incident.urgent),
        Field("asked_for_help", "The child showed distress", "The child may want to be spoken to.", W,
              lambda r: r.incident.host_asked_help),
        Field("happened_at", "When, with time zone", "What is looked for is kept by the second.", R,
              lambda r: parts.when(r.incident.at)),
        Field("where", "Where", "Which service, which broadcast.", R,
              lambda r: f"{r.reporter.service or r.incident.platform}, broadcast {r.incident.broadcast}"),
        Field("tactics", "What was tried", "How the other side went about it; the child is not to blame.", W,
              lambda r: [name.replace("_", " ") for name in r.incident.tactics]),
        Field("said", "What was said", "The child need not tell it again.", W, parts.chat),
        Field("gifts", "Gifts", "Whether something was paid or promised.", P, parts.gifts),
        Field("other.account", "Account of the other side", "CEOP asks the platform by it.", W,
              lambda r: parts.of(r.reported, "identifier")),
        Field("other.screen_name", "Its screen name", "The child may know it from elsewhere.", W,
              lambda r: parts.of(r.reported, "screen_name")),
        Field("known_to_police", "Police that know", "So that the child is asked once.", P,
              lambda r: parts.law(r, "agency")),
        Field("contact", "Whom to ask", "Questions of CEOP.", R, parts.reporter),
        Field("note", "More", "What no other field takes.", P, lambda r: r.note),
    ),
    deadline=lambda settings, report: report.at + (1 if report.incident.urgent else settings.ceop.deadline_hours)
    * HOUR_MS,
    hold_days=lambda settings: settings.ceop.hold_days,
    media=lambda settings: False,
    follow_up_hours=lambda settings: settings.ceop.follow_up_hours,
)  # fmt: skip
