"""The live page in headless Chromium: signing in, updates, keyboard, narrow screens, nothing loaded from elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import Served, bearer, comment, ended, lines, make_key, serve, started
from upstander.gateway.keys import Scope

CHROMIUM = Path("/usr/bin/chromium")
if not CHROMIUM.exists():
    if os.environ.get("CI") == "true":
        raise RuntimeError("Debian's chromium is needed: scripts/apt.sh chromium")
    pytest.skip("Debian's chromium is not installed", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, str]]:
    folder = tmp_path_factory.mktemp("live")
    key = make_key(folder / "data", *Scope)
    with serve(folder) as running:
        yield running, key


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    made = context.new_page()
    problems: list[str] = []
    made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    made.on("pageerror", lambda error: problems.append(str(error)))
    yield made
    context.close()
    # The browser itself logs a refused (401) or broken (net::) stream; everything else is a fault of the page.
    assert [text for text in problems if "401" not in text and "net::" not in text] == []


def sign_in(page: Page, url: str, key: str) -> None:
    page.goto(f"{url}/live")
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#state")).to_have_text("live")


def press(url: str, key: str, broadcast: str) -> None:
    said = ("do a spin and ill send a gift", "dont tell your mom", "are your parents home")
    events = [started(f"s-{broadcast}", broadcast)]
    events += [comment(f"c{n}-{broadcast}", text, broadcast=broadcast, actor="v<b>1") for n, text in enumerate(said)]
    answer = httpx.post(f"{url}/v1/events", content=lines(*events), headers=bearer(key))
    assert answer.json()["accepted"] == 4


def test_signing_in_seeing_a_decision_and_signing_out(served: tuple[Served, str], page: Page) -> None:
    running, key = served
    sign_in(page, running.url, key)
    press(running.url, key, "first-<i>broadcast")
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
    expect(page.get_by_label("API key")).to_be_visible()


def test_the_keyboard_moves_between_broadcasts(served: tuple[Served, str], page: Page) -> None:
    running, key = served
    for name in ("k1", "k2"):
        press(running.url, key, name)
    sign_in(page, running.url, key)
    expect(page.locator("#broadcasts li.row").nth(1)).to_be_visible()
    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.dataset.key")
    page.keyboard.press("j")
    second = page.evaluate("document.activeElement.dataset.key")
    assert first
    assert second
    assert first != second
    press(running.url, key, "k3")
    expect(page.locator("#broadcasts li.row", has_text="k3")).to_be_visible()
    assert page.evaluate("document.activeElement.dataset.key") == second
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.dataset.key") != second


@pytest.mark.parametrize("width", [1440, 768, 390])
def test_nothing_runs_over_the_edge(served: tuple[Served, str], page: Page, width: int) -> None:
    running, key = served
    press(running.url, key, "a-broadcast-with-a-very-long-name-" + "x" * 120 + f"-{width}")
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{running.url}/live")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sign_in(page, running.url, key)
    expect(page.locator("#broadcasts li.row").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_nothing_is_loaded_from_elsewhere(served: tuple[Served, str], page: Page) -> None:
    running, key = served
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    sign_in(page, running.url, key)
    assert asked
    assert all(url.startswith((running.url, "data:")) for url in asked)


def test_a_ticket_opens_one_session_and_a_revoked_key_closes_it(served: tuple[Served, str], page: Page) -> None:
    from upstander.gateway.keys import KeyStore

    running, _ = served
    key = make_key(running.data, Scope.LIVE_READ)
    answer = httpx.post(f"{running.url}/live/ticket", headers=bearer(key))
    link = running.url + answer.json()["path"]
    page.goto(link)
    expect(page.locator("#state")).to_have_text("live")
    assert "ticket" not in page.url
    assert httpx.get(link).headers["location"] == "/live?refused=ticket"
    store = KeyStore(running.data / "keys.sqlite")
    store.revoke(key.split("_")[1])
    store.close()
    expect(page.get_by_label("API key")).to_be_visible(timeout=15_000)


def test_the_page_says_when_the_service_is_gone(tmp_path: Path, page: Page) -> None:
    key = make_key(tmp_path / "data", *Scope)
    with serve(tmp_path) as running:
        sign_in(page, running.url, key)
        running.kill()
        expect(page.locator("#state")).to_contain_text("connection lost")


def test_pages_are_not_for_framing_and_need_a_session(served: tuple[Served, str]) -> None:
    running, _ = served
    answer = httpx.get(f"{running.url}/live")
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-store"
    assert httpx.get(f"{running.url}/live/events").status_code == 401
    for cookie in ("", "x", "../.."):
        refused = httpx.get(f"{running.url}/live/events", cookies={"upstander_session": cookie})
        assert refused.status_code == 401
    without = make_key(running.data, Scope.EVENTS_WRITE)
    refused = httpx.post(f"{running.url}/live/session", data={"key": without})
    assert refused.headers["location"] == "/live?refused=key"
