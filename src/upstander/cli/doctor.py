"""``upstander doctor``: what is installed, configured and reachable."""

from __future__ import annotations

import asyncio
import importlib.metadata
import os
import platform
import shutil
import socket
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from upstander import __version__
from upstander.adapters.xmpp_link import Failed, XmppLink
from upstander.cli.common import config_option, print_json
from upstander.detect.packs import PackError
from upstander.detect.paraphrase import why_missing
from upstander.gateway.configuration import configuration_of
from upstander.policy.document import PolicyError
from upstander.settings import AdapterSettings, Settings, SettingsError, load, read_secret

EXAMPLES = """
\b
Examples:
  upstander doctor
  upstander doctor --config upstander.toml --json
"""
PACKAGES = (
    "msgspec",
    "hyperscan",
    "phonenumbers",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "websockets",
    "httpx",
)


class Finding(msgspec.Struct, frozen=True):
    """One check: what, ``ok``/``warning``/``problem``, what was found, and what to do about it."""

    what: str
    state: str
    found: str
    fix: str = ""


@click.command("doctor", epilog=EXAMPLES)
@config_option
@click.option("--json", "as_json", is_flag=True)
def command(config: Path | None, data: str | None, as_json: bool) -> None:
    """Check the installation, the settings, the data folder and what the adapters talk to.

    Exit status: 0 when there is no problem (warnings are allowed), 1 when there is.
    """
    findings = list(_check(config, data))
    if as_json:
        print_json([msgspec.to_builtins(finding) for finding in findings])
    else:
        table = Table(box=None, show_header=False)
        for finding in findings:
            mark = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "problem": "[bold red]problem[/]"}
            text = finding.found + (f"\n-> {finding.fix}" if finding.fix else "")
            table.add_row(mark[finding.state], finding.what, Text(text))
        Console().print(table)
    if any(finding.state == "problem" for finding in findings):
        raise click.exceptions.Exit(1)


def _check(config: Path | None, data: str | None) -> Iterator[Finding]:
    yield Finding("upstander", "ok", f"{__version__} on Python {platform.python_version()}, {platform.system()}")
    yield from _packages()
    path = config or (Path("upstander.toml") if Path("upstander.toml").exists() else None)
    try:
        settings = load(path)
    except SettingsError as error:
        yield Finding("settings", "problem", str(error))
        return
    if data:
        settings = msgspec.structs.replace(settings, data=data)
    yield Finding("settings", "ok", str(path) if path else "built-in defaults (no upstander.toml here)")
    yield from _decides(settings)
    yield from _folder(settings)
    yield _port(settings)
    if settings.watch.enabled:
        yield _watch(settings)
    for adapter in settings.adapters:
        yield from _adapter(adapter)
    if not settings.adapters:
        fix = "Add [[adapters]] to the settings to have interventions sent to your platform."
        yield Finding("adapters", "warning", "none: decisions leave through the stream only", fix)


def _packages() -> Iterator[Finding]:
    missing, found = [], []
    for name in PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield Finding("packages", "problem", f"missing: {', '.join(missing)}", "Run: make setup")
    else:
        yield Finding("packages", "ok", ", ".join(found))
    yield Finding("sqlite", "ok", sqlite3.sqlite_version)


def _watch(settings: Settings) -> Finding:
    """Whether what [watch] asks for can be."""
    from upstander.watch import attached  # noqa: PLC0415 (only where it is asked for)

    try:
        attached.check(settings)
    except SettingsError as error:
        return Finding("watch", "problem", str(error))
    return Finding("watch", "ok", f"streams of {', '.join(settings.watch.sources)}; decoders can be sandboxed")


