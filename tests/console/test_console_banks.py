"""The page of banks: counts and quarantine without a value, release by a senior with a reason, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
from console_support import JSON, Room, fill_banks, room

from support import asynchronous
from upstander.captures.opening import banks_path, open_banks
from upstander.console import banks_page


def states(made: Room) -> dict[str, str]:
    banks = open_banks(made.console.service.settings)
    try:
        return {entry.id: entry.state for entry in banks.opened("known", ("active", "quarantined"))}
    finally:
        banks.close()


@asynchronous
async def test_banks_are_shown_without_a_value_and_every_look_is_noted(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        entries = fill_banks(made.console.service.settings)
        page = await made.signed_in("ana").get("/banks")
        assert "known" in page.text and "never matches" in page.text and "partner (3)" in page.text
        assert entries[0] in page.text and entries[1] not in page.text
        assert f"{1:064x}" not in page.text and "Release" not in page.text
        assert ("banks listed", "") in made.acts("ana")
        told = (await made.signed_in("boss").get("/banks", headers=JSON)).json()
        known = next(each for each in told["banks"] if each["bank"]["name"] == "known")
        assert (known["bank"]["active"], known["bank"]["quarantined"], known["votes_waiting"]) == (2, 1, 1)
        assert [each["id"] for each in told["quarantined"]] == [entries[0]]


@asynchronous
async def test_a_senior_releases_an_entry_with_a_reason_and_nobody_else_does(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        entries = fill_banks(made.console.service.settings)
        path = f"/banks/entries/{entries[0]}/release"
        for name in ("ana", "mo", "boss", "evi"):
            other = made.signed_in(name)
            await other.get("/account")
            assert (await other.post(path, {"why": "a logo"})).status_code == 403
        sen = made.signed_in("sen")
        await sen.get("/banks")
        assert (await sen.post(path, {"why": "  "})).status_code == 422
        assert states(made)[entries[0]] == "quarantined"
        done = await sen.post(path, {"why": "a real match after all"})
        assert "matches again" in done.text and "Nothing is in quarantine" in done.text
        assert states(made)[entries[0]] == "active"
        assert ("bank changed", "bank known") in made.acts("sen")
        again = await sen.post(path, {"why": "once more"})
        assert again.status_code == 409 and "not in quarantine" in again.text


@asynchronous
async def test_without_banks_the_page_says_how_to_make_one_and_makes_none(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        sen = made.signed_in("sen")
        assert "No banks yet" in (await sen.get("/banks")).text
        assert (await sen.post("/banks/entries/none/release", {"why": "x"})).status_code == 409
        assert not banks_path(made.console.service.settings).exists()


@asynchronous
async def test_without_the_extra_the_page_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banks_page, "MISSING", "Run: pip install 'upstander[captures]'")
    async with room(tmp_path) as made:
        sen = made.signed_in("sen")
        assert "upstander[captures]" in (await sen.get("/banks")).text
        assert (await sen.post("/banks/entries/none/release", {"why": "x"})).status_code == 409
