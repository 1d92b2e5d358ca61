"""Orders: what a person asks for is recorded, done once, and not worked against by the machine."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from support import HARMLESS, Gate, Recorder, assert_whole, asynchronous, comment, eventually, gateway, started
from upstander.adapters.base import Capability
from upstander.journal import store
from upstander.model.decision import Asked, Decision
from upstander.model.vocabulary import Intervention
from upstander.outbox import actions
from upstander.settings import Hold


async def state(g: object) -> str:
    return (await g.http.get("/v1/broadcasts/b1")).json()["state"]  # type: ignore[attr-defined,no-any-return]


@asynchronous
async def test_pause_resume_and_end_reach_the_platform_and_show(tmp_path: Path) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        assert await state(g) == "live"
        for n, (do, shown) in enumerate((("pause", "paused"), ("resume", "live"), ("end", "ended")), 1):
            answer = (await g.order(id=f"o{n}", do=do)).json()
            assert answer["order"] == f"o{n}" and answer["seq"] > 0 and answer["duplicate"] is False
            assert await state(g) == shown
        await eventually(lambda: len(adapter.performed) == 3)
        assert [action.doing for action in adapter.performed] == ["pause", "resume", "end"]
        kept = [json.loads(placed.entry.body) for placed in g.journal("order")]
        assert [(order["do"], order["by"], order["reason"]) for order in kept] == [
            ("pause", "Ada", "a test"), ("resume", "Ada", "a test"), ("end", "Ada", "a test")
        ]  # fmt: skip
    assert_whole(g.service.settings.journal_path)


@asynchronous
async def test_an_order_sent_again_is_done_once(tmp_path: Path, gate: Gate) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        with gate.closed():
            sending = [asyncio.create_task(g.order(do="pause")) for _ in range(3)]
            await eventually(lambda: len(g.service.intake._ordering) == 1)
            await asyncio.sleep(0.05)
        answers = [(await task).json() for task in sending]
        assert sorted(answer["duplicate"] for answer in answers) == [False, True, True]
        assert len({answer["seq"] for answer in answers}) == 1
        again = (await g.order(do="pause")).json()
        assert again == {"order": "o1", "seq": answers[0]["seq"], "duplicate": True}
        await eventually(lambda: adapter.performed)
    async with gateway(tmp_path, [adapter]) as g:
        assert (await g.order(do="pause")).json() == again
        assert len(g.journal("order")) == 1 and len(g.actions()) == 1
    assert len(adapter.performed) == 1


@asynchronous
async def test_an_orders_id_used_for_another_order_is_a_conflict(tmp_path: Path, gate: Gate) -> None:
    async with gateway(tmp_path, [Recorder()]) as g:
        await g.post([started(), comment("o1")])
        with gate.closed():
            first = asyncio.create_task(g.order(do="pause"))
            await eventually(lambda: g.service.intake._ordering)
            flying = await g.order(do="resume")
        assert (await first).status_code == 200
        later = await g.order(do="pause", reason="another reason")
        for response in (flying, later):
            assert response.status_code == 409 and response.json()["error"]["fix"]
        assert len(g.journal("order")) == 1


@asynchronous
async def test_an_order_and_events_do_not_share_their_ids(tmp_path: Path) -> None:
    """An event may have an order's id, or one made to look like its key."""
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post([started("order\0o1"), comment("o1")])
        assert (await g.order(do="pause")).json()["duplicate"] is False
        await eventually(lambda: adapter.performed)
    pause = Asked(Intervention.PAUSE)
    assert actions.action_id("p", "b", "x", pause) != actions.action_id("p", "b", "x", pause, ordered=True)
    assert actions.action_id("p", "b\0x", "y", pause) != actions.action_id("p", "b", "x\0y", pause)


