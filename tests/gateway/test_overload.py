"""More than the service can take, and a journal that cannot be written: nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import json
import resource
import sqlite3
import subprocess
from collections import Counter
from pathlib import Path

import httpx

from support import (
    PROBE,
    UPSTANDER,
    Gate,
    Recorder,
    assert_whole,
    asynchronous,
    bearer,
    comment,
    entries,
    event_ids,
    eventually,
    gateway,
    make_key,
    replayed_states,
    serve,
    started,
    until,
)
from upstander.settings import Limits

DISK_FULL = sqlite3.OperationalError("database or disk is full")


@asynchronous
async def test_a_flood_is_turned_away_and_what_was_taken_is_kept(tmp_path: Path, gate: Gate) -> None:
    limit = 40
    async with gateway(tmp_path, limits=Limits(max_pending=limit)) as g:
        gate.close()
        most = 0

        async def send(n: int) -> tuple[int, list[str]]:
            nonlocal most
            batch = [comment(f"c{n}-{k}", PROBE) for k in range(7)]
            response = await g.post(batch)
            most = max(most, g.service.intake.pending)
            if response.status_code == 429:
                assert int(response.headers["retry-after"]) >= 1
                assert response.json()["error"]["fix"]
                return 429, []
            assert response.status_code == 200
            return 200, [result["event"] for result in response.json()["results"]]

        sending = [asyncio.create_task(send(n)) for n in range(30)]
        await eventually(lambda: sum(task.done() for task in sending) == 25)
        assert g.service.intake.pending == 35
        gate.open()
        answers = [await task for task in sending]
        assert Counter(status for status, _ in answers) == {200: 5, 429: 25}
        again = [await send(n) for n, (status, _) in enumerate(answers) if status == 429]
        acknowledged = [event for _, events in [*answers, *again] for event in events]
        assert most <= limit and g.service.intake.pending == 0
        assert Counter(event_ids(g.service.settings.journal_path)) == Counter(acknowledged)
        assert len(acknowledged) == 30 * 7
        assert g.service.intake.overloads == 25
    assert_whole(g.service.settings.journal_path)


@asynchronous
async def test_a_failed_commit_is_answered_503_and_mended(tmp_path: Path, gate: Gate) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post([started(), comment("c1", PROBE)])
        gate.close()
        sending = [asyncio.create_task(g.post(comment(f"lost{n}", PROBE))) for n in range(5)]
        held = asyncio.create_task(g.hold(comment("held", PROBE), deadline_ms=10_000))
        ordering = asyncio.create_task(g.order(id="lost", do="mute_viewer", target="v1"))
        await eventually(lambda: g.service.intake.pending == 6)
        gate.fail = DISK_FULL
        gate.open()
        for response in [await task for task in (*sending, ordering)]:
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            assert response.json()["error"]["fix"]
        answer = await held
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
        assert answer.json() | {"decision": None} == {
            "event": "held", "verdict": "hold", "decided": False, "accepted": False, "seq": 0, "decision": None
        }  # fmt: skip
        ready = await g.http.get("/readyz")
        assert ready.status_code == 503
        assert (await g.http.get("/healthz")).status_code == 200
        for response in (await g.post(comment("c9")), await g.http.get("/v1/broadcasts/b1"), await g.order(do="pause")):
            assert response.status_code == 503
        gate.fail = None
        await eventually(lambda: g.service.intake.available)
        assert (await g.http.get("/readyz")).status_code == 200
        assert [(await g.post(comment(f"lost{n}", PROBE))).json()["duplicates"] for n in range(5)] == [0] * 5
        assert (await g.order(id="lost", do="mute_viewer", target="v1")).json()["duplicate"] is False
        journal = g.service.settings.journal_path
        assert event_ids(journal) == ["s1", "c1", "lost0", "lost1", "lost2", "lost3", "lost4"]
        assert g.service.intake.runtime.snapshot() == replayed_states(journal, tmp_path)
    assert_whole(journal)


@asynchronous
async def test_an_action_whose_outcome_could_not_be_noted_goes_out_again(tmp_path: Path, gate: Gate) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        adapter.gate.clear()
        await g.order(do="pause")
        await eventually(lambda: adapter.performed)
        gate.fail = DISK_FULL
        adapter.gate.set()
        await eventually(lambda: not g.service.intake.available)
        gate.fail = None
        await eventually(lambda: [row["state"] for row in g.actions()] == ["acknowledged"])
        assert len(adapter.performed) == 2
        assert adapter.performed[0] == adapter.performed[1], "under the same id"
        await eventually(lambda: g.service.intake.available)
        await g.order(id="o2", do="resume")
        await eventually(lambda: [row["state"] for row in g.actions()] == ["acknowledged"] * 2)


@asynchronous
async def test_the_outbox_does_not_spin_while_the_journal_cannot_be_written(tmp_path: Path, gate: Gate) -> None:
    adapter = Recorder()
    async with gateway(tmp_path, [adapter]) as g:
        await g.post(started())
        writes = 0
        submit = g.service.intake.journal.submit

        def counted(*arguments: object) -> None:
            nonlocal writes
            writes += 1
            submit(*arguments)  # type: ignore[arg-type]

        g.service.dispatcher._quiet_until = 2**60
        await g.order(do="pause")
        g.service.intake.journal.submit = counted  # type: ignore[method-assign]
        gate.fail = DISK_FULL
        g.service.dispatcher._quiet_until = 0
        g.service.dispatcher.wake()
        await eventually(lambda: writes)
        await asyncio.sleep(0.3)
        assert writes < 5
        gate.fail = None
        await eventually(lambda: [row["state"] for row in g.actions()] == ["acknowledged"])
        assert len(adapter.performed) == 1


def test_a_full_disk_under_the_whole_service(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        key = make_key(served.data)
        with httpx.Client(base_url=served.url, headers=bearer(key), timeout=30) as http:
            acknowledged = []

            def send(n: int) -> httpx.Response:
                batch = [comment(f"c{n}-{k}", f"{PROBE} {'x' * 500}", actor=f"v{k}") for k in range(50)]
                response = http.post("/v1/events", json=batch)
                if response.status_code == 200:
                    acknowledged.extend(result["event"] for result in response.json()["results"])
                return response

            assert http.post("/v1/events", json=started()).status_code == 200
            assert send(0).status_code == 200
            size = max(path.stat().st_size for path in served.data.glob("journal.sqlite*"))
            resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (size + 200_000, resource.RLIM_INFINITY))
            n = 1
            while (response := send(n)).status_code == 200:
                n += 1
                assert n < 200, "the limit was never met"
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            assert http.get("/readyz").status_code == 503
            held = http.post("/v1/hold", json=comment("held", PROBE))
            assert (held.status_code, held.json()["verdict"]) == (503, "hold")
            resource.prlimit(served.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            until(lambda: http.get("/readyz").status_code == 200, "the service to mend itself")
            assert send(n).json()["duplicates"] == 0
            assert send(n + 1).status_code == 200
        assert Counter(event_ids(served.journal)) == Counter(["s1", *acknowledged])
        served.stop()
        assert key.split("_", 2)[2] not in served.log
    verified = subprocess.run(
        [UPSTANDER, "verify", "--data", served.data, "--json"], capture_output=True, check=False, timeout=60
    )
    assert verified.returncode == 0, verified.stdout
    assert json.loads(verified.stdout)["events"] == len(acknowledged) + 1
    # The state that the running service kept in its last snapshot is that of a replay from the first entry.
    from upstander.journal import snapshots, store

    connection = store.connect(served.journal, readonly=True)
    kept = snapshots.latest(served.data / "snapshots", connection)
    connection.close()
    assert kept is not None and kept.seq == entries(served.journal)[-1].seq
    assert kept.states == replayed_states(served.journal, tmp_path)
