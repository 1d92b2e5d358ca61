"""The queue and the page of a case: what they show and to whom, every act, undo, and that every look is noted."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from console_support import JSON, PRESSING, Room, do, plain, room

from support import asynchronous, bearer, eventually, make_key
from upstander.cases import search
from upstander.cases.check import check
from upstander.cases.follow import deliver_verdicts
from upstander.cases.states import Act, State
from upstander.gateway.keys import Scope
from upstander.people.permissions import Role


def state(made: Room, case: str) -> State:
    found = made.console.desk().store.get(case)
    assert found is not None
    return found.state


@asynchronous
async def test_the_queue_names_nobody_and_the_case_is_one_look_away(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press("a-broadcast-name", "a-viewer-name")
        browser = made.signed_in("mo")
        page = await browser.get("/cases")
        assert f"/cases/{case}" in page.text
        for name in ("a-broadcast-name", "a-viewer-name", "host-"):
            assert name not in page.text
        shown = await browser.get(f"/cases/{case}")
        assert "a-broadcast-name" in shown.text and "a-viewer-name" in shown.text
        assert not any(words in shown.text for words in PRESSING), "words are veiled"
        assert ("case viewed", f"case {case}") in made.acts("mo")
        assert "queue viewed" in [what for what, _ in made.acts("mo")]
        acts = [(step.act, step.by) for step in made.console.desk().store.history(case)]
        assert (Act.VIEW, "mo") in acts


@asynchronous
async def test_unveiled_words_show_what_fired_and_the_look_is_in_both_ledgers(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        browser = made.signed_in("mo")
        page = await do(browser, case, "unveil")
        assert page.status_code == 200
        assert re.search(r'<mark title="supervision probe">[^<]*parents', page.text)
        assert "add me on the other app" in plain(page)
        assert ("words of a case unveiled", f"case {case}") in made.acts("mo")
        kinds = [(entry.kind, entry.by) for entry in made.console.vault().ledger.about(_chat(made, case))]
        assert ("viewed", "mo") in kinds
        made.clock.forward(minutes=16)
        assert "parents home" not in (await browser.get(f"/cases/{case}")).text, "veiled again"


def _chat(made: Room, case: str) -> str:
    return next(row.address for row in made.console.vault().of_case(case) if row.part == "chat")


@asynchronous
async def test_words_come_from_the_journal_where_nothing_was_sealed(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        vault = made.console.vault()
        for row in vault.of_case(case):
            vault.delete(row.address, "evi", "a test", second="sen")
        assert "add me on the other app" in plain(await do(made.signed_in("mo"), case, "unveil"))


@asynchronous
async def test_a_claim_is_one_persons_and_can_be_handed_over(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        assert "claimed: mo" in plain(await do(made.signed_in("mo"), case, "claim"))
        refused = await do(made.signed_in("max"), case, "claim")
        assert refused.status_code == 409 and "is mo&#39;s" in refused.text
        assert (await do(made.signed_in("mo"), case, "hand-over", to="nobody")).status_code == 409
        assert (await do(made.signed_in("mo"), case, "hand-over", to="evi")).status_code == 409, "not of their role"
        assert "claimed: max" in plain(await do(made.signed_in("mo"), case, "hand-over", to="max"))
        assert (await do(made.signed_in("mo"), case, "note", why="mine no more")).status_code == 200
        assert (await do(made.signed_in("mo"), case, "close", why="x", outcome="benign")).status_code == 409


@asynchronous
async def test_reporting_a_person_takes_two_and_a_reference(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        senior = made.signed_in("sen")
        await do(senior, case, "claim")
        assert (await do(senior, case, "escalate", why="")).status_code == 409, "a reason is needed"
        assert "escalated" in plain(await do(senior, case, "escalate", why="presses a child"))
        own = await do(senior, case, "approve", why="I agree with myself")
        assert own.status_code == 409 and "second person" in own.text
        assert (await made.signed_in("mo").post(f"/cases/{case}/approve", {"why": "x"})).status_code == 403
        assert "approved" in plain(await do(made.signed_in("sue"), case, "approve", why="agreed"))
        filed = await do(made.signed_in("evi"), case, "file", why="sent", reference="R-17")
        assert "Filed as" in filed.text and "R-17" in filed.text
        assert state(made, case) is State.FILED
        assert check(made.console.desk().store).findings == []


@asynchronous
async def test_refused_reopened_snoozed_and_judged(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        mo, sen = made.signed_in("mo"), made.signed_in("sen")
        await do(mo, case, "claim")
        await do(mo, case, "escalate", why="look at this")
        assert "refused" in plain(await do(sen, case, "refuse", why="not enough"))
        await do(mo, case, "claim")
        assert (await do(mo, case, "verdict", outcome="harmful", why="pressure")).status_code == 200
        for wrong in ("0", "many", "-5", "99999999", "٣"):
            assert (await do(mo, case, "snooze", minutes=wrong, why="x")).status_code == 409, wrong
        assert "snoozed" in plain(await do(mo, case, "snooze", minutes="30", why="paused"))
        await do(mo, case, "claim")
        closed = await do(mo, case, "close", outcome="benign", why="a game", tactic=["dare"])
        assert "Verdict: benign" in plain(closed)
        assert "open" in plain(await do(mo, case, "reopen", why="once more"))
        sent: list[bytes] = []

        async def deliver(platform: str, body: bytes) -> bool:
            sent.append(body)
            return True

        assert await deliver_verdicts(made.console.desk(), deliver) == 2
        assert b'"harmful"' in sent[0] and b'"dare"' in sent[1], "in the order in which they were given"


@asynchronous
async def test_closing_can_be_taken_back_by_who_did_it(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        mo = made.signed_in("mo")
        await do(mo, case, "claim")
        closed = await do(mo, case, "close", outcome="benign", why="too quick")
        undo = re.search(r'action="(/cases/bulk/[0-9a-f]+/undo)"', closed.text)
        assert undo is not None
        other = made.signed_in("max")
        await other.get("/cases")
        assert (await other.post(undo.group(1), {"why": "not mine"})).status_code == 403
        assert undo.group(1) not in (await other.get(f"/cases/{case}")).text
        assert (await mo.post(undo.group(1), {"why": "taken back at once"})).status_code == 303
        assert state(made, case) is State.CLAIMED
        assert made.console.desk().store.connection.execute("SELECT count(*) FROM outgoing").fetchone()[0] == 0
        await mo.get("/cases")
        assert (await mo.post(undo.group(1), {"why": "again"})).status_code == 409


@asynchronous
async def test_skipping_needs_no_reason_and_leaves_no_trace(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        mo = made.signed_in("mo")
        await do(mo, case, "claim")
        before = made.acts("mo")
        await mo.get(f"/cases/{case}")
        page = await mo.post(f"/cases/{case}/skip")
        assert page.headers["location"] == "/cases"
        assert case not in (await mo.get("/cases")).text
        assert case in (await made.signed_in("max").get("/cases")).text
        assert state(made, case) is State.OPEN
        fresh = [what for what, _ in made.acts("mo")[len(before) :]]
        assert set(fresh) <= {"case viewed", "queue viewed"}, "the ledger has looks, and no skip"
        assert "skip" not in str(made.console.desk().store.history(case))
        made.clock.forward(hours=9)
        mo.session = made.signed_in("mo").session
        assert case in (await mo.get("/cases")).text, "forgotten after the shift"


@asynchronous
async def test_filters_orders_and_pages(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        first = await made.press("b1")
        second = await made.press("b2", "v2")
        mo = made.signed_in("mo")
        await do(mo, second, "claim")
        for query, wanted in {
            "": {first, second},
            "state=claimed": {second},
            "state=closed": set(),
            "holder=me": {second},
            "holder=-": {first},
            "alarm=1": set(),
            "level=notice&order=newest": {first, second},
            "band=10_12": {first, second},
            "band=adult": set(),
            "tactic=secrecy&state=all": {first, second},
        }.items():
            page = await mo.get(f"/cases?{query}")
            assert page.status_code == 200
            assert set(re.findall(r'data-key="([0-9a-f]{16})"', page.text)) == wanted, query
        for wrong in ("state=nonsense", "order=x", "after=x", "after=99999999999999999999999+1", "level=%00"):
            assert (await mo.get(f"/cases?{wrong}")).status_code == 422, wrong
        assert "No case fits" in (await mo.get("/cases?state=closed")).text


def test_pages_hold_every_case_once_whatever_the_order(tmp_path: Path) -> None:
    from upstander.cases.desk import Desk
    from upstander.cases.model import Found
    from upstander.cases.store import Store
    from upstander.model.vocabulary import Level

    desk = Desk(Store(tmp_path / "cases.sqlite3"))
    for n in range(120):
        desk.decide(Found("mysite", f"b{n}", "v", f"e{n}", n + 1, 1_000 + n % 7, Level(1 + n % 4)), now=1_000 + n % 7)
    for order in search.ORDERS:
        seen: list[str] = []
        asked = search.Asked(order=order)
        while True:
            page = search.page(desk, asked, "ann")
            seen += [case.id for case in page.cases]
            if not page.next:
                break
            asked = search.Asked(order=order, after=page.next)
        assert len(seen) == len(set(seen)) == 120, order
    desk.store.close()


@asynchronous
async def test_nothing_waits_and_nothing_will_come_say_so(tmp_path: Path) -> None:
    async with room(tmp_path, enabled=False) as made:
        assert "none will come by itself" in (await made.signed_in("mo").get("/cases")).text


@asynchronous
async def test_many_at_once_first_shown_then_done_then_undone(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        cases = [await made.press(f"b{n}", f"v{n}") for n in range(3)]
        mo = made.signed_in("mo")
        await do(made.signed_in("max"), cases[2], "claim")
        await mo.get("/cases")
        shown = await mo.post("/cases/bulk", {"case": cases, "act": "claim", "why": ""})
        assert "2 of 3 cases" in shown.text and "is max&#39;s" in shown.text
        assert state(made, cases[0]) is State.OPEN, "nothing was done yet"
        fields = dict(re.findall(r'name="(act|why|outcome|until|token)" value="([^"]*)"', shown.text))
        done = await mo.post("/cases/bulk/apply", fields | {"case": cases})
        assert "done to 2 cases" in done.text
        assert state(made, cases[0]) is State.CLAIMED
        again = await mo.post("/cases/bulk/apply", fields | {"case": cases})
        assert again.status_code == 409 and "have changed" in again.text
        undo = re.search(r'action="(/cases/bulk/[0-9a-f]+/undo)"', done.text)
        assert undo is not None
        undone = await mo.post(undo.group(1), {"why": "the wrong ones"})
        assert "2 cases are as they were" in undone.text
        for wrong in ({"act": "approve"}, {"act": "nonsense"}, {"act": "claim", "case": []}, {"act": "snooze"}):
            await mo.get("/cases")
            assert (await mo.post("/cases/bulk", {"case": cases, "why": "x"} | wrong)).status_code == 409, wrong


@asynchronous
async def test_cases_of_another_platform_are_not_there(tmp_path: Path) -> None:
    from people_support import add

    async with room(tmp_path) as made:
        case = await made.press()
        add(made.console.people, "ben", Role.SENIOR, platforms=["othersite"])
        ben = made.signed_in("ben")
        assert case not in (await ben.get("/cases?state=all")).text
        await ben.get("/cases")
        for path in (f"/cases/{case}", f"/cases/{case[:8]}", f"/cases/{case}/evidence"):
            assert (await ben.get(path)).status_code == 404
        for act in ("claim", "unveil", "close", "skip", "approve", "file", "note"):
            assert (await ben.post(f"/cases/{case}/{act}", {"why": "x"})).status_code == 404, act
        bulk = await ben.post("/cases/bulk", {"case": [case], "act": "claim"})
        assert bulk.status_code == 409 and case not in re.sub('value="[^"]*"', "", bulk.text)
        item = _chat(made, case)
        assert (await ben.get(f"/evidence/{item}")).status_code == 404
        assert (await ben.post(f"/evidence/{item}/unveil")).status_code == 404


@asynchronous
async def test_the_same_is_an_api_for_people_and_for_keys(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        mo = made.signed_in("mo")
        listed = await mo.http.get("/cases", headers=JSON)
        assert [each["id"] for each in listed.json()["cases"]] == [case]
        token = listed.headers["x-form-token"]
        claimed = await mo.http.post(f"/cases/{case}/claim", json={}, headers=JSON | {"x-form-token": token})
        assert claimed.json()["case"]["holder"] == "mo"
        assert (await mo.http.post(f"/cases/{case}/release", json={}, headers=JSON)).status_code == 403, "no token"
        told = (await mo.http.get(f"/cases/{case}", headers=JSON)).json()
        assert told["case"]["viewer"] == "v1" and "salt" not in told["case"] and "words" not in told
        wrong = await mo.http.post(f"/cases/{case}/close", json={"why": ""}, headers=JSON | {"x-form-token": token})
        assert wrong.status_code == 409 and "reason" in wrong.json()["error"]["reason"]
        await do(mo, case, "release")
        await with_a_key(made, case)


async def with_a_key(made: Room, case: str) -> None:
    http: httpx.AsyncClient = made.signed_in("mo").http
    http.cookies.clear()
    key = make_key(made.gateway.data, Scope.CASES_READ, Scope.CASES_WRITE)
    headers = bearer(key) | JSON
    assert (await http.get(f"/cases/{case}", headers=headers)).json()["case"]["id"] == case
    assert (await http.post(f"/cases/{case}/claim", json={}, headers=headers)).status_code == 422, "who acts?"
    claimed = await http.post(f"/cases/{case}/claim", json={"by": "ann"}, headers=headers)
    assert re.fullmatch(r"ann \(key [0-9a-f]{12}\)", claimed.json()["case"]["holder"])
    body = {"by": "ann", "outcome": "benign", "why": "a game"}
    assert (await http.post(f"/cases/{case}/close", json=body, headers=headers)).json()["case"]["state"] == "closed"
    other = bearer(make_key(made.gateway.data, Scope.CASES_READ, platform="othersite")) | JSON
    assert (await http.get(f"/cases/{case}", headers=other)).status_code == 404
    assert (await http.get("/cases?state=all", headers=other)).json()["cases"] == []


@asynchronous
async def test_one_person_who_opens_unusually_many_cases_raises_an_alert(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        made.console.audit._many = 3
        cases = [await made.press(f"b{n}", f"v{n}") for n in range(4)]
        mo = made.signed_in("mo")
        for case in cases[:3] * 2:
            await mo.get(f"/cases/{case}")
        assert not made.console.audit.search(what="alert: looked at unusually many cases")
        await mo.get(f"/cases/{cases[3]}")
        (alert,) = made.console.audit.search(what="alert: looked at unusually many cases")
        assert (alert.who, alert.subject) == ("upstander", "mo")
        assert "unusually many cases" in (await made.signed_in("aud").get("/audit")).text


@asynchronous
async def test_related_cases_and_the_page_of_the_broadcast_are_linked(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        first, second = await made.press("b1", "v1"), await made.press("b2", "v1")
        page = await made.signed_in("mo").get(f"/cases/{second}")
        assert f"/cases/{first}" in page.text
        assert "the same viewer and the same words" in page.text
        assert "/live/broadcasts/mysite/b2" in page.text
        assert "/evidence" not in page.text, "a moderator has no link to what they may not open"
        assert f"/cases/{second}/evidence" in (await made.signed_in("sen").get(f"/cases/{second}")).text


@asynchronous
async def test_a_file_of_cases_that_cannot_be_read_is_no_fault_of_the_page(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        made.console._desk = None
        (made.gateway.service.settings.folder / "cases.sqlite3").write_bytes(b"no database" * 1_000)
        for path in ("/cases", "/statistics", "/reviews", "/cases/0123456789abcdef"):
            answer = await made.signed_in("sen").get(path, headers=JSON)
            assert answer.status_code in (404, 503), path
        assert (await made.signed_in("sen").get("/care")).status_code == 200


@asynchronous
async def test_the_feed_says_that_something_changed_and_ends_with_the_session(tmp_path: Path) -> None:
    from upstander.console import cases_page

    async with room(tmp_path) as made:
        desk = made.console.desk()
        before = cases_page._change(desk, cases_page._version(desk), None)
        assert (before.queued, before.gravest) == (0, "")
        case = await made.press()
        after = cases_page._change(desk, cases_page._version(desk), None)
        assert after.version > before.version and after.queued == after.waiting == 1
        assert after.gravest in ("urgent", "emergency")
        assert cases_page._change(desk, 0, frozenset({"othersite"})).waiting == 0
        await made.signed_in("mo").get(f"/cases/{case}")
        assert cases_page._change(desk, 0, None).waiting == 0
        assert await eventually(lambda: True)
