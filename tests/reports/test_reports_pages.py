"""Reports in the console: who may do what, drafting by the form, the second person, filing, and what is veiled."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import msgspec
from console_support import JSON, Room, do, plain, room
from reports_support import REPORTER

from support import asynchronous
from upstander.reports.cybertip import CyberTip
from upstander.reports.fake.hotline import Hotline
from upstander.reports.office import now_ms
from upstander.reports.sender import Sender
from upstander.reports.settings import ReportSettings
from upstander.reports.settle import Settler

FORM = {
    "to": "ncmec", "why": "asks a child to be alone", "incident": "enticement", "screen_name": "zz_quillcanary",
    "ip": "203.0.113.77", "ip_port": "50123", "ip_at": "2026-11-25 09:45:40", "child_age": "11",
}  # fmt: skip


def soon() -> int:
    """A little later: what happened this very second is not sent yet."""
    return now_ms() + 5_000


def send(made: Room, hotline: Hotline) -> None:
    """What the service's task does, once."""
    console = made.console
    office = console.reports.office
    client = CyberTip("http://127.0.0.1:1/ispws", "fake", "fake", 5, hotline.transport())
    settings, folder = office.settings.reports, office.settings.folder
    Sender(office.store, office.evidence, client, settings, folder, soon, random.Random(1)).run()
    Settler(office.store, office.evidence, office.desk, settings, soon).sweep()


@asynchronous
async def test_from_a_case_to_a_filed_report_with_two_people(tmp_path: Path) -> None:
    hotline = Hotline(clock=soon)
    async with room(tmp_path) as made:
        with_reporter(made)
        case = await made.press()
        mo, sen = made.signed_in("mo"), made.signed_in("sen")
        await do(mo, case, "claim")
        page = await mo.get(f"/cases/{case}")
        assert f"/cases/{case}/report" in page.text
        await mo.get(f"/cases/{case}/report")
        answer = await mo.post(f"/cases/{case}/report", FORM)
        where = answer.headers["location"]
        drafted = await mo.get(where)
        text = plain(drafted)
        assert "203.0.113.77" in text and "How legal process is served" in text and "It saves the days" in text
        assert "are your parents home" not in drafted.text and "Veiled" in text
        assert "/approve" not in drafted.text, "not one's own"
        assert (await mo.post(f"{where}/approve", {"why": "fine"})).status_code == 403
        seen = await sen.get(where)
        assert f"{where}/approve" in seen.text and f"{where}/file" not in seen.text
        opened = await sen.post(f"{where}/unveil", {})
        assert "are your parents home" in (await sen.get(opened.headers["location"])).text
        assert (await sen.post(f"{where}/approve", {"why": "agreed"})).status_code == 303
        case_page = plain(await sen.get(f"/cases/{case}"))
        assert "approved by sen" in case_page
        assert (await sen.post(f"{where}/file", {})).status_code == 303
        send(made, hotline)
        [there] = hotline.finished
        assert "<port>50123</port>" in there.xml and len(there.files) >= 2
        final = plain(await sen.get(where))
        assert "filed" in final and there.id in final and "evidence is held until" in final
        assert f"ncmec {there.id}" in plain(await sen.get(f"/cases/{case}"))
        assert there.id in plain(await sen.get("/reports"))
        report = where.rsplit("/", 1)[1]
        for who, what in (("mo", "report acted on"), ("sen", "report viewed"), ("sen", "words of a report unveiled")):
            assert (what, f"report {report}") in made.acts(who)


@asynchronous
async def test_what_cannot_be_is_said_and_what_was_typed_stays(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        with_reporter(made)
        case = await made.press()
        mo = made.signed_in("mo")
        await mo.get(f"/cases/{case}/report")
        answer = await mo.post(f"/cases/{case}/report", FORM)
        assert answer.status_code == 409 and "who reports holds it" in answer.text and "zz_quillcanary" in answer.text
        await do(mo, case, "claim")
        for field, value, said in (
            ("ip", "somewhere", "no IPv4"), ("ip_port", "many", "whole number"), ("ip_at", "noon", "2026-11-25"),
            ("incident", "nothing", "not known"), ("to", "nowhere", "not known"), ("why", "", "needs a reason"),
        ):  # fmt: skip
            await mo.get(f"/cases/{case}/report")
            answer = await mo.post(f"/cases/{case}/report", FORM | {field: value})
            assert answer.status_code == 409 and said in answer.text, (field, answer.text[:2_000])


@asynchronous
async def test_a_report_that_lacks_something_cannot_be_approved_and_says_what(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        mo, sen = made.signed_in("mo"), made.signed_in("sen")
        await do(mo, case, "claim")
        await mo.get(f"/cases/{case}/report")
        where = (await mo.post(f"/cases/{case}/report", FORM)).headers["location"]
        page = plain(await sen.get(where))
        assert "It cannot be approved yet" in page and "reporter/reportingPerson/email" in page
        assert (await sen.post(f"{where}/approve", {"why": "agreed"})).status_code == 409


@asynchronous
async def test_another_platforms_reports_are_not_seen(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        with_reporter(made)
        case = await made.press()
        mo, max_ = made.signed_in("mo"), made.signed_in("max")
        await do(mo, case, "claim")
        await mo.get(f"/cases/{case}/report")
        where = (await mo.post(f"/cases/{case}/report", FORM)).headers["location"]
        made.console.people.run("UPDATE people SET platforms = '[\"other\"]' WHERE name = 'max'", ())
        assert (await max_.get(where)).status_code == 404
        listed = await max_.http.get("/reports", headers=JSON)
        assert listed.json() == {"reports": []}
        own = await mo.http.get("/reports", headers=JSON)
        [told] = own.json()["reports"]
        assert told["state"] == "drafted" and "person" not in told and "content" not in told


def with_reporter(made: Room) -> None:
    """Settings with who reports in them."""
    service: Any = made.gateway.service
    service.settings = msgspec.structs.replace(service.settings, reports=ReportSettings(reporter=MISSING_TEMPLATE))


MISSING_TEMPLATE = msgspec.structs.replace(REPORTER, company_template="")
