"""The checklist of ``docs/security-checklist.md``: each line of it is tested here, or says where it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from console_support import JSON, do, room
from starlette.routing import Route

from support import asynchronous
from upstander.console.web import HEADERS, MAX_FORM_BYTES
from upstander.people.permissions import ROUTES, Access

DOCS = Path(__file__).parents[2] / "docs" / "security-checklist.md"
TRAVERSAL = (
    "..",
    "%2e%2e",
    "..%2f..%2fetc%2fpasswd",
    "%252e%252e%252fetc%252fpasswd",
    "....//etc/passwd",
    "%00",
    "\\..\\..",
)


def test_every_line_of_the_checklist_names_a_test_that_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", DOCS.read_text(encoding="utf-8"))
    assert len(named) >= 15
    for file, test in named:
        assert f"def {test}(" in (DOCS.parents[1] / file).read_text(encoding="utf-8"), f"{file}::{test}"


@asynchronous
async def test_every_answer_has_the_headers(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        sen, stranger = made.signed_in("sen"), made.signed_in("sen")
        stranger.http.cookies.clear()
        asked = [
            "/sign-in",
            "/assets/console.css",
            "/cases",
            f"/cases/{case}",
            "/nonsense-path-of-the-console",
            "/care",
        ]
        for browser in (sen, stranger):
            for path in asked:
                answer = await browser.http.get(path)
                if answer.status_code == 404 and path.startswith("/nonsense"):
                    continue  # the router's own answer: JSON, nothing in it to protect
                for name, value in HEADERS.items():
                    assert answer.headers.get(name) == value, (path, name)
                policy = answer.headers["content-security-policy"]
                assert "unsafe" not in policy and "default-src 'none'" in policy and "*" not in policy
                assert "server" not in answer.headers or "upstander" not in answer.headers["server"]


@asynchronous
async def test_pages_have_no_inline_script_style_or_handler(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        sen = made.signed_in("sen")
        await do(sen, case, "unveil")
        for path in (
            "/cases",
            f"/cases/{case}",
            f"/cases/{case}/evidence",
            "/care",
            "/reviews",
            "/policy",
            "/statistics",
        ):
            page = (await sen.get(path)).text
            assert not re.search(r"<script(?![^>]*\bsrc=\"/assets/)", page), path
            assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page), path
            assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", page), path


@asynchronous
async def test_no_form_works_without_its_token_or_from_elsewhere(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        everything = made.signed_in("sen")
        for method, path in ROUTES:
            if method != "POST" or ROUTES[method, path] in (Access.CODE, Access.SETUP):
                continue
            where = path.replace("{case}", case)
            where = re.sub(r"{\w+}", "0" * 12, where)
            for forged in ({}, {"form_token": "0" * 64}, {"form_token": "é"}):
                answer = await everything.http.post(where, data=forged, headers=JSON)
                assert answer.status_code == 403, (path, forged, answer.status_code)
            token = await everything.http.get("/care", headers=JSON)
            good = {"x-form-token": token.headers["x-form-token"], "sec-fetch-site": "cross-site"}
            assert (await everything.http.post(where, data={}, headers=JSON | good)).status_code == 403, path
        found = made.console.desk().store.get(case)
        assert found is not None and found.state == "open"
        other = await made.signed_in("mo").http.get("/care", headers=JSON)
        stolen = {"x-form-token": other.headers["x-form-token"]}
        assert (await everything.http.post("/care/break", data={}, headers=JSON | stolen)).status_code == 403


@asynchronous
async def test_a_get_changes_nothing(tmp_path: Path) -> None:
    """Looks are noted; nothing else is different after every page was opened."""
    async with room(tmp_path) as made:
        case = await made.press()
        before = made.console.desk().store.get(case)
        assert before is not None
        for name in ("sen", "evi", "mo"):
            for method, path in ROUTES:
                if method == "GET" and "events" not in path and "sign-in" not in path:
                    where = re.sub(r"{\w+(?::path)?}", "0" * 16, path.replace("{case}", case))
                    await made.signed_in(name).http.get(where, headers={"accept": "text/html"})
        after = made.console.desk().store.get(case)
        assert after is not None
        assert (after.state, after.holder, after.level, after.decisions) == (
            before.state,
            "",
            before.level,
            before.decisions,
        )


@asynchronous
async def test_ids_of_what_is_not_yours_lead_nowhere(tmp_path: Path) -> None:
    """IDOR: the same answer as for what does not exist, so that nothing can be probed."""
    from people_support import add

    from upstander.people.permissions import Role

    async with room(tmp_path) as made:
        case = await made.press()
        add(made.console.people, "ben", Role.SENIOR, platforms=["othersite"])
        ben = made.signed_in("ben")
        there = await ben.http.get(f"/cases/{case}", headers=JSON)
        not_there = await ben.http.get(f"/cases/{'f' * 16}", headers=JSON)
        assert there.status_code == not_there.status_code == 404
        assert there.json() == not_there.json()
        ask = made.console.care.ask("mo", f"case {case}", "x")
        await ben.get("/care")
        assert (await made.signed_in("mo").post(f"/care/asks/{ask.id}/allow")).status_code == 403
        assert "case " + case not in (await made.signed_in("max").get("/care")).text, "another person's page"


@asynchronous
async def test_no_path_leads_out_of_what_is_served(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        sen = made.signed_in("sen")
        for part in TRAVERSAL:
            for path in (f"/assets/{part}", f"/cases/{part}", f"/evidence/{part}", f"/live/broadcasts/mysite/{part}"):
                answer = await sen.http.get(path)
                # Two plain dots are taken away by the client already, which then asks for the start page.
                assert answer.status_code in (400, 404) or part == "..", (path, answer.status_code)
                assert "root:" not in answer.text


@asynchronous
async def test_names_that_people_choose_never_become_markup(tmp_path: Path) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    async with room(tmp_path) as made:
        case = await made.press("b<script>alert(2)</script>", evil[:200])
        sen = made.signed_in("sen")
        await do(sen, case, "claim")
        for page in (await do(sen, case, "note", why=evil), await do(sen, case, "unveil")):
            assert "<script>alert" not in page.text and "<img src=x" not in page.text
            assert "&lt;script&gt;" in page.text
        listed = await sen.get("/cases?holder=" + "%3Cscript%3Ealert(3)%3C/script%3E")
        assert "<script>alert(3)" not in listed.text


@asynchronous
async def test_large_and_deep_bodies_are_refused_before_they_cost_anything(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        sen = made.signed_in("sen")
        token = (await sen.http.get("/care", headers=JSON)).headers["x-form-token"]
        headers = JSON | {"x-form-token": token, "content-type": "application/json"}
        bodies = {
            b"{" + b'"a":1,' * 20_000 + b'"b":1}': 413,
            b"[" * 30_000: 422,
            b'{"why":' + b"[" * 20_000 + b"]" * 20_000 + b"}": 422,
            b'{"why": "\xff\xfe"}': 422,
            b"x" * (MAX_FORM_BYTES + 1): 413,
        }
        for body, status in bodies.items():
            answer = await sen.http.post(f"/cases/{case}/claim", content=body, headers=headers)
            assert answer.status_code == status, body[:20]
        many = "&".join(f"f{n}=1" for n in range(5_000))
        form = {"content-type": "application/x-www-form-urlencoded", "x-form-token": token} | JSON
        assert (await sen.http.post(f"/cases/{case}/claim", content=many, headers=form)).status_code == 422
        # Compressed bodies are not unpacked, so none can grow: it is not JSON, and that is all.
        bomb = headers | {"content-encoding": "gzip"}
        import gzip

        packed = gzip.compress(b"0" * 10_000_000)
        assert (await sen.http.post(f"/cases/{case}/claim", content=packed, headers=bomb)).status_code == 422
        # Nothing here takes files: a multipart body holds no form token.
        multipart = {"content-type": "multipart/form-data; boundary=x"} | JSON
        upload = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nhi\r\n--x--\r\n'
        assert (await sen.http.post(f"/cases/{case}/claim", content=upload, headers=multipart)).status_code == 403
        found = made.console.desk().store.get(case)
        assert found is not None and found.state == "open"


@asynchronous
async def test_nothing_that_a_visitor_sends_makes_the_service_fetch_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SSRF: with connecting made impossible, every route still answers, whatever addresses it is given."""
    import socket

    async with room(tmp_path) as made:
        case = await made.press()
        sen = made.signed_in("sen")
        token = (await sen.http.get("/care", headers=JSON)).headers["x-form-token"]
        tried: list[object] = []
        monkeypatch.setattr(socket.socket, "connect", lambda self, address: tried.append(address))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *where, **more: tried.append(where) or [])
        inside = "http://169.254.169.254/latest/meta-data"
        fields = (
            "why",
            "to",
            "reference",
            "recipient",
            "what",
            "policy",
            "name",
            "platform",
            "broadcast",
            "url",
            "next",
        )
        body = dict.fromkeys(fields, inside)
        for method, path in ROUTES:
            if "events" in path or "sign-in" in path or "back-test" in path:
                continue
            where = re.sub(r"{\w+(?::path)?}", "0" * 12, path.replace("{case}", case))
            headers = JSON | {"x-form-token": token, "referer": inside, "x-forwarded-host": "169.254.169.254"}
            more = {"json": body} if method == "POST" else {"params": body}
            await sen.http.request(method, where, headers=headers, **more)  # type: ignore[arg-type]
        assert tried == []


