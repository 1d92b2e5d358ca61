"""``POST /v1/events``: what is taken, what is refused and how, and what happens to an event that comes twice."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support import (
    HARMLESS,
    PROBE,
    SECOND_PROBE,
    Gate,
    asynchronous,
    comment,
    ended,
    event,
    event_ids,
    eventually,
    gateway,
    lines,
    now_ms,
    started,
)
from upstander.settings import Limits


def ids(answer: dict[str, Any]) -> list[str]:
    return [result["event"] for result in answer["results"]]


@asynchronous
async def test_every_form_of_body_is_read(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        for body, expected in (
            (lines(started("one")), ["one"]),
            (json.dumps(comment("pretty"), indent=2).encode(), ["pretty"]),
            (json.dumps([comment("a1"), comment("a2")]).encode(), ["a1", "a2"]),
            (json.dumps([comment("a3"), comment("a4")], indent=2).encode(), ["a3", "a4"]),
            (lines(comment("l1"), comment("l2")), ["l1", "l2"]),
            (b"\r\n" + lines(comment("w1"), comment("w2")).replace(b"\n", b"\r\n") + b"\r\n\r\n", ["w1", "w2"]),
        ):
            response = await g.post(body)
            answer = response.json()
            assert (response.status_code, ids(answer), answer["errors"]) == (200, expected, [])
            assert answer["accepted"] == len(expected)
        assert event_ids(g.service.settings.journal_path) == [
            "one", "pretty", "a1", "a2", "a3", "a4", "l1", "l2", "w1", "w2"
        ]  # fmt: skip


@asynchronous
async def test_bad_lines_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    bad_time = comment("late") | {"at": 1_790_000_000}
    async with gateway(tmp_path) as g:
        body = b"\n\n" + b"\n".join(
            (
                lines(started()),
                b"what is this",
                lines(comment("c1")),
                b"",
                lines(comment("long", "x" * 4_001)),
                lines(event("coment", "typo", actor="v", text="hi")),
                lines(bad_time),
                lines({key: value for key, value in comment("nobody").items() if key != "actor"}),
                b"\xff\xfe\x00garbage",
                lines(comment("c2")),
            )
        )
        response = await g.post(body)
    answer = response.json()
    assert response.status_code == 200
    assert ids(answer) == ["s1", "c1", "c2"]
    found = [(error["line"], error["field"], error["event"]) for error in answer["errors"]]
    assert found == [
        (4, "", ""),
        (7, "text", "long"),
        (8, "type", "typo"),
        (9, "at", "late"),
        (10, "actor", "nobody"),
        (11, "", ""),
    ]
    assert all(error["reason"] and error["fix"] for error in answer["errors"])
    assert "did you mean `comment`?" in answer["errors"][2]["fix"]
    assert "did you mean 1790000000000" in answer["errors"][3]["fix"]


@asynchronous
async def test_an_array_names_the_place_of_what_is_wrong(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        answer = (await g.post([started(), 7, comment("c1"), comment("c2", "x" * 4_001)])).json()
    assert ids(answer) == ["s1", "c1"]
    assert [(error["line"], error["field"]) for error in answer["errors"]] == [(2, ""), (4, "text")]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b" \n\t\n", 400),
        (b"[", 400),
        (b'[{"type": "comment"}', 400),
        (b"[" * 100_000 + b"]" * 100_000, 400),
        (b"garbage", 422),
        (b"\x00\x01\x02\xff", 422),
        (b"null", 422),
        (b"7", 422),
        (b"[1, 2]", 422),
        (b'{"a": ' * 20_000 + b"1" + b"}" * 20_000, 422),
        (b'{"type": "comment", "text": "\\ud800"}', 422),
        (b"[]", 200),
    ],
)
@asynchronous
async def test_what_is_no_event_is_refused_with_a_fix(tmp_path: Path, body: bytes, status: int) -> None:
    async with gateway(tmp_path) as g:
        response = await g.post(body)
        assert response.status_code == status
        answer = response.json()
        for error in [answer["error"]] if status == 400 else answer["errors"]:
            assert error["reason"] and error["fix"]
        assert g.journal("event") == []
        assert (await g.post(started())).status_code == 200


@asynchronous
async def test_a_first_line_that_is_an_array_does_not_stop_the_rest(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        answer = (await g.post(b"[1]\n" + lines(started(), comment("c1")))).json()
    assert ids(answer) == ["s1", "c1"]
    assert [error["line"] for error in answer["errors"]] == [1]


@asynchronous
async def test_a_body_that_is_too_large_is_refused_whole(tmp_path: Path) -> None:
    body = lines(comment("c1", "x" * (10 * 1024 * 1024)))

    async def in_pieces() -> Any:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    async with gateway(tmp_path) as g:
        declared = await g.post(body)
        streamed = await g.http.post("/v1/events", content=in_pieces())
        many = await g.post(lines(*(comment(f"c{n}") for n in range(1_001))))
        assert [r.status_code for r in (declared, streamed, many)] == [413] * 3
        assert all(r.json()["error"]["fix"] for r in (declared, streamed, many))
        assert g.journal("event") == []


@asynchronous
async def test_a_batch_larger_than_what_may_wait_is_not_put_off_for_ever(tmp_path: Path) -> None:
    async with gateway(tmp_path, limits=Limits(max_pending=3)) as g:
        assert (await g.post(lines(*(comment(f"c{n}") for n in range(4))))).status_code == 413
        assert (await g.post(lines(*(comment(f"c{n}") for n in range(3))))).status_code == 200


@asynchronous
async def test_odd_text_is_taken_as_it_is(tmp_path: Path) -> None:
    texts = ["nul \x00 inside", "\u202egnirts", "e\u0301" * 50, "😀" * 1_000, "x" * 4_000]
    async with gateway(tmp_path) as g:
        answer = (await g.post(lines(*(comment(f"c{n}", text) for n, text in enumerate(texts))))).json()
        assert answer["errors"] == []
        kept = [json.loads(placed.entry.body)["text"] for placed in g.journal("event")]
        assert kept == texts
        nul = (await g.post(comment("id\x00with nul", broadcast="b\x00x"))).json()
        assert ids(nul) == ["id\x00with nul"]


@asynchronous
async def test_unknown_fields_are_kept_byte_for_byte(tmp_path: Path) -> None:
    line = lines(comment("c1"))[:-1] + b',  "x-own": {"a": [1.50, 1e2, "\\u00e9"]},"zz":null }'
    async with gateway(tmp_path) as g:
        await g.post(line)
        await g.post(b"[ " + line.replace(b'"c1"', b'"c2"') + b" ]")
        assert [placed.entry.body for placed in g.journal("event")] == [line, line.replace(b'"c1"', b'"c2"')]


@asynchronous
async def test_a_broadcast_need_not_have_been_announced(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        answer = (await g.post(comment("c1", PROBE, broadcast="never-started"))).json()
        assert answer["results"][0]["decision"]["level"] == "notice"


@asynchronous
async def test_what_comes_after_the_end(tmp_path: Path) -> None:
    now = now_ms() - 300_000
    async with gateway(tmp_path) as g:
        await g.post(lines(started(at=now), comment("c1", at=now + 1_000), ended(at=now + 2_000)))
        late = await g.post(comment("late", at=now + 61_000))
        assert late.status_code == 200
        over = await g.post(comment("over", at=now + 63_000))
        assert over.status_code == 422
        error = over.json()["errors"][0]
        assert (error["field"], error["event"]) == ("broadcast", "over")
        assert "broadcast_started" in error["fix"]
        verdict = event("verdict", "judged", actor="ada", outcome="benign", decision="c1", at=now + 200_000)
        assert (await g.post(verdict)).status_code == 200, "a moderator judges after the end, too"
        assert (await g.post(comment("over2", at=now + 201_000))).status_code == 422
        again = await g.post(lines(started("s2", at=now + 210_000), comment("c2", PROBE, at=now + 211_000)))
        assert again.json()["results"][1]["decision"]["level"] == "notice"
        assert event_ids(g.service.settings.journal_path) == ["s1", "c1", "end", "late", "judged", "s2", "c2"]


@asynchronous
async def test_times_in_the_future_are_refused_beyond_the_limit(tmp_path: Path) -> None:
    async with gateway(tmp_path, limits=Limits(max_ahead_s=60)) as g:
        answer = (await g.post([comment("near", at=now_ms() + 30_000), comment("far", at=now_ms() + 90_000)])).json()
    assert ids(answer) == ["near"]
    assert [(error["event"], error["field"]) for error in answer["errors"]] == [("far", "at")]
    assert "clock" in answer["errors"][0]["fix"]


# -- events that come twice --------------------------------------------------------------------------------------


@asynchronous
async def test_the_same_event_twice_in_a_batch_counts_once(tmp_path: Path) -> None:
    first = comment("c1", PROBE)
    async with gateway(tmp_path) as g:
        answer = (await g.post([started(), first, first, first | {"x-own": 1}])).json()
        one, two, three = answer["results"][1:]
        assert not one.get("duplicate")
        assert two == three == one | {"duplicate": True}
        assert (answer["accepted"], answer["duplicates"]) == (4, 2)
        assert len(g.journal("decision")) == 1


@asynchronous
async def test_an_event_sent_again_while_it_is_in_flight(tmp_path: Path, gate: Gate) -> None:
    async with gateway(tmp_path) as g:
        await g.post(started())
        with gate.closed():
            first = asyncio.create_task(g.post(comment("c1", PROBE, at=1_790_000_000_000)))
            await eventually(lambda: g.service.intake.pending == 1)
            again = asyncio.create_task(g.post(comment("c1", PROBE, at=1_790_000_000_000)))
            other = await g.post(comment("c1", HARMLESS, at=1_790_000_000_000))
            assert other.status_code == 422
            assert other.json()["errors"][0]["field"] == "id"
            assert not first.done() and not again.done(), "not durable, so not answered"
        one, two = (await first).json()["results"][0], (await again).json()["results"][0]
        assert two == one | {"duplicate": True}
        assert one["decision"]["level"] == "notice"


@asynchronous
async def test_an_event_sent_again_after_a_restart_gets_the_first_answer(tmp_path: Path) -> None:
    batch = [started(), comment("c1", PROBE), comment("c2"), comment("c3", SECOND_PROBE)]
    async with gateway(tmp_path) as g:
        before = (await g.post(batch)).json()
        assert before["duplicates"] == 0
    async with gateway(tmp_path) as g:
        after = (await g.post(batch)).json()
        assert after["duplicates"] == 4
        assert after["results"] == [result | {"duplicate": True} for result in before["results"]]
        assert len(g.journal("event")) == 4
        conflict = await g.post(comment("c1", "something else"))
        assert conflict.status_code == 422
        error = conflict.json()["errors"][0]
        assert error["field"] == "id" and "another event" in error["reason"] and error["fix"]


@asynchronous
async def test_an_id_is_free_in_another_broadcast_and_on_another_platform(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        answer = (
            await g.post([comment("c1", broadcast="b1"), comment("c1", broadcast="b2", text="other words")])
        ).json()
        assert (answer["accepted"], answer["duplicates"]) == (2, 0)


@asynchronous
async def test_unknown_paths_and_methods_are_answered_in_json(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        for response in (await g.http.get("/v1/nothing"), await g.http.get("/v1/events")):
            assert response.status_code in (404, 405)
            assert "openapi.json" in response.json()["error"]["fix"]
