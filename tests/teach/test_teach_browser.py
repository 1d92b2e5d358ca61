"""The simulated stream in headless Chromium: a whole lesson, the keyboard, accessibility; nothing sent or kept."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from school import KEY, School

from browsing import AXE, WCAG, needs_chromium
from support import until


class Pages:
    """Pages in one browser; what they ask for and complain of is kept."""

    def __init__(self, browser: Any, school: School) -> None:
        self.browser, self.school = browser, school
        self.asked: list[str] = []
        self.problems: list[str] = []
        self.contexts: list[Any] = []

    def open(self, path: str, width: int = 1440, height: int = 900, **context: Any) -> Any:
        made = self.browser.new_context(viewport={"width": width, "height": height}, **context)
        # axe needs scripts of its own in the page; the policy is tested by what the page itself does.
        self.contexts.append(made)
        page = made.new_page()
        made.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("console", lambda message: self.problems.append(message.text) if message.type == "error" else None)
        page.goto(f"http://{self.school.host}{path}")
        page.wait_for_selector("html[data-ready]")
        return page

    def findings(self, page: Any) -> list[str]:
        page.evaluate(AXE.read_text(encoding="utf-8"))
        found = page.evaluate("tags => axe.run(document, { runOnly: tags })", WCAG)
        assert any(check["id"] == "color-contrast" for check in found["passes"])
        return [
            f"{each['id']}: {node['target']} {node['failureSummary']}"
            for each in found["violations"]
            for node in each["nodes"]
        ]


@pytest.fixture
def pages(browser: Any, school: School) -> Iterator[Pages]:
    made = Pages(browser, school)
    yield made
    for context in made.contexts:
        context.close()
    # A page that is cut off may try to get through before it is let: the browser logs that by itself.
    assert [text for text in made.problems if "net::ERR_INTERNET_DISCONNECTED" not in text] == []


def next_until(page: Any, school: School, position: int) -> None:
    while school.room.classroom.position < position:
        before = school.room.classroom.position
        page.click("[data-do=next]")
        until(lambda before=before: school.room.classroom.position > before, "the next line")  # type: ignore[misc]


@needs_chromium
def test_a_lesson_in_the_browser_from_the_code_to_the_look_back_asks_nobody_else_and_keeps_nothing(
    pages: Pages, school: School
) -> None:
    lead = pages.open(f"/teacher#{KEY}")
    assert pages.findings(lead) == []
    lead.get_by_role("button", name="Open a class: Dance requests").click()
    lead.wait_for_selector("#code")
    code = lead.text_content("#code")
    first = pages.open("/", 390, 844)
    assert pages.findings(first) == []
    first.fill("#code", code.lower())
    first.press("#code", "Enter")
    others = [pages.open(f"/#{code}", 390, 844, color_scheme="dark") for _ in range(4)]
    for page in others:
        page.click("#join button")
    until(lambda: school.room.classroom.results().pupils == 5, "five pupils")
    lead.click("[data-do=start]")
    lead.click("[data-do=pause]")
    next_until(lead, school, 17)
    for page in (first, *others):
        page.click(".line[data-index='16'] button")
        page.wait_for_selector("#sheet[open]")
        if page is others[0]:
            assert pages.findings(page) == []
        page.click("[data-tag=praise_hook]")
    lead.wait_for_selector(".tally .count:text('5')")
    next_until(lead, school, 19)
    first.wait_for_selector(".choices")
    for page in (first, *others):
        page.click("[data-choice=tell]")
    assert pages.findings(first) == []
    lead.wait_for_selector(".count-in:text('5 of 5')")
    assert pages.findings(lead) == []
    # The network is gone and comes back: the page does too, with what was tagged.
    context = first.context
    context.set_offline(True)
    first.evaluate("window.dispatchEvent(new Event('offline'))")
    first.wait_for_function("document.querySelector('#state').textContent.includes('connection is gone')")
    lead.click("[data-do=go_on]")
    context.set_offline(False)
    first.evaluate("window.dispatchEvent(new Event('online'))")
    first.wait_for_selector("#state:text('Connected')")
    assert first.locator(".mine:text('Over-the-top praise')").count() == 1
    lead.click("[data-do=look_back]")
    first.wait_for_selector("#debrief table")
    assert pages.findings(first) == []
    assert pages.findings(lead) == []
    for page in (first, lead):
        stored = page.evaluate(
            "async () => [localStorage.length, sessionStorage.length, document.cookie,"
            " (await indexedDB.databases()).length, (await navigator.serviceWorker?.getRegistrations() ?? []).length]"
        )
        assert stored == [0, 0, "", 0, 0]
    assert [each for context in pages.contexts for each in context.cookies()] == []
    lead.click("[data-do=end]")
    first.wait_for_selector("#over:not([hidden])")
    assert {url.split("/")[2] for url in pages.asked} == {school.host}


@needs_chromium
def test_a_click_is_not_lost_when_results_come_in_while_the_button_is_pressed(pages: Pages, school: School) -> None:
    lead = pages.open(f"/teacher#{KEY}")
    lead.get_by_role("button", name="Open a class: Fern draws a dragon").click()
    lead.wait_for_selector("#code")
    pupil = pages.open(f"/#{lead.text_content('#code')}", 390, 844)
    lead.hover("[data-do=start]")
    lead.mouse.down()
    pupil.click("#join button")
    lead.wait_for_selector("#pupils:text('1 pupils')")
    lead.mouse.up()
    until(lambda: school.room.classroom.phase == "playing", "the start")
    lead.click("[data-do=end]")


@needs_chromium
def test_the_keyboard_alone_is_enough_to_tag_a_line(pages: Pages, school: School) -> None:
    lead = pages.open(f"/teacher#{KEY}")
    lead.get_by_role("button", name="Open a class: Fern draws a dragon").click()
    lead.wait_for_selector("#code")
    pupil = pages.open("/", 390, 844)
    pupil.focus("#code")
    pupil.keyboard.type(lead.text_content("#code"))
    pupil.keyboard.press("Enter")
    pupil.wait_for_selector(".stage svg[role=img]")
    lead.click("[data-do=start]")
    lead.click("[data-do=pause]")
    next_until(lead, school, 10)
    pupil.focus(".line[data-index='9'] button")
    pupil.keyboard.press("Enter")
    pupil.wait_for_selector("#sheet[open]")
    pupil.keyboard.press("Tab")
    pupil.keyboard.press("Enter")
    until(lambda: school.room.classroom.results().tags, "the tag")
    pupil.keyboard.press("Escape")
    lead.click("[data-do=end]")
