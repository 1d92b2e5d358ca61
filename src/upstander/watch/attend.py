"""The service's side of watching: a watcher for every live broadcast, and what becomes of what they see and hear.

The watchers run in the supervisor's process. This side decides: what shows something goes through the intake as any
event does; what was heard and shows nothing is kept for a day and then gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sys
import time
from asyncio.subprocess import PIPE, Process

import msgspec

from upstander.gateway.intake import Intake, Overloaded, Unavailable, now_ms
from upstander.model.vocabulary import AgeBand
from upstander.model.wire import WireError, decode_event
from upstander.settings import Settings
from upstander.watch import start, transcripts
from upstander.watch.address import for_logs
from upstander.watch.errors import WatchError
from upstander.watch.fingerprint import Prints
from upstander.watch.messages import Clip
from upstander.watch.supervisor import Do, Out
from upstander.watch.watcher import State

log = logging.getLogger(__name__)

POLL_S = 0.25
#: A line may hold a clip.
MAX_LINE = 400 * 1024 * 1024
RESTART_S = 2.0
CLIPS_S = 10.0
EXPIRE_S = 600.0
_OUT = msgspec.json.Decoder(Out)

Key = tuple[str, str]


class Attendant:
    """Watches for one service. ``states`` are its watchers as of a few seconds ago."""

    def __init__(self, settings: Settings, intake: Intake) -> None:
        """Raises ``WatchError`` when the settings or the installation do not allow watching."""
        start.check()
        start.rules(settings.watch)
        self.settings, self.intake = settings, intake
        self.states: list[State] = []
        self.restarts = 0
        self.transcripts = transcripts.Transcripts(
            settings.folder / "transcripts.sqlite3", settings.watch.transcript_hours
        )
        days = settings.watch.fingerprint_days
        self.prints = Prints(settings.folder / "fingerprints.sqlite3", days) if days else None
        self._process: Process | None = None
        self._started: set[Key] = set()
        self._refused: set[Key] = set()
        self._asked: dict[int, tuple[list[Clip], asyncio.Future[list[Clip]]]] = {}
        self._numbers = itertools.count(1)
        self._ready = False

    async def run(self) -> None:
        """Watch until cancelled. A supervisor that dies is started again."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._supervise())
                tasks.create_task(self._follow())
                tasks.create_task(self._expire())
        finally:
            self.transcripts.close()
            if self.prints is not None:
                self.prints.close()

    async def _supervise(self) -> None:
        while True:
            command = (sys.executable, "-m", "upstander.watch.supervisor")
            self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=MAX_LINE)
            self._started.clear()
            self._ready = False
            try:
                self._send(self.settings.watch)
                assert self._process.stdout is not None
                while line := await self._process.stdout.readline():
                    await self._take(_OUT.decode(line))
            except (msgspec.MsgspecError, ValueError) as error:
                log.error("watch: the supervisor said what it may not say (%s)", error)
            finally:
                await self._end()
            self.restarts += 1
            self._fail_asked()
            log.error("watch: the supervisor ended; started again in %g s", RESTART_S)
            await asyncio.sleep(RESTART_S)

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        if process.stdin is not None:
            process.stdin.close()  # it ends in good order
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(10):
                await process.wait()
                return
        process.kill()
        await process.wait()

    def _send(self, value: object) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(msgspec.json.encode(value) + b"\n")

    # -- who is watched ------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_S)
            if self._ready and self.intake.available:
                self._reconcile()

    def _reconcile(self) -> None:
        live = set(self._live())
        for key in self._started - live:
            self._started.discard(key)
            self._send(Do("stop", *key))
        self._refused &= live
        for key in sorted(live - self._started - self._refused):
            if len(self._started) >= self.settings.watch.max_streams:
                log.warning("watch: %d streams are watched; `max_streams` allows no more", len(self._started))
                self._refused.add(key)
                continue
            try:
                url = start.address_of(self.settings.watch, *key)
            except WatchError as error:
                log.error("watch: %s", error)
                self._refused.add(key)
                continue
            self._started.add(key)
            self._send(Do("start", *key, url=url))

    def _live(self) -> list[Key]:
        return [
            (platform, broadcast.id)
            for platform in self.settings.watch.sources
            if (engine := self.intake.runtime.engines.get(platform)) is not None
            for broadcast in list(engine.state.broadcasts.values())
            if not broadcast.ended and broadcast.host
        ]

    # -- what comes back -----------------------------------------------------------------------------------------

    async def _take(self, out: Out) -> None:
        if out.kind == "event" and out.event is not None:
            await self._observe(out)
        elif out.kind == "said" and out.event is not None:
            await self._heard(out)
        elif out.kind == "print" and out.print is not None and self.prints is not None:
            self.prints.add(out.platform, out.broadcast, now_ms(), out.print)
        elif out.kind == "states":
            self.states = out.states
        elif out.kind == "clips":
            self._clips(out)
        elif out.kind == "gone":
            self._started.discard((out.platform, out.broadcast))
            if out.note:
                self._refused.add((out.platform, out.broadcast))
                log.warning("watch: %s is watched no longer: %s", out.broadcast, for_logs(out.note))
        elif out.kind == "note":
            self._ready = True
            log.info("watch: %s", for_logs(out.note))

    async def _observe(self, out: Out) -> None:
        raw = msgspec.json.encode(out.event)
        try:
            event = decode_event(raw)
            await self.intake.observe(out.platform, [(0, raw, event)])
        except (WireError, Overloaded, Unavailable) as error:
            log.warning("watch: an event was not accepted: %s", error)

    async def _heard(self, out: Out) -> None:
        assert out.event is not None
        text = str(out.event["text"])
        if transcripts.shows(self.intake.runtime.detector, text):
            await self._observe(out)
            return
        event = out.event
        line = transcripts.Line(event["at"], event["speaker"], out.language, event["confidence"], text)
        self.transcripts.add(out.platform, out.broadcast, line)

    # -- clips ---------------------------------------------------------------------------------------------------

    async def clips(self, platform: str, broadcast: str) -> list[Clip]:
        """What is held of a broadcast's media now; nothing when nothing may be."""
        number = next(self._numbers)
        future: asyncio.Future[list[Clip]] = asyncio.get_running_loop().create_future()
        self._asked[number] = ([], future)
        self._send(Do("clips", platform, broadcast, ref=number))
        try:
            async with asyncio.timeout(CLIPS_S):
                return await future
        except TimeoutError:
            log.error("watch: the supervisor handed out no clips within %g s", CLIPS_S)
            return []
        finally:
            self._asked.pop(number, None)

    def _clips(self, out: Out) -> None:
        found, future = self._asked.get(out.ref, ([], None))
        found += out.clips
        if not out.clips and future is not None and not future.done():
            future.set_result(found)

    def _fail_asked(self) -> None:
        for found, future in self._asked.values():
            if not future.done():
                future.set_result(found)

    async def _expire(self) -> None:
        while True:
            began = time.monotonic()
            gone = await asyncio.to_thread(self.transcripts.expire, now_ms())
            if self.prints is not None:
                await asyncio.to_thread(self.prints.expire, now_ms())
            if gone:
                log.info("watch: %d transcripts are gone: they showed nothing and their time was over", gone)
            await asyncio.sleep(max(1.0, EXPIRE_S - (time.monotonic() - began)))

    def band(self, platform: str, broadcast: str) -> AgeBand:
        """The host's age band, as protection goes by it."""
        known = self.intake.broadcast(platform, broadcast)
        return known.band if known is not None else AgeBand.UNKNOWN
