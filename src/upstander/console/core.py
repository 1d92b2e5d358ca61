"""What the console's pages share while the service runs: accounts, sessions, the ledger, the counts at the door."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from starlette.requests import HTTPConnection

from upstander.care.store import Care
from upstander.cases.desk import Desk
from upstander.cases.follow import open_desk
from upstander.gateway.intake import Unavailable
from upstander.gateway.service import Service
from upstander.journal.entries import Kind
from upstander.people.anchors import Anchor
from upstander.people.audit import Audit, Note
from upstander.people.door import Door, Rate
from upstander.people.passkeys import Passkeys
from upstander.people.provider import Provider
from upstander.people.sessions import Sessions
from upstander.people.store import People, now_ms
from upstander.policy.coverage import Finding
from upstander.settings import read_secret
from upstander.vault.opening import open_vault
from upstander.vault.vault import Vault

log = logging.getLogger(__name__)
T = TypeVar("T")

#: The journal is told how far the ledger is this often, when it has grown.
ANCHOR_S = 300
#: Hashing a password takes 64 MiB: so many at a time, however many ask.
HASHED_AT_ONCE = 2


class Console:
    """Opens the files of a service's data folder. ``clock`` gives epoch milliseconds. ``close`` when done."""

    def __init__(self, service: Service, clock: Callable[[], int] = now_ms) -> None:
        settings = service.settings.console
        self.service, self.clock, self.settings = service, clock, settings
        self.people = People(service.settings.people_path, clock)
        self.audit = Audit(service.settings.audit_path, clock, settings.many_broadcasts)
        self.sessions = Sessions(self.people, settings.idle_minutes * 60_000, settings.session_hours * 3_600_000)
        self.door = Door(clock)
        self.sign_ins, self.refusals = Rate(30, clock), Rate(1, clock)
        self.strangers, self.visits = Rate(300, clock), Rate(600, clock)
        self.passkeys = Passkeys(self.people, settings.url, clock) if settings.url else None
        provider = settings.provider
        secret = read_secret(provider.secret_file) if provider.issuer else ""
        self.provider = Provider(provider, secret, settings.url) if provider.issuer else None
        #: secrets of second factors that are being set up, by session
        self.setting_up: dict[str, str] = {}
        self.care = Care(service.settings.care_path, service.settings.care, clock)
        self._desk: Desk | None = None
        self._vault: Vault | None = None
        self._opening = threading.Lock()
        #: what other parts keep open: made under ``opening``, closed at the end
        self.opening = threading.Lock()
        self.reports: Any = None
        self.on_close: list[Callable[[], None]] = []
        #: what presets ask for against what runs, by configuration; and one back-test at a time
        self.coverage: dict[str, list[Finding]] = {}
        self.testing = asyncio.Lock()
        self._hashing = asyncio.Semaphore(HASHED_AT_ONCE)
        self._anchored = 0

    def close(self) -> None:
        """Close the files."""
        for close in self.on_close:
            close()
        self.people.close()
        self.audit.close()
        self.care.close()
        if self._desk is not None:
            self._desk.store.close()
        if self._vault is not None:
            self._vault.close()

    def desk(self) -> Desk:
        """The cases, opened at their first use. Raises ``CaseError``."""
        with self._opening:
            if self._desk is None:
                self._desk = open_desk(self.service.settings)
            return self._desk

    def vault(self) -> Vault:
        """The evidence vault, opened at its first use. Raises ``VaultError`` when there is none, or no key to it."""
        with self._opening:
            if self._vault is None:
                self._vault = open_vault(self.service.settings)
            return self._vault

    async def note(self, *notes: Note) -> None:
        """Write into the ledger; it is durable when this returns."""
        if notes:
            await asyncio.to_thread(self.audit.append, *notes)

    async def hashing(self, function: Callable[..., T], *arguments: str) -> T:
        """Run what hashes a password in a thread, few at a time."""
        async with self._hashing:
            return await asyncio.to_thread(function, *arguments)

    async def anchor(self) -> None:
        """Tell the journal how far the ledger is, when it has grown since."""
        seq, head = self.audit.head()
        if seq > self._anchored:
            with contextlib.suppress(Unavailable):
                await self.service.intake.record(Kind.AUDIT, "", "", Anchor(seq, head))
                self._anchored = seq

    async def keep_anchoring(self) -> None:
        """``anchor`` every few minutes, until cancelled."""
        while True:
            await asyncio.sleep(ANCHOR_S)
            await self.anchor()


def console_of(connection: HTTPConnection) -> Console:
    """The console of the running service, opened at its first use."""
    state = connection.app.state
    if getattr(state, "console", None) is None:
        state.console = Console(state.service)
    console: Console = state.console
    return console


def text_of(form: Mapping[str, list[str]], name: str) -> str:
    """A field of a form, without the spaces around it; empty when it was not sent."""
    return form.get(name, [""])[0].strip()
