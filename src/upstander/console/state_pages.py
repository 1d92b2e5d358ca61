"""Health of the service, and statistics: counts only. No broadcast, host or viewer is named on either page."""

from __future__ import annotations

import asyncio
import shutil
import time
from typing import Any

from starlette.responses import Response

from upstander import __version__
from upstander.care import reviews
from upstander.cases import queue
from upstander.cases.desk import Desk
from upstander.console.cases_common import at_desk
from upstander.console.web import Visit
from upstander.model.vocabulary import Level
from upstander.outbox import actions
from upstander.people.audit import Act

#: Counts of broadcasts below this are not told: a small one may point at a child.
SMALL = 5
DAYS = 30
_GIB = 1024**3


async def statistics(visit: Visit) -> Response:
    """How many broadcasts are at which level now, by platform; small counts are not told."""
    await visit.note(Act.STATISTICS_VIEW)
    tables = []
    for platform in visit.platforms:
        engine = visit.console.service.intake.runtime.engines[platform]
        counts = dict.fromkeys(Level, 0)
        for broadcast in engine.state.broadcasts.values():
            if not broadcast.ended:
                counts[Level(broadcast.level)] += 1
        rows = [(level.word, _told(count)) for level, count in sorted(counts.items(), reverse=True)]
        tables.append({"platform": platform, "rows": rows, "events": f"{engine.state.observed:,}"})
    target, days, points = await at_desk(visit, _looks)
    agreement = await asyncio.to_thread(reviews.agreement, visit.console.care)
    data = {"tables": tables, "target_s": target, "days": days, "agreement": agreement}
    return visit.page(
        "statistics.html.j2",
        200,
        data,
        tables=tables,
        small=SMALL,
        target_s=target,
        days=days,
        points=points,
        agreement=agreement,
        few=reviews.FEW,
    )


def _looks(desk: Desk) -> tuple[int, list[dict[str, Any]], str]:
    """The service level, first looks day by day (the latest first), and the share in time as a line of 640 by 120."""
    found = queue.service(desk, DAYS)
    days: list[dict[str, Any]] = [
        {
            "day": day.day,
            "looks": _told(day.looks),
            "median_s": round(day.median_s, 1) if day.looks >= SMALL else None,
            "p90_s": round(day.p90_s, 1) if day.looks >= SMALL else None,
            "within": day.within if day.looks >= SMALL else None,
        }
        for day in found.days
    ]
    shown = [day["within"] for day in reversed(days) if day["within"] is not None]
    step = 620 / max(1, len(shown) - 1)
    points = " ".join(f"{10 + n * step:.1f},{110 - 100 * share:.1f}" for n, share in enumerate(shown))
    return found.target_s, days, points if len(shown) > 1 else ""


def _told(count: int) -> str:
    return f"{count:,}" if count == 0 or count >= SMALL else f"1 to {SMALL - 1}"


async def health(visit: Visit) -> Response:
    """What an operator asks first: does it take events, is it fast, is there room, is anything stuck."""
    await visit.note(Act.HEALTH_VIEW)
    checks = _checks(visit)
    return visit.page(
        "health.html.j2", 200, {"checks": checks, "version": __version__}, checks=checks, version=__version__
    )


def _checks(visit: Visit) -> list[dict[str, Any]]:
    console, service = visit.console, visit.console.service
    intake, metrics = service.intake, service.metrics
    counts = actions.counts(intake.journal.reader)
    waiting, failed = counts.get("pending", 0) + counts.get("sent", 0), counts.get("failed", 0)
    disk = shutil.disk_usage(service.settings.folder)
    share = disk.free / disk.total
    journal = service.settings.journal_path
    seq, head = console.audit.head()
    return [
        _check(
            "Events", intake.available, "accepted" if intake.available else "refused: the journal cannot be written"
        ),
        _check("Rate", True, f"{metrics.events_per_s:,.1f} events/s, {intake.accepted:,} since the start"),
        _check(
            "Time to a durable decision", metrics.p99_ms() < 250, f"p99 {metrics.p99_ms():.1f} ms of the last 2,000"
        ),
        _check("Packs and policy", not service.reloader.failed, service.reloader.failed or "those in the folder"),
        _check("Configuration", True, intake.configuration.hash[:16]),
        _check("Presets in force", True, ", ".join(intake.configuration.presets) or "none"),
        _check("Actions under way", waiting < 1_000, f"{waiting:,} waiting, {failed:,} failed for good"),
        _check("Adapters", bool(service.adapters), ", ".join(a.name for a in service.adapters) or "none: nothing acts"),
        _check("Streams", service.streams < service.settings.limits.max_streams, f"{service.streams} open"),
        _check("Disk", share > 0.1, f"{disk.free / _GIB:,.1f} GiB free of {disk.total / _GIB:,.1f}"),
        _check("Journal", True, f"{journal.stat().st_size / 1024**2:,.1f} MiB"),
        _check("Ledger", True, f"{seq:,} entries, last hash {head[:16]}"),
        _check("Asked at", True, time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(console.clock() / 1000))),
    ]


def _check(what: str, good: bool, found: str) -> dict[str, Any]:
    return {"what": what, "good": good, "found": found}
