"""``POST /v1/hold``: a verdict before the deadline, the fail policy's after it, and what is put right later."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from support import (
    HARMLESS,
    PROBE,
    Gate,
    Recorder,
    asynchronous,
    bearer,
    comment,
    event,
    eventually,
    gateway,
    make_key,
    started,
)
from upstander.gateway.keys import Scope
from upstander.settings import Hold, Limits


def muted(identifier: str = "m1") -> dict[str, str]:
    return {"id": identifier, "do": "mute_viewer", "target": "v1"}


@asynchronous
async def test_a_harmless_comment_is_allowed_and_a_probe_is_held(tmp_path: Path) -> None:
    async with gateway(tmp_path, hold=Hold(10_000)) as g:
        await g.post(started())
        allowed, held = (await g.hold(comment("c1"))).json(), (await g.hold(comment("c2", PROBE))).json()
        assert allowed["verdict"] == "allow" and allowed["decided"] and allowed["accepted"] and not allowed["decision"]
        assert held["verdict"] == "hold" and held["decided"] and held["accepted"]
        assert held["decision"]["tactics"] == ["supervision_probe"]
        assert held["seq"] > allowed["seq"] > 0
        gift = event("gift", "g1", actor="v2", gift="rose", value=1, text=PROBE)
        assert (await g.hold(gift)).json()["verdict"] == "hold"


@asynchronous
async def test_a_comment_held_twice_gets_the_same_verdict(tmp_path: Path) -> None:
    held = comment("c1", PROBE)
    async with gateway(tmp_path, hold=Hold(10_000)) as g:
        await g.post(started())
        first, second = (await g.hold(held)).json(), (await g.hold(held)).json()
        assert first == second
        assert len(g.journal("decision")) == 1


@pytest.mark.parametrize(
    ("host", "text", "mute", "answered", "correction"),
    [
        ({"band": "10_12"}, HARMLESS, False, "hold", "release_comment"),
        ({"band": "10_12"}, PROBE, False, "hold", "delete_comment*"),
        ({"band": "adult"}, HARMLESS, False, "allow", None),
        ({"band": "adult"}, HARMLESS, True, "allow", "delete_comment"),
        ({"band": "10_12", "on_deadline": "allow"}, PROBE, False, "allow", "delete_comment"),
        ({"band": "adult", "on_deadline": "hold"}, HARMLESS, False, "hold", "release_comment"),
        ({"band": "adult", "on_deadline": "block"}, HARMLESS, False, "block", None),
        ({"band": "unknown"}, HARMLESS, False, "hold", "release_comment"),
    ],
)
@asynchronous
async def test_past_the_deadline_the_fail_policy_answers_and_is_put_right_later(
    tmp_path: Path, gate: Gate, host: dict[str, str], text: str, mute: bool, answered: str, correction: str | None
) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started(**host))
        if mute:
            await g.order(**muted())
        with gate.closed():
            answer = (await g.hold(comment("c1", text), deadline_ms=20)).json()
            assert answer == {
                "event": "c1", "verdict": answered, "decided": False, "accepted": False, "seq": 0, "decision": None
            }  # fmt: skip
            assert g.service.metrics.deadlines_missed == 1
        await eventually(lambda: g.journal("answer"))
        note = json.loads(g.journal("answer")[0].entry.body)
        assert (note["event"], note["answered"]) == ("c1", answered)
        expected = correction if correction and not correction.endswith("*") else None
        if expected:
            await eventually(lambda: any(action.asked == expected for action in adapter.performed))
        about_comment = [row["asked"] for row in g.actions() if row["target"] == "c1" and row["adapter"] == "recorder"]
        assert about_comment == ([expected] if expected else [])


@asynchronous
async def test_an_unknown_broadcast_is_treated_as_a_childs(tmp_path: Path, gate: Gate) -> None:
    async with gateway(tmp_path) as g:
        with gate.closed():
            assert (await g.hold(comment("c1", broadcast="unheard-of"), deadline_ms=10)).json()["verdict"] == "hold"


@asynchronous
async def test_a_broadcast_may_set_its_own_deadline(tmp_path: Path, gate: Gate) -> None:
    async with gateway(tmp_path, hold=Hold(10_000)) as g:
        await g.post(started(deadline_ms=10))
        with gate.closed():
            assert not (await g.hold(comment("c1"))).json()["decided"]


@asynchronous
async def test_a_late_correction_is_not_lost_when_the_service_stops(tmp_path: Path, gate: Gate) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        gate.close()
        await g.hold(comment("c1"), deadline_ms=10)
        stopping = asyncio.create_task(g.service.stop())
        await asyncio.sleep(0.05)
        gate.open()
        await stopping
        g.service.stop = _nothing  # type: ignore[method-assign]
    rows = g.actions()
    assert [row["asked"] for row in rows] == ["release_comment"]


async def _nothing() -> None:
    pass


@asynchronous
async def test_what_cannot_be_held_is_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        for body, field in (
            (started(), "type"),
            (comment("c1") | {"text": "x" * 4_001}, "text"),
            (comment("c1") | {"at": "yesterday"}, "at"),
            (b"", ""),
            (b"garbage", ""),
            (b"[]", ""),
            (b"{" * 50_000, ""),
        ):
            response = await g.hold(body)
            assert response.status_code == 422
            error = response.json()["error"]
            assert error["field"] == field and error["reason"] and error["fix"]
        used = comment("c2")
        await g.hold(used)
        assert (await g.hold(used | {"text": "other words"})).json()["error"]["field"] == "id"
        assert len(g.journal("event")) == 1


@pytest.mark.parametrize("deadline", ["0", "10001", "-5", "1.5", "soon", "", "²", "٣", "9" * 5_000])
@asynchronous
async def test_a_deadline_out_of_range_is_refused_before_anything_is_taken(tmp_path: Path, deadline: str) -> None:
    async with gateway(tmp_path) as g:
        response = await g.hold(comment("c1"), deadline_ms=deadline)
        assert response.status_code == 400
        assert "1 to 10000" in response.json()["error"]["fix"]
        assert g.journal("event") == []


@asynchronous
async def test_a_full_house_still_answers_for_the_comment_that_waits(tmp_path: Path, gate: Gate) -> None:
    async with gateway(tmp_path, limits=Limits(max_pending=1)) as g:
        await g.post(started())
        with gate.closed():
            await g.hold(comment("c1"), deadline_ms=1)
            response = await g.hold(comment("c2"), deadline_ms=1)
            assert response.status_code == 429 and int(response.headers["retry-after"]) >= 1
            answer = response.json()
            assert (answer["verdict"], answer["decided"], answer["accepted"]) == ("hold", False, False)


@asynchronous
async def test_two_platforms_with_one_broadcast_id_share_nothing(tmp_path: Path) -> None:
    async with gateway(tmp_path, hold=Hold(10_000)) as g:
        other = bearer(make_key(g.data, Scope.EVENTS_WRITE, Scope.BROADCASTS_READ, platform="othersite"))
        await g.post(started(band="adult"))
        await g.order(**muted())
        await g.http.post("/v1/events", json=started(band="adult"), headers=other)
        mine = (await g.hold(comment("c1"))).json()
        theirs = (await g.http.post("/v1/hold", json=comment("c1"), headers=other)).json()
        assert (mine["verdict"], theirs["verdict"]) == ("hold", "allow")
        view = (await g.http.get("/v1/broadcasts/b1", headers=other)).json()
        assert view["pairs"] == [] and view["comments"] == 1
