"""The permission matrix, made from the one table: every route, every role, every state of a session."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from people_support import Site, add, kept, site
from starlette.routing import Route, WebSocketRoute

from support import asynchronous, bearer, make_key, started
from upstander.console import account, people_page, sign_in
from upstander.console.routes import HANDLERS
from upstander.console.web import PASSIVE
from upstander.gateway.keys import Scope
from upstander.people.model import Stage
from upstander.people.permissions import COMMANDS, GRANTS, KEYS, ROUTES, Access, Permission, Role, conflict, granted
from upstander.people.sessions import form_token

#: The routes that programs use; each checks its key (see tests/gateway/test_keys_and_scopes.py) or is open to all.
OF_THE_GATEWAY = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/", "/adapters/")
PARTS = {"{platform}": "mysite", "{broadcast:path}": "b1", "{person}": "other", "{key}": "0" * 12}
PARTS["{name}"] = "console.css"
PARTS |= {"{case}": "0" * 16, "{batch}": "0" * 12, "{item}": "0" * 64, "{ask}": "0" * 12, "{report}": "r-000000000000"}
FORM_COOKIE = "a-visitors-own-secret-of-32-letters"
OUT = ("signed out", "expired", "idle too long", "revoked", "disabled")
STATES = ("signed in", *OUT, "second factor due", "set-up due")


def filled(path: str) -> str:
    for part, value in PARTS.items():
        path = path.replace(part, value)
    return path


async def ask(site: Site, name: str, state: str, method: str, path: str, **headers: str) -> httpx.Response:
    """One request of this person in this state, with a form token that fits."""
    stage = {"second factor due": Stage.CODE, "set-up due": Stage.SETUP}.get(state, Stage.FULL)
    browser = site.browser()
    browser.http.cookies.set("upstander_form", FORM_COOKIE, domain="console.test")
    if state != "signed out":
        browser.session = site.console.sessions.open(name, stage, "192.0.2.1")
    before = site.clock.now
    site.console.door._tries.clear()  # how the door keeps guessers waiting is tested elsewhere
    match state:
        case "expired":
            for _ in range(4):
                site.clock.forward(minutes=31)
                site.console.sessions.find(browser.session)
        case "idle too long":
            site.clock.forward(minutes=61)
        case "revoked":
            site.console.people.end_sessions(name)
        case "disabled":
            site.console.people.run("UPDATE people SET disabled_at = 1 WHERE name = ?", (name,))
    try:
        if method == "POST":
            cookie = FORM_COOKIE if state in OUT else browser.session
            return await browser.http.post(path, data={"form_token": form_token(cookie)}, headers=headers)
        if path in PASSIVE and state == "signed in":
            site.gateway.service.draining = True  # else the stream never ends
        return await browser.http.get(path, headers=headers)
    finally:
        site.gateway.service.draining = False
        site.clock.now = before
        site.console.people.run("UPDATE people SET disabled_at = 0 WHERE name = ?", (name,))


def refused_to_a_stranger(method: str, answer: httpx.Response) -> bool:
    if method == "POST":
        return answer.status_code == 401
    return answer.status_code == 303 and answer.headers["location"] == "/sign-in"


@asynchronous
async def test_no_route_of_the_app_is_outside_the_table(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        app = made.gateway.http._transport.app  # type: ignore[attr-defined]
        found = set()
        for route in app.routes:
            assert isinstance(route, Route | WebSocketRoute), route
            if route.path.startswith(OF_THE_GATEWAY):
                continue
            assert isinstance(route, Route)
            found |= {(method, route.path) for method in (route.methods or set()) - {"HEAD"}}
        assert found == set(ROUTES) == set(HANDLERS)
        assert set(KEYS) <= set(ROUTES)


@pytest.fixture
def no_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing passwords a few hundred times takes minutes, and has nothing to do with who may do what."""
    monkeypatch.setattr(sign_in, "check_password", lambda kept, given: False)
    monkeypatch.setattr(account, "check_password", lambda kept, given: False)
    monkeypatch.setattr(people_page, "hash_temporary", lambda: ("temporary", kept()))


@pytest.mark.usefixtures("no_hashing")
@pytest.mark.parametrize("role", list(Role))
@asynchronous
async def test_every_route_for_every_role_in_every_state_of_a_session(tmp_path: Path, role: Role) -> None:
    async with site(tmp_path, session_hours=2) as made:
        await made.gateway.post([started()])
        for name, other in (("other", Role.STATISTICS), ("spare", Role.ADMINISTRATOR), ("who", role)):
            add(made.console.people, name, other)
        made.console.visits._limit = made.console.strangers._limit = 10**9
        for connection in (
            made.console.people.connection,
            made.console.audit._connection,
            made.console.care.connection,
        ):
            connection.execute("PRAGMA synchronous = OFF")  # hundreds of requests, and no power is lost here
        asked = 0
        for (method, path), needs in ROUTES.items():
            for state in STATES:
                answer = await ask(made, "who", state, method, filled(path))
                where = f"{method} {path} as {role}, {state}: {answer.status_code}"
                assert answer.status_code < 500, where
                assert_fits(needs, role, state, method, answer, where)
                asked += 1
        assert asked == len(ROUTES) * len(STATES)


