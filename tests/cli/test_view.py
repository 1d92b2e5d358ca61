"""The demo's live view: what stands in it, also in a small window."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from strategies import START, engine, event
from upstander.client import Comment
from upstander.client.http import Held
from upstander.demo.view import View
from upstander.gateway.wall import WallRow


@pytest.mark.parametrize(("width", "height"), [(150, 44), (80, 24)])
def test_it_shows_levels_reasons_and_what_was_done(width: int, height: int) -> None:
    watcher = engine()
    watcher.observe(event("broadcast_started", 0, START, "b1", host="h", host_age_band="10_12"))
    view = View("http://127.0.0.1:1", "data", 1_234)
    for number, text in enumerate(("are your parents home", "dont tell your mom", "hi"), 1):
        comment = event("comment", number, START, "b1", actor="v", text=text)
        assert isinstance(comment, Comment)
        decision = watcher.observe(comment)
        verdict = "hold" if decision else "allow"
        view.on_held(comment, Held(comment.id, verdict, True, True, number, decision))
    view.seen.rows.append(WallRow("demo", "b1", "urgent", 3, 7.5, ["secrecy"], [], "asks", START, 2))
    view.seen.stats.available = True
    platform = SimpleNamespace(live={"b1": "b1", "b2": "b2"})
    receiver = SimpleNamespace(done=["mute_viewer in b1 (v)"], counts={"mute_viewer": 1})
    console = Console(file=io.StringIO(), record=True, width=width)
    console.print(view.render(platform, receiver, height, width))  # type: ignore[arg-type]
    text = console.export_text()
    for part in ("Upstander live", "continued from 1,234", "broadcasts (2 live)", "urgent", "clear", "Ctrl-C stops"):
        assert part in text
    assert "mute_viewer in b1" in text
    assert "v: are" in text
    assert max(len(line) for line in text.splitlines()) <= width
