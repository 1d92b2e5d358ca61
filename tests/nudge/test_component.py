"""``<upstander-nudge>`` in headless Chromium: keyboard, speech, contrast, motion, zoom, nothing loaded or let in."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from browsing import AXE, WCAG, needs_chromium
from upstander.gateway.nudges import component
from upstander.model.vocabulary import AgeBand
from upstander.nudge.cards import shipped
from upstander.nudge.choose import make_card
from upstander.nudge.preview import page as preview_page

pytestmark = needs_chromium


STRICT = "default-src 'none'; script-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types"
PAGE = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>A stream</title><main><h1>My stream</h1><label>Say something <input id="say"></label></main>
<upstander-nudge id="nudge"></upstander-nudge><script type="module" src="/upstander-nudge.js"></script>
<script type="module" src="/page.js"></script></html>"""
SCRIPT = b"""window.told = [];
for (const what of ["shown", "dismissed", "action"])
  document.addEventListener(`upstander-nudge-${what}`, (event) => window.told.push([what, event.detail]));
window.ready = true;"""


def card(topic: str = "dare", band: str = "10_12", language: str = "en", country: str = "GB", **more: Any) -> Any:
    sheet = shipped().sheets[language, topic]
    made = make_card(shipped(), sheet, AgeBand(band), country, "a" * 32)
    return json.loads(msgspec.json.encode(made)) | more


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    """A page of a platform that embeds the component, under as strict a policy as there is."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            kind, body = {
                "/": ("text/html", PAGE.encode()),
                "/upstander-nudge.js": ("text/javascript", component()),
                "/page.js": ("text/javascript", SCRIPT),
                "/preview": ("text/html", preview_page(shipped(), "GB").encode()),
            }.get(path, ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("content-type", f"{kind}; charset=utf-8")
            if path == "/" and "plain" not in self.path:
                self.send_header("content-security-policy", STRICT)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


Open = Callable[..., Page]


@pytest.fixture
def open_page(browser: Browser, origin: str) -> Iterator[Open]:
    """Opens pages; what a page complains of fails its test, unless the test takes it from ``page.problems``."""
    opened: list[tuple[Page, list[str]]] = []

    def open_one(path: str = "/", width: int = 1440, height: int = 900, **context: Any) -> Page:
        made = browser.new_context(viewport={"width": width, "height": height}, **context).new_page()
        problems: list[str] = []
        made.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        made.on("pageerror", lambda error: problems.append(str(error)))
        made.problems = problems  # type: ignore[attr-defined]
        made.requests = []  # type: ignore[attr-defined]
        made.on("request", lambda request: made.requests.append(request.url))  # type: ignore[attr-defined]
        made.goto(origin + path)
        if path.startswith("/?") or path == "/":
            made.wait_for_function("window.ready === true")
        opened.append((made, problems))
        return made

    yield open_one
    for page, problems in opened:
        page.context.close()
        assert [text for text in problems if "favicon" not in text and "404" not in text] == []


def show(page: Page, payload: Any) -> None:
    page.evaluate("card => { document.getElementById('nudge').payload = card; }", payload)


def told(page: Page) -> list[Any]:
    return list(page.evaluate("window.told"))


def inside(page: Page) -> str:
    """What has the keyboard inside the card: its text, or the name of its element."""
    script = """() => { const e = document.getElementById('nudge').shadowRoot.activeElement;
      return e === null ? '' : e.tagName === 'SECTION' ? 'card' : e.textContent; }"""
    return str(page.evaluate(script))


def findings(page: Page) -> list[str]:
    """What axe-core finds wrong, one line each."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("tags => axe.run(document, { runOnly: tags })", WCAG)
    assert any(check["id"] == "color-contrast" for check in found["passes"]), "axe looked at the card"
    return [
        f"{each['impact']} {each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


# -- what it tells, and what it takes ------------------------------------------------------------------------------


def test_it_shows_a_card_tells_the_page_and_loads_nothing(open_page: Open, origin: str) -> None:
    page = open_page()
    expect(page.locator("#nudge")).to_be_hidden()
    show(page, card())
    expect(page.get_by_role("dialog", name="You can skip this one")).to_be_visible()
    (what, detail) = told(page)[0]
    assert (what, detail["id"]) == ("shown", "a" * 32)
    assert 0 <= detail["after_ms"] < 1_000
    allowed = {"/", "/upstander-nudge.js", "/page.js", "/favicon.ico"}
    assert {url.removeprefix(origin) for url in page.requests} <= allowed  # type: ignore[attr-defined]
    assert page.evaluate("document.querySelectorAll('style, link[rel=stylesheet]').length") == 0


def test_a_calm_card_leaves_the_keyboard_alone_and_is_spoken_politely(open_page: Open) -> None:
    page = open_page()
    page.locator("#say").focus()
    show(page, card())
    page.keyboard.type("hello")
    assert page.locator("#say").input_value() == "hello"
    status = page.locator("#nudge [role=status]")
    expect(status).to_contain_text("You can skip this one. Someone dared you")
    assert status.get_attribute("aria-live") == "polite"


def test_a_grave_card_takes_the_keyboard_and_gives_it_back(open_page: Open) -> None:
    page = open_page()
    page.locator("#say").focus()
    show(page, card("threat"))
    dialog = page.get_by_role("alertdialog", name="You are not alone in this")
    expect(dialog).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#nudge")).to_be_hidden()
    expect(page.locator("#say")).to_be_focused()
    assert [(what, detail.get("by")) for what, detail in told(page)] == [("shown", None), ("dismissed", "escape")]


def test_the_keyboard_reaches_everything_in_order(open_page: Open) -> None:
    page = open_page()
    show(page, card("threat"))
    seen = []
    for _ in range(9):
        page.keyboard.press("Tab")
        if not inside(page):
            break
        seen.append(inside(page))
        outline = page.evaluate(
            "getComputedStyle(document.getElementById('nudge').shadowRoot.activeElement).outlineStyle"
        )
        assert outline == "solid", "the focus is seen"
    labels = [offer["label"] for offer in card("threat")["actions"]]
    assert seen == [*labels, "Childline", "0800 1111", "Report Remove", "999"]
    # It is no trap: the platform's own controls stay in reach.
    assert inside(page) == ""


def test_buttons_tell_the_page_what_to_do(open_page: Open) -> None:
    page = open_page()
    show(page, card())
    page.get_by_role("button", name="Block this person").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Tell someone I trust").click()
    assert inside(page) == "Where you can get help"
    page.get_by_role("button", name="OK, got it").click()
    expect(page.locator("#nudge")).to_be_hidden()
    done = [(what, detail.get("do") or detail.get("by")) for what, detail in told(page)]
    assert done == [("shown", None), ("action", "block_viewer"), ("action", "tell_someone"), ("dismissed", "button")]
    assert all(detail["id"] == "a" * 32 and detail["after_ms"] >= 0 for _, detail in told(page))


def test_escape_on_the_page_is_the_pages_own(open_page: Open) -> None:
    page = open_page()
    page.locator("#say").focus()
    show(page, card())
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="End my stream").focus()
    page.keyboard.press("Escape")
    expect(page.locator("#nudge")).to_be_hidden()


