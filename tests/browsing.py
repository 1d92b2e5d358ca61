"""Headless Chromium for the tests that look at pages: how it is started, how keys are pressed, what axe-core finds."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = Path(str(importlib.util.find_spec("axe_playwright_python").origin)).with_name("axe.min.js")  # type: ignore[union-attr]
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
#: Where a machine without Debian's chromium skips; under CI it does not get that far.
needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="Debian's chromium is not installed")
if not CHROMIUM.exists() and os.environ.get("CI") == "true":
    raise RuntimeError("Debian's chromium is needed: scripts/apt.sh chromium")


@contextmanager
def launched() -> Iterator[Browser]:
    """A browser, closed in the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


@contextmanager
def opened(browser: Browser, *expected: str) -> Iterator[Page]:
    """A page on a desk, where nothing but what is ``expected`` in the browser's own words may go wrong."""
    made = browser.new_context(viewport={"width": 1440, "height": 900}).new_page()
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    made.context.close()
    assert [text for text in problems if not any(words in text for words in expected)] == []


def press(page: Page, *keys: str) -> None:
    """Press keys one after another, each once the page is whole: what is typed before its scripts run is lost."""
    for key in keys:
        page.wait_for_load_state()
        page.keyboard.press(key)


def write(page: Page, text: str) -> None:
    """Type a text, once the page is whole."""
    page.wait_for_load_state()
    page.keyboard.type(text)


def wrong(page: Page) -> list[tuple[str, str, list[str]]]:
    """What axe-core finds: impact, rule, and where."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = page.evaluate("tags => axe.run(document, { runOnly: tags })", WCAG)
    assert len(found["passes"]) > 10, "axe looked at the page"
    return [
        (each["impact"], each["id"], [node["html"][:160] for node in each["nodes"]]) for each in found["violations"]
    ]
