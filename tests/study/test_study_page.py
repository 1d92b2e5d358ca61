"""The report's page in headless Chromium: accessible, light and dark, nothing cut off."""

from __future__ import annotations

from datetime import date

import pytest
from playwright.sync_api import Browser

from browsing import needs_chromium, wrong
from upstander.study.folder import create
from upstander.study.invented import fill
from upstander.study.page import as_html
from upstander.study.report import gather

pytestmark = needs_chromium

#: Parts of the page that are wider than the box they lie in.
CUT = "[...document.querySelectorAll('.wide')].filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"


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
    assert wrong(tab) == []
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
