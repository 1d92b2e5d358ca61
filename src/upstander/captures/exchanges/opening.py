"""From settings to an exchange: which contract it follows, where it is, what opens it."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

from upstander.captures.errors import CaptureError
from upstander.captures.exchanges import arachnid, ncmec, stopncii, tat
from upstander.captures.exchanges.base import Exchange, Http
from upstander.captures.exchanges.listed import Listed
from upstander.settings import ExchangeSettings, Settings, SettingsError, read_secret


def find(settings: Settings, name: str) -> ExchangeSettings:
    """The exchange of a name. Raises ``CaptureError`` when the settings have none."""
    for one in settings.exchanges:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in settings.exchanges) or "none"
    raise CaptureError(f"there is no exchange {name} under [[exchanges]] (there are: {known}). Add it to the settings.")


def _secret(one: ExchangeSettings) -> str:
    if not one.secret_file:
        raise CaptureError(f"`secret_file` of exchange {one.name} is missing. Put its password in a file of mode 600.")
    try:
        return read_secret(one.secret_file)
    except SettingsError as error:
        raise CaptureError(str(error)) from None


def open_exchange(
    one: ExchangeSettings, sleep: Callable[[float], None] = time.sleep, timeout_s: float = 60.0
) -> tuple[Exchange, Http]:
    """An exchange to fetch from, and its connection, to be closed. Raises ``CaptureError``."""
    how = {"sleep": sleep, "timeout_s": timeout_s}
    if one.kind == "ncmec":
        http = Http(one.url or ncmec.SERVER, auth=(one.user, _secret(one)), **how)  # type: ignore[arg-type]
        return ncmec.Ncmec(http, one.reason), http
    if one.kind == "stopncii":
        lines = _secret(one).splitlines()
        if len(lines) != 2:
            raise CaptureError(f"{one.secret_file}: two lines are needed, the subscription key and the function key.")
        headers = {"Ocp-Apim-Subscription-Key": lines[0].strip(), "x-functions-key": lines[1].strip()}
        http = Http(one.url or stopncii.SERVER, headers=headers, **how)  # type: ignore[arg-type]
        return stopncii.StopNcii(http), http
    if one.kind == "tat":
        http = Http(one.url or tat.SERVER, **how)  # type: ignore[arg-type]
        return tat.TechAgainstTerrorism(http, one.user, _secret(one)), http
    if one.kind == "list":
        if not one.url:
            raise CaptureError(f"`url` of exchange {one.name} is missing. Give the list's address.")
        parts = urlsplit(one.url)
        headers = {"Authorization": _secret(one)} if one.secret_file else {}
        http = Http(f"{parts.scheme}://{parts.netloc}", headers=headers, **how)  # type: ignore[arg-type]
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        return Listed(http, path, one.columns), http
    raise CaptureError(f"exchange {one.name} is not fetched but asked. Use: upstander exchange ask {one.name} FILE")


def open_shield(one: ExchangeSettings, sleep: Callable[[float], None] = time.sleep) -> tuple[arachnid.Shield, Http]:
    """Shield, and its connection, to be closed. Raises ``CaptureError``."""
    if one.kind != "arachnid":
        raise CaptureError(f"exchange {one.name} is not asked but fetched. Use: upstander exchange fetch {one.name}")
    http = Http(one.url or arachnid.SERVER, auth=(one.user, _secret(one)), sleep=sleep)
    return arachnid.Shield(http), http
