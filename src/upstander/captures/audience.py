"""Who was in the audience of a broadcast at a time, from the journal. Who may ask is checked here; asking is audited.

It names people who may have recorded a capture, and many who did not: least privilege, a reason, and the ledger first.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import msgspec

from upstander.captures.errors import CaptureError
from upstander.journal import store as journal
from upstander.model import events as wire
from upstander.model.wire import WireError, decode_event
from upstander.people.audit import Act, Audit, Note
from upstander.people.permissions import COMMANDS
from upstander.people.store import People
from upstander.settings import Settings


class Viewer(msgspec.Struct, frozen=True, gc=False):
    """A viewer and when (epoch ms) they had come in; 0: they acted there, and no event says when they came."""

    viewer: str
    since: int


def permitted(settings: Settings, by: str) -> None:
    """Raises ``CaptureError`` unless ``by`` is an account that may see an audience."""
    fix = "Ask an administrator: `upstander people roles NAME --role senior` (or evidence)."
    if not settings.people_path.exists():
        raise CaptureError(f"only an account may see an audience, and there are none. {fix}")
    people = People(settings.people_path)
    try:
        person = people.find(by)
    finally:
        people.close()
    if person is None or person.disabled_at or not person.may(COMMANDS["trace --audience"]):
        raise CaptureError(f"{by} may not see who was in an audience. {fix}")


def audience(settings: Settings, platform: str, broadcast: str, at: int, by: str, why: str) -> list[Viewer]:
    """Who was there at a time (epoch ms), longest first. Audited before anything is read.

    Raises ``CaptureError`` when ``by`` may not, gives no reason, or there is no journal.
    """
    permitted(settings, by)
    if not why.strip():
        raise CaptureError("seeing an audience needs a reason: the ledger keeps it. Give --why.")
    audit = Audit(settings.audit_path, many=settings.console.many_broadcasts)
    try:
        audit.append(Note(by, Act.AUDIENCE_VIEW, platform, broadcast, detail=f"at {at}: {why}"))
    finally:
        audit.close()
    return present(settings.journal_path, platform, broadcast, at)


def present(path: Path, platform: str, broadcast: str, at: int) -> list[Viewer]:
    """Who had joined and not left by a time; who wrote or gave within the five minutes before counts as there."""
    if not path.exists():
        raise CaptureError(f"there is no journal at {path}. Name the data folder with --data or --config.")
    connection = journal.connect(path, readonly=True)
    try:
        return _present(connection, platform, broadcast, at)
    finally:
        connection.close()


def _present(connection: sqlite3.Connection, platform: str, broadcast: str, at: int) -> list[Viewer]:
    there: dict[str, int] = {}
    sql = "SELECT body FROM entries WHERE kind = 'event' AND platform = ? AND broadcast = ? ORDER BY seq"
    for (body,) in connection.execute(sql, (platform, broadcast)):
        try:
            event = decode_event(body)
        except WireError:
            continue
        if not isinstance(event, wire.Acted) or isinstance(event, wire.Verdict) or event.at_ms > at:
            continue
        if isinstance(event, wire.Left):
            there.pop(event.actor, None)
        elif isinstance(event, wire.Joined):
            there[event.actor] = event.at_ms
        elif at - event.at_ms <= 300_000:
            there.setdefault(event.actor, 0)
    return [Viewer(who, since) for who, since in sorted(there.items(), key=lambda one: (one[1], one[0]))]
