"""Evidence pages: veiled by default, counted and noted when unveiled; holds; a package that is checked elsewhere."""

from __future__ import annotations

from pathlib import Path

from console_support import JSON, PRESSING, Room, do, plain, room
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support import asynchronous
from upstander.settings import CareSettings
from upstander.vault.inspect import inspect
from upstander.vault.vault import Part


def item_of(made: Room, case: str, part: str = "chat") -> str:
    return next(row.address for row in made.console.vault().of_case(case) if row.part == part)


@asynchronous
async def test_items_are_listed_without_content_and_veiled_until_asked_for(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        evi = made.signed_in("evi")
        page = await evi.get(f"/cases/{case}/evidence")
        assert "The chat around it" in page.text and made.console.vault().signer.public in page.text
        item = item_of(made, case)
        veiled = await evi.get(f"/evidence/{item}")
        assert not any(words in page.text + veiled.text for words in PRESSING)
        assert "Chain of custody" in veiled.text and "Listed, without its content" in veiled.text
        await evi.post(f"/evidence/{item}/unveil")
        shown = await evi.get(f"/evidence/{item}")
        assert "are your parents home" in plain(shown) and "slow" in shown.text
        assert made.acts("evi").count(("evidence unveiled", f"item {item[:16]}")) == 1
        by = [(entry.kind, entry.by, entry.why) for entry in made.console.vault().ledger.about(item)]
        assert ("viewed", "evi", "unveiled on its page") in by
        made.clock.forward(minutes=16)
        assert "parents home" not in (await evi.get(f"/evidence/{item}")).text
        assert made.console.care.standing("evi").seen == 1


@asynchronous
async def test_what_is_no_text_is_not_shown(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        part = Part("picture", "a test", b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
        (item,) = made.console.vault().seal([part], case, made.clock() + 10**9, "a test")
        evi = made.signed_in("evi")
        await evi.get(f"/evidence/{item}")
        await evi.post(f"/evidence/{item}/unveil")
        shown = await evi.get(f"/evidence/{item}")
        assert "264 bytes that are no text" in shown.text and "<img" not in shown.text.split("<main")[1]


@asynchronous
async def test_unveiling_evidence_counts_with_everything_else(tmp_path: Path) -> None:
    async with room(tmp_path, CareSettings(budget=1)) as made:
        case = await made.press()
        sen = made.signed_in("sen")
        await do(sen, case, "unveil")
        item = item_of(made, case)
        await sen.get(f"/evidence/{item}")
        refused = await sen.post(f"/evidence/{item}/unveil")
        assert refused.status_code == 409 and "second person" in plain(refused)
        ask = made.console.care.ask("sen", f"item {item}", "for the court")
        made.console.care.decide(ask.id, "sue", allow=True)
        assert (await sen.post(f"/evidence/{item}/unveil")).status_code == 303


@asynchronous
async def test_a_hold_keeps_what_is_there_until_it_ends(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        evi, vault = made.signed_in("evi"), made.console.vault()
        await evi.get(f"/cases/{case}/evidence")
        assert (await evi.post(f"/cases/{case}/evidence/hold", {"reference": "", "why": "x"})).status_code == 409
        held = await evi.post(f"/cases/{case}/evidence/hold", {"reference": "warrant 7", "why": "asked by police"})
        assert "under the hold warrant 7" in plain(held)
        assert vault.ledger.holds(item_of(made, case)) == ["warrant 7"]
        wrong = {"reference": "warrant 8", "why": "x"}
        assert (await evi.post(f"/cases/{case}/evidence/release", wrong)).status_code == 409
        await evi.post(f"/cases/{case}/evidence/release", {"reference": "warrant 7", "why": "it ended"})
        assert vault.ledger.holds(item_of(made, case)) == []
        sen = made.signed_in("sen")
        await sen.get(f"/cases/{case}/evidence")
        assert (await sen.post(f"/cases/{case}/evidence/hold", wrong)).status_code == 403


@asynchronous
async def test_an_export_is_checked_by_anybody_and_who_took_it_is_noted(tmp_path: Path) -> None:
    async with room(tmp_path) as made:
        case = await made.press()
        evi = made.signed_in("evi")
        await evi.get(f"/cases/{case}/evidence")
        assert (await evi.post(f"/cases/{case}/evidence/export", {"why": "x"})).status_code == 422, "for whom?"
        sent = await evi.post(f"/cases/{case}/evidence/export", {"why": "report", "recipient": "the hotline"})
        assert sent.headers["content-type"] == "application/zip"
        assert sent.headers["content-disposition"] == f'attachment; filename="case-{case}.zip"'
        path = tmp_path / "package.zip"
        path.write_bytes(sent.content)
        result = inspect(path, made.console.vault().signer.public)
        assert result.ok and (result.case, result.by) == (case, "evi")
        assert ("evidence exported", f"case {case}") in made.acts("evi")
        any_byte_matters(tmp_path, sent.content)
        nobody = await made.signed_in("sen").post(f"/cases/{case}/evidence/export", {"why": "x", "recipient": "y"})
        assert nobody.status_code == 403


def any_byte_matters(folder: Path, package: bytes) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.integers(0, len(package) - 1), st.integers(0, 7))
    def tampered(at: int, bit: int) -> None:
        changed = bytearray(package)
        changed[at] ^= 1 << bit
        path = folder / "tampered.zip"
        path.write_bytes(bytes(changed))
        result = inspect(path)
        assert not result.ok and all(finding.what for finding in result.findings), (at, bit)

    tampered()


@asynchronous
async def test_without_a_vault_the_page_says_how_to_make_one(tmp_path: Path) -> None:
    import shutil

    async with room(tmp_path) as made:
        case = await made.press()
        made.console.vault().close()
        made.console._vault = None
        shutil.rmtree(made.gateway.service.settings.folder / "vault")
        answer = await made.signed_in("evi").get(f"/cases/{case}/evidence", headers=JSON)
        assert answer.status_code == 409 and "upstander vault init" in answer.text
        assert (await made.signed_in("evi").get("/evidence/" + "0" * 64)).status_code == 409
        assert (await made.signed_in("mo").get(f"/cases/{case}")).status_code == 200
