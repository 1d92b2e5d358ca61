"""The page of a broadcast: what the system did can be taken back with one key, each thing once."""

from __future__ import annotations

import re
from pathlib import Path

from console_support import PEOPLE, PRESSING
from people_support import Browser, add

from support import Recorder, asynchronous, comment, eventually, gateway, started
from upstander.console.broadcast_page import _undoes
from upstander.console.core import Console
from upstander.gateway.broadcasts import ActionView
from upstander.people.model import Stage


def done(asked: str, at: int, target: str = "", state: str = "acknowledged") -> ActionView:
    return ActionView(f"a{at}", "e", asked, asked, target, "x", state, 1, "", at)


def test_what_was_taken_back_is_not_offered_again() -> None:
    both = [done("mute_viewer", 1, "v1"), done("unmute_viewer", 2, "v1"), done("slow_mode", 3)]
    assert [(each["do"], each["target"]) for each in _undoes(both)] == [("slow_mode_off", "")]
    again = [*both, done("mute_viewer", 4, "v1"), done("mute_viewer", 5, "v2")]
    assert [(each["do"], each["target"]) for each in _undoes(again)] == [
        ("unmute_viewer", "v2"), ("unmute_viewer", "v1"), ("slow_mode_off", ""),
    ]  # fmt: skip
    assert _undoes([done("pause", 1, state="failed"), done("nudge_host", 2), done("end", 3)]) == []


@asynchronous
async def test_an_intervention_of_the_machine_is_taken_back_from_the_page(tmp_path: Path) -> None:
    recorder = Recorder()
    async with gateway(tmp_path, [recorder]) as running:
        console = Console(running.service)
        running.http._transport.app.state.console = console  # type: ignore[attr-defined]
        add(console.people, "mo", PEOPLE["mo"])
        events = [started(), *(comment(f"c{n}", text) for n, text in enumerate(PRESSING))]
        assert (await running.post(events)).status_code == 200
        await eventually(lambda: any(action.asked == "mute_viewer" for action in recorder.performed), "a mute")
        browser = Browser(running.http._transport.app, "192.0.2.1")  # type: ignore[attr-defined]
        browser.session = console.sessions.open("mo", Stage.FULL, "192.0.2.1")
        page = await browser.get("/live/broadcasts/mysite/b1")
        while "Undo mute viewer v1" not in page.text:
            page = await browser.get("/live/broadcasts/mysite/b1")
        form = next(part for part in page.text.split("<form ") if "Undo mute viewer v1" in part)
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
        assert (await browser.post("/live/orders", fields)).status_code == 303
        await eventually(lambda: any(action.asked == "unmute_viewer" for action in recorder.performed), "an unmute")
        assert "Undo mute viewer v1" not in (await browser.get("/live/broadcasts/mysite/b1")).text
        assert '<svg class="curve"' in page.text
        console.close()
