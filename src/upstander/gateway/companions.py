"""What runs beside the intake where the settings ask for it: cases, captures, watching, cards, reports.

Each is a task of its own, from an extra that a lean install lacks. None may take the intake down or end unnoticed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from upstander.settings import Settings, SettingsError

if TYPE_CHECKING:
    from upstander.gateway.service import Service

log = logging.getLogger(__name__)

#: A companion that broke off begins anew after this long.
AGAIN_S = 5.0
#: Runs until it is cancelled.
Companion = Callable[["Service"], Coroutine[Any, Any, None]]
#: Takes an event of this service to the journal: of a platform, as JSON. True when it is there, or never can be.
Deliver = Callable[[str, bytes], Awaitable[bool]]


def chosen(settings: Settings, deliver: Deliver) -> dict[str, Companion]:
    """The companions that the settings ask for, by name. Raises ``SettingsError`` when one of them cannot run."""
    loaders: dict[str, tuple[bool, str, str, Callable[[], Companion]]] = {
        "cases": (settings.cases.enabled, "`enabled` under [cases]", "console", lambda: _cases(settings, deliver)),
        "captures": (
            settings.captures.enabled, "`enabled` under [captures]", "captures", lambda: _captures(settings, deliver)
        ),
        "watch": (settings.watch.enabled, "`enabled` under [watch]", "watch", lambda: _watching(settings)),
        "cards": (any(each.card_url for each in settings.adapters), "`card_url` of an adapter", "watch", _cards),
        "reports": (settings.reports.enabled, "`enabled` under [reports]", "reports", lambda: _reports(settings)),
    }  # fmt: skip
    found = {}
    for name, (wanted, setting, extra, load) in loaders.items():
        if not wanted:
            continue
        try:
            found[name] = load()
        except ImportError:
            fix = f"Run: pip install 'upstander[{extra}]'"
            raise SettingsError(f"{setting} needs packages that are not installed. {fix}") from None
    return found


async def kept(name: str, companion: Companion, service: Service) -> None:
    """Run a companion until cancelled; what it does not handle itself is logged, and it begins anew."""
    while True:
        try:
            await companion(service)
            log.error("%s ended, which it never should; begun anew in %g s", name, AGAIN_S)
        except Exception:
            log.exception("%s broke off; begun anew in %g s", name, AGAIN_S)
        await asyncio.sleep(AGAIN_S)


def _cases(settings: Settings, deliver: Deliver) -> Companion:
    """What opens cases and seals evidence. A vault that was never there is the settings' fault; one that cannot be
    opened later must not leave broadcasts unwatched."""
    from upstander.cases import follow

    if not follow.ready(settings):
        reason = f"`enabled` under [cases]: there is no vault in {settings.folder}"
        raise SettingsError(f"{reason}. Make one with: upstander vault init")
    return lambda service: follow.run(service.settings, deliver)


def _captures(settings: Settings, deliver: Deliver) -> Companion:
    """What keeps and matches fingerprints."""
    from upstander.captures import follow

    return lambda service: follow.run(service.settings, deliver)


def _watching(settings: Settings) -> Companion:
    """What watches the video and audio of live broadcasts."""
    from upstander.watch import attached

    attached.check(settings)
    return attached.run


def _cards() -> Companion:
    """What shows a card in place of a paused stream."""
    from upstander.watch import cards

    return lambda service: cards.Cards(service).run()


def _reports(settings: Settings) -> Companion:
    """What sends reports and raises their alarms."""
    from upstander.reports import follow

    return lambda service: follow.run(service.settings)
