"""What the tests of the console's pages of cases share: a site with people of each role and a case that was decided."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
from people_support import Browser, Clock, add

from support import comment, gateway, started
from upstander.cases.follow import Follower
from upstander.console.core import Console
from upstander.gateway.configuration import configuration_to_start
from upstander.people.permissions import Role
from upstander.runtime import Configuration
from upstander.settings import CareSettings, CaseSettings, ConsoleSettings, Settings
from upstander.vault import opening

#: Mild words that together reach at least `urgent` when one viewer writes them to a child.
PRESSING = (
    "are your parents home", "add me on the other app", "dont tell your mom", "do a spin and ill send a gift",
)  # fmt: skip
PEOPLE = {
    "mo": Role.MODERATOR,
    "max": Role.MODERATOR,
    "sen": Role.SENIOR,
    "sue": Role.SENIOR,
    "evi": Role.EVIDENCE,
    "ana": Role.ANALYST,
    "boss": Role.ADMINISTRATOR,
    "aud": Role.AUDITOR,
}
JSON = {"accept": "application/json"}


@dataclass
class Room:
    """A running console with a vault, and what a test does there."""

    gateway: Any
    console: Console
    clock: Clock

    def signed_in(self, name: str) -> Browser:
        browser = Browser(self.gateway.http._transport.app, "192.0.2.1")
        from upstander.people.model import Stage

        browser.session = self.console.sessions.open(name, Stage.FULL, "192.0.2.1")
        return browser

    async def press(self, broadcast: str = "b1", viewer: str = "v1", platform: str = "mysite") -> str:
        """A child's broadcast in which one viewer presses; the id of the case that it becomes."""
        events = [started(f"s-{broadcast}", broadcast)]
        events += [comment(f"c{n}-{broadcast}", text, broadcast, viewer) for n, text in enumerate(PRESSING)]
        assert (await self.gateway.post(events)).status_code == 200
        self.follow()
        return self.console.desk().case_id(platform, broadcast, viewer)

    def follow(self) -> None:
        follower = Follower(self.gateway.service.settings, self.console.desk(), self.console.vault())
        try:
            follower.catch_up()
        finally:
            follower.close()

    def acts(self, who: str) -> list[tuple[str, str]]:
        """What the ledger says that somebody did: act and subject, oldest first."""
        found = self.console.audit.search(who=who, limit=1_000)
        return [(entry.what, entry.subject) for entry in reversed(found)]


@asynccontextmanager
async def room(folder: Path, care: CareSettings | None = None, **cases: Any) -> AsyncIterator[Room]:
    """A console whose clock the test moves, with people of each role and a vault."""
    clock = Clock()
    settings = {"console": ConsoleSettings(), "cases": CaseSettings(**cases), "care": care or CareSettings()}
    with (
        mock.patch("upstander.gateway.service.configuration_to_start", _configuration),
        mock.patch("upstander.runtime.Configuration.detector", _detector),
    ):
        made = gateway(folder, **settings)
        running = await made.__aenter__()
    try:
        console = Console(running.service, clock)
        running.http._transport.app.state.console = console  # type: ignore[attr-defined]
        for connection in (console.people.connection, console.audit._connection, console.care.connection):
            connection.execute("PRAGMA synchronous = OFF")  # no power is lost here
        for name, role in PEOPLE.items():
            add(console.people, name, role)
        opening.create_vault(running.service.settings, "boss").close()
        try:
            yield Room(running, console, clock)
        finally:
            console.close()
    finally:
        await made.__aexit__(None, None, None)


_MADE = Configuration.detector


@lru_cache
def _detector(configuration: Configuration) -> Any:
    """The detector, made once: one test after the other uses it, and it holds nothing of a broadcast."""
    return _MADE(configuration)


@lru_cache
def _kept() -> Any:
    return configuration_to_start(Settings())


def _configuration(settings: Settings) -> Any:
    """The configuration that ships, read and tried once: that takes a second, and every test here has the same."""
    return _kept()


async def do(browser: Browser, case: str, act: str, **fields: Any) -> httpx.Response:
    """One act on a case by its form; the page that it leads to, or the one that says why not."""
    await browser.get(f"/cases/{case}")
    answer = await browser.post(f"/cases/{case}/{act}", fields)
    return await browser.get(answer.headers["location"]) if answer.status_code == 303 else answer


def plain(answer: httpx.Response) -> str:
    """The words on a page."""
    body = re.sub(r"<(script|style).*?</\1>", " ", answer.text, flags=re.S)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())
