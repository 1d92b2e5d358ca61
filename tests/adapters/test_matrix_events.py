"""What a Matrix event means: nothing that a client shows goes unread, and no mistake makes protection weaker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from upstander.adapters.matrix import configuration, events
from upstander.adapters.matrix.words import BROADCAST
from upstander.model import events as wire
from upstander.model.vocabulary import AgeBand, AgeSource
from upstander.model.wire import decode_event
from upstander.policy import judge
from upstander.settings import load

HTML = "org.matrix.custom.html"


def text(**content: Any) -> str:
    return events.text_of(content)


def test_every_part_that_a_client_may_show_is_read_once() -> None:
    assert text(msgtype="m.text", body="hi there") == "hi there"
    formatted = "<b>add me</b> on<br>the other app"
    assert text(body="hi", format=HTML, formatted_body=formatted) == "hi\nadd me on\nthe other app"
    assert text(body="hi", formatted_body="<p>hi</p>") == "hi"
    assert (
        text(body="look", formatted_body='<a href="https://app.example/me">look</a>')
        == "look\nlook\nhttps://app.example/me"
    )
    assert "add me" in text(body="x", formatted_body='<img src="mxc://x" alt="add me">')
    assert text(body="* new", **{"m.new_content": {"body": "new"}, "m.relates_to": {"rel_type": "m.replace"}}) == "new"
    assert (
        text(msgtype="m.image", body="cat.png", filename="cat.png", url="mxc://h/x", info={"mimetype": "y"})
        == "cat.png"
    )
    poll = {"question": {"m.text": [{"body": "add me?"}]}, "answers": [{"m.id": "1", "m.text": [{"body": "yes"}]}]}
    assert text(**{"m.poll": poll}).splitlines() == ["add me?", "1", "yes"]
    assert text(**{"m.relates_to": {"rel_type": "m.annotation", "key": "add me"}}) == "add me"


def test_what_is_no_text_is_not_read() -> None:
    assert text(body=7, list=[None, True, 1.5], url="add me") == ""
    assert text() == ""
    assert events.text_of({"m.relates_to": "add me"}) == ""


@given(st.recursive(st.text() | st.none() | st.integers(), lambda c: st.lists(c) | st.dictionaries(st.text(), c)))
def test_whatever_is_sent_it_raises_nothing(value: Any) -> None:
    content = value if isinstance(value, dict) else {"body": value, "formatted_body": value, "m.relates_to": value}
    assert isinstance(events.text_of(content), str)
    events.sign_of(content)
    events.faults(content)
    room = events.room_of("!r", "$s", content, content)
    assert room is None or room.fallback in ("allow", "hold", "block")


@pytest.mark.parametrize("evil", ["<" * 60_000, "<a" * 30_000, "<a href='" * 7_000, "<br" * 20_000, "&" * 60_000])
def test_reading_takes_time_in_proportion(evil: str) -> None:
    began = time.perf_counter()
    text(formatted_body=evil)
    assert time.perf_counter() - began < 1


@pytest.mark.parametrize(
    ("key", "sign"),
    [("👍", "👍"), ("❤️", "❤️"), ("add me on snap", None), ("👍 2moro", None), ("", None), (7, None), (None, None)],
)
def test_a_reaction_is_a_sign_or_is_read(key: object, sign: str | None) -> None:
    assert events.sign_of({"m.relates_to": {"key": key}}) == sign


def test_a_room_as_its_state_says() -> None:
    content = {
        "host": "@ada:h", "host_age_band": "10_12", "age_source": "declared", "title": "my fort", "language": "en",
        "deadline_ms": 100, "device": 7,
    }  # fmt: skip
    room = events.room_of("!r:h", "$s", content, {"slow_mode_s": 30})
    assert room is not None
    assert (room.host, room.band, room.fallback, room.deadline_ms, room.slow_mode_s) == (
        "@ada:h",
        "10_12",
        "hold",
        100,
        30,
    )
    started = decode_event(msgspec.json.encode(events.started(room, 1_800_000_000_000)))
    assert isinstance(started, wire.BroadcastStarted)
    assert (started.host, started.host_age_band, started.title, started.deadline_ms) == (
        "@ada:h", AgeBand.FROM_10_TO_12, "my fort", 100,
    )  # fmt: skip
    assert events.faults(content) == []


@pytest.mark.parametrize(
    "content",
    [
        {"host": "@ada:h", "host_age_band": "adlut"},
        {"host": "@ada:h", "host_age_band": 30},
        {"host": 7, "host_age_band": ["adult"]},
        {"host": "", "on_deadline": "alow"},
        {"host": "x" * 300},
        {"x": 1},
    ],
)
def test_a_mistake_in_the_state_makes_no_adult(content: dict[str, Any]) -> None:
    room = events.room_of("!r", "$s", content, {"slow_mode_s": "soon"})
    assert room is not None and room.fallback == "hold" and room.slow_mode_s == 0
    decode_event(msgspec.json.encode(events.started(room, 1_800_000_000_000)))
    if content != {"host": "x" * 300}:
        assert events.faults(content)


def test_an_empty_state_is_the_end() -> None:
    assert events.room_of("!r", "$s", {}, {}) is None
    event = decode_event(msgspec.json.encode(events.ended("!r", "$s", 1_800_000_000_000)))
    assert isinstance(event, wire.BroadcastEnded)


@pytest.mark.parametrize(("membership", "kind"), [("join", "joined"), ("leave", "left"), ("ban", "left")])
def test_who_comes_and_goes(membership: str, kind: str) -> None:
    room = events.room_of("!r", "$s", {"host": "@ada:h"}, {})
    assert room is not None
    event = events.membership(room, "$m", "@v:h", membership, 1_800_000_000_000)
    assert event is not None and event["type"] == kind
    decode_event(msgspec.json.encode(event))
    assert events.membership(room, "$m", "@v:h", "invite", 1) is None
    assert events.membership(room, "$m", "@ada:h", membership, 1) is None


def test_comments_and_reactions_are_events_of_the_wire() -> None:
    room = events.room_of("!r", "$s", {"host": "@ada:h"}, {})
    assert room is not None
    decode_event(msgspec.json.encode(events.comment(room, "$e", "@v:h", "x" * events.MAX_TEXT, 1_800_000_000_000)))
    decode_event(msgspec.json.encode(events.reaction(room, "$e", "@v:h", "👍" * 300, 1_800_000_000_000)))


def test_it_says_the_same_as_the_rest_of_the_project() -> None:
    """The module imports nothing of it, so what both must know is compared here."""
    assert (wire.MAX_TEXT, wire.MAX_ID) == (events.MAX_TEXT, events.MAX_ID)
    assert set(events.BANDS) == set(AgeBand) and set(events.SOURCES) == set(AgeSource)
    for band in AgeBand:
        room = events.room_of("!r", "$s", {"host": "@ada:h", "host_age_band": str(band)}, {})
        assert room is not None and room.fallback == judge.bundled().on_deadline(band)


def test_the_side_in_synapse_needs_the_standard_library_only() -> None:
    script = (
        "import sys, upstander.adapters.matrix.events, upstander.adapters.matrix.configuration\n"
        "print([m for m in ('msgspec', 'httpx', 'hyperscan', 'upstander.model') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-S", "-c", script], capture_output=True, text=True, check=True,
                            env={"PYTHONPATH": str(Path(__file__).parents[2] / "src")})  # fmt: skip
    assert result.stdout.strip() == "[]"


# -- the module's section of homeserver.yaml ---------------------------------------------------------------------

KEY = f"ups_{'0' * 12}_{'a' * 43}"


@pytest.fixture
def section(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "key").touch(mode=0o600)
    (tmp_path / "key").write_text(KEY + "\n")
    return {"url": "http://127.0.0.1:8787", "key_file": str(tmp_path / "key"), "trusted": ["@platform:example.org"]}


def test_the_least_configuration(section: dict[str, Any]) -> None:
    made = configuration.parse(section)
    assert (made.key, made.deadline_ms, made.encrypted, made.members) == (KEY, 250, "refuse", True)
    assert KEY not in repr(made)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"urll": "x"}, "Did you mean `url`"),
        ({"colour": "x"}, "Known: url"),
        ({"url": "127.0.0.1:8787"}, "http://127.0.0.1:8787"),
        ({"url": None}, "`url` is None"),
        ({"trusted": []}, "`trusted` is []"),
        ({"trusted": "@platform:example.org"}, "List the user ids"),
        ({"trusted": ["platform"]}, "List the user ids"),
        ({"deadline_ms": 0}, "from 1 to 10000"),
        ({"deadline_ms": True}, "from 1 to 10000"),
        ({"encrypted": "maybe"}, "refuse, allow"),
        ({"members": "yes"}, "true or false"),
        ({"key_file": ""}, "`key_file` is missing"),
        ({"key_file": "/nowhere/key"}, "cannot be read (No such file or directory)"),
    ],
)
def test_a_wrong_configuration_is_one_clear_line(section: dict[str, Any], change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as error:
        configuration.parse(section | change)
    assert says in str(error.value)


def test_a_key_must_be_one_and_one_s_own(section: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(ValueError, match="chmod 600"):
        configuration.parse(section)
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "key").write_text("ups_wrong")
    with pytest.raises(ValueError, match="holds no API key") as error:
        configuration.parse(section)
    assert "ups_wrong" not in str(error.value)


def test_the_configuration_in_the_documentation_works(section: dict[str, Any], tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/adapters/matrix.md").read_text(encoding="utf-8")
    blocks = dict(re.findall(r"```(yaml|toml)\n(.*?)```", page, re.DOTALL))
    (module,) = yaml.safe_load(blocks["yaml"])["modules"]
    assert module["module"] == "upstander.adapters.matrix.module.UpstanderModule"
    made = configuration.parse(module["config"] | {"key_file": section["key_file"]})
    (tmp_path / "upstander.toml").write_text(blocks["toml"])
    assert load(tmp_path / "upstander.toml").adapters[0].kind == "matrix"
    (state,) = json.loads(re.search(r"createRoom -d '(\{.*?\})'", page, re.DOTALL).group(1))["initial_state"]  # type: ignore[union-attr]
    assert state["type"] == BROADCAST and events.faults(state["content"]) == []
    assert events.room_of("!r", "$s", state["content"], {}).host != next(iter(made.trusted))  # type: ignore[union-attr]
    for field in ("url", "key_file", "trusted", "deadline_ms", "encrypted", "members"):
        assert f"| `{field}` |" in page
