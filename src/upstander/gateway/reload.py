"""Packs, policy and model read again while the service runs: new ones decide from the next event, broken ones never."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path

from upstander.detect.cache import cache_folder
from upstander.detect.packs import PackError
from upstander.detect.prepare import prepare
from upstander.detect.text import TextDetector
from upstander.gateway.configuration import configuration_of
from upstander.gateway.intake import Intake, Unavailable
from upstander.learn.registry import Registry
from upstander.policy.document import PolicyError
from upstander.settings import Settings, SettingsError

log = logging.getLogger(__name__)

#: How often the files are looked at. They count once they were the same twice.
POLL_S = 2.0

#: Name, times of change (nanoseconds; of what is in it, and of anything about it) and size of every file.
_Mark = tuple[tuple[str, int, int, int], ...]


class Reloader:
    """Watches the settings' packs, policy and models, and hands what changed to the intake when all of it is sound.

    ``failed`` says why what lies in the files is not what decides; it is empty when it is. Made before the files are
    first read, so that no change after that is missed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._polls = settings.packs_reload
        self.reloads = 0
        self.failed = ""
        self._asked = asyncio.Event()
        self._taken: _Mark = _mark(settings)

    def ask(self) -> None:
        """Read everything again now, whether or not it changed (SIGHUP)."""
        self._asked.set()

    async def watch(self, intake: Intake) -> None:
        """Until cancelled: read everything again when asked, and when a file changed."""
        before = self._taken
        while True:
            asked = await self._wait()
            now = await asyncio.to_thread(_mark, self._settings)
            settled = now == before
            before = now
            if asked or (self._polls and settled and now != self._taken):
                await self._reload(intake, now)

    async def _wait(self) -> bool:
        """Until asked (True) or the next poll (False)."""
        try:
            await asyncio.wait_for(self._asked.wait(), POLL_S if self._polls else None)
        except TimeoutError:
            return False
        self._asked.clear()
        return True

    async def _reload(self, intake: Intake, mark: _Mark) -> None:
        began = time.monotonic()
        try:
            configuration = await asyncio.to_thread(configuration_of, self._settings)
            if await asyncio.to_thread(_mark, self._settings) != mark:
                # Someone writes right now. What was read may be half old, half new.
                await asyncio.sleep(POLL_S / 4)
                self._asked.set()
                return
            cache, before = cache_folder(), intake.configuration
            pack_set = intake.runtime.detector.packs
            if configuration.packs != before.packs:
                pack_set = await prepare(configuration.packs, cache)
            detector = await asyncio.to_thread(TextDetector, pack_set, cache, configuration.paraphrase_model())
            if configuration != before:
                await intake.configure(configuration, detector)
        except (PackError, PolicyError, SettingsError) as error:
            self._fail(str(error), mark)
        except Unavailable:
            # The journal is being mended: this has time.
            await asyncio.sleep(POLL_S / 4)
            self._asked.set()
        except Exception as error:
            log.exception("packs and policy could not be read again")
            self._fail(f"packs and policy could not be read again ({error}). See the log.", mark)
        else:
            self.failed, self._taken = "", mark
            self.reloads += 1
            took = time.monotonic() - began
            names = detector.packs.hash[:12], configuration.policy[:12]
            log.info("packs %s and policy %s decide from here on (ready in %.2f s)", *names, took)

    def _fail(self, why: str, mark: _Mark) -> None:
        # Taken, so that it is not tried again before something changes.
        self.failed, self._taken = why, mark
        log.error("what changed was not taken, what decided before goes on: %s", why)


def _mark(settings: Settings) -> _Mark:
    watched = sorted(Path(settings.packs).rglob("*.yaml")) if settings.packs else []
    watched += [Path(settings.policy)] if settings.policy else []
    watched.append(Registry(settings.folder).ledger)
    found = []
    for path in watched:
        try:
            status = path.stat()
        except OSError:
            continue  # gone since, or not there yet
        found.append((str(path), status.st_mtime_ns, status.st_ctime_ns, status.st_size))
    return tuple(found)
