"""A class of thirty: join, tag, choose, look back; come back after a loss; nothing kept, nothing sent elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from school import KEY, School
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from support import asynchronous, eventually
from upstander.teach.classroom import MOST_PUPILS
from upstander.teach.scripts import shipped
from upstander.teach.server import HEADERS

SCRIPT = "dance-dares"
PUPILS = 30


class Client:
    """One page, as its WebSocket."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self.reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for text in self.socket:
                self.heard.append(json.loads(text))
        except ConnectionClosed:
            pass

    async def ask(self, do: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"do": do, **fields}))

    async def hear(self, say: str, **fields: Any) -> dict[str, Any]:
        """The latest message of this kind with these fields."""

        def found() -> dict[str, Any] | None:
            fits = [each for each in self.heard if each["say"] == say]
            return next((each for each in reversed(fits) if fields.items() <= each.items()), None)

        heard = await eventually(found, f"{say} {fields}; heard {[each['say'] for each in self.heard][-5:]}")
        assert heard is not None
        return heard


@asynccontextmanager
async def client(school: School) -> AsyncIterator[Client]:
    async with connect(f"ws://{school.host}/live") as socket:
        made = Client(socket)
        yield made
        made.reading.cancel()


@asynccontextmanager
async def teacher(school: School, script: str = SCRIPT) -> AsyncIterator[tuple[Client, str]]:
    """A teacher with an open class, and its code; the class is ended afterwards."""
    async with client(school) as leads:
        await leads.ask("teach", key=KEY)
        await leads.hear("ready")
        await leads.ask("open", script=script, language="en")
        code = (await leads.hear("opened"))["code"]
        yield leads, code
        await leads.ask("end")
        await leads.hear("over")


async def play_to(leads: Client, school: School, position: int) -> None:
    """Show lines by hand up to a position; choices on the way are closed."""
    await leads.ask("start")
    await leads.ask("pause")
    while school.room.classroom.position < position:
        before = school.room.classroom.position
        if school.room.classroom.phase == "choosing":
            await leads.ask("go_on")
            await leads.ask("pause")
        await leads.ask("next")
        await eventually(lambda before=before: school.room.classroom.position > before, "the next line")  # type: ignore[misc]


async def joined(school: School, code: str, stack: list[Any]) -> Client:
    manager = client(school)
    made = await manager.__aenter__()
    stack.append(manager)
    await made.ask("join", code=code)
    await made.hear("joined")
    return made


async def leave_all(stack: list[Any]) -> None:
    for manager in stack:
        await manager.__aexit__(None, None, None)


@asynchronous
async def test_thirty_pupils_tag_and_choose_and_the_teacher_gets_the_right_counts_and_no_names(school: School) -> None:
    stack: list[Any] = []
    async with teacher(school) as (leads, code):
        pupils = await asyncio.gather(*(joined(school, code, stack) for _ in range(PUPILS)))
        await play_to(leads, school, 19)
        assert school.room.classroom.phase == "choosing"
        tags = ["praise_hook", "praise_hook", "tag_kind"]
        choices = ["block", "tell", "tell"]
        for number, pupil in enumerate(pupils):
            await pupil.ask("tag", at=16, tag=tags[number % 3])
            await pupil.ask("choose", choice=choices[number % 3])
        await eventually(lambda: any(
            each["say"] == "results" and each["results"]["chosen"] == PUPILS for each in leads.heard
        ), "all choices")  # fmt: skip
        results = [each for each in leads.heard if each["say"] == "results"][-1]["results"]
        assert results["pupils"] == PUPILS
        assert results["tags"] == {"16": {"praise_hook": 20, "tag_kind": 10}}
        assert results["choices"] == {"0": {"block": 10, "tell": 20}}
        told = json.dumps(leads.heard)
        assert not any(pupil.heard[0]["token"] in told for pupil in pupils)
        await leads.ask("go_on")
        then = await pupils[0].hear("then", point=0)
        assert then["choices"] == {"block": 10, "tell": 20}
        assert set(then["outcomes"]) == {"ignore", "block", "comments_off", "end", "tell"}
        await leads.ask("look_back")
        back = await pupils[7].hear("debrief")
        row = next(row for row in back["comparison"]["rows"] if row["line"]["index"] == 16)
        assert row["tags"] == {"praise_hook": 20, "tag_kind": 10}
        assert row["seen"] is not None
        assert row["agree"] == "agree_yes"
    await leave_all(stack)


