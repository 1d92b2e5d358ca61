"""The service's task: sends what was filed, raises alarms, tells cases. And the parts of it, for the command line."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec

from upstander.cases.follow import open_desk
from upstander.cases.model import CaseError
from upstander.reports import cybertip
from upstander.reports.cybertip import CyberTip
from upstander.reports.evidence import VaultEvidence
from upstander.reports.model import ReportError
from upstander.reports.office import Office, now_ms
from upstander.reports.sender import Sender
from upstander.reports.settings import NcmecSettings
from upstander.reports.settle import Settler
from upstander.reports.store import Store
from upstander.settings import Settings, SettingsError, read_secret
from upstander.vault.errors import VaultError
from upstander.vault.opening import open_vault

log = logging.getLogger(__name__)
POLL_S, TRIES_S = 1.0, 5.0


def reports_path(settings: Settings) -> Path:
    """The reports' file."""
    return settings.folder / "reports.sqlite3"


def client_of(settings: NcmecSettings, transport: httpx.BaseTransport | None = None) -> CyberTip:
    """The client that the settings name. Raises ``ReportError`` when something is missing."""
    url = settings.url or (cybertip.PRODUCTION if settings.environment == "production" else cybertip.TEST)
    if not settings.password_file:
        raise ReportError("`password_file` under [reports.ncmec] is missing. Put the password of NCMEC in a file.")
    try:
        password = read_secret(settings.password_file)
    except SettingsError as error:
        raise ReportError(str(error)) from None
    return CyberTip(url, settings.username, password, settings.timeout_s, transport)


@contextmanager
def office_of(settings: Settings) -> Iterator[Office]:
    """The office of these settings, with its files; they are closed at the end."""
    vault = open_vault(settings)
    try:
        desk = open_desk(settings)
        store = Store(reports_path(settings))
    except (CaseError, ReportError):
        vault.close()
        raise
    try:
        yield Office(store, VaultEvidence(vault), desk, settings)
    finally:
        store.close()
        desk.store.close()
        vault.close()


@contextmanager
def only_one(settings: Settings) -> Iterator[None]:
    """One sender a data folder: two might open one report twice. Raises ``BlockingIOError`` when there is one."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(settings.folder / "reports.lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        # The kernel lets go of it when the process ends, however it ends.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def sender_of(office: Office, settings: Settings) -> Sender:
    """What sends, for an office."""
    client = client_of(settings.reports.ncmec)
    return Sender(office.store, office.evidence, client, settings.reports, settings.folder, now_ms)


def settler_of(office: Office, settings: Settings) -> Settler:
    """What does the rest, for an office."""
    return Settler(office.store, office.evidence, office.desk, settings.reports, now_ms)


def send_now(settings: Settings, office: Office) -> int:
    """Work off what is due, once; how many reports came to an end. Raises ``BlockingIOError`` when a service does."""
    with only_one(settings):
        sender = sender_of(office, settings)
        try:
            ended = sender.run()
        finally:
            sender.client.close()
        settler_of(office, settings).sweep()
        return ended


async def run(settings: Settings) -> None:
    """Send and alarm until cancelled: the service's task. A fault is logged by its kind and tried again."""
    halted = threading.Event()
    working: asyncio.Future[None] | None = None
    try:
        while True:
            working = asyncio.ensure_future(asyncio.to_thread(_work, settings, halted))
            await asyncio.shield(working)
            await asyncio.sleep(TRIES_S)
    finally:
        halted.set()
        if working is not None:
            await asyncio.wait([working])


def _work(settings: Settings, halted: threading.Event) -> None:
    """One stretch of work, until there is a fault. What is logged of one is its kind: messages may name people."""
    try:
        with only_one(settings), office_of(settings) as office:
            _see_through(settings, office, halted)
    except BlockingIOError:
        log.warning("reports: another process sends them from this data folder")
    except (ReportError, CaseError, VaultError, sqlite3.Error, OSError, msgspec.MsgspecError) as error:
        log.error("reports: %s (tried again in %g s; see `upstander report check`)", type(error).__name__, TRIES_S)


def _see_through(settings: Settings, office: Office, halted: threading.Event) -> None:
    """Send and settle until told to stop. What cannot be sent for want of a password still alarms."""
    sender, settler = None, settler_of(office, settings)
    if settings.reports.ncmec.username:
        try:
            sender = sender_of(office, settings)
        except ReportError as error:
            log.error("reports: nothing is sent: %s", error)  # about the settings: it names nobody
    try:
        while not halted.is_set():
            if sender is not None:
                sender.run(halted.is_set)
            settler.sweep()
            halted.wait(POLL_S)
    finally:
        if sender is not None:
            sender.client.close()