@asynchronous
async def test_no_answer_sends_a_visitor_to_another_site(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        elsewhere = made.signed_in("mo")
        for path in (
            "/",
            "/cases",
            f"/cases/{case}",
            "/sign-in?next=//evil.example",
            "//evil.example/..",
            "/\\evil.example",
        ):
            answer = await elsewhere.http.get(
                path, headers={"host": "evil.example", "x-forwarded-host": "evil.example"}
            )
            assert answer.headers.get("location", "/").startswith("/"), path
            assert not answer.headers.get("location", "/").startswith(("//", "/\\")), path


@asynchronous
async def test_secrets_are_in_no_answer(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        salt = made.console.desk().store.get(case)
        assert salt is not None
        person = made.console.people.find("mo")
        assert person is not None
        secrets = (salt.salt, person.password, person.totp)
        for name in ("sen", "evi", "boss", "aud", "ana"):
            for method, path in ROUTES:
                if method == "GET" and "events" not in path:
                    where = re.sub(r"{\w+(?::path)?}", "0" * 16, path.replace("{case}", case))
                    for headers in (JSON, {"accept": "text/html"}):
                        text = (await made.signed_in(name).http.get(where, headers=headers)).text
                        assert not any(secret in text for secret in secrets), (name, path)


def test_every_route_of_the_console_is_made_from_the_table() -> None:
    from upstander.console.routes import routes

    for each in routes():
        assert isinstance(each, Route)
        assert {(method, each.path) for method in (each.methods or set()) - {"HEAD"}} <= set(ROUTES)
