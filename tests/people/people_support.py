"""What the tests of people and rights share: accounts, a browser without a screen, a clock that is set by hand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import httpx
import pyotp

from support import Gateway, gateway
from upstander.console.core import Console
from upstander.people.model import Stage
from upstander.people.passwords import hash_password
from upstander.people.permissions import Role
from upstander.people.store import People, now_ms
from upstander.settings import ConsoleSettings

PASSWORD = "seven quiet lanterns drifting"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
HTML = {"accept": "text/html"}


@lru_cache
def kept(password: str = PASSWORD) -> str:
    """The hash of a password, made once: each takes 64 MiB and a third of a second."""
    return hash_password(password, "nobody")


class Clock:
    """Epoch milliseconds that only move when a test says so."""

    def __init__(self) -> None:
        self.now = now_ms() // 30_000 * 30_000 + 5_000

    def __call__(self) -> int:
        return self.now

    def forward(self, *, seconds: float = 0, minutes: float = 0, hours: float = 0) -> None:
        self.now += int((seconds + 60 * minutes + 3600 * hours) * 1000)

    def code(self, secret: str = SECRET, steps: int = 0) -> str:
        """The code that an authenticator app shows now (or some steps off)."""
        return pyotp.TOTP(secret).generate_otp(self.now // 30_000 + steps)


def add(people: People, name: str, *roles: Role, factor: bool = True, **more: Any) -> None:
    """An account with ``PASSWORD`` and, unless told otherwise, with the second factor ``SECRET``."""
    people.add(name, roles, kept(), **more)
    if factor:
        people.set_totp(name, SECRET, 0)


@dataclass
class Site:
    """A running console with a clock."""

    gateway: Gateway
    console: Console
    clock: Clock

    def browser(self, source: str = "192.0.2.1") -> Browser:
        return Browser(self.gateway.http._transport.app, source)  # type: ignore[attr-defined]

    def signed_in(self, name: str, source: str = "192.0.2.1") -> Browser:
        """A browser with a full session, without going through the forms."""
        browser = self.browser(source)
        browser.session = self.console.sessions.open(name, Stage.FULL, source)
        return browser

    def acts(self, **wanted: str) -> list[tuple[str, str, str]]:
        """(who, what, subject or broadcast) of the ledger's entries, oldest first."""
        found = self.console.audit.search(limit=10_000, **wanted)  # type: ignore[arg-type]
        return [(entry.who, entry.what, entry.subject or entry.broadcast) for entry in reversed(found)]


class Browser:
    """Keeps cookies, and sends the form token of the page that it looked at last."""

    def __init__(self, app: Any, source: str, scheme: str = "http") -> None:
        transport = httpx.ASGITransport(app, client=(source, 50_000), raise_app_exceptions=True)
        self.http = httpx.AsyncClient(transport=transport, base_url=f"{scheme}://console.test", headers=HTML)
        self.last: httpx.Response | None = None

    @property
    def session(self) -> str:
        return self.http.cookies.get("upstander_session", "")

    @session.setter
    def session(self, token: str) -> None:
        self.http.cookies.set("upstander_session", token, domain="console.test")

    @property
    def token(self) -> str:
        assert self.last is not None
        found = re.search('name="form-token" content="([0-9a-f]+)"', self.last.text)
        assert found is not None, self.last.text[:300]
        return found.group(1)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        answer = await self.http.get(path, **more)
        if 'name="form-token"' in answer.text:
            self.last = answer
        return answer

    async def post(self, path: str, fields: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        if self.last is None:
            await self.get("/sign-in", follow_redirects=True)
        answer = await self.http.post(path, data={"form_token": self.token, **(fields or {})}, **more)
        if answer.status_code == 303:
            self.last = None  # the next form is on the page that it leads to
        elif 'name="form-token"' in answer.text:
            self.last = answer
        return answer

    async def sign_in(self, name: str, password: str = PASSWORD, code: str = "") -> httpx.Response:
        await self.get("/sign-in")
        return await self.post("/sign-in", {"name": name, "password": password, "code": code})


@asynccontextmanager
async def site(folder: Path, people: Iterable[tuple[str, Role]] = (), **settings: Any) -> AsyncIterator[Site]:
    """A console whose clock the test moves, with these accounts."""
    clock = Clock()
    async with gateway(folder, console=ConsoleSettings(**settings)) as running:
        console = Console(running.service, clock)
        running.http._transport.app.state.console = console  # type: ignore[attr-defined]
        for name, role in people:
            add(console.people, name, role)
        try:
            yield Site(running, console, clock)
        finally:
            console.close()
