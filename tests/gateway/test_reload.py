"""Packs read again while events come in: none is lost, each is decided once, and broken packs never decide."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from support import (
    Gateway,
    assert_whole,
    asynchronous,
    bearer,
    comment,
    entries,
    eventually,
    gateway,
    make_key,
    serve,
    started,
    until,
)
from upstander.detect import packs, prepare
from upstander.gateway import reload
from upstander.gateway.keys import Scope
from upstander.journal.store import JournalError
from upstander.model.decision import decode_decision
from upstander.runtime import decode_configuration

PACK = """\
label: secrecy
language: en
who: viewer
source: "a test"
patterns:
  - id: quiet
    pattern: '{pattern}'
    strength: {strength}
    fires:
      - "keep it quiet"
"""
PRESSING = "pls keep it quiet ok"


def pack(strength: float = 2.0, pattern: str = r"\bkeep it quiet\b") -> str:
    return PACK.format(strength=strength, pattern=pattern)


def put(folder: Path, text: str) -> str:
    """Write the pack; the hash of what is in force once it is taken, empty when it is broken."""
    (folder / "en").mkdir(parents=True, exist_ok=True)
    (folder / "en/secrecy.yaml").write_text(text)
    try:
        return packs.load(packs.from_folder(folder)).hash[:16]
    except packs.PackError:
        return ""


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reload, "POLL_S", 0.05)


def assert_decided_by_the_packs_in_force(journal: Path) -> dict[str, str]:
    """Every event stands in the journal once with one decision at most, made by the packs of the configuration
    before it. Returns the hash by event."""
    in_force, seen, by_event = "", set(), {}
    for placed in entries(journal):
        if placed.entry.kind == "config":
            in_force = packs.load(decode_configuration(placed.entry.body).packs).hash[:16]
        elif placed.entry.kind == "event":
            identifier = json.loads(placed.entry.body)["id"]
            assert identifier not in seen
            seen.add(identifier)
        elif placed.entry.kind == "decision":
            decision = decode_decision(placed.entry.body)
            assert decision.event not in by_event
            assert decision.versions["packs"] == in_force
            by_event[decision.event] = in_force
    return by_event


async def send(running: Gateway, accepted: list[str], stop: asyncio.Event) -> float:
    """Held comments one after another until told to stop; the longest any of them waited."""
    slowest, number = 0.0, 0
    while not stop.is_set():
        number += 1
        event = comment(f"c{number}", PRESSING, actor=f"v{number % 50}")
        began = time.perf_counter()
        answer = await running.hold(event, deadline_ms=10_000)
        slowest = max(slowest, time.perf_counter() - began)
        assert answer.status_code == 200
        assert answer.json()["accepted"]
        accepted.append(str(event["id"]))
        await asyncio.sleep(0)
    return slowest


@asynchronous
async def test_reloads_under_load_lose_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    hashes = [put(folder, pack())]
    async with gateway(tmp_path, packs=str(folder)) as running:
        reloader = running.service.reloader
        await running.post(started())
        accepted: list[str] = []
        stop = asyncio.Event()
        sender = asyncio.create_task(send(running, accepted, stop))
        hostile = r"\bkeep (?:\w{1,12} ?){0,20}quiet"
        for step, text in enumerate([pack(2.5), "label: [", pack(3.0), pack(2.0, hostile), pack(9), pack(1.5)]):
            fresh = put(folder, text)
            before = len(accepted)
            if fresh:
                hashes.append(fresh)
                await eventually(lambda: running.service.intake.runtime.configuration.packs[0][1] == text)  # noqa: B023
                await eventually(lambda: not reloader.failed)
            else:
                await eventually(lambda: reloader.failed, f"step {step} to be refused")
                assert "en/secrecy.yaml:" in reloader.failed
                assert running.service.intake.available
            await eventually(lambda: len(accepted) > before + 5)  # noqa: B023
        stop.set()
        slowest = await sender
        assert reloader.reloads == 3
        journal = running.service.settings.journal_path
    by_event = assert_decided_by_the_packs_in_force(journal)
    assert set(by_event) == set(accepted), "an event was lost, or not decided"
    assert list(dict.fromkeys(by_event.values())) == hashes
    assert slowest < 5
    assert_whole(journal)


@asynchronous
async def test_a_broken_pack_shows_and_a_mended_one_ends_it(tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    put(folder, pack())
    async with gateway(tmp_path, packs=str(folder)) as running:
        assert (await running.http.get("/readyz")).text == "ready"
        put(folder, pack().replace("strength", "strenght"))
        await eventually(lambda: running.service.reloader.failed)
        assert running.service.reloader.failed == (
            "en/secrecy.yaml:8: unknown key `strenght`. Did you mean `strength`?"
        )
        ready = await running.http.get("/readyz")
        assert (ready.status_code, "broken" in ready.text) == (200, True)
        assert "upstander_packs_reload_failed 1.0" in (await running.http.get("/metrics")).text
        put(folder, pack(2.2))
        await eventually(lambda: not running.service.reloader.failed)
        text = (await running.http.get("/metrics")).text
        assert "upstander_packs_reload_failed 0.0" in text
        assert "upstander_packs_reloads_total 1.0" in text


@asynchronous
async def test_a_file_is_read_only_once_it_rests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone saves again and again: only what is there in the end is taken."""
    monkeypatch.setattr(reload, "POLL_S", 0.3)
    folder = tmp_path / "packs"
    put(folder, pack())
    async with gateway(tmp_path, packs=str(folder)) as running:
        for step in range(20):
            put(folder, pack(1 + step / 10))
            await asyncio.sleep(0.03)
        await eventually(lambda: running.service.reloader.reloads)
        await asyncio.sleep(0.7)
        assert running.service.reloader.reloads == 1
        assert "strength: 2.9" in running.service.intake.configuration.packs[0][1]


