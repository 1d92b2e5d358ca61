"""Killed (SIGKILL, a real process) at each step of the protocol and at 50 random instants: in the end exactly one
complete report is at the service, or an alarm says that a person is needed."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import killed
import pytest
from reports_support import Bench

from upstander.reports.fake.hotline import Hotline
from upstander.reports.fake.server import FakeServer
from upstander.reports.office import now_ms
from upstander.reports.states import State
from upstander.reports.store import Row

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["killed"])


@pytest.fixture(scope="module", autouse=True)
def _the_server_of_forks_finds_what_it_preloads() -> Iterator[None]:
    """It does not inherit ``sys.path`` (before Python 3.12), and without the preload each process takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()
        yield


#: Requests of one report: status, submit, four files and their descriptions, finish.
CALLS = ("status", "submit", *("upload", "fileinfo") * 4, "finish")
POINTS = [(where, number) for where in ("before", "after") for number in range(1, len(CALLS) + 1)]
#: Commits: begin, opened, eight about files, all there, finished.
POINTS += [("noted", number) for number in range(1, 13)]
KILLS, EACH = 50, 2


class Site:
    """A data folder, a fake service on a socket, and processes that send from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.bench = Bench(folder, durable=True)
        self.hotline = Hotline()
        self.server = FakeServer(self.hotline)
        self.count = 0

    def filed(self) -> Row:
        self.count += 1
        self.bench.clock.at = now_ms() - 60_000
        return self.bench.filed(self.count, viewer=f"v{self.count}")

    def start(self, where: str = "", number: int = 0) -> multiprocessing.process.BaseProcess:
        folder = str(self.bench.settings.folder)
        process = CONTEXT.Process(target=killed.work, args=(folder, self.server.url, where, number))
        process.start()
        return process

    def to_the_end(self) -> None:
        """The service comes back and lives."""
        process = self.start()
        process.join(30)
        assert process.exitcode == 0

    def judge(self, row: Row, what: str) -> State:
        """Exactly one complete report, or an alarm."""
        self.bench.clock.at = now_ms()
        self.bench.settler.sweep()
        row = self.bench.row(row)
        there = [each for each in self.hotline.reports.values() if row.id in each.xml]
        finished = [each for each in there if each.finished_at]
        assert row.state in (State.FILED, State.ALARMING), (what, row.state)
        if row.state is State.FILED:
            assert [each.id for each in finished] == [row.reference], what
            parts = {file.name.split("-")[1] for file in finished[0].files.values() if file.details}
            assert parts == {"chat", "gifts", "frames", "decision"}, what
        else:
            assert not finished and len(there) <= 1 and row.alarm_at and row.paged, what
        assert len(there) <= 1, f"{what}: a second report was opened"
        return row.state


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.server.close()
    made.bench.close()


def test_killed_at_each_step_of_the_protocol(site: Site) -> None:
    alarms = []
    for where, number in POINTS:
        row = site.filed()
        process = site.start(where, number)
        process.join(30)
        assert process.exitcode == -signal.SIGKILL, (where, number, process.exitcode)
        site.to_the_end()
        if site.judge(row, f"{where} {number}") is State.ALARMING:
            alarms.append((where, number))
    # Only between the request that opens a report and its answer on disk nobody can know: request 2, commit 1.
    assert sorted(alarms) == [("after", 2), ("before", 2), ("noted", 1)]
    assert site.bench.store.check() == []


def test_killed_at_fifty_random_instants(site: Site) -> None:
    chance = random.Random(20_261_129)
    hit, states = 0, []
    for number in range(KILLS // EACH):
        row = site.filed()
        for _ in range(EACH):
            process = site.start()
            time.sleep(chance.uniform(0.01, 0.12))
            process.kill()
            process.join(30)
            hit += process.exitcode == -signal.SIGKILL
        site.to_the_end()
        states.append(site.judge(row, f"random {number}"))
    # Most kills must have struck a process at work, and most reports must have gone through all the same.
    assert hit >= KILLS // 3, hit
    assert states.count(State.FILED) >= len(states) // 2, states
    assert site.bench.store.check() == []
