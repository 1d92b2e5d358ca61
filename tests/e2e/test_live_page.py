"""The live page in headless Chromium: signing in, updates, keyboard, narrow screens, nothing loaded from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pyotp
import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import needs_chromium, opened, press
from support import Served, bearer, comment, ended, lines, make_key, serve, started
from upstander.gateway.keys import Scope
from upstander.people.audit import Audit
from upstander.people.model import Stage
from upstander.people.passwords import hash_password
from upstander.people.permissions import Role
from upstander.people.sessions import Sessions
from upstander.people.store import People

PASSWORD = "seven quiet lanterns drifting"
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    folder = tmp_path_factory.mktemp("live")
    key = make_key(folder / "data", *Scope)
    add_moderator(folder / "data")
    with serve(folder) as running:
        yield running, key


def add_moderator(data: Path) -> None:
    people = People(data / "people.sqlite3")
    people.add("ada", [Role.MODERATOR], hash_password(PASSWORD, "ada"))
    people.set_totp("ada", SECRET, 0)
    people.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # The browser itself logs a refused (401) or broken (net::) stream; everything else is a fault of the page.
    with opened(browser, "401", "net::") as made:
        yield made


def sign_in(page: Page, running: Served) -> None:
    """Open the wall with a session of ada's; the way through the forms is tested once, below."""
    people = People(running.data / "people.sqlite3")
    token = Sessions(people, 3_600_000, 3_600_000).open("ada", Stage.FULL)
    people.close()
    page.context.add_cookies([{"name": "upstander_session", "value": token, "url": running.url}])
    page.goto(f"{running.url}/live")
    expect(page.locator("#state")).to_have_text("live")


def pressure(url: str, key: str, broadcast: str) -> None:
    said = ("do a spin and ill send a gift", "dont tell your mom", "are your parents home")
    events = [started(f"s-{broadcast}", broadcast)]
    events += [comment(f"c{n}-{broadcast}", text, broadcast=broadcast, actor="v<b>1") for n, text in enumerate(said)]
    answer = httpx.post(f"{url}/v1/events", content=lines(*events), headers=bearer(key))
    assert answer.json()["accepted"] == 4


def test_signing_in_seeing_a_decision_and_signing_out(served: tuple[Served, str], page: Page) -> None:
    running, key = served
    page.goto(running.url)
    page.get_by_label("Name").fill("ada")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code from your app").fill(pyotp.TOTP(SECRET).now())
    press(page, "Enter")
    expect(page.locator("#state")).to_have_text("live")
    pressure(running.url, key, "first-<i>broadcast")
    row = page.locator("#broadcasts li.row", has_text="first-<i>broadcast")
    expect(row).to_be_visible()
    # Names go in as text: no markup of a viewer's or host's becomes part of the page.
    assert page.locator("#broadcasts i").count() == 0
    expect(page.locator("#decisions")).to_contain_text("v<b>1")
    expect(page.locator("#decisions")).to_contain_text("asks whether a grown-up is near")
    for words in ("do a spin", "are your parents home"):
        assert words not in page.content(), "chat text is not shown on the wall"
    httpx.post(f"{running.url}/v1/events", content=lines(ended("end-f", "first-<i>broadcast")), headers=bearer(key))
    expect(row).to_contain_text("ended")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Password")).to_be_visible()


def test_the_keyboard_moves_between_broadcasts(served: tuple[Served, str], page: Page) -> None:
    running, key = served
    for name in ("k1", "k2"):
        pressure(running.url, key, name)
    sign_in(page, running)
    expect(page.locator("#broadcasts li.row").nth(1)).to_be_visible()
    press(page, "j")
    first = page.evaluate("document.activeElement.dataset.key")
    press(page, "j")
    second = page.evaluate("document.activeElement.dataset.key")
    assert first
    assert second
    assert first != second
    pressure(running.url, key, "k3")
    expect(page.locator("#broadcasts li.row", has_text="k3")).to_be_visible()
    assert page.evaluate("document.activeElement.dataset.key") == second
    press(page, "k")
    assert page.evaluate("document.activeElement.dataset.key") != second


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_nothing_runs_over_the_edge(served: tuple[Served, str], page: Page, width: int) -> None:
    running, key = served
    pressure(running.url, key, "a-broadcast-with-a-very-long-name-" + "x" * 120 + f"-{width}")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{running.url}/live")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sign_in(page, running)
    expect(page.locator("#broadcasts li.row").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_loaded_from_elsewhere(served: tuple[Served, str], page: Page) -> None:
    running, _ = served
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, running)
    assert asked
    assert all(url.startswith((running.url, "data:")) for url in asked)


def test_a_session_that_is_ended_elsewhere_closes_the_wall(served: tuple[Served, str], page: Page) -> None:
    running, _ = served
    sign_in(page, running)
    people = People(running.data / "people.sqlite3")
    people.end_sessions("ada")
    people.close()
    expect(page.get_by_label("Password")).to_be_visible(timeout=15_000)


def test_the_keyboard_opens_a_broadcast_and_the_look_is_in_the_ledger(served: tuple[Served, str], page: Page) -> None:
    running, key = served
    pressure(running.url, key, "a/b <i>c")
    sign_in(page, running)
    expect(page.locator("#broadcasts li.row", has_text="a/b <i>c")).to_be_visible()
    rows = page.locator("#broadcasts li.row").all_inner_texts()
    for _ in range(1 + next(n for n, text in enumerate(rows) if "a/b <i>c" in text)):
        press(page, "j")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("a/b <i>c")
    expect(page.get_by_text("asks whether a grown-up is near").first).to_be_visible()
    assert "are your parents home" not in page.content(), "chat text is not shown here either"
    page.get_by_label("Order", exact=True).select_option("pause")
    page.get_by_label("Reason").fill("a test")
    page.get_by_role("button", name="Give the order").click()
    expect(page.get_by_text("paused on mysite")).to_be_visible()
    audit = Audit(running.data / "audit.sqlite3")
    found = [(entry.who, entry.what, entry.detail) for entry in audit.search(broadcast="a/b <i>c")]
    audit.close()
    assert ("ada", "order given", "pause: a test") in found
    assert ("ada", "broadcast viewed", "") in found
    assert ("ada", "shown on the wall", "") in found


def test_the_page_says_when_the_service_is_gone(tmp_path: Path, page: Page) -> None:
    add_moderator(tmp_path / "data")
    with serve(tmp_path) as running:
        sign_in(page, running)
        running.kill()
        expect(page.locator("#state")).to_contain_text("connection lost")


def test_pages_are_not_for_framing_and_need_a_session(served: tuple[Served, str]) -> None:
    running, _ = served
    answer = httpx.get(f"{running.url}/sign-in")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert httpx.get(f"{running.url}/live", headers={"accept": "text/html"}).headers["location"] == "/sign-in"
    stream = {"accept": "text/event-stream"}
    assert httpx.get(f"{running.url}/live/events", headers=stream).status_code == 401
    for cookie in ("", "x", "../.."):
        jar = {"upstander_session": cookie}
        assert httpx.get(f"{running.url}/live/events", headers=stream, cookies=jar).status_code == 401
    without = make_key(running.data, Scope.EVENTS_WRITE)
    assert httpx.get(f"{running.url}/live/events", headers=bearer(without)).status_code == 403
