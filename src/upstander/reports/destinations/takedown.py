"""A take-down notice to whoever hosts a capture: what, where, on which ground, and by when an answer is expected.

It tells the host addresses and hashes and nothing about any person. After ``follow_up_hours`` the answer is asked for.
"""

from __future__ import annotations

from upstander.reports.destinations import parts
from upstander.reports.destinations.base import HOUR_MS, Destination, Field, Need
from upstander.reports.model import Report

R, W, P = Need.REQUIRED, Need.WANTED, Need.OPTIONAL
_GROUND = "Captures of live-streamed abuse of a child, or material that a child was pressed to show."


def letter(report: Report) -> str:
    """The notice as a letter."""
    urls = "\n".join(f"  {url}" for url in parts.locations(report)) or "  (no address)"
    hashes = "\n".join(f"  {each['sha256']}" for each in parts.hashes(report)) or "  (none)"
    company = report.reporter.company or "The reporter"
    return (
        f"To {report.target.host if report.target else 'the host'}\nReference {report.id}\n\n"
        f"{company} asks you to take down what is at these addresses, and copies with these hashes (SHA-256).\n\n"
        f"Addresses:\n{urls}\n\nHashes:\n{hashes}\n\nGround: {_GROUND}\n"
        f"Seen at {parts.when(report.incident.at)} (UTC).\n\n"
        "Please preserve what you know about who uploaded it for the police, do not warn them, and answer with this"
        f" reference when it is done.\n\n{report.reporter.first_name} {report.reporter.last_name}\n"
        f"{report.reporter.email}\n"
    )


TAKEDOWN = Destination(
    name="takedown",
    title="Take-down notice to a host",
    note="A letter and a package to send to the host's abuse address, followed up.",
    by_hand=True,
    persons=False,
    fields=(
        Field("reference", "Our reference", "The answer names it.", R, lambda r: r.id),
        Field("host", "Who hosts it", "Only the host can take it down.", R,
              lambda r: r.target.host if r.target else ""),
        Field("contact", "The host's abuse address", "Elsewhere a notice waits for days.", W,
              lambda r: r.target.contact if r.target else ""),
        Field("urls", "Where it is", "A host acts on exact addresses.", R, parts.locations),
        Field("seen_at", "When it was seen there, with time zone", "The host's logs lead to the uploader.", R,
              lambda r: parts.when(r.incident.at)),
        Field("hashes", "Hashes", "Copies are found by them.", P, parts.hashes),
        Field("ground", "Ground", "The host has to know why.", R, lambda r: _GROUND),
        Field("sender", "Who asks", "A host answers to a name.", R,
              lambda r: parts.contact(r, "company", "name", "email")),
    ),
    deadline=lambda settings, report: report.at + settings.takedown.deadline_hours * HOUR_MS,
    hold_days=lambda settings: settings.takedown.hold_days,
    media=lambda settings: False,
    follow_up_hours=lambda settings: settings.takedown.follow_up_hours,
    own=lambda report: {"notice.txt": letter(report).encode()},
)  # fmt: skip