def assert_fits(needs: Any, role: Role, state: str, method: str, answer: httpx.Response, where: str) -> None:
    """The answer is the one that the table asks for."""
    if needs is Access.ANYONE:
        assert answer.status_code != 403 and not (method == "POST" and "no session" in answer.text), where
        return
    out = state in OUT
    if isinstance(needs, Permission):
        if state == "signed in":
            forbidden = answer.status_code == 403 and "our roles do not include" in answer.text
            assert forbidden == (role not in GRANTS[needs]), where
            assert not refused_to_a_stranger(method, answer) or answer.status_code == 401, where
        elif out:
            assert refused_to_a_stranger(method, answer), where
        else:
            waiting = "/sign-in/code" if state == "second factor due" else "/set-up"
            if method == "POST":
                assert answer.status_code == 401 and waiting in answer.text, where
            else:
                assert answer.status_code == 303 and answer.headers["location"] == waiting, where
        return
    if out:
        assert refused_to_a_stranger(method, answer), where
    elif state == needs:
        assert answer.headers.get("location") not in ("/sign-in",) and answer.status_code in (200, 303, 401, 422), where
    else:
        assert answer.status_code == 303 and answer.headers["location"] != "/sign-in", where


@asynchronous
async def test_what_is_not_set_up_says_so_to_everybody(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        browser = made.browser()
        assert (await browser.get("/sign-in/provider")).status_code == 404
        assert (await browser.post("/sign-in/passkey")).status_code == 404


@asynchronous
async def test_a_key_opens_what_its_scope_is_for_and_nothing_else_of_the_console(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        made.gateway.service.draining = True
        made.console.strangers._limit = 10**9
        body = {"by": "ada"}
        for scope in sorted({*KEYS.values(), Scope.EVENTS_WRITE, Scope.LIVE_READ}):
            headers = bearer(make_key(made.gateway.data, scope)) | {"accept": "application/json"}
            for (method, path), needs in ROUTES.items():
                if needs is Access.ANYONE:
                    continue
                more = {"json": body} if method == "POST" else {}
                answer = await made.browser().http.request(method, filled(path), headers=headers, **more)
                where = f"{method} {path} with {scope}: {answer.status_code}"
                if (method, path) not in KEYS:
                    assert answer.status_code in (401, 403), where
                elif KEYS[method, path] is scope:
                    assert answer.status_code == (404 if "{case}" in path else 200), where
                else:
                    assert answer.status_code == 403, where


def test_a_key_is_nobody_in_particular() -> None:
    """Two-person acts, unveiling and taking evidence out are for people who signed in."""
    for _, path in KEYS:
        assert not any(word in path for word in ("approve", "refuse", "escalate", "unveil", "evidence", "file", "care"))


def test_the_table_of_permissions_is_sane() -> None:
    assert set(GRANTS) == set(Permission)
    used = {needs for needs in (*ROUTES.values(), *COMMANDS.values()) if isinstance(needs, Permission)}
    assert used == set(Permission), "a permission that opens nothing"
    for role in Role:
        assert Permission.ACCOUNT_OWN in granted(frozenset({role}))
    # Who runs the installation sees no broadcast, and who looks over the others' shoulders does nothing else.
    administrator = granted(frozenset({Role.ADMINISTRATOR}))
    assert not {Permission.WALL_VIEW, Permission.BROADCAST_VIEW, Permission.AUDIT_VIEW} & set(administrator)
    for role in Role:
        if role is not Role.AUDITOR:
            assert conflict(frozenset({role, Role.AUDITOR}))
            assert Permission.AUDIT_VIEW not in granted(frozenset({role}))
    assert conflict(frozenset())
    assert not conflict(frozenset({Role.MODERATOR, Role.ADMINISTRATOR}))


@asynchronous
async def test_a_person_for_one_platform_sees_nothing_of_another(tmp_path: Path) -> None:
    async with site(tmp_path) as made:
        add(made.console.people, "ben", Role.MODERATOR, platforms=["othersite"])
        add(made.console.people, "cleo", Role.MODERATOR, platforms=["mysite"])
        await made.gateway.post([started()])
        path = "/live/broadcasts/mysite/b1"
        assert (await made.signed_in("cleo").get(path)).status_code == 200
        refused = made.signed_in("ben")
        assert (await refused.get(path)).status_code == 404
        order = {"platform": "mysite", "broadcast": "b1", "do": "end", "reason": "x"}
        assert (await refused.post("/live/orders", order)).status_code == 404
        assert made.acts(who="ben", what="broadcast viewed") == [("ben", "broadcast viewed", "b1")]
