"""From settings to models, rules and orders: what every way of watching needs before it can begin."""

from __future__ import annotations

import importlib.util
from urllib.parse import quote, urlsplit

import msgspec

from upstander.watch import address, sandbox
from upstander.watch.address import Rules
from upstander.watch.age import AgeProcess
from upstander.watch.analyst import Models
from upstander.watch.errors import WatchError
from upstander.watch.faces import FaceBoxes
from upstander.watch.messages import Order
from upstander.watch.settings import WatchSettings
from upstander.watch.speech import Recogniser, load_model
from upstander.watch.voice import VoiceModel

#: Length of a clip, where media is kept.
CLIP_S = 5.0


def check() -> None:
    """Raise ``WatchError`` unless streams can be decoded, and decoders be walled in."""
    missing = [name for name in ("av", "numpy") if importlib.util.find_spec(name) is None]
    if missing:
        fix = "Run: pip install 'upstander[watch]'"
        raise WatchError(f"watching needs packages that are not installed ({', '.join(missing)}). {fix}")
    reason = sandbox.available()
    if reason:
        raise WatchError(f"decoders cannot be sandboxed: {reason}")


def models(settings: WatchSettings) -> Models:
    """The models that the settings ask for. Raises ``WatchError`` when one is not there."""
    check()
    made = Models(FaceBoxes() if settings.faces else None)
    if settings.faces and settings.age_command:
        made.age = AgeProcess(settings.age_command)
    if settings.speech:
        made.voice = VoiceModel()
        made.recogniser = Recogniser(load_model(settings.speech_model), settings.language)
    return made


def order(settings: WatchSettings, keep: bool = False) -> Order:
    """What every watcher's process is told, whatever its source."""
    return Order(
        way="",
        interval_s=settings.interval_s,
        pictures=settings.faces,
        sound=settings.speech or settings.fingerprint_days > 0,
        clip_s=CLIP_S if keep else 0.0,
        memory_mb=settings.memory_mb,
        read_s=min(10.0, settings.deadline_s / 2),
    )


def rules(settings: WatchSettings) -> Rules:
    """The rules for addresses: hosts that are listed, and those of the sources wherever they lie."""
    made = Rules(settings.hosts, settings.private_hosts)
    for url in settings.sources.values():
        parts = address.split(url.replace("{broadcast}", "x"))
        if parts.scheme not in address.SCHEMES:
            known = ", ".join(address.SCHEMES)
            raise WatchError(f"`sources` under [watch]: the scheme `{parts.scheme}` is not one of {known}.")
        made = made.with_host(parts.hostname or "", address.port_of(parts))
    return made


def address_of(settings: WatchSettings, platform: str, broadcast: str) -> str:
    """Where a broadcast's stream is; empty when nothing is said of its platform.

    The id comes from outside: it is quoted, and the host of the result is that of the settings.
    """
    template = settings.sources.get(platform, "")
    if not template:
        return ""
    url = template.replace("{broadcast}", quote(broadcast, safe="-_.~"))
    if urlsplit(url).netloc != urlsplit(template.replace("{broadcast}", "x")).netloc:
        raise WatchError(f"`sources` under [watch]: {{broadcast}} may not stand in the host of {template!r}.")
    return url


def typed(url: str, base: WatchSettings) -> Rules:
    """The rules for an address that a person typed: its host is allowed, wherever it lies."""
    parts = address.split(url)
    made = rules(msgspec.structs.replace(base, sources={}))
    if parts.scheme.lower() in address.SCHEMES:
        made = made.with_host(parts.hostname or "", address.port_of(parts))
    return made
