"""Watching as a task of the service: the attendant, and the keeper where there is something to seal into."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from upstander.settings import Settings, SettingsError
from upstander.watch import start
from upstander.watch.attend import Attendant
from upstander.watch.errors import WatchError
from upstander.watch.fingerprint import library

if TYPE_CHECKING:
    from upstander.gateway.service import Service

log = logging.getLogger(__name__)


def check(settings: Settings) -> None:
    """Raise ``SettingsError`` when what the settings ask for cannot be: said at the start, not in the night."""
    watch = settings.watch
    try:
        start.check()
        start.rules(watch)
        if watch.fingerprint_days:
            library()
    except WatchError as error:
        raise SettingsError(str(error)) from None
    if not watch.sources:
        fix = 'Name where streams are, such as mysite = "rtmp://127.0.0.1/live/{broadcast}".'
        raise SettingsError(f"`enabled` under [watch], but [watch.sources] names no platform. {fix}")
    if not watch.keep:
        return
    try:
        from upstander.vault import opening  # (only what the extra `console` brings)
    except ImportError:
        raise SettingsError(
            "[[watch.keep]] needs the vault's packages. Run: pip install 'upstander[console]'"
        ) from None
    if not opening.exists(settings):
        raise SettingsError("[[watch.keep]]: there is no vault to seal into. Make one with: upstander vault init")
    if not settings.cases.enabled:
        raise SettingsError("[[watch.keep]]: media is kept with a case only. Set `enabled` under [cases].")
    platforms = [keep.platform for keep in watch.keep]
    if len(set(platforms)) < len(platforms):
        raise SettingsError("[[watch.keep]]: a platform is listed twice. Give each one jurisdiction.")


async def run(service: Service) -> None:
    """Watch until cancelled. What goes wrong is logged and tried again: chat goes on without pictures."""
    settings, intake = service.settings, service.intake
    while True:
        attendant = Attendant(settings, intake)
        service.attendant = attendant
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(attendant.run())
                if settings.cases.enabled:
                    tasks.create_task(_seal(settings, service, attendant))
        except* Exception:
            log.exception("watch: watching broke off; begun anew in 5 s")
        await asyncio.sleep(5)


async def _seal(settings: Settings, service: Service, attendant: Attendant) -> None:
    from upstander.cases import follow
    from upstander.watch.keep import Keeper

    desk = follow.open_desk(settings)
    try:
        keeper = Keeper(settings, attendant.clips, attendant.transcripts, attendant.band)
        await keeper.follow(service.intake.hub, desk.case_id)
    finally:
        desk.store.close()
