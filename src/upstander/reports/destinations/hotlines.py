"""Hotlines: referrals to the Internet Watch Foundation and, by way of a national hotline, to INHOPE's network.

A referral says where something is, its hashes, and its category as a trained person coded it: nobody's name, and no
media unless the hotline asked for it. Both are handed over by a person; not tested against a real service.
"""

from __future__ import annotations

from upstander.reports.destinations import parts
from upstander.reports.destinations.base import HOUR_MS, Destination, Field, Need
from upstander.reports.model import Report

R, W, P = Need.REQUIRED, Need.WANTED, Need.OPTIONAL

_COMMON = (
    Field("reference", "Our reference", "It ties the answer to this referral.", R, lambda r: r.id),
    Field("urls", "Where it is", "A hotline acts on an address: without one it can do nothing.", R, parts.locations),
    Field("seen_at", "When it was seen there, with time zone", "Content moves: the hotline looks at what was there.", R,
          lambda r: parts.when(r.incident.at)),
    Field("hashes", "Hashes", "Copies are found, and blocked, by them.", W, parts.hashes),
    Field("categories", "Category, and who coded it", "Trained people code; it speeds up the assessor, who codes "
          "again.", W, parts.categories),
    Field("live", "From a live stream", "A capture of a live stream has other copies and an offender in the audience.",
          R, lambda r: bool(r.incident.broadcast)),
)  # fmt: skip
_CONTACT = Field(
    "contact", "Whom to ask", "Questions of the assessor.", R, lambda r: parts.contact(r, "company", "email")
)


def _viewed(report: Report) -> list[str]:
    return [f"{file.name}: {'yes' if file.viewed else 'no'}" for file in report.files]


IWF = Destination(
    name="iwf",
    title="Internet Watch Foundation (referral)",
    note="A package to hand over. Not tested against the real service.",
    by_hand=True,
    persons=False,
    fields=(
        *_COMMON,
        Field("viewed", "Looked at by a person", "Whether anybody has assessed it yet.", W, _viewed),
        _CONTACT,
    ),
    deadline=lambda settings, report: report.at + settings.iwf.deadline_hours * HOUR_MS,
    hold_days=lambda settings: settings.iwf.hold_days,
    media=lambda settings: settings.iwf.media,
    follow_up_hours=lambda settings: settings.iwf.follow_up_hours,
)
INHOPE = Destination(
    name="inhope",
    title="INHOPE hotline (referral)",
    note="A package for the national hotline, which enters it into the network. Not tested against the real service.",
    by_hand=True,
    persons=False,
    fields=(
        *_COMMON,
        Field(
            "hosted_by",
            "Who hosts it",
            "The referral goes to the country where it is hosted.",
            W,
            lambda r: r.target.host if r.target else "",
        ),
        _CONTACT,
    ),
    deadline=lambda settings, report: report.at + settings.inhope.deadline_hours * HOUR_MS,
    hold_days=lambda settings: settings.inhope.hold_days,
    media=lambda settings: settings.inhope.media,
    follow_up_hours=lambda settings: settings.inhope.follow_up_hours,
)
