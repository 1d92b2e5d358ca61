"""A moderator's day in headless Chromium: a case arrives live, is understood, acted on, taken back and escalated.

A second person approves; the evidence is exported, and checked on what stands for another machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import httpx
import pyotp
from playwright.sync_api import Browser, Page, expect

from browsing import launched, needs_chromium, press, write
from support import UPSTANDER, Served, bearer, comment, lines, make_key, serve, started
from upstander.people.audit import Audit
from upstander.people.passwords import hash_password
from upstander.people.permissions import Role
from upstander.people.store import People

pytestmark = needs_chromium

PASSWORD = "seven quiet lanterns drifting"
SECRETS = {"mo": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "sen": "KRSXG5CTMVRXEZLUKN2XAZLSKNSWG4TF"}
SECRETS["evi"] = "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U"
ROLES = {"mo": Role.MODERATOR, "sen": Role.SENIOR, "evi": Role.EVIDENCE}
SAID = ("are your parents home", "add me on the other app", "dont tell your mom", "do a spin and ill send a gift")


def prepare(folder: Path) -> str:
    people = People(folder / "data" / "people.sqlite3")
    for name, role in ROLES.items():
        people.add(name, [role], hash_password(PASSWORD, name))
        people.set_totp(name, SECRETS[name], 0)
    people.close()
    subprocess.run([str(UPSTANDER), "vault", "init", "--data", "data"], cwd=folder, check=True, capture_output=True)
    return make_key(folder / "data")


def sign_in(browser: Browser, served: Served, name: str) -> Page:
    """Through the forms: name, password, and the code that an authenticator shows."""
    page = browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True).new_page()
    page.goto(served.url)
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Code from your app").fill(pyotp.TOTP(SECRETS[name]).now())
    press(page, "Enter")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def pressure(served: Served, key: str) -> None:
    events = [started("s1", "evening-stream")]
    events += [comment(f"c{n}", text, "evening-stream", "viewer-77") for n, text in enumerate(SAID)]
    answer = httpx.post(f"{served.url}/v1/events", content=lines(*events), headers=bearer(key), timeout=60)
    assert answer.json()["accepted"] == len(events)


def test_a_moderators_day(tmp_path: Path) -> None:
    key = prepare(tmp_path)
    with serve(tmp_path, "[cases]\nenabled = true\n") as served, launched() as browser:
        mo = sign_in(browser, served, "mo")
        understand(mo, served, key)
        act_and_undo(mo)
        case = escalate_with_a_second_person(browser, mo, served)
        package = export(browser, served, case, tmp_path)
        check_elsewhere(package, tmp_path)
        audited(served, case)


def understand(page: Page, served: Served, key: str) -> None:
    """The queue is empty, a case arrives without the page being loaded again, and says why it is one."""
    page.get_by_role("link", name="Cases").click()
    expect(page.get_by_text("Nothing waits.")).to_be_visible()
    pressure(served, key)
    row = page.locator("li.row").first
    expect(row).to_be_visible(timeout=30_000)
    expect(page.locator("#news")).to_contain_text("1 new")
    assert "evening-stream" not in page.content()
    press(page, "j")
    press(page, "Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Case")
    expect(page.locator(".decision").first).to_contain_text("asks whether a grown-up is near")
    expect(page.locator("svg.curve circle").first).to_be_visible()
    assert not any(words in page.content() for words in SAID)
    press(page, "v")
    expect(page.locator("ol.words mark", has_text="parents home")).to_be_attached()
    expect(page.locator("ol.words .named", has_text="supervision probe").first).to_be_attached()


def act_and_undo(page: Page) -> None:
    """Claimed, closed by mistake, taken back with one key."""
    state = page.locator(".row-head .tag").first
    press(page, "c")
    expect(state).to_have_text("claimed: mo")
    press(page, "x")
    page.get_by_label("What it was").first.select_option("benign")
    page.locator("#close-why").fill("I thought that they were friends")
    press(page, "Enter")
    expect(page.get_by_text("Verdict: benign")).to_be_visible()
    press(page, "Backspace")
    expect(state).to_have_text("claimed: mo")
    press(page, "e")
    write(page, "asks a child to move to another app, and to keep it secret")
    press(page, "Enter")
    expect(state).to_have_text("escalated")
    assert page.get_by_role("button", name="Approve").count() == 0, "not one's own"


def escalate_with_a_second_person(browser: Browser, page: Page, served: Served) -> str:
    case = page.url.split("/cases/")[1].split("#")[0].split("?")[0]
    second = sign_in(browser, served, "sen")
    second.goto(f"{served.url}/cases/{case}")
    press(second, "a")
    expect(second.get_by_text("mo proposes to report viewer-77")).to_be_visible()
    write(second, "agreed")
    press(second, "Enter")
    expect(second.locator(".row-head .tag").first).to_have_text("approved")
    page.reload()
    expect(page.get_by_text("approved by sen")).to_be_visible()
    return case


def export(browser: Browser, served: Served, case: str, folder: Path) -> Path:
    page = sign_in(browser, served, "evi")
    page.goto(f"{served.url}/cases/{case}")
    press(page, "i")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Evidence of case")
    page.get_by_label("For whom").fill("the hotline")
    page.locator("#export-why").fill("report of the case")
    with page.expect_download() as downloading:
        page.get_by_role("button", name="Export").click()
    path = folder / "elsewhere" / downloading.value.suggested_filename
    downloading.value.save_as(path)
    signer = re.search(r"--signer ([0-9a-f]{64})", page.content())
    assert signer is not None
    (folder / "elsewhere" / "signer").write_text(signer.group(1))
    return path


def check_elsewhere(package: Path, folder: Path) -> None:
    """With nothing of the service at hand but the package and the key that was told."""
    signer = (package.parent / "signer").read_text()
    command = [str(UPSTANDER), "vault", "verify", package.name, "--signer", signer]
    done = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    changed = bytearray(package.read_bytes())
    changed[len(changed) // 2] ^= 1
    package.write_bytes(bytes(changed))
    done = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1 and "CHANGED" in done.stdout.upper()


def audited(served: Served, case: str) -> None:
    audit = Audit(served.data / "audit.sqlite3")
    found = {(entry.who, entry.what) for entry in audit.search(subject=f"case {case}", limit=500)}
    audit.close()
    for who, what in (
        ("mo", "case viewed"),
        ("mo", "words of a case unveiled"),
        ("mo", "case acted on"),
        ("sen", "case viewed"),
        ("sen", "case acted on"),
        ("evi", "evidence listed"),
        ("evi", "evidence exported"),
    ):
        assert (who, what) in found, (who, what)
