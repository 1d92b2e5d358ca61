"""What ``upstander match`` does: it is apart from the command so that the extra is only needed when it runs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.progress import Progress

from upstander.captures.bulk import Notebook, files_of, run
from upstander.captures.errors import CaptureError
from upstander.captures.matching import Limiter, Matcher, asked_by_hash
from upstander.captures.opening import banks_path, open_matcher
from upstander.captures.values import Kind, checked
from upstander.settings import Settings


def _matcher(settings: Settings) -> Matcher:
    matcher = open_matcher(settings)
    if matcher is None:
        raise CaptureError(f"there are no banks at {banks_path(settings)}. Make one with: upstander bank new NAME")
    return matcher


def one_value(settings: Settings, text: str, by: str) -> list[dict[str, Any]]:
    """What one KIND:VALUE matches. Raises ``CaptureError`` when it is no value, or asked too often."""
    kind, _, value = text.partition(":")
    asked = [known for known in (Kind.PDQ, Kind.MD5, Kind.SHA1, Kind.SHA256) if known == kind.lower()]
    if not asked:
        raise CaptureError(f"{kind!r} cannot be asked about. Write pdq:, md5:, sha1: or sha256: and the value.")
    value = checked(asked[0], value)
    matcher = _matcher(settings)
    try:
        limiter = Limiter(matcher.banks, settings.captures.queries_per_minute)
        found = asked_by_hash(matcher, limiter, by, asked[0], value)
    finally:
        matcher.banks.close()
    return [{"bank": one.bank, "entry": one.entry, "how": one.how} for one in found]


def many(
    settings: Settings, paths: list[Path], notebook: Path | None, jobs: int, by: str, progress: Progress
) -> Iterator[dict[str, Any]]:
    """A row a file, as it is done. Raises ``CaptureError`` when there are no banks or a path is not there."""
    files = files_of(paths)
    matcher = _matcher(settings)
    try:
        limiter = Limiter(matcher.banks, settings.captures.queries_per_minute)
        task = progress.add_task("matching", total=len(files))
        for result in run(matcher, limiter, files, Notebook(notebook), by, jobs, int(time.time() * 1000)):
            progress.advance(task)
            row: dict[str, Any] = msgspec.to_builtins(result)
            del row["stamp"]
            yield row
    finally:
        matcher.banks.close()