def _decides(settings: Settings) -> Iterator[Finding]:
    """All that decides: packs, paraphrase model, policy, presets."""
    try:
        began = time.perf_counter()
        configuration = configuration_of(settings)
        packs = configuration.detector().packs
        took = time.perf_counter() - began
    except PackError as error:
        yield Finding("packs", "problem", str(error), "Mend the pack; the service keeps none that is broken.")
        return
    except PolicyError as error:
        yield Finding("policy", "problem", str(error), "Run: upstander policy check FILE")
        return
    except SettingsError as error:
        yield Finding("settings", "problem", str(error))
        return
    languages = ", ".join(sorted({pattern.language for pattern in packs.patterns}))
    what = f"{len(packs.patterns):,} patterns ({languages}), ready in {took:.2f} s, hash {packs.hash[:12]}"
    yield Finding("packs", "ok", what)
    if configuration.paraphrase:
        yield Finding("paraphrase", "ok", f"model {configuration.paraphrase[:12]}")
    else:
        yield Finding("paraphrase", "warning", f"off: {why_missing()}")
    rules = configuration.rules()
    yield Finding("policy", "ok", f"{rules.tables.name}, {len(rules.tables.rules)} rules, hash {rules.hash[:12]}")
    if configuration.presets:
        yield Finding("presets", "ok", ", ".join(configuration.presets))
    else:
        fix = "Name those of the places you serve in `use` under [presets], or leave it out for the strictest."
        yield Finding("presets", "warning", "none: nothing is asked for when a child's broadcast begins", fix)


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.folder
    place = folder
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK):
        yield Finding("data folder", "problem", f"{place} cannot be written", "Set `data` to a folder of yours.")
        return
    free = shutil.disk_usage(place).free / 2**30
    state = "ok" if free > 5 else "warning"
    yield Finding("data folder", state, f"{folder}, {free:,.0f} GiB free", "" if free > 5 else "Free some space.")
    if folder.exists() and folder.stat().st_mode & 0o077:
        yield Finding("data folder", "warning", "others can read it", f"Run: chmod 700 {folder}")
    yield _fsync(place)
    if settings.journal_path.exists():
        size = settings.journal_path.stat().st_size / 2**20
        yield Finding("journal", "ok", f"{settings.journal_path}, {size:,.1f} MiB")


def _fsync(place: Path) -> Finding:
    """How long the disk takes to make a block durable: it bounds how fast a decision can be acknowledged."""
    times = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(30):
            file.write(b"x" * 4096)
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append((time.perf_counter() - began) * 1000)
    times.sort()
    slow = times[28] > 15
    fix = "Decisions wait for the disk: use a faster one for `data`." if slow else ""
    return Finding("fsync", "warning" if slow else "ok", f"median {times[15]:.2f} ms, worst {times[-1]:.2f} ms", fix)


def _port(settings: Settings) -> Finding:
    host, port = settings.server.host, settings.server.port
    try:
        answer = httpx.get(f"http://{host}:{port}/readyz", timeout=2)
        return Finding("service", "ok", f"{host}:{port} answers: {answer.text[:60]}")
    except httpx.HTTPError:
        pass
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        except OSError as error:
            return Finding("service", "problem", f"{host}:{port} is taken ({error.strerror})", "Choose another port.")
    return Finding("service", "ok", f"not running; {host}:{port} is free")


def _adapter(adapter: AdapterSettings) -> Iterator[Finding]:
    what = f"adapter {adapter.name}"
    try:
        secret = read_secret(adapter.secret_file)
    except SettingsError as error:
        yield Finding(what, "problem", str(error))
        return
    if adapter.kind == "xmpp":
        yield _xmpp(adapter, secret)
        return
    address, headers = adapter.url or adapter.control_url, {}
    if adapter.kind == "matrix":
        address = f"{adapter.url.rstrip('/')}/_matrix/client/v3/account/whoami"
        headers = {"authorization": f"Bearer {secret}"}
    try:
        answer = httpx.get(address, headers=headers, timeout=3)
    except httpx.HTTPError as error:
        yield Finding(what, "problem", f"{address} does not answer ({type(error).__name__})", "Is it running?")
        return
    if adapter.kind == "matrix" and answer.status_code != 200:
        fix = "Is `url` the homeserver's address, and does `secret_file` hold the moderation account's access token?"
        yield Finding(what, "problem", f"{address} answered {answer.status_code}", fix)
        return
    yield Finding(what, "ok", f"{adapter.kind} at {address} answers ({answer.status_code} to a plain GET)")


def _xmpp(adapter: AdapterSettings, password: str) -> Finding:
    """Whether the moderation account can log in. Only a room's own answer could say that mod_upstander is loaded."""

    async def log_in(link: XmppLink) -> None:
        try:
            await link.log_in()
        finally:
            await link.close()

    what, where = f"adapter {adapter.name}", adapter.url or f"the server of {adapter.jid}"
    try:
        asyncio.run(log_in(XmppLink(adapter.jid, password, adapter.url)))
    except ImportError:
        return Finding(what, "problem", "slixmpp is not installed", "Run: pip install 'upstander[xmpp]'")
    except (ValueError, Failed) as error:
        return Finding(what, "problem", f"{where}: {error}", "Is it running, and does `secret_file` hold the password?")
    return Finding(what, "ok", f"xmpp: {adapter.jid} can log in at {where}")
