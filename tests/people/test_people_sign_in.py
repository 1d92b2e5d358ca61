"""Signing in: password, second factor, recovery codes, set-up, sessions; and who must wait, and who must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from people_support import PASSWORD, SECRET, Browser, Clock, Site, add, site

from support import asynchronous
from upstander.people.door import CROWD, FREE, WRONG_CODES, Door, Rate, place
from upstander.people.model import PeopleError, Stage
from upstander.people.passwords import check_password, hash_password, hash_temporary
from upstander.people.permissions import Role
from upstander.people.sessions import form_token, form_token_fits

ADA = [("ada", Role.MODERATOR)]


@asynchronous
async def test_password_then_code_opens_the_wall_and_is_in_the_ledger(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        browser = made.browser()
        first = await browser.sign_in("Ada ")
        assert (first.status_code, first.headers["location"]) == (303, "/sign-in/code")
        waiting = browser.session
        assert (await browser.get("/live")).headers["location"] == "/sign-in/code"
        await browser.get("/sign-in/code")
        done = await browser.post("/sign-in/code", {"code": made.clock.code()})
        assert (done.status_code, done.headers["location"]) == (303, "/live")
        assert browser.session != waiting and made.console.sessions.find(waiting) is None, "the session is a fresh one"
        assert (await browser.get("/live")).status_code == 200
        assert made.acts()[:2] == [("ada", "sign in", ""), ("ada", "wall viewed", "")]
        cookies = {c.split("=")[0]: c.lower() for c in done.headers.get_list("set-cookie")}
        for name in ("upstander_session", "upstander_browser"):
            assert "httponly" in cookies[name] and "samesite=strict" in cookies[name]


@asynchronous
async def test_over_tls_cookies_are_secure_and_bound_to_this_host(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        app = made.gateway.http._transport.app  # type: ignore[attr-defined]
        browser = Browser(app, "192.0.2.1", "https")
        answer = await browser.sign_in("ada", code=made.clock.code())
        assert answer.status_code == 303
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-") and "Secure" in cookie and "Path=/;" in cookie
        assert answer.headers["strict-transport-security"]


@asynchronous
async def test_every_mistake_has_the_same_answer(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        add(made.console.people, "gone", Role.MODERATOR)
        made.console.people.disable("gone")
        pages = set()
        wrong = [("ada", "wrong", ""), ("nobody", PASSWORD, ""), ("gone", PASSWORD, ""), ("ada", PASSWORD, "000000")]
        for n, (name, password, code) in enumerate(wrong):
            answer = await made.browser(f"192.0.2.{n}").sign_in(name, password, code)
            assert answer.status_code == 401
            pages.add(re.sub(r'(form-token" content|value)="[^"]*"', "", answer.text))
        assert len(pages) == 1


@asynchronous
async def test_a_code_serves_once_and_drifts_by_one_step_at_most(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        code = made.clock.code()
        assert (await made.browser().sign_in("ada", code=code)).status_code == 303
        assert (await made.browser().sign_in("ada", code=code)).status_code == 401
        # An older one than the last that was used is refused, too, though it was never used itself.
        assert (await made.browser().sign_in("ada", code=made.clock.code(steps=-1))).status_code == 401
        made.clock.forward(minutes=5)
        for steps, status in ((-2, 401), (2, 401), (-1, 303), (1, 303)):
            answer = await made.browser(f"198.51.100.{steps + 9}").sign_in("ada", code=made.clock.code(steps=steps))
            assert answer.status_code == status, steps
        for odd in ("", "12345", "1234567", "٣٣٣٣٣٣", "abcdef", "' OR 1"):
            browser = made.browser("203.0.113.9")
            await browser.sign_in("ada")
            assert (await browser.post("/sign-in/code", {"code": odd})).status_code in (401, 429)


@asynchronous
async def test_a_recovery_code_serves_once_and_is_noted(tmp_path: Path) -> None:
    from upstander.people.codes import new_recovery

    async with site(tmp_path, ADA) as made:
        codes = new_recovery(made.console.people, "ada")
        assert len(set(codes)) == 10
        for expected in (303, 401):
            browser = made.browser()
            await browser.sign_in("ada")
            assert (await browser.post("/sign-in/code", {"code": codes[3].lower()})).status_code == expected
        assert ("ada", "own recovery code used", "") in made.acts()
        assert made.console.people.recovery_left("ada") == 9
        content = b"".join(path.read_bytes() for path in made.gateway.data.glob("people.sqlite3*"))
        assert not any(code.replace("-", "").encode() in content for code in codes)


@asynchronous
async def test_a_new_person_changes_the_password_and_sets_up_the_second_factor_first(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        temporary, kept = hash_temporary()
        made.console.people.add("ben", [Role.AUDITOR], kept, must_change=True)
        browser = made.browser()
        answer = await browser.sign_in("ben", temporary)
        assert answer.headers["location"] == "/set-up"
        for path in ("/audit", "/account", "/live"):
            assert (await browser.get(path)).headers["location"] == "/set-up"
        assert "A password of your own" in (await browser.get("/set-up")).text
        assert (await browser.post("/set-up/code", {"code": "123456"})).headers["location"] == "/set-up"
        for new, again in ((temporary, temporary), ("short", "short"), ("password1234", "password1234"), ("a", "b")):
            refused = await browser.post("/set-up/password", {"new": new, "again": again})
            assert refused.status_code == 422
        words = "violet harbour seldom ticking"
        assert (await browser.post("/set-up/password", {"new": words, "again": words})).status_code == 303
        page = (await browser.get("/set-up")).text
        assert "<svg viewBox" in page and "style=" not in page
        found = re.search('secret">([A-Z2-7 ]+)<', page)
        assert found is not None
        secret = found.group(1).replace(" ", "")
        assert (await browser.post("/set-up/code", {"code": "000000"})).status_code == 422
        done = await browser.post("/set-up/code", {"code": made.clock.code(secret)})
        assert done.status_code == 200 and len(re.findall("<li><code>", done.text)) == 10
        assert (await browser.get("/audit")).status_code == 200
        # The code of the set-up is used up, the temporary password is gone.
        assert (await made.browser().sign_in("ben", words, made.clock.code(secret))).status_code == 401
        assert (await made.browser("198.51.100.1").sign_in("ben", temporary)).status_code == 401


@asynchronous
async def test_sessions_end_when_idle_when_old_when_the_person_is_disabled_and_at_sign_out(tmp_path: Path) -> None:
    async with site(tmp_path, ADA, idle_minutes=30, session_hours=8) as made:
        add(made.console.people, "boss", Role.ADMINISTRATOR)
        idle, busy = made.signed_in("ada"), made.signed_in("ada")
        for _ in range(15):
            made.clock.forward(minutes=29)
            assert (await busy.get("/account")).status_code == 200
        assert (await idle.get("/account")).headers["location"] == "/sign-in"
        made.clock.forward(minutes=29)
        assert (await busy.get("/account")).status_code == 200
        made.clock.forward(minutes=29)
        assert (await busy.get("/account")).headers["location"] == "/sign-in", "eight hours are over"
        disabled, changed = made.signed_in("ada"), made.signed_in("boss")
        made.console.people.disable("ada")
        assert (await disabled.get("/account")).headers["location"] == "/sign-in"
        made.console.people.enable("ada")
        assert (await disabled.get("/account")).headers["location"] == "/sign-in", "it does not come back to life"
        made.console.people.set_roles("boss", [Role.ADMINISTRATOR, Role.SENIOR])
        assert (await changed.get("/account")).headers["location"] == "/sign-in"
        browser = made.signed_in("ada")
        token = browser.session
        await browser.get("/account")
        assert (await browser.post("/sign-out")).headers["location"] == "/sign-in"
        again = made.browser()
        again.session = token
        assert (await again.get("/account")).headers["location"] == "/sign-in"


@asynchronous
async def test_a_wall_that_is_only_open_does_not_keep_a_session_alive(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        browser = made.signed_in("ada")
        made.gateway.service.draining = True
        for _ in range(4):
            made.clock.forward(minutes=20)
            answer = await browser.get("/live/events", headers={"accept": "text/event-stream"})
        assert answer.status_code == 401
        kept = made.signed_in("ada")
        for _ in range(4):
            made.clock.forward(minutes=20)
            assert (await kept.post("/account/here")).status_code == 204


@asynchronous
async def test_a_changed_password_needs_the_old_one_and_ends_the_other_sessions(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        here, there = made.signed_in("ada"), made.signed_in("ada")
        new = "copper meadow ninth arguing"
        refused = await here.post("/account/password", {"old": "wrong", "new": new, "again": new})
        assert refused.status_code == 401
        assert (await there.get("/account")).status_code == 200
        assert (await here.post("/account/password", {"old": PASSWORD, "new": new, "again": new})).status_code == 200
        assert (await here.get("/account")).status_code == 200
        assert (await there.get("/account")).headers["location"] == "/sign-in"
        assert check_password(made.console.people.get("ada").password, new)


# -- forms -------------------------------------------------------------------------------------------------------


@asynchronous
async def test_a_form_without_its_token_or_of_another_site_is_refused(tmp_path: Path) -> None:
    async with site(tmp_path, [*ADA, ("boss", Role.ADMINISTRATOR)]) as made:
        browser = made.signed_in("boss")
        other = made.signed_in("ada")
        await other.get("/account")
        for token in ("", "0" * 64, form_token("x"), other.token, "ä"):
            answer = await browser.http.post("/people/ada/disable", data={"form_token": token})
            assert answer.status_code == 403, token
        await browser.get("/people")
        for where in ("cross-site", "same-site"):
            answer = await browser.post("/people/ada/disable", headers={"sec-fetch-site": where})
            assert answer.status_code == 403
        assert not made.console.people.get("ada").disabled_at
        answer = await browser.post("/people/ada/disable", headers={"sec-fetch-site": "same-origin"})
        assert answer.status_code == 200 and made.console.people.get("ada").disabled_at
        stranger = made.browser()
        answer = await stranger.http.post("/sign-in", data={"name": "boss", "password": PASSWORD})
        assert answer.status_code == 403, "nobody is signed in as somebody else by a foreign form"


def test_a_form_token_fits_its_cookie_alone() -> None:
    assert form_token_fits("a", form_token("a"))
    assert not form_token_fits("b", form_token("a"))
    assert not form_token_fits("", form_token(""))


@asynchronous
async def test_bodies_that_are_too_large_or_no_forms_are_refused(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        http = made.signed_in("ada").http
        assert (await http.post("/account/password", content=b"a" * 70_000)).status_code == 413
        many = "&".join(f"a{n}=1" for n in range(300))
        form = {"content-type": "application/x-www-form-urlencoded"}
        assert (await http.post("/account/password", content=many.encode(), headers=form)).status_code == 422
        for body in (b"[", b"[1]", b"{" * 100_000, b"\xff"):
            answer = await http.post("/account/passkeys", content=body, headers={"content-type": "application/json"})
            assert answer.status_code in (413, 422)


# -- who must wait -----------------------------------------------------------------------------------------------


async def guess(made: Site, source: str, times: int, name: str = "ada") -> list[int]:
    browser = made.browser(source)
    return [(await browser.sign_in(name, f"wrong {n}")).status_code for n in range(times)]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guesses are many here: what is wrong needs no hashing to be found wrong."""
    from upstander.console import sign_in

    monkeypatch.setattr(sign_in, "check_password", lambda kept, given: bool(kept) and given == PASSWORD)


