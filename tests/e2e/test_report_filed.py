"""From an `urgent` decision to a filed report in headless Chromium: a moderator drafts, a senior approves and files,
the service sends it to the fake CyberTipline with the sealed evidence. What the people do takes well under a minute."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Page, expect
from test_moderators_day import SAID, prepare, pressure, sign_in

from browsing import launched, needs_chromium, press, wrong
from support import serve, until
from upstander.reports.fake.hotline import Hotline
from upstander.reports.fake.server import FakeServer

pytestmark = needs_chromium

#: The people's part: keys and words, as fast as somebody who knows the pages (seconds, on an idle machine about 5).
HUMAN_S = 60
SETTINGS = """
[cases]
enabled = true
[reports]
enabled = true
[reports.reporter]
company = "Example Streams"
service = "Example Live"
first_name = "Robin"
last_name = "Reporter"
email = "safety@example.org"
[reports.ncmec]
url = "{url}"
username = "fake"
password_file = "password"
"""


def test_from_an_urgent_decision_to_a_filed_report(tmp_path: Path) -> None:
    hotline = Hotline()
    server = FakeServer(hotline)
    key = prepare(tmp_path)
    secret = tmp_path / "password"
    secret.write_text("fake")
    secret.chmod(0o600)
    with serve(tmp_path, SETTINGS.format(url=server.url)) as served, launched() as browser:
        mo, sen = sign_in(browser, served, "mo"), sign_in(browser, served, "sen")
        pressure(served, key)
        mo.goto(f"{served.url}/cases")
        expect(mo.locator("li.row").first).to_be_visible(timeout=30_000)
        began = time.monotonic()
        report = draft(mo)
        approve_and_file(sen, f"{served.url}{report}")
        took = time.monotonic() - began
        accessible(sen)
        until(lambda: hotline.finished, "the report to be there")
        until(lambda: _reload(sen) == "filed", "the page to say so")
        [there] = hotline.finished
        expect(sen.get_by_text(there.id).first).to_be_visible()
        press(sen, "u")
        expect(sen.get_by_text(f"ncmec {there.id}")).to_be_visible()
    server.close()
    assert took < HUMAN_S
    # The evidence went along, each file described, and the words are in the report.
    assert {file.name.split("-")[1] for file in there.files.values() if file.details} >= {"chat", "decision"}
    assert all(words in there.xml for words in SAID[:2]) and "<port>50123</port>" in there.xml
    # The moderator had unveiled the words of the case: those items, and no others, were looked at by a person.
    viewed = {file.name.split("-")[1]: "<fileViewedByEsp>true" in file.details for file in there.files.values()}
    assert viewed["chat"] and not viewed["decision"]


def draft(page: Page) -> str:
    """The moderator: open, unveil, claim, draft. The path of the report."""
    press(page, "j")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Case")
    press(page, "v")
    expect(page.locator("ol.words mark", has_text="parents home")).to_be_attached()
    press(page, "c")
    expect(page.locator(".row-head .tag").first).to_have_text("claimed: mo")
    press(page, "r")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Report case")
    accessible(page)
    page.get_by_label("Why it is reported").fill("asks a child to be alone, and to keep it secret")
    page.get_by_label("Screen name").fill("viewer 77")
    page.locator("#ip").fill("203.0.113.77")
    page.locator("#ip_port").fill("50123")
    page.get_by_role("button", name="Draft the report").click()
    expect(page.locator("#state")).to_have_text("drafted")
    expect(page.get_by_role("heading", name="Missing")).to_be_visible()
    assert page.get_by_role("button", name="Approve").count() == 0, "not one's own"
    return page.url.removeprefix(page.url.split("/reports/")[0])


def approve_and_file(page: Page, url: str) -> None:
    """The senior: look, approve, file."""
    page.goto(url)
    press(page, "v")
    expect(page.get_by_text("are your parents home").first).to_be_attached()
    press(page, "a")
    page.locator("#approve-why").fill("agreed")
    press(page, "Enter")
    expect(page.locator("#state")).to_have_text("approved")
    press(page, "t")
    expect(page.locator("#state")).not_to_have_text("approved")


def accessible(page: Page) -> None:
    """axe-core finds nothing, and nothing is wider than a telephone."""
    assert wrong(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1440, "height": 900})


def _reload(page: Page) -> str:
    page.wait_for_timeout(500)  # not so often that the console refuses
    page.reload()
    return page.locator("#state").inner_text()
