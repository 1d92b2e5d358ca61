"""The service: everything that runs together in one process, started and stopped in order."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

from upstander.adapters.base import Adapter
from upstander.adapters.matrix.adapter import CAPABILITIES, MatrixAdapter
from upstander.adapters.nginx_rtmp import NginxRtmpAdapter
from upstander.adapters.webhook import WebhookAdapter
from upstander.adapters.xmpp import CAPABILITIES as XMPP_CAPABILITIES
from upstander.adapters.xmpp import XmppAdapter
from upstander.gateway import companions
from upstander.gateway.configuration import configuration_to_start
from upstander.gateway.intake import Intake, Overloaded, Unavailable
from upstander.gateway.keys import KeyStore
from upstander.gateway.metrics import Metrics
from upstander.gateway.reload import Reloader
from upstander.gateway.wall import Wall
from upstander.journal import lock
from upstander.journal.recovery import Progress
from upstander.model.wire import WireError, decode_event
from upstander.outbox.dispatcher import Dispatcher
from upstander.settings import AdapterSettings, Settings, SettingsError, read_secret

log = logging.getLogger(__name__)


def adapter_of(settings: AdapterSettings) -> Adapter:
    """The adapter that a section of the settings describes."""
    secret = read_secret(settings.secret_file)
    if settings.kind == "nginx_rtmp":
        return NginxRtmpAdapter(settings.name, settings.platform, settings.control_url, settings.app)
    capabilities = frozenset(settings.capabilities)
    try:
        if settings.kind == "matrix":
            return MatrixAdapter(
                settings.name,
                settings.platform,
                settings.url,
                secret,
                capabilities or CAPABILITIES,
                settings.moderators_room,
                settings.nudge_text,
                settings.warning_text,
            )
        if settings.kind == "xmpp":
            return XmppAdapter(
                settings.name,
                settings.platform,
                settings.jid,
                secret,
                settings.url,
                capabilities or XMPP_CAPABILITIES,
                settings.moderators_jid,
                settings.nudge_text,
                settings.warning_text,
            )
        return WebhookAdapter(settings.name, settings.platform, settings.url, secret, capabilities)
    except ImportError:
        fix = f"Run: pip install 'upstander[{settings.kind}]'"
        raise SettingsError(f"adapter `{settings.name}` needs packages that are not installed. {fix}") from None
    except ValueError as error:
        raise SettingsError(f"adapter `{settings.name}`: {settings.secret_file}: {error}") from None


class Service:
    """One running Upstander."""

    def __init__(self, settings: Settings, adapters: Sequence[Adapter] | None = None) -> None:
        self.settings = settings
        self.adapters = list(adapters) if adapters is not None else [adapter_of(a) for a in settings.adapters]
        self.secrets = {a.name: read_secret(a.secret_file) for a in settings.adapters if a.kind == "nginx_rtmp"}
        self.reloader = Reloader(settings)
        configuration, self.reloader.failed = configuration_to_start(settings)
        self.intake = Intake(settings, configuration, self.adapters)
        self.metrics = Metrics(self)
        self.wall = Wall()
        self.dispatcher: Dispatcher
        self.keys: KeyStore
        self.streams = 0
        #: what watches video and audio, when something does
        self.attendant: Any = None
        self.ready = False
        #: set when a signal asks the service to stop: long answers end
        self.draining = False
        self._lock: int | None = None
        self._watchers: list[asyncio.Task[None]] = []

    async def start(self, progress: Progress | None = None) -> None:
        """Lock the data folder, recover, and begin to take events and send actions."""
        beside = companions.chosen(self.settings, self._pass_event)
        self._take_lock()
        self.keys = KeyStore(self.settings.keys_path)
        await self.intake.start(progress)
        self.dispatcher = Dispatcher(self.intake.journal, {adapter.name: adapter for adapter in self.adapters})
        self.intake.on_actions = self.dispatcher.wake
        self.dispatcher.start()
        self.wall.fill(self.intake.runtime)
        self._watchers = [
            asyncio.create_task(self.wall.follow(self.intake.hub), name="wall"),
            asyncio.create_task(self._mark_ended(), name="wall ends"),
            asyncio.create_task(self.metrics.watch_rate(), name="rate"),
            asyncio.create_task(self.reloader.watch(self.intake), name="packs"),
        ]
        # The writer's thread must not wait 5 ms (the default) for the interpreter lock after every fsync.
        sys.setswitchinterval(0.0005)
        # What was loaded so far lives as long as the process: the collector need not look at it again, and with
        # fewer, larger collections none of them shows in the 99th percentile.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self.ready = True
        self._watchers += [
            asyncio.create_task(companions.kept(name, companion, self), name=name) for name, companion in beside.items()
        ]
        if self.reloader.failed:
            log.error("the packs are broken, those that decided last go on: %s", self.reloader.failed)

    async def stop(self) -> None:
        """Finish what was begun, then close everything."""
        self.ready = False
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        await self.dispatcher.stop()
        await self.intake.stop()
        for adapter in self.adapters:
            await adapter.close()
        self.keys.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _pass_event(self, platform: str, body: bytes) -> bool:
        """A verdict, or a capture that was recognised, becomes an event of the journal. True when it is one, or never
        can be."""
        event = decode_event(body)
        try:
            accepted = await self.intake.observe(platform, [(1, body, event)])
        except (Overloaded, Unavailable):
            return False
        if isinstance(accepted[0], WireError):
            log.error("an event of this service was refused: %s", accepted[0])
        return True

    async def _mark_ended(self) -> None:
        while True:
            await asyncio.sleep(0.5)
            self.wall.mark_ended(self.intake.runtime)

    def _take_lock(self) -> None:
        """Two writers would tear the hash chain: one process a data folder."""
        folder = self.settings.folder
        try:
            self._lock = lock.take(folder)
        except BlockingIOError:
            reason = f"another Upstander is running on the data folder {folder}"
            raise SettingsError(f"{reason}. Stop it, or set `data` to another folder.") from None
        except OSError as error:
            reason = f"the data folder {folder} cannot be used ({error.strerror})"
            raise SettingsError(f"{reason}. Check the path and its rights.") from None
