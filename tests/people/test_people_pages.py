"""Every page in headless Chromium: axe-core, dark and light, wide and narrow, and the way in by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator

import httpx
import pyotp
import pytest
from people_support import SECRET, add, kept
from playwright.sync_api import Browser, Page, expect

from browsing import needs_chromium, opened, press, write, wrong
from support import PROBE, Served, bearer, comment, free_port, lines, make_key, serve, started
from upstander.people.audit import Act, Audit, Note
from upstander.people.model import Stage
from upstander.people.permissions import Role
from upstander.people.sessions import Sessions
from upstander.people.store import People

pytestmark = needs_chromium

PAGES = {
    "sign-in": ("", "/sign-in"),
    "second-factor": ("code", "/sign-in/code"),
    "set-up": ("setup", "/set-up"),
    "set-up-password": ("fresh", "/set-up"),
    "wall": ("senior", "/live"),
    "broadcast": ("senior", "/live/broadcasts/mysite/b1"),
    "statistics": ("senior", "/statistics"),
    "health": ("senior", "/health"),
    "account": ("senior", "/account"),
    "people": ("boss", "/people"),
    "keys": ("boss", "/keys"),
    "ledger": ("auditor", "/audit"),
    "ledger-check": ("auditor", "/audit/check"),
    "refused": ("auditor", "/people"),
}
STAGES = {"code": Stage.CODE, "setup": Stage.SETUP, "fresh": Stage.SETUP}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("pages")
    people = People(folder / "data" / "people.sqlite3")
    add(people, "boss", Role.ADMINISTRATOR)
    add(people, "senior", Role.SENIOR)
    add(people, "auditor", Role.AUDITOR)
    add(people, "code", Role.MODERATOR)
    add(people, "setup", Role.MODERATOR, factor=False)
    people.add("fresh", [Role.MODERATOR], kept(), ["mysite"], must_change=True)
    people.close()
    audit = Audit(folder / "data" / "audit.sqlite3", many=5)
    for n in range(7):
        audit.append(Note("code", Act.BROADCAST_VIEW, platform="mysite", broadcast=f"a-long-name-of-a-broadcast-{n}"))
    audit.close()
    key = make_key(folder / "data")
    port = free_port()
    with serve(folder, f'[console]\nurl = "http://localhost:{port}"\n', port=port) as running:
        events = [started(), comment("c1", PROBE), comment("c2", "add me on the other app")]
        assert httpx.post(f"{running.url}/v1/events", content=lines(*events), headers=bearer(key)).status_code == 200
        running.url = f"http://localhost:{port}"
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    # The browser itself logs answers such as 403; everything else is a fault of the page.
    with opened(browser, "the server responded with a status") as made:
        yield made


def open_page(page: Page, served: Served, name: str) -> None:
    person, path = PAGES[name]
    page.context.clear_cookies()
    if person:
        people = People(served.data / "people.sqlite3")
        token = Sessions(people, 3_600_000, 3_600_000).open(
            person, STAGES.get(person, Stage.FULL), "192.0.2.7", "Firefox"
        )
        people.close()
        page.context.add_cookies([{"name": "upstander_session", "value": token, "url": served.url}])
    page.goto(served.url + path)
    if path == "/live":
        expect(page.locator("#broadcasts li.row").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("name", list(PAGES))
def test_no_serious_finding_and_nothing_over_the_edge(served: Served, page: Page, name: str, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    open_page(page, served, name)
    for details in page.locator("details").all():
        details.evaluate("details => details.open = true")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
        serious = [each for each in wrong(page) if each[0] in ("serious", "critical")]
        assert serious == [], (scheme, width)


def test_a_new_person_gets_in_by_hand_with_the_keyboard_alone(served: Served, page: Page) -> None:
    open_page(page, served, "people")
    page.get_by_role("textbox", name="Name (lower").fill("ben")
    page.get_by_role("group", name="Roles").last.get_by_label("moderator watches").check()
    page.get_by_role("button", name="Add", exact=True).click()
    temporary = page.locator(".shown-once code").inner_text()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Name", exact=True)).to_be_focused(timeout=30_000)
    write(page, "ben")
    press(page, "Tab")
    write(page, temporary)
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("A password of your own")
    write(page, "violet harbour seldom ticking")
    press(page, "Tab")
    write(page, "violet harbour seldom ticking")
    press(page, "Enter")
    expect(page.locator("svg.qr")).to_be_visible()
    write(page, pyotp.TOTP(page.locator(".secret").inner_text().replace(" ", "")).now())
    press(page, "Enter")
    expect(page.locator(".codes li")).to_have_count(10)
    page.get_by_role("link", name="I have kept them").press("Enter")
    expect(page.locator("#state")).to_have_text("live")


def test_a_passkey_of_the_browser_signs_in(served: Served, page: Page) -> None:
    """Chromium's own virtual authenticator: the script on the page, the browser and the service together."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options = {
        "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
        "isUserVerified": True, "automaticPresenceSimulation": True,
    }  # fmt: skip
    session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
    open_page(page, served, "account")
    page.get_by_label("Name of this device").fill("test device")
    page.locator("#passkey-code").fill(pyotp.TOTP(SECRET).now())
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_text("test device, since")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.locator("#state")).to_have_text("live")
    page.goto(f"{served.url}/account")
    page.get_by_role("button", name="Remove the passkey test device").click()
    expect(page.get_by_text("The passkey is removed.")).to_be_visible()


def test_the_auditor_finds_who_looked_and_is_shown_the_alert(served: Served, page: Page) -> None:
    open_page(page, served, "ledger")
    expect(page.get_by_role("heading", name="Alerts of the last seven days")).to_be_visible()
    page.get_by_label("Broadcast", exact=True).fill("a-long-name-of-a-broadcast-3")
    page.get_by_role("button", name="Search").press("Enter")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("broadcast viewed")
    page.get_by_role("link", name="Check that it is whole").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The ledger is whole")


def test_a_key_is_shown_once_and_can_be_revoked(served: Served, page: Page) -> None:
    open_page(page, served, "keys")
    page.get_by_label("Platform").fill("othersite")
    page.get_by_label("events:write").check()
    page.get_by_role("button", name="Make the key").click()
    text = page.locator(".shown-once code").inner_text()
    assert re.fullmatch(r"ups_[0-9a-f]{12}_\S{43}", text)
    asked = {"headers": bearer(text), "json": started("s9", "b9")}
    assert httpx.post(f"{served.url}/v1/events", **asked).status_code == 200  # type: ignore[arg-type]
    page.goto(f"{served.url}/keys")
    assert text not in page.content()
    page.get_by_role("button", name=f"Revoke the key {text.split('_')[1]}").click()
    assert httpx.post(f"{served.url}/v1/events", **asked).status_code == 401  # type: ignore[arg-type]
    page.get_by_label("Platform").fill("No Good")
    page.get_by_role("button", name="Make the key").click()
    expect(page.get_by_role("alert")).to_contain_text("no platform name")