@asynchronous
async def test_a_muted_viewers_comments_are_held_until_unmuted(tmp_path: Path) -> None:
    async with gateway(tmp_path, [Recorder()], hold=Hold(10_000)) as g:
        await g.post(started(band="adult"))
        assert (await g.hold(comment("c1"))).json()["verdict"] == "allow"
        await g.order(id="o1", do="mute_viewer", target="v1")
        assert (await g.hold(comment("c2"))).json()["verdict"] == "hold"
        assert (await g.hold(comment("c3", actor="v2"))).json()["verdict"] == "allow"
        await g.order(id="o2", do="unmute_viewer", target="v1")
        assert (await g.hold(comment("c4", HARMLESS))).json()["verdict"] == "allow"
        view = (await g.http.get("/v1/broadcasts/b1")).json()
        assert [(pair["viewer"], pair["muted"]) for pair in view["pairs"]] == [("v1", False)]
    async with gateway(tmp_path, [Recorder()], hold=Hold(10_000)) as g:
        assert (await g.hold(comment("c5"))).json()["verdict"] == "allow"


@asynchronous
async def test_what_a_person_ended_the_machine_does_not_turn_into_a_pause(tmp_path: Path) -> None:
    async with gateway(tmp_path, [Recorder()]) as g:
        await g.post(started())
        await g.order(do="end")
        machine = Decision(
            "c1", "b1", "v1", 0, "emergency", (), (), (Asked(Intervention.PAUSE),), 9.0, 9.0, (), {}
        )  # fmt: skip
        sql = actions.of_decision(g.service.intake.by_platform, "mysite", machine, 0, False)
        await g.service.intake.journal.append(statements=sql)
        assert await state(g) == "ended"
        await g.order(id="o2", do="resume")
        assert await state(g) == "live"


@pytest.mark.parametrize(
    "order",
    [
        {"do": "mute_viewer"},
        {"do": "unmute_viewer", "target": ""},
        {"do": "release_comment"},
        {"do": "warn_viewer"},
        {"do": "pause", "reason": ""},
        {"do": "pause", "by": ""},
        {"do": "pause", "id": ""},
        {"do": "ban_for_ever"},
        {"do": "pause", "id": "x" * 257},
        {"do": "pause", "unknown_field": 1},
        {"do": 7},
        {},
    ],
)
@asynchronous
async def test_an_incomplete_order_is_refused(tmp_path: Path, order: dict[str, object]) -> None:
    async with gateway(tmp_path, [Recorder()]) as g:
        await g.post(started())
        response = await g.order(**order)
        assert response.status_code == 422
        assert response.json()["error"]["reason"] and response.json()["error"]["fix"]
        assert g.journal("order") == [] and g.actions() == []


@pytest.mark.parametrize("body", [b"", b"what", b"[]", b"{" * 50_000, b'{"id": "o", "do": "pause"}', b'{"id":"\xff"}'])
@asynchronous
async def test_a_body_that_is_no_order_is_refused(tmp_path: Path, body: bytes) -> None:
    async with gateway(tmp_path) as g:
        response = await g.http.post("/v1/broadcasts/b1/orders", content=body)
        assert response.status_code == 422 and response.json()["error"]["fix"]


@asynchronous
async def test_an_order_that_nothing_can_carry_out_is_shown_as_failed(tmp_path: Path) -> None:
    """Orders are not in the decision stream: without an adapter nobody would hear of them."""
    async with gateway(tmp_path) as g:
        await g.post(started())
        assert (await g.order(do="pause")).status_code == 200
        (row,) = (await g.http.get("/v1/broadcasts/b1")).json()["actions"]
        assert row["state"] == "failed" and "no adapter" in row["did"]


@asynchronous
async def test_the_adapter_that_comes_nearest_is_chosen_not_the_first_that_can(tmp_path: Path) -> None:
    pauses, ends = Recorder("pauses", [Capability.PAUSE]), Recorder("ends", [Capability.END])
    async with gateway(tmp_path, [pauses, ends]) as g:
        await g.post(started())
        await g.order(do="end")
        await eventually(lambda: ends.performed)
        assert ends.performed[0].doing == "end" and not pauses.performed
        reader = store.connect(g.service.settings.journal_path, readonly=True)
        assert actions.stream_state(reader, "mysite", "b1") == "ended"
        reader.close()
