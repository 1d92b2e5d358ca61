"""A lesson with thirty pupils in thirty browser contexts: how long until the class sees what one of it did.

Measured in the pages themselves, all on this machine with the server and Chromium: from a pupil's tap on a tag to the
count on the teacher's page, and from the teacher's click to the line on all thirty pages. Limits: the median of each at
most 150 ms; every pupil is back after a loss of the network with what they had tagged; the counts are right.
"""

from __future__ import annotations

import asyncio
import socket
import statistics
import threading
import time
from typing import Any

import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from common import emit
from upstander.teach.server import create_app

PUPILS = 30
KEY = "a-teacher-key-for-measuring"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-background-timer-throttling",
         "--disable-backgrounding-occluded-windows", "--disable-renderer-backgrounding"]  # fmt: skip
TAGS = ("praise_hook", "praise_hook", "tag_kind")
LINES = 10
#: Notes, by the page's own wall clock (ms), when the chat gets a line and when the teacher's counts change.
WATCH = """() => {
  window.lines = {}; window.totals = {};
  new MutationObserver(() => {
    for (const line of document.querySelectorAll(".line")) window.lines[line.dataset.index] ??= Date.now();
    let total = 0;
    for (const count of document.querySelectorAll(".tally .count")) total += Number(count.textContent);
    window.totals[total] ??= Date.now();
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}"""


def serve() -> tuple[str, Any]:
    """A server in a thread; its address and its room."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app = create_app(KEY)
    server = uvicorn.Server(uvicorn.Config(app, access_log=False, log_level="warning", ws="websockets-sansio"))
    threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True).start()
    while not server.started:
        time.sleep(0.02)
    return f"http://127.0.0.1:{listener.getsockname()[1]}", app.state.room


async def pupil(browser: Browser, origin: str, code: str) -> Page:
    context = await browser.new_context(viewport={"width": 390, "height": 844})
    page = await context.new_page()
    await page.goto(f"{origin}/#{code}")
    await page.click("#join button")
    await page.wait_for_selector(".stage svg[role=img]")
    await page.evaluate(WATCH)
    return page


async def lines_to_pupils(lead: Page, pages: list[Page], room: Any) -> list[float]:
    """Milliseconds from the teacher's click to the line on each pupil's page."""
    took = []
    for _ in range(LINES):
        index = room.classroom.position
        clicked = await lead.evaluate(
            "() => { const at = Date.now(); document.querySelector('[data-do=next]').click(); return at; }"
        )
        for page in pages:
            await page.wait_for_function("index => window.lines[index]", arg=str(index), polling=20)
            took.append(await page.evaluate("index => window.lines[index]", str(index)) - clicked)
        await asyncio.sleep(0.1)
    return took


async def tags_to_teacher(lead: Page, pages: list[Page]) -> list[float]:
    """Milliseconds from each pupil's tap on a tag to the count on the teacher's page."""
    took = []
    for number, page in enumerate(pages):
        await page.locator(".line[data-index='16'] button").click()
        tapped = await page.evaluate(
            "tag => { const at = Date.now(); document.querySelector(`[data-tag=${tag}]`).click(); return at; }",
            TAGS[number % len(TAGS)],
        )
        await lead.wait_for_function("total => window.totals[total]", arg=str(number + 1), polling=20)
        took.append(await lead.evaluate("total => window.totals[total]", str(number + 1)) - tapped)
    return took


async def losses(pages: list[Page]) -> tuple[list[float], int]:
    """Milliseconds that each page takes to come back once the network does, and how many have their tag."""
    took = []
    for page in pages:
        await page.context.set_offline(True)
        await page.wait_for_function(
            "() => document.querySelector('#state').textContent.includes('connection is gone')"
        )
        await page.context.set_offline(False)
        began = time.perf_counter()
        await page.wait_for_function("() => document.querySelector('#state').textContent === 'Paused'", polling=20)
        took.append((time.perf_counter() - began) * 1000)
    kept = [await page.locator(".line.tagged").count() for page in pages]
    return took, sum(each == 1 for each in kept)


async def lesson() -> dict[str, Any]:
    origin, room = serve()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        lead = await browser.new_page(viewport={"width": 1440, "height": 900})
        await lead.goto(f"{origin}/teacher#{KEY}")
        await lead.get_by_role("button", name="Open a class: Dance requests").click()
        await lead.wait_for_selector("#code")
        await lead.evaluate(WATCH)
        code = await lead.text_content("#code")
        assert code
        began = time.perf_counter()
        pages = [await pupil(browser, origin, code) for _ in range(PUPILS)]
        joining = time.perf_counter() - began
        while room.engine == "loading":
            await asyncio.sleep(0.2)
        await lead.click("[data-do=start]")
        await lead.click("[data-do=pause]")
        while room.classroom.position < 7:
            await lead.click("[data-do=next]")
        arriving = await lines_to_pupils(lead, pages, room)
        tagging = await tags_to_teacher(lead, pages)
        back, kept = await losses(pages)
        results = room.classroom.results()
        await browser.close()
    return {
        "joining_s": joining, "line_ms": arriving, "tag_ms": tagging, "back_ms": back, "kept": kept,
        "right": results.pupils == PUPILS and results.tags == {16: {"praise_hook": 20, "tag_kind": 10}},
        "engine": room.engine,
    }  # fmt: skip


def main() -> None:
    found = asyncio.run(lesson())
    median = {name: statistics.median(found[name]) for name in ("line_ms", "tag_ms", "back_ms")}
    emit(
        "classroom",
        {
            "median line_ms <= 150": median["line_ms"] <= 150,
            "median tag_ms <= 150": median["tag_ms"] <= 150,
            "all back with their tags": found["kept"] == PUPILS,
            "results right": found["right"],
        },
        pupils=PUPILS,
        **{f"{name}_median": round(value, 1) for name, value in median.items()},
        **{f"{name}_most": round(max(found[name]), 1) for name in median},
        joining_s=round(found["joining_s"], 1),
        back_with_tags=found["kept"],
        engine=found["engine"],
    )


if __name__ == "__main__":
    main()
