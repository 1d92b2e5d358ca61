"""Every page of cases in headless Chromium: axe-core, dark and light, wide and narrow; and the keys that work there."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from console_support import PEOPLE, PRESSING, fill_banks
from people_support import add
from playwright.sync_api import Browser, Page, expect

from browsing import needs_chromium, opened, press, write, wrong
from support import UPSTANDER, Served, bearer, comment, lines, make_key, serve, started, until
from upstander.cases.desk import Desk
from upstander.cases.states import Act
from upstander.cases.store import Store
from upstander.people.model import Stage
from upstander.people.sessions import Sessions
from upstander.people.store import People
from upstander.settings import Settings

pytestmark = needs_chromium

TOML = "[cases]\nenabled = true\n[care]\nsecond_share = 1.0\n"
#: Page -> who looks, and where; {0}, {1}, … are cases.
PAGES = {
    "queue": ("sen", "/cases"),
    "queue-empty": ("sen", "/cases?state=filed"),
    "case": ("sen", "/cases/{0}"),
    "case-unveiled": ("mo", "/cases/{0}"),
    "case-claimed": ("mo", "/cases/{1}"),
    "case-to-approve": ("sen", "/cases/{2}"),
    "evidence": ("evi", "/cases/{0}/evidence"),
    "item": ("evi", "/evidence/{item}"),
    "item-unveiled": ("sue", "/evidence/{item}"),
    "reviews": ("max", "/reviews"),
    "reviews-none": ("mo", "/reviews"),
    "care": ("sen", "/care"),
    "policy": ("ana", "/policy"),
    "banks": ("sen", "/banks"),
    "banks-to-read": ("ana", "/banks"),
}


class Seeded:
    """A service with cases in several states."""

    def __init__(self, served: Served, cases: list[str], item: str) -> None:
        self.served, self.url, self.cases, self.item = served, served.url, cases, item

    def path(self, path: str) -> str:
        return path.format(*self.cases, item=self.item)


def token(data: Path, name: str) -> str:
    people = People(data / "people.sqlite3")
    made = Sessions(people, 3_600_000, 3_600_000).open(name, Stage.FULL, "192.0.2.7", "Chromium")
    people.close()
    return made


@pytest.fixture(scope="module")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    folder = tmp_path_factory.mktemp("console")
    data = folder / "data"
    people = People(data / "people.sqlite3")
    for name, role in PEOPLE.items():
        add(people, name, role)
    people.close()
    key = make_key(data)
    subprocess.run([str(UPSTANDER), "vault", "init", "--data", "data"], cwd=folder, check=True, capture_output=True)
    settings = Settings(data=str(data))
    fill_banks(settings)
    with serve(folder, TOML) as served:
        events = []
        for n in range(5):
            events.append(started(f"s{n}", f"evening-stream-{n}"))
            for m, text in enumerate(("hello everybody", *PRESSING, "nice song")):
                viewer = "viewer-77" if m % 3 or n < 2 else f"viewer-{n}"
                events.append(comment(f"c{n}-{m}", text, f"evening-stream-{n}", viewer))
        answer = httpx.post(f"{served.url}/v1/events", content=lines(*events), headers=bearer(key), timeout=60)
        assert answer.status_code == 200
        desk = until(lambda: (data / "cases.sqlite3").exists() and Desk(Store(data / "cases.sqlite3")))
        until(lambda: len(desk.store.select("1")) >= 5, "cases")
        cases = [case.id for case in desk.store.select("1", order="broadcast, rank, id")]
        for case in cases[1:4]:
            desk.act(case, Act.CLAIM, "mo", "")
        desk.act(cases[1], Act.NOTE, "mo", "asked the platform for the viewer's other accounts")
        desk.act(cases[2], Act.ESCALATE, "mo", "the same pressure in three broadcasts")
        desk.act(cases[3], Act.CLOSE, "mo", "friends who joke", outcome="benign")
        desk.store.close()
        listed = _get(served, "evi", f"/cases/{cases[0]}/evidence")
        item = next(each["address"] for each in listed["items"] if each["part"] == "chat")
        made = Seeded(served, cases, item)
        _unveil(served, "mo", f"/cases/{cases[0]}")
        _unveil(served, "sue", f"/evidence/{item}")
        yield made


def _get(served: Served, name: str, path: str) -> dict[str, list[dict[str, str]]]:
    jar = {"upstander_session": token(served.data, name)}
    answer = httpx.get(served.url + path, headers={"accept": "application/json"}, cookies=jar, timeout=30)
    assert answer.status_code == 200, answer.text
    found: dict[str, list[dict[str, str]]] = answer.json()
    return found


def _unveil(served: Served, name: str, path: str) -> None:
    jar = {"upstander_session": token(served.data, name)}
    headers = {"accept": "application/json"}
    told = httpx.get(served.url + path, headers=headers, cookies=jar, timeout=30)
    headers["x-form-token"] = told.headers["x-form-token"]
    assert httpx.post(f"{served.url}{path}/unveil", headers=headers, cookies=jar, timeout=30).status_code == 200


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with opened(browser, "the server responded with a status") as made:
        yield made


def open_page(page: Page, seeded: Seeded, name: str) -> None:
    person, path = PAGES[name]
    page.context.clear_cookies()
    session = token(seeded.served.data, person)
    page.context.add_cookies([{"name": "upstander_session", "value": session, "url": seeded.url}])
    page.goto(seeded.url + seeded.path(path))


@pytest.mark.parametrize("name", list(PAGES))
def test_no_serious_finding_and_nothing_over_the_edge(seeded: Seeded, page: Page, name: str) -> None:
    open_page(page, seeded, name)
    for details in page.locator("details").all():
        details.evaluate("details => details.open = true")
    look(page)


def look(page: Page) -> None:
    """axe-core in both colours and widths, and nothing over the edge."""
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (scheme, width)
            serious = [each for each in wrong(page) if each[0] in ("serious", "critical")]
            assert serious == [], (scheme, width)


def test_the_queue_and_a_case_work_by_keyboard_alone(seeded: Seeded, page: Page) -> None:
    open_page(page, seeded, "queue")
    rows = page.locator("li.row")
    expect(rows.first).to_be_visible()
    press(page, "j")
    first = page.evaluate("document.activeElement.dataset.key")
    assert first in seeded.cases
    press(page, "x")
    expect(page.locator("input[name=case]:checked")).to_have_count(1)
    press(page, "x")
    press(page, "b")
    assert page.evaluate("document.activeElement.id") == "act"
    press(page, "Escape")
    page.goto(f"{seeded.url}/cases/{seeded.cases[4]}")
    press(page, "c")
    expect(page.locator(".row-head .tag", has_text="claimed: sen")).to_be_visible()
    press(page, "n")
    write(page, "a note with j, k and x in it")
    press(page, "Enter")
    expect(page.get_by_text("a note with j, k and x in it")).to_be_visible()
    press(page, "v")
    expect(page.locator("ol.words li").first).to_be_visible()
    press(page, "x")
    press(page, "Tab")
    press(page, "Tab")
    write(page, "nothing but a song")
    press(page, "Enter")
    expect(page.get_by_text("Verdict: harmful")).to_be_visible()
    press(page, "Backspace")
    expect(page.locator(".row-head .tag", has_text="claimed: sen")).to_be_visible()
    press(page, "l")
    press(page, "u")
    expect(page.get_by_role("heading", level=1)).to_have_text("Cases")


def test_many_at_once_by_keyboard_and_the_pages_on_the_way(seeded: Seeded, page: Page) -> None:
    open_page(page, seeded, "queue")
    expect(page.locator("li.row").first).to_be_visible()
    for box in page.locator("input[name=case]").all():
        box.check()
    press(page, "b")
    page.locator("#act").select_option("note")
    page.locator("#bulk-why").fill("looked at together")
    page.get_by_role("button", name="Show what it would do").click()
    expect(page.get_by_text("Nothing was done yet.")).to_be_visible()
    look(page)
    press(page, "y")
    expect(page.get_by_role("heading", level=1)).to_contain_text("done to")
    look(page)
    page.get_by_label("Why it is taken back").fill("only a test")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("as they were")


def test_slow_reveal_clears_one_line_at_a_time(seeded: Seeded, page: Page) -> None:
    open_page(page, seeded, "case-unveiled")
    line = page.locator("ol.words li").first
    blurred = "node => getComputedStyle(node.querySelector('.said')).filter"
    assert "blur" in line.evaluate(blurred)
    line.focus()
    expect(line.locator(".said")).to_have_css("filter", "none")
    assert "blur" in page.locator("ol.words li").nth(1).evaluate(blurred)
    # What fired is underlined and named in words, not by colour alone.
    expect(page.locator("ol.words mark").first).to_be_attached()
    expect(page.locator("ol.words .named").first).to_be_attached()