@asynchronous
async def test_polling_can_be_switched_off(tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    put(folder, pack())
    async with gateway(tmp_path, packs=str(folder), packs_reload=False) as running:
        put(folder, pack(2.5))
        await asyncio.sleep(0.4)
        assert running.service.reloader.reloads == 0
        running.service.reloader.ask()
        await eventually(lambda: running.service.reloader.reloads == 1)


@asynchronous
async def test_a_configuration_that_cannot_be_recorded_is_recorded_later(tmp_path: Path, gate: object) -> None:
    """The disk fails at the very moment of the switch: nothing decides by packs that the journal does not know."""
    folder = tmp_path / "packs"
    put(folder, pack())
    async with gateway(tmp_path, packs=str(folder)) as running:
        await running.post(started())
        gate.fail = JournalError("full")  # type: ignore[attr-defined]
        put(folder, pack(2.5))
        await eventually(lambda: not running.service.intake.available, "the journal to fail")
        gate.fail = None  # type: ignore[attr-defined]
        await eventually(lambda: running.service.intake.available and running.service.reloader.reloads)
        assert (await running.post(comment("c1", PRESSING))).json()["accepted"] == 1
        journal = running.service.settings.journal_path
    hashes = assert_decided_by_the_packs_in_force(journal)
    assert hashes == {"c1": packs.load(packs.from_folder(folder)).hash[:16]}
    assert_whole(journal)


TOML = 'packs = "packs"\npacks_reload = false\n'


def post(url: str, key: str, *events: dict[str, object]) -> None:
    answer = httpx.post(f"{url}/v1/events", json=list(events), headers=bearer(key), timeout=30)
    assert answer.json()["accepted"] == len(events)


def test_killed_right_after_a_reload_it_comes_back_with_the_new_packs(tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    first = put(folder, pack())
    key = make_key(tmp_path / "data", *Scope)
    with serve(tmp_path, TOML) as served:
        post(served.url, key, started(), comment("c1", PRESSING))
        second = put(folder, pack(2.5))
        os.kill(served.pid, signal.SIGHUP)
        until(lambda: "decide from here on" in served.log)
        post(served.url, key, comment("c2", PRESSING))
        # Broken when it is killed: the packs that decided last go on after the restart.
        put(folder, "label: [")
        os.kill(served.pid, signal.SIGHUP)
        until(lambda: "was not taken" in served.log)
        served.kill()
    with serve(tmp_path, TOML) as served:
        assert "those that decided last go on" in served.log
        post(served.url, key, comment("c3", PRESSING))
        third = put(folder, pack(3.0))
        os.kill(served.pid, signal.SIGHUP)
        until(lambda: "decide from here on" in served.log)
        served.kill()
    with serve(tmp_path, TOML) as served:
        post(served.url, key, comment("c4", PRESSING))
        assert served.stop() == 0
    by_event = assert_decided_by_the_packs_in_force(served.journal)
    assert by_event == {"c1": first, "c2": second, "c3": second, "c4": third}
    assert_whole(served.journal)


def test_without_a_folder_the_signal_changes_nothing(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        os.kill(served.pid, signal.SIGHUP)
        until(lambda: "decide from here on" in served.log)
        assert httpx.get(f"{served.url}/readyz").text == "ready"


@asynchronous
async def test_packs_that_take_too_long_are_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "packs"
    put(folder, pack())
    async with gateway(tmp_path, packs=str(folder)) as running:
        monkeypatch.setattr(prepare, "LIMIT_S", 0.01)
        put(folder, pack(2.5))
        await eventually(lambda: running.service.reloader.failed)
        assert "not ready after 0.01 seconds" in running.service.reloader.failed
        assert running.service.intake.available
