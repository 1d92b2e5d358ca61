"""The report's page in headless Chromium: accessible, light and dark, nothing cut off."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from upstander.study.folder import create
from upstander.study.invented import fill
from upstander.study.page import as_html
from upstander.study.report import gather

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    if os.environ.get("CI") == "true":
        raise RuntimeError("Debian's chromium is needed: scripts/apt.sh chromium")
    pytest.skip("Debian's chromium is not installed", allow_module_level=True)

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from playwright.sync_api import Browser, sync_playwright  # noqa: E402

#: Parts of the page that are wider than the box they lie in.
CUT = "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("page")
    study = create(folder / "s", "Captures found in spring", date(2026, 3, 1), {})
    fill(study, 20_000)
    path = folder / "report.html"
    path.write_text(as_html(gather(study, date(2026, 11, 25))), encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_no_table_is_cut_off_on_a_desk(browser: Browser, address: str, scheme: str) -> None:
    tab = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    tab.goto(address)
    assert tab.evaluate(CUT) == []
    found = Axe().run(tab).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == []
    tab.close()


def test_a_telephone_scrolls_tables_and_not_the_page(browser: Browser, address: str) -> None:
    tab = browser.new_page(viewport={"width": 390, "height": 844})
    tab.goto(address)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    assert tab.evaluate("[...document.querySelectorAll('.wide')].every(e => e.tabIndex === 0)")
    tab.close()


def test_figures_are_as_wide_as_their_frame_and_have_a_name(browser: Browser, address: str) -> None:
    tab = browser.new_page(viewport={"width": 1440, "height": 900})
    tab.goto(address)
    drawn = tab.evaluate(
        "[...document.querySelectorAll('figure svg')].map(e => [e.getAttribute('aria-label'), e.clientWidth])"
    )
    assert len(drawn) == 6
    assert all(name and width > 500 for name, width in drawn)
    tab.close()