@pytest.mark.usefixtures("quick")
@asynchronous
async def test_who_guesses_waits_and_nobody_else_does(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        known = made.browser("192.0.2.7")
        await known.sign_in("ada", code=made.clock.code())
        await known.post("/sign-out")
        assert await guess(made, "203.0.113.5", FREE + 2) == [401] * FREE + [429] * 2
        made.clock.forward(seconds=31)
        # From elsewhere the account opens as always, and from the known browser even beside the guesser.
        elsewhere = await made.browser("192.0.2.200").sign_in("ada", code=made.clock.code())
        assert elsewhere.status_code == 303
        made.clock.forward(seconds=31)
        await guess(made, "203.0.113.5", 4)
        known_here = made.browser("203.0.113.5")
        known_here.http.cookies = known.http.cookies
        assert (await known_here.sign_in("ada", code=made.clock.code())).status_code == 303
        # The wait doubles, and is said.
        last = await made.browser("203.0.113.5").sign_in("ada", "wrong")
        assert last.status_code == 429 and int(last.headers["retry-after"]) > 0


@pytest.mark.usefixtures("quick")
@asynchronous
async def test_the_second_factor_opens_the_door_that_strangers_closed(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        for n in range(CROWD):
            await guess(made, f"198.51.{n}.1", 1)
        fresh = made.browser("192.0.2.50")
        assert (await fresh.sign_in("ada")).status_code == 429, "a password alone no longer opens it from anywhere new"
        assert (await fresh.sign_in("ada", code="000000")).status_code == 429
        assert (await fresh.sign_in("ada", "wrong", made.clock.code())).status_code == 401
        assert (await fresh.sign_in("ada", code=made.clock.code())).status_code == 303, "the code was not used up"
        assert ("upstander", "alert: many wrong passwords or codes", "ada") in made.acts()
        refused = [act for act in made.acts() if act[1] == "sign in refused"]
        assert 0 < len(refused) <= 3, "the ledger is not flooded"


@pytest.mark.usefixtures("quick")
@asynchronous
async def test_who_knows_the_password_and_guesses_codes_from_everywhere_is_stopped_and_the_owner_is_not(
    tmp_path: Path,
) -> None:
    from upstander.people.codes import new_recovery

    async with site(tmp_path, ADA) as made:
        owner = made.browser("192.0.2.7")
        await owner.sign_in("ada", code=made.clock.code())
        await owner.post("/sign-out")
        made.clock.forward(seconds=31)
        answers = []
        for n in range(WRONG_CODES + 5):
            thief = made.browser(f"198.51.{n}.1")
            await thief.sign_in("ada")
            answers.append((await thief.post("/sign-in/code", {"code": "000000"})).status_code)
        assert answers == [401] * WRONG_CODES + [429] * 5
        assert ("upstander", "alert: many wrong passwords or codes", "ada") in made.acts()
        await owner.sign_in("ada")
        assert (await owner.post("/sign-in/code", {"code": made.clock.code()})).status_code == 303
        # Somewhere new, a recovery code goes through: it cannot be guessed, so it need not wait.
        codes = new_recovery(made.console.people, "ada")
        new = made.browser("192.0.2.99")
        await new.sign_in("ada")
        assert (await new.post("/sign-in/code", {"code": codes[0]})).status_code == 303


@pytest.mark.usefixtures("quick")
@asynchronous
async def test_too_many_tries_of_one_source_at_any_accounts_are_slowed(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        answers = [code for n in range(40) for code in await guess(made, "203.0.113.8", 1, f"name{n}")]
        assert 429 in answers and answers.index(429) >= 30
        assert all(code == 429 for code in answers[answers.index(429) :])


def test_a_network_counts_as_one_and_waits_end() -> None:
    assert place("2001:db8:1:2:3::4") == place("2001:db8:1:2:ffff::1") != place("2001:db8:1:3::1")
    assert place("::ffff:192.0.2.1") == "192.0.2.1" and place("odd") == "odd"
    clock = Clock()
    door = Door(clock)
    waits = []
    for _ in range(FREE + 14):
        door.wrong("ada", "192.0.2.1")
        waits.append(door.wait_ms("ada", "192.0.2.1"))
    assert waits[: FREE - 1] == [0] * (FREE - 1)
    assert waits[FREE - 1 : FREE + 2] == [2_000, 4_000, 8_000] and waits[-1] == 15 * 60_000
    clock.forward(minutes=15)
    assert door.wait_ms("ada", "192.0.2.1") == 0
    clock.forward(hours=1)
    door.wrong("ada", "192.0.2.1")
    assert door.wait_ms("ada", "192.0.2.1") == 0, "an hour later it begins again"
    rate = Rate(2, clock)
    assert [rate.over("a"), rate.over("a"), rate.over("a"), rate.over("b")] == [False, False, True, False]
    clock.forward(minutes=1)
    assert not rate.over("a")


@asynchronous
async def test_requests_of_a_session_are_bounded(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        made.console.visits._limit = 20
        browser = made.signed_in("ada")
        answers = [(await browser.get("/account")).status_code for _ in range(25)]
        assert answers[:20] == [200] * 20 and set(answers[20:]) == {429}
        made.clock.forward(minutes=1)
        assert (await browser.get("/account")).status_code == 200


# -- passwords ---------------------------------------------------------------------------------------------------


def test_passwords_are_argon2id_with_their_own_salt_and_easy_ones_are_refused() -> None:
    first, second = hash_password(PASSWORD, "ada"), hash_password(PASSWORD, "ada")
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$") and first != second
    assert check_password(first, PASSWORD) and not check_password(first, PASSWORD + " ")
    assert not check_password("", PASSWORD) and not check_password("no hash", PASSWORD)
    for easy in ("a" * 12, "password1234", "upstanderupstander", "adaadaadaada", "x" * 201):
        with pytest.raises(PeopleError):
            hash_password(easy, "ada")
    temporary = {hash_temporary()[0] for _ in range(3)}
    assert len(temporary) == 3


@asynchronous
async def test_no_secret_is_kept_in_the_clear_and_the_files_are_the_owners_alone(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        browser = made.browser()
        await browser.sign_in("ada", code=made.clock.code())
        link = made.console.people.make_link("ada")
        assert made.console.sessions.find(browser.session) is not None
        for path in (*made.gateway.data.glob("people.sqlite3*"), *made.gateway.data.glob("audit.sqlite3*")):
            assert path.stat().st_mode & 0o077 == 0, path
            content = path.read_bytes()
            for secret in (browser.session, browser.http.cookies["upstander_browser"], link, PASSWORD):
                assert secret.encode() not in content
        assert SECRET.encode() not in b"".join(p.read_bytes() for p in made.gateway.data.glob("audit.sqlite3*"))


@asynchronous
async def test_a_link_signs_in_once_and_only_for_five_minutes(tmp_path: Path) -> None:
    async with site(tmp_path, ADA) as made:
        secret = made.console.people.make_link("ada")
        assert (await made.browser().get(f"/sign-in/link?ticket={secret}")).headers["location"] == "/live"
        assert (await made.browser().get(f"/sign-in/link?ticket={secret}")).status_code == 401
        late = made.console.people.make_link("ada")
        made.clock.forward(minutes=6)
        assert (await made.browser().get(f"/sign-in/link?ticket={late}")).status_code == 401
        gone = made.console.people.make_link("ada")
        made.console.people.disable("ada")
        assert (await made.browser().get(f"/sign-in/link?ticket={gone}")).status_code == 401
        assert made.console.sessions.open("ada", Stage.FULL)
