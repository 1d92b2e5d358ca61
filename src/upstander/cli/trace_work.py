"""What ``upstander trace`` does: it is apart from the command so that the extra is only needed when it runs."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from upstander.captures.audience import audience as audience_at
from upstander.captures.audience import permitted
from upstander.captures.bulk import files_of
from upstander.captures.errors import CaptureError
from upstander.captures.opening import open_recorded
from upstander.captures.trace import trace_file
from upstander.people.audit import Act, Audit, Note
from upstander.settings import Settings


def work(
    settings: Settings, paths: Sequence[Path], audience: bool, by: str, why: str, progress: Progress
) -> list[dict[str, Any]]:
    """A row a file: ``file``, ``error``, ``traces``. Raises ``CaptureError`` before anything when ``by`` may not see an
    audience, and it was asked for."""
    if audience:
        permitted(settings, by)
        if not why.strip():
            raise CaptureError("seeing an audience needs a reason: the ledger keeps it. Give --why.")
    rows: list[dict[str, Any]] = []
    recorded = open_recorded(settings, readonly=True)
    audit = Audit(settings.audit_path, many=settings.console.many_broadcasts)
    try:
        for path in progress.track(files_of(paths), description="tracing"):
            error, traces = "", []
            try:
                traces = [msgspec.to_builtins(one) for one in trace_file(recorded, path)]
            except CaptureError as problem:
                error = str(problem)
            for one in traces:
                del one["no"]
                who = by or f"command line {getpass.getuser()}"
                detail = f"from {one['offset_ms']} ms on, confidence {one['confidence']}"
                audit.append(Note(who, Act.CAPTURE_TRACED, one["platform"], one["broadcast"], detail=detail))
                if audience:
                    found = audience_at(settings, one["platform"], one["broadcast"], one["at"], by, why)
                    one["audience"] = msgspec.to_builtins(found)
            rows.append({"file": str(path), "error": error, "traces": traces})
    finally:
        audit.close()
        recorded.close()
    return rows
