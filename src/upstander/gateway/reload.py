"""Packs read again while the service runs: new ones decide from the next event on, broken ones never do."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

import msgspec

from upstander.detect import packs
from upstander.detect.packs import PackError
from upstander.detect.prepare import prepare
from upstander.detect.text import TextDetector
from upstander.gateway.intake import Intake, Unavailable
from upstander.runtime import cache_folder
from upstander.settings import Settings

log = logging.getLogger(__name__)

#: How often the folder is looked at. Its files count once they were the same twice.
POLL_S = 2.0

#: Name, times of change (nanoseconds; of what is in it, and of anything about it) and size of every pack file.
_Mark = tuple[tuple[str, int, int, int], ...]


class Reloader:
    """Watches the settings' packs folder, and hands new packs to the intake when all of them are sound.

    ``failed`` says why the packs that lie in the folder are not the ones that decide; it is empty when they do. Made
    before the packs are first read, so that no change after that is missed.
    """

    def __init__(self, settings: Settings) -> None:
        self._folder = Path(settings.packs) if settings.packs else None
        self._polls = settings.packs_reload
        self.reloads = 0
        self.failed = ""
        self._asked = asyncio.Event()
        self._taken: _Mark = _mark(self._folder) if self._folder else ()

    def ask(self) -> None:
        """Read the packs again now, whether or not they changed (SIGHUP)."""
        if self._folder is None:
            log.warning("asked to read the packs again, but the settings name no folder: the bundled packs go on")
            return
        self._asked.set()

    async def watch(self, intake: Intake) -> None:
        """Until cancelled: read the packs again when asked, and when their files changed."""
        if self._folder is None:
            return
        folder, before = self._folder, self._taken
        while True:
            asked = await self._wait()
            now = await asyncio.to_thread(_mark, folder)
            settled = now == before
            before = now
            if asked or (self._polls and settled and now != self._taken):
                await self._reload(intake, folder, now)

    async def _wait(self) -> bool:
        """Until asked (True) or the next poll (False)."""
        try:
            await asyncio.wait_for(self._asked.wait(), POLL_S if self._polls else None)
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _reload(self, intake: Intake, folder: Path, mark: _Mark) -> None:
        began = time.monotonic()
        try:
            sources = await asyncio.to_thread(packs.from_folder, folder)
            if await asyncio.to_thread(_mark, folder) != mark:
                # Someone writes right now. What was read may be half old, half new.
                await asyncio.sleep(POLL_S / 4)
                self._asked.set()
                return
            configuration = msgspec.structs.replace(intake.configuration, packs=tuple(sources))
            cache = cache_folder()
            pack_set = await prepare(sources, cache)
            detector = await asyncio.to_thread(TextDetector, pack_set, cache, configuration.paraphrase_model())
            if configuration.packs != intake.configuration.packs:
                await intake.configure(configuration, detector)
        except PackError as error:
            self._fail(str(error), mark)
        except Unavailable:
            # The journal is being mended: the packs have time.
            await asyncio.sleep(POLL_S / 4)
            self._asked.set()
        except Exception as error:
            log.exception("the packs could not be read again")
            self._fail(f"{folder}: the packs could not be read again ({error}). See the log.", mark)
        else:
            self.failed, self._taken = "", mark
            self.reloads += 1
            took = time.monotonic() - began
            log.info("packs %s decide from here on (ready in %.2f s)", detector.packs.hash[:12], took)

    def _fail(self, why: str, mark: _Mark) -> None:
        # Taken, so that it is not tried again before something changes.
        self.failed, self._taken = why, mark
        log.error("the packs were not taken, those before go on: %s", why)


def _mark(folder: Path) -> _Mark:
    found = []
    for path in sorted(folder.rglob("*.yaml")):
        try:
            status = path.stat()
        except OSError:
            continue  # gone since
        found.append((str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size))
    return tuple(found)
