"""``upstander explain EVENT_ID``: one decision as a person reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from test_commands import run

from support import PLATFORM, Served, assert_whole, bearer, comment, entries, lines, make_key, now_ms, serve, started
from upstander.gateway.keys import Scope

TEN_MINUTES = 10 * 60_000


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The data folder of a service that ran: a child host, one viewer who presses, one other broadcast."""
    folder = tmp_path_factory.mktemp("explain")
    key = make_key(folder / "data", *Scope)
    at = now_ms() - 2 * TEN_MINUTES
    with serve(folder) as served:
        send(served, key, started(at=at), started("s2", "b2", at=at))
        send(served, key, comment("c1", "are your parents home", actor="v", at=at + 1000))
        send(served, key, comment("c2", "nice game", actor="v", at=at + 2000))
        send(served, key, comment("c3", "so d0nt tell ur mom ok", actor="v", at=at + 1000 + TEN_MINUTES))
        send(served, key, comment("c3x", "nice game", "b2", at=at + 1000), comment("twice", "hi"))
        send(served, key, comment("twice", "hi", "b2"), comment('odd "id"', "dont tell ur mom", "b2"))
    yield served.data


def send(served: Served, key: str, *events: dict[str, object]) -> None:
    answer = httpx.post(f"{served.url}/v1/events", content=lines(*events), headers=bearer(key), timeout=30)
    assert answer.json()["accepted"] == len(events)


def told(data: Path, *arguments: str) -> str:
    result = run("explain", "--data", str(data), *arguments)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_decision_with_what_it_rests_on(journal: Path) -> None:
    text = told(journal, "c3")
    by_name = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert f"c3 in b1 on {PLATFORM}" in text
    assert "who         v (comment)" in text
    assert "hold_comment c3: sent to no adapter" in text
    at = text.splitlines().index("text        so d0nt tell ur mom ok")
    assert text.splitlines()[at + 1].startswith("               ^^^^^^^^^^^^^^^^  secrecy: en.secrecy.")
    assert "in the folded view" in text
    assert "█" in by_name["supervision_probe"]
    assert "earlier: asks whether a grown-up is near" in by_name["supervision_probe"]
    assert "+" in by_name["young_host"] and "%" in by_name["young_host"]
    # Half of the weight is gone after 30 minutes, so after ten 0.5 ** (1/3) is left.
    assert "c1  10 min before, 79% left  are your parents home" in text
    assert "engine " in by_name["decided"] and "packs " in by_name["decided"]
    assert "the same decision comes out" in text


def test_as_json(journal: Path) -> None:
    found = json.loads(told(journal, "c3", "--json"))
    assert found["event"]["id"] == found["decision"]["event"] == "c3"
    assert found["replays_the_same"] is True
    assert found["factor"] > 1
    assert [each["event"] for each in found["earlier"]] == ["c1"]
    weights = [r["weight"] for r in found["decision"]["reasons"] if r["what"] not in found["decision"]["exposures"]]
    assert sum(weights) == pytest.approx(found["decision"]["belief"], abs=0.001)


def test_an_event_without_a_decision(journal: Path) -> None:
    assert "nothing to say about it: level clear" in told(journal, "c2")


def test_an_id_that_json_escapes(journal: Path) -> None:
    assert 'odd "id" in b2' in told(journal, 'odd "id"')


def test_an_id_that_two_broadcasts_have(journal: Path) -> None:
    result = run("explain", "--data", str(journal), "twice")
    assert result.returncode == 2
    assert "--broadcast b1" in result.stderr and "--broadcast b2" in result.stderr
    assert "twice in b2" in told(journal, "twice", "--broadcast", "b2")
    assert "twice in b1" in told(journal, "twice", "--broadcast", "b1", "--platform", PLATFORM)


@pytest.mark.parametrize("arguments", [("nobody",), ("c3", "--platform", "other"), ("c3", "--broadcast", "b2")])
def test_no_such_event_is_one_clear_line(journal: Path, arguments: tuple[str, ...]) -> None:
    result = run("explain", "--data", str(journal), *arguments)
    assert result.returncode == 2
    assert "no event has the id" in result.stderr


def test_no_journal_is_one_clear_line(tmp_path: Path) -> None:
    result = run("explain", "--data", str(tmp_path / "nowhere"), "c1")
    assert result.returncode == 2
    assert "there is no journal" in result.stderr


def test_every_look_is_noted_in_the_journal(journal: Path) -> None:
    before = entries(journal / "journal.sqlite", "audit")
    told(journal, "c3")
    (noted,) = entries(journal / "journal.sqlite", "audit")[len(before) :]
    body = json.loads(noted.entry.body)
    assert (noted.entry.platform, noted.entry.broadcast) == (PLATFORM, "b1")
    assert (body["viewed"], body["event"]) == ("event", "c3")
    assert body["by"]
    assert_whole(journal / "journal.sqlite")


def test_while_a_service_runs_it_says_that_the_look_is_not_noted(tmp_path: Path) -> None:
    key = make_key(tmp_path / "data", *Scope)
    with serve(tmp_path) as served:
        send(served, key, started(), comment("c1", "are your parents home"))
        result = run("explain", "--data", str(served.data), "c1")
        assert result.returncode == 0
        assert "supervision_probe" in result.stdout
        assert "not noted" in result.stderr
        assert entries(served.journal, "audit") == []