def test_the_platform_can_close_replace_and_move_it(open_page: Open) -> None:
    page = open_page()
    show(page, card())
    show(page, card("secrecy"))
    expect(page.get_by_role("dialog")).to_have_count(1)
    page.evaluate("document.getElementById('nudge').dismiss()")
    expect(page.locator("#nudge")).to_be_hidden()
    page.evaluate("document.getElementById('nudge').dismiss()")
    assert [what for what, _ in told(page)] == ["shown", "shown", "dismissed"]
    show(page, card())
    page.evaluate("document.querySelector('main').append(document.getElementById('nudge'))")
    expect(page.get_by_role("dialog")).to_have_count(1)
    show(page, None)
    expect(page.locator("#nudge")).to_be_hidden()


def test_a_payload_may_be_an_attribute_or_come_before_the_module(open_page: Open) -> None:
    page = open_page()
    text = json.dumps(card("secrecy"))
    page.evaluate("text => document.getElementById('nudge').setAttribute('payload', text)", text)
    expect(page.get_by_role("dialog", name="This does not have to be a secret")).to_be_visible()
    page.evaluate("document.getElementById('nudge').setAttribute('payload', 'what')")
    expect(page.locator("#nudge")).to_be_hidden()
    problems: list[str] = page.problems  # type: ignore[attr-defined]
    assert "is not JSON" in problems.pop()
    late = open_page("/?plain")
    script = """card => { const frame = document.createElement('iframe'); document.body.append(frame);
      const inner = frame.contentDocument; const element = inner.createElement('upstander-nudge');
      element.payload = card; inner.body.append(element); const script = inner.createElement('script');
      script.type = 'module'; script.src = '/upstander-nudge.js'; inner.body.append(script); }"""
    late.evaluate(script, card())
    expect(late.frame_locator("iframe").get_by_role("dialog", name="You can skip this one")).to_be_visible()


