"""``client.stream``: every decision once and in order, however often the service or the network goes away."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection
from websockets.sync.server import serve as serve_websocket

from support import PROBE, entries, free_port, make_key, revoke, serve, until
from upstander.client import Client, Comment, Rejected, Streamed, Unreachable, stream
from upstander.gateway.keys import Scope


def said(identifier: str) -> Comment:
    return Comment(id=identifier, at=time.time_ns() // 1_000_000, broadcast="b1", actor="v1", text=PROBE)


class Follower:
    """Follows a stream in a thread of its own."""

    def __init__(self, decisions: Iterator[Streamed]) -> None:
        self.seen: list[Streamed] = []
        self.error: Exception | None = None
        self._decisions = decisions
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        try:
            for each in self._decisions:
                self.seen.append(each)
        except Exception as error:
            self.error = error

    @property
    def events(self) -> list[str]:
        return [each.decision.event for each in self.seen]

    def ended(self) -> Exception | None:
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.error


def test_a_stream_goes_on_across_restarts_of_the_service(tmp_path: Path) -> None:
    port = free_port()
    key = make_key(tmp_path / "data")
    url = f"http://127.0.0.1:{port}"
    follower = Follower(stream(url, key, after=0))
    with Client(url, key) as client:
        with serve(tmp_path, port=port) as served:
            client.send_now([said("a1"), said("a2")])
            until(lambda: follower.events == ["a1", "a2"], "the first decisions")
            client.send_now([said("a3")])
            served.kill()
        with serve(tmp_path, port=port) as served:
            client.send_now([said("b1"), said("b2")])
            until(lambda: follower.events[-1:] == ["b2"], "the decisions after the kill")
            served.stop()
        with serve(tmp_path, port=port) as served:
            client.send_now([said("c1")])
            until(lambda: follower.events[-1:] == ["c1"], "the decisions after the stop")
            numbers = [placed.seq for placed in entries(served.journal, "decision")]
    assert [each.seq for each in follower.seen] == numbers
    assert follower.events == ["a1", "a2", "a3", "b1", "b2", "c1"]


def test_resuming_from_a_number(tmp_path: Path) -> None:
    with serve(tmp_path) as served:
        key = make_key(served.data)
        with Client(served.url, key) as client:
            client.send_now([said(f"c{n}") for n in range(5)])
            first = stream(served.url, key, after=0)
            seen = [next(first) for _ in range(3)]
            first.close()  # type: ignore[attr-defined]
            again = stream(served.url, key, after=seen[-1].seq)
            assert [next(again).decision.event for _ in range(2)] == ["c3", "c4"]
            again.close()  # type: ignore[attr-defined]
            with pytest.raises(Rejected, match="journal ends at"):
                next(stream(served.url, key, after=10**9))
        for refused, reason in (("nonsense", "no valid API key"), (make_key(served.data, Scope.METRICS_READ), "scope")):
            with pytest.raises(Rejected, match=reason):
                next(stream(served.url, refused))
        follower = Follower(stream(served.url, key))
        until(lambda: served.log.count("accepted") >= 3)
        revoke(served.data, key)
        assert isinstance(follower.ended(), Rejected)


def test_too_many_streams_is_waited_out(tmp_path: Path) -> None:
    with serve(tmp_path, "[limits]\nmax_streams = 1\n") as served:
        key = make_key(served.data)
        with Client(served.url, key) as client:
            client.send_now([said("c1")])
        first = stream(served.url, key, after=0)
        assert next(first).decision.event == "c1"
        second = Follower(stream(served.url, key, after=0))
        until(lambda: " 429" in served.log, "the second one to be put off")
        first.close()  # type: ignore[attr-defined]
        until(lambda: second.events == ["c1"])
        assert second.error is None


def test_nobody_there_is_told_in_time() -> None:
    with pytest.raises(Unreachable, match="no stream"):
        next(stream(f"http://127.0.0.1:{free_port()}", "key", patience_s=0.2))


def test_a_quiet_stream_that_breaks_is_taken_up_again() -> None:
    """The patience counts from the break, not from the last decision."""
    asked: list[Any] = []

    def handle(connection: ServerConnection) -> None:
        asked.append(connection.request.path)  # type: ignore[union-attr]
        connection.send('{"kind": "open", "seq": 7}')
        if len(asked) == 1:
            time.sleep(0.3)  # longer than the patience below
            return
        body = '{"event":"c1","broadcast":"b1","actor":null,"at":1,"level":"clear","tactics":[],"exposures":[],'
        body += '"interventions":[],"belief":0.0,"broadcast_belief":0.0,"reasons":[],"versions":{}}'
        connection.send('{"kind": "something new"}')
        connection.send('{"kind": "decision", "seq": 9, "decision": ' + body + "}")
        connection.recv()

    with serve_websocket(handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        decisions = stream(url, "key", patience_s=0.2)
        assert next(decisions).seq == 9
        decisions.close()  # type: ignore[attr-defined]
        server.shutdown()
    assert asked == ["/v1/stream", "/v1/stream?after=7"], "and it goes on from where it began"
