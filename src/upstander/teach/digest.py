"""What a platform saw in a month: counts of broadcasts by tactic, small ones withheld, for newsletter and lesson.

It names no person and no broadcast. A person's permission is written into it, and without one it is not made.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import msgspec

from upstander.journal import store
from upstander.journal.entries import Kind
from upstander.model.decision import decode_decision
from upstander.model.vocabulary import Tactic
from upstander.nudge.stats import SMALLEST
from upstander.teach.reading import TeachError
from upstander.teach.words import words

#: Fewer broadcasts than this in the month, and there is no digest: any count would point at someone.
FEWEST_BROADCASTS = 50


class Permission(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who allowed the counts to be published, and when."""

    by: Annotated[str, msgspec.Meta(min_length=2, max_length=200)]
    on: date


class Digest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A month on a platform. ``tactics``: broadcasts with at least one such message; what is withheld is left out."""

    platform: str
    month: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]
    broadcasts: int
    tactics: dict[Tactic, int]
    withheld: tuple[Tactic, ...]
    permission: Permission
    smallest: int = SMALLEST


def make(connection: sqlite3.Connection, platform: str, month: date, permission: Permission) -> Digest:
    """The digest of a month (by when events were received) on a platform.

    Raises ``TeachError`` when there were too few broadcasts.
    """
    start, end = (int(datetime(each.year, each.month, 1, tzinfo=UTC).timestamp() * 1000) for each in _span(month))
    where = "kind = ? AND platform = ? AND at >= ? AND at < ?"
    bounds = (platform, start, end)
    sql = f"SELECT COUNT(DISTINCT broadcast) FROM entries WHERE {where}"  # noqa: S608 - written here, values are bound
    broadcasts = int(connection.execute(sql, (Kind.EVENT, *bounds)).fetchone()[0])
    if broadcasts < FEWEST_BROADCASTS:
        reason = f"{platform!r} had fewer than {FEWEST_BROADCASTS} broadcasts in {month:%Y-%m}"
        raise TeachError(f"{reason}, so any count could point at someone. Take a busier month or platform.")
    seen: dict[Tactic, set[str]] = defaultdict(set)
    for placed in store.read(connection, 0, where, (Kind.DECISION, *bounds)):
        for tactic in decode_decision(placed.entry.body).tactics:
            seen[tactic].add(placed.entry.broadcast)
    counts = {tactic: len(seen[tactic]) for tactic in Tactic if seen[tactic]}
    shown = {tactic: count for tactic, count in counts.items() if _may_be_shown(count, broadcasts)}
    ordered = dict(sorted(shown.items(), key=lambda pair: -pair[1]))
    withheld = tuple(tactic for tactic in counts if tactic not in shown)
    return Digest(platform, f"{month:%Y-%m}", broadcasts, ordered, withheld, permission)


def _may_be_shown(count: int, broadcasts: int) -> bool:
    """Neither the broadcasts with the tactic nor those without it are few. A broadcast may have several tactics, so the
    counts add up to nothing from which a withheld one could be worked out."""
    return count >= SMALLEST and (broadcasts - count >= SMALLEST or count == broadcasts)


def _span(month: date) -> tuple[date, date]:
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return month, after


def read(path: Path) -> Digest:
    """A digest that ``upstander teach digest`` wrote. Raises ``TeachError`` when it is none, or shows a small count."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Digest)
    except (OSError, msgspec.DecodeError) as error:
        raise TeachError(f"{path}: no digest ({error}). Make one with `upstander teach digest`.") from None
    if small := [tactic for tactic, count in found.tactics.items() if not _may_be_shown(count, found.broadcasts)]:
        raise TeachError(f"{path}: the count of {small[0]} is too small to be shown. Make the digest again.")
    return found


def sentence(found: Digest, language: str, most: int = 4) -> str:
    """The digest in one paragraph: the most frequent tactics, of how many broadcasts, and what is left out."""
    say = words(language)
    year, month = found.month.split("-")
    told = [
        say("digest_count", tactic=say(f"tactic_{tactic}"), count=count) for tactic, count in found.tactics.items()
    ][:most]
    if not told:
        raise TeachError(f"the digest of {found.month} shows no tactic: every count was too small.")
    return say(
        "digest",
        month=say(f"month_{int(month)}"),
        year=year,
        platform=found.platform,
        tactics=", ".join(told),
        total=found.broadcasts,
        smallest=found.smallest,
    )