def test_nothing_in_a_payload_is_read_as_markup(open_page: Open) -> None:
    page = open_page()
    evil = "<img src=x onerror=alert(1)><b>bold</b>"
    places = [
        {"name": evil, "for": evil, "contact": "javascript:alert(1)", "url": "javascript:alert(1)"},
        {"name": "b", "for": "c", "contact": "12 3-4", "url": "http://example.org"},
        {"name": "d", "for": "e", "contact": "", "url": "https://example.org/help"},
    ]
    show(page, card(title=evil, noticed=evil, help=places, actions=[{"do": "run", "label": evil}]))
    root = page.locator("#nudge")
    expect(root.locator("h2")).to_have_text(evil)
    assert root.locator("img, b").count() == 0
    assert root.locator("button").count() == 0, "an unknown thing to do has no button"
    links = [link.get_attribute("href") for link in root.locator("a").all()]
    assert links == ["tel:1234", "https://example.org/help"]
    outside = root.locator("a").last
    assert (outside.get_attribute("target"), outside.get_attribute("rel")) == ("_blank", "noopener noreferrer")


# -- seen by everybody ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("topic", ["dare", "threat"])
def test_axe_finds_nothing_on_a_stream(open_page: Open, scheme: str, topic: str) -> None:
    page = open_page("/?plain", color_scheme=scheme, reduced_motion="reduce")
    show(page, card(topic))
    assert findings(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", shipped().languages)
def test_axe_finds_nothing_on_any_card(open_page: Open, scheme: str, language: str) -> None:
    page = open_page("/preview", color_scheme=scheme, reduced_motion="reduce")
    page.locator("#language").select_option(language)
    expected = sum(spoken == language for spoken, _ in shipped().sheets)
    for band in ("under_10", "16_17"):
        page.locator("#band").select_option(band)
        expect(page.locator("#all upstander-nudge")).to_have_count(expected)
        # The card over the drawn stream is one of the list again; on a platform none is there twice.
        page.evaluate("document.querySelector('#stream upstander-nudge').remove()")
        assert findings(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_platform_may_fix_the_theme(open_page: Open, theme: str) -> None:
    page = open_page("/?plain", color_scheme="light" if theme == "dark" else "dark", reduced_motion="reduce")
    page.evaluate("theme => document.getElementById('nudge').setAttribute('theme', theme)", theme)
    show(page, card())
    ground = page.locator("#nudge section").evaluate("node => getComputedStyle(node).backgroundColor")
    assert ground == ("rgb(255, 255, 255)" if theme == "light" else "rgb(26, 34, 48)")
    assert findings(page) == []


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_it_moves_only_for_those_who_do_not_mind(open_page: Open, motion: str) -> None:
    page = open_page(reduced_motion=motion)
    show(page, card())
    name = page.locator("#nudge section").evaluate("node => getComputedStyle(node).animationName")
    assert name == ("none" if motion == "reduce" else "rise")


@pytest.mark.parametrize("zoom", [100, 200])
@pytest.mark.parametrize(("width", "height"), [(320, 568), (390, 844), (844, 390), (1440, 900)])
@pytest.mark.parametrize("language", ["en", "de"])
def test_it_fits_narrow_screens_and_large_letters(
    open_page: Open, language: str, width: int, height: int, zoom: int
) -> None:
    page = open_page("/?plain", width=width, height=height, reduced_motion="reduce")
    page.evaluate("zoom => { document.documentElement.style.fontSize = `${zoom}%`; }", zoom)
    show(page, card("threat", "16_17", language, "DE" if language == "de" else "GB"))
    box = page.locator("#nudge section")
    where = box.bounding_box()
    assert where is not None
    assert where["x"] >= 0 and where["x"] + where["width"] <= width
    assert where["y"] >= 0 and where["y"] + where["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert box.evaluate("node => node.scrollWidth <= node.clientWidth"), "nothing is cut off at the side"
    for target in page.locator("#nudge button, #nudge a").all():
        target.scroll_into_view_if_needed()
        size = target.bounding_box()
        assert size is not None
        assert size["width"] >= 24 and size["height"] >= 24
        assert size["y"] >= where["y"] - 1 and size["y"] + size["height"] <= where["y"] + where["height"] + 1
    if zoom == 100 and (width, height) == (390, 844):
        assert where["height"] <= 0.72 * height, "even beside the longest card the stream stays in sight"
        show(page, card("secrecy" if language == "de" else "dare", "under_10", language, "GB"))
        short = box.bounding_box()
        assert short is not None
        assert short["height"] <= 0.6 * height


def test_it_reads_from_right_to_left(open_page: Open) -> None:
    page = open_page("/?plain", width=390, reduced_motion="reduce")
    words = {"title": "توقف لحظة", "noticed": "كتب شخص شيئا غير مناسب.", "language": "ar", "direction": "rtl"}
    show(page, card() | words)
    box = page.locator("#nudge section")
    assert box.evaluate("node => [getComputedStyle(node).direction, node.lang]") == ["rtl", "ar"]
    title, card_box = page.locator("#nudge h2").bounding_box(), box.bounding_box()
    assert title is not None and card_box is not None
    first = page.get_by_role("button", name="Block this person").bounding_box()
    second = page.get_by_role("button", name="End my stream").bounding_box()
    assert first is not None and second is not None
    assert first["x"] > second["x"], "the first button stands to the right"


def test_positions(open_page: Open) -> None:
    page = open_page(width=390, height=844, reduced_motion="reduce")
    show(page, card())
    tops = {}
    for position in ("bottom", "top", "inline"):
        page.evaluate("where => document.getElementById('nudge').setAttribute('position', where)", position)
        box = page.locator("#nudge section").bounding_box()
        assert box is not None
        tops[position] = box["y"]
    assert tops["top"] < 20 < tops["inline"] < tops["bottom"]
    # Beside the card the stream can still be touched.
    page.evaluate("document.getElementById('nudge').setAttribute('position', 'top')")
    assert page.evaluate("document.elementFromPoint(195, 2).id") != "nudge"


def test_the_preview_is_one_file_that_loads_nothing(open_page: Open, origin: str) -> None:
    page = open_page("/preview", width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert {url.removeprefix(origin) for url in page.requests} <= {"/preview", "/favicon.ico"}  # type: ignore[attr-defined]
    page.get_by_role("button", name="On the stream").first.click()
    page.locator("#stream").get_by_role("button", name="OK").click()
    expect(page.locator("#log li").first).to_contain_text("dismissed en-praise_hook-under_10")
