"""The follower of the journal: fingerprints of `frame` events are kept, and matched while the broadcast is on air.

What it recognises becomes an event of the journal itself (type `capture`): the engine learns of it like of any other
event, so that a replay needs no bank and gives the same decisions bit for bit.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable

import msgspec

from upstander.captures import common
from upstander.captures.errors import CaptureError
from upstander.captures.live import Finding, Rolling
from upstander.captures.matching import Matcher
from upstander.captures.opening import open_matcher, open_recorded
from upstander.captures.recorded import Frame, Recorded
from upstander.journal import store as journal
from upstander.journal.entries import GENESIS, Placed
from upstander.journal.following import in_thread
from upstander.model import events as wire
from upstander.model.wire import WireError, decode_event
from upstander.settings import Settings
from upstander.vault.errors import VaultError

log = logging.getLogger(__name__)

POSITION = "journal"
STRIDE = 20_000
POLL_S = 0.25
TIDY_S = 60.0
_TRIES_S = 5.0
DAY_MS = 86_400_000
#: Passes an event on to the journal; true when it is there.
Deliver = Callable[[str, bytes], Awaitable[bool]]


class Follower:
    """Follows one journal. ``rolling`` may be ``None``: fingerprints are kept and nothing is matched."""

    def __init__(self, settings: Settings, recorded: Recorded, rolling: Rolling | None) -> None:
        self.recorded, self.rolling, self._settings = recorded, rolling, settings
        self._journal = journal.connect(settings.journal_path, readonly=True)
        self._first: dict[tuple[str, str], int] = {}

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def position(self) -> int:
        """The last entry that was taken up. Raises ``CaptureError`` when this is another journal."""
        sql = "SELECT seq, hash FROM positions WHERE name = ?"
        row = self.recorded.connection.execute(sql, (POSITION,)).fetchone()
        if row is None:
            return 0
        if self._hash(row[0]) != row[1]:
            fix = "Put the right journal back, or move the folder `captures` away to begin anew."
            raise CaptureError(f"the journal is not the one that was followed up to entry {row[0]:,}. {fix}")
        return int(row[0])

    def _hash(self, seq: int) -> bytes:
        row = self._journal.execute("SELECT hash FROM entries WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else GENESIS if not seq else b""

    def catch_up(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Take up all there is; how many frames. Frames, findings and position are written together, each once."""
        taken, after = 0, self.position()
        end = journal.head(self._journal)[0]
        while after < end and not stop():
            upper = min(end, after + STRIDE)
            where = "seq <= ? AND kind = 'event' AND instr(body, CAST('frame' AS BLOB)) > 0"
            read = [self._frame(placed) for placed in journal.read(self._journal, after, where, (upper,))]
            frames = [frame for frame in read if frame is not None]
            findings = self.rolling.observe(frames) if self.rolling is not None else []
            with self.recorded.transaction():
                self.recorded.add(frames)
                for finding in findings:
                    # Said once an entry and broadcast, also by a process that does not know what the last one said.
                    sql = "INSERT OR IGNORE INTO matches (name, platform, body) VALUES (?, ?, ?)"
                    values = (name_of(finding), finding.platform, event_of(finding))
                    self.recorded.connection.execute(sql, values)
                sql = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)"
                self.recorded.connection.execute(sql, (POSITION, upper, self._hash(upper)))
            taken += len(frames)
            after = upper
        return taken

    def _frame(self, placed: Placed) -> Frame | None:
        try:
            event = decode_event(placed.entry.body)
        except WireError:
            return None
        if not isinstance(event, wire.Frame) or event.pdq is None:
            return None
        platform = placed.entry.platform
        first = self._first_at(platform, event)
        offset = event.offset_ms or max(0, event.at_ms - first)
        quality = 100 if event.quality is None else event.quality
        return Frame(platform, event.broadcast, offset, event.at_ms, quality, bytes.fromhex(event.pdq))

    def _first_at(self, platform: str, event: wire.Frame) -> int:
        """When the broadcast's first frame was: where frames say no offset, time since then is it."""
        place = platform, event.broadcast
        if place not in self._first:
            known = self.recorded.find(*place)
            if len(self._first) > 10_000:
                self._first.clear()
            self._first[place] = known.first_at if known else event.at_ms
        return self._first[place]

    def tidy(self, now_ms: int) -> None:
        """Learn common frames, delete what is past its time, and write the index down."""
        keep = self._settings.captures.keep_days
        self.recorded.expire(now_ms - keep * DAY_MS)
        matcher = self.rolling.matcher if self.rolling is not None else None
        if common.learn(self.recorded, matcher, now_ms, self._settings.captures.common_broadcasts) and self.rolling:
            self.rolling.set_common(common.common(self.recorded))
        self.recorded.save_index()


