"""The auditor's pages: search the ledger of what people looked at and did, and check that it is whole."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from starlette.responses import Response

from upstander.console.web import Visit
from upstander.gateway.http import whole_number
from upstander.people.anchors import anchors_in
from upstander.people.audit import Act, Checked

SHOWN = 100
ALERTS_MS = 7 * 24 * 3_600_000
FIELDS = ("who", "what", "broadcast", "subject", "from", "to")
ALERTS = (Act.ALERT_MANY, Act.ALERT_CASES, Act.ALERT_GUESSES)


async def search(visit: Visit) -> Response:
    """Entries that fit, latest first. The search is itself an entry."""
    asked = {name: visit.request.query_params.get(name, "").strip()[:200] for name in FIELDS}
    below = whole_number(visit.request.query_params.get("below", ""), 1, 10**15) or 0
    after, before = _day(asked["from"]), _day(asked["to"], end=True)
    named = {name: value for name, value in asked.items() if value}
    error = ""
    if (asked["from"] and not after) or (asked["to"] and not before):
        error = "Give days as YYYY-MM-DD."
    await visit.note(Act.AUDIT_VIEW, detail=", ".join(f"{name}: {value}" for name, value in named.items()))
    audit, now = visit.console.audit, visit.console.clock()
    fields = {name: asked[name] for name in ("who", "what", "broadcast", "subject")}
    found = await asyncio.to_thread(
        lambda: audit.search(**fields, after=after, before=before, below=below, limit=SHOWN + 1)
    )
    alerts = [entry for act in ALERTS for entry in audit.search(what=act, after=now - ALERTS_MS, limit=20)]
    older = urlencode(named | {"below": found[SHOWN - 1].seq}) if len(found) > SHOWN else ""
    return visit.page(
        "ledger.html.j2",
        422 if error else 200,
        {"entries": found[:SHOWN], "alerts": alerts, "older": older},
        error=error,
        asked=asked,
        acts=list(Act),
        entries=found[:SHOWN],
        alerts=sorted(alerts, key=lambda entry: -entry.seq),
        older=older,
        checked=None,
    )


def _day(text: str, *, end: bool = False) -> int:
    """A day (UTC) as epoch milliseconds, its end when asked; 0 when it is none."""
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
        return int((day + timedelta(days=1 if end else 0)).timestamp() * 1000)
    except (ValueError, OverflowError):
        return 0


async def check(visit: Visit) -> Response:
    """Recompute the whole ledger, against the anchors in the journal."""
    console = visit.console
    result: Checked = await asyncio.to_thread(
        lambda: console.audit.check(anchors_in(console.service.settings.journal_path))
    )
    await visit.note(Act.AUDIT_CHECK, detail="whole" if result.ok else "; ".join(result.findings))
    return visit.page("ledger-check.html.j2", 200, result, checked=result)