@asynchronous
async def test_who_loses_the_network_comes_back_with_the_same_tags_and_the_lines_missed(school: School) -> None:
    stack: list[Any] = []
    async with teacher(school) as (leads, code):
        pupil = await joined(school, code, stack)
        token = pupil.heard[0]["token"]
        await play_to(leads, school, 17)
        await pupil.ask("tag", at=16, tag="praise_hook")
        await pupil.hear("tagged", at=16)
        pupil.socket.transport.abort()
        await leads.ask("next")
        await leads.hear("event")
        async with client(school) as again:
            await again.ask("resume", code=code, token=token)
            back = await again.hear("joined")
            assert back["token"] == token
            assert back["mine"]["tags"] == {"16": "praise_hook"}
            assert [line["index"] for line in back["lines"]] == list(range(school.room.classroom.position))
            assert school.room.classroom.results().pupils == 1
    await leave_all(stack)


@asynchronous
async def test_pause_freeze_pace_and_end_do_what_they_say(school: School) -> None:
    stack: list[Any] = []
    async with teacher(school, "pet-show") as (leads, code):
        pupil = await joined(school, code, stack)
        await leads.ask("pace", value=2.0)
        await leads.ask("start")
        await pupil.hear("event")
        await leads.ask("freeze")
        await pupil.hear("phase", phase="frozen")
        position = school.room.classroom.position
        await pupil.ask("tag", at=0, tag="tag_kind")
        await pupil.hear("refused")
        await leads.ask("pace", value=7.0)
        await leads.hear("refused")
        await asyncio.sleep(0.4)
        assert school.room.classroom.position == position
    await pupil.hear("over")
    assert school.room.classroom is None
    await leave_all(stack)


@asynchronous
async def test_with_few_pupils_no_counts_are_shown(school: School) -> None:
    stack: list[Any] = []
    async with teacher(school) as (leads, code):
        for _ in range(3):
            pupil = await joined(school, code, stack)
        await play_to(leads, school, 17)
        await pupil.ask("tag", at=16, tag="praise_hook")
        await eventually(lambda: school.room.classroom.results().tags, "the tag")
        results = school.room.classroom.results()
        assert results.few
        assert results.tags == {16: {"praise_hook": 1}}
    await leave_all(stack)


@asynchronous
async def test_wrong_codes_wrong_keys_and_pages_of_others_get_nowhere(school: School) -> None:
    stack: list[Any] = []
    async with teacher(school) as (_, code):
        async with client(school) as other:
            await other.ask("join", code="AAAAAA")
            assert (await other.hear("refused"))["why"] == "join_wrong"
            await other.ask("teach", key="guess")
            assert (await other.hear("refused", why="teacher_need_link"))["why"] == "teacher_need_link"
            await other.ask("end")
            await other.ask("nonsense")
            await other.hear("refused")
        pupil = await joined(school, code, stack)
        await pupil.ask("end")
        await pupil.ask("look_back")
        await pupil.ask("tag", at=0, tag="not_a_tag")
        await pupil.hear("refused")
        assert school.room.classroom is not None
        assert school.room.classroom.phase == "lobby"
        with pytest.raises(InvalidStatus):
            async with connect(f"ws://{school.host}/live", origin="http://elsewhere.example"):  # type: ignore[arg-type]
                pass
        school.room.classroom.pupils.update({f"p{n}": object() for n in range(MOST_PUPILS)})
        async with client(school) as late:
            await late.ask("join", code=code)
            assert (await late.hear("refused"))["why"] == "join_full"
        for n in range(MOST_PUPILS):
            del school.room.classroom.pupils[f"p{n}"]
    await leave_all(stack)


@asynchronous
async def test_guessing_codes_is_slowed_down_for_everyone_together() -> None:
    with School() as fresh:
        async with client(fresh) as guesser:
            for n in range(40):
                await guesser.ask("join", code=f"QQ{n:04}")
                if n % 20 == 19:
                    await asyncio.sleep(1.1)
            assert (await guesser.hear("refused", why="join_slow"))["why"] == "join_slow"


@asynchronous
async def test_the_engine_of_a_class_is_dropped_with_it(school: School) -> None:
    async with teacher(school) as (leads, _):
        await play_to(leads, school, 19)
        assert any(name.startswith("class-") for name in school.room._runtime.engines)
    assert not any(name.startswith("class-") for name in school.room._runtime.engines)


def test_pages_have_a_strict_policy_and_set_no_cookie(school: School) -> None:
    for path in ("/", "/teacher", "/projector", "/static/teach.css", "/static/pupil.js", "/words/en", "/words/es"):
        answer = httpx.get(f"http://{school.host}{path}")
        assert answer.status_code == 200, path
        assert "set-cookie" not in answer.headers
        assert answer.headers["content-security-policy"] == HEADERS["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert httpx.get(f"http://{school.host}/words/xx").status_code == 404


def test_scripts_that_the_lessons_name_are_there() -> None:
    assert {("en", SCRIPT), ("es", SCRIPT)} <= set(shipped())