def name_of(finding: Finding) -> str:
    """The id of a finding's event: the same for the same entry in the same broadcast, so that it counts once."""
    parts = finding.platform, finding.broadcast, finding.what, finding.entry
    return f"capture-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:24]}"


def event_of(finding: Finding) -> bytes:
    """A finding as an event."""
    return msgspec.json.encode(
        {
            "type": "capture",
            "id": name_of(finding),
            "at": finding.at,
            "broadcast": finding.broadcast,
            "what": finding.what,
            "bank": finding.bank,
            "entry": finding.entry,
            "offset_ms": finding.offset_ms,
            "capture_offset_ms": finding.capture_offset_ms,
            "frames": finding.frames,
            "seconds": finding.seconds,
        }
    )


async def run(settings: Settings, deliver: Deliver) -> None:
    """Follow the journal until cancelled: the service's task. A fault is logged and tried again: events go on."""
    while True:
        try:
            await _follow(settings, deliver)
        except (CaptureError, VaultError, sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            log.error("captures: %s (tried again in %g s)", error, _TRIES_S)
            await asyncio.sleep(_TRIES_S)


async def _follow(settings: Settings, deliver: Deliver) -> None:
    recorded = open_recorded(settings)
    matcher: Matcher | None = None
    follower: Follower | None = None
    try:
        matcher = await in_thread(lambda _: open_matcher(settings))
        rolling = None
        if matcher is not None:
            chosen = settings.captures
            rolling = Rolling(matcher, chosen.frames, chosen.seconds, common.common(recorded))
        follower = Follower(settings, recorded, rolling)
        tidied = 0.0
        while True:
            if matcher is not None:
                await in_thread(lambda _: matcher.refresh())
            await in_thread(follower.catch_up)
            await deliver_findings(recorded, matcher, deliver)
            if time.monotonic() - tidied >= TIDY_S:
                await in_thread(lambda _: follower.tidy(int(time.time() * 1000)))
                tidied = time.monotonic()
            await asyncio.sleep(POLL_S)
    finally:
        if follower is not None:
            follower.close()
        if matcher is not None:
            matcher.banks.close()
        recorded.close()


async def deliver_findings(recorded: Recorded, matcher: Matcher | None, deliver: Deliver) -> int:
    """Pass on findings that wait, in order; how many went. One that fails waits on, and those behind it."""
    sql = "SELECT id, platform, body FROM matches WHERE sent = 0 ORDER BY id LIMIT 100"
    sent = 0
    for number, platform, body in recorded.connection.execute(sql).fetchall():
        if not await deliver(platform, body):
            break
        recorded.connection.execute("UPDATE matches SET sent = 1 WHERE id = ?", (number,))
        sent += 1
        if matcher is not None:
            told = msgspec.json.decode(body)
            for entry in matcher.seen([told["entry"]], f"{platform} {told['broadcast']}", told["at"]):
                log.warning("captures: entry %s of bank %s matches too much: quarantined", entry, told["bank"])
    return sent
