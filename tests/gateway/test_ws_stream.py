"""WebSocket ``/v1/stream``: events in, acknowledgements and decisions out, resumed without a gap."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from support import PROBE, SECOND_PROBE, bearer, comment, entries, make_key, revoke, serve, settings_in, started, until
from upstander.gateway import hub, stream
from upstander.gateway.app import create_app
from upstander.gateway.keys import Scope
from upstander.gateway.service import Service
from upstander.settings import Limits


@contextmanager
def streaming(folder: Path, **sections: Any) -> Iterator[TestClient]:
    service = Service(settings_in(folder, **sections))
    with TestClient(create_app(service)) as client:
        client.key = make_key(service.settings.folder)  # type: ignore[attr-defined]
        client.data = service.settings.folder  # type: ignore[attr-defined]
        client.service = service  # type: ignore[attr-defined]
        yield client


def opened(client: Any, path: str = "/v1/stream", key: str = "") -> WebSocketTestSession:
    return client.websocket_connect(path, headers=bearer(key or client.key))


def say(socket: Any, *events: dict[str, Any]) -> None:
    for each in events:
        socket.send_text(json.dumps(each))


def hear(socket: Any, count: int) -> list[dict[str, Any]]:
    return [json.loads(socket.receive_text()) for _ in range(count)]


def test_events_are_acknowledged_and_decisions_come_in_order(tmp_path: Path) -> None:
    with streaming(tmp_path) as client, opened(client) as socket:
        assert hear(socket, 1)[0] == {"kind": "open", "seq": 1}
        say(socket, started(), *(comment(f"c{n}", PROBE) for n in range(20)), comment("c0b"))
        heard = hear(socket, 22 + 20)
        acknowledged = [message["event"] for message in heard if message["kind"] == "ack"]
        decided = [message for message in heard if message["kind"] == "decision"]
        assert acknowledged == ["s1", *(f"c{n}" for n in range(20)), "c0b"]
        assert [message["decision"]["event"] for message in decided] == [f"c{n}" for n in range(20)]
        numbers = [message["seq"] for message in decided]
        assert numbers == sorted(set(numbers))
        journal = client.service.settings.journal_path
        assert numbers == [placed.seq for placed in entries(journal, "decision")]


def test_errors_are_answered_and_the_stream_goes_on(tmp_path: Path) -> None:
    with streaming(tmp_path) as client, opened(client) as socket:
        hear(socket, 1)
        first = comment("c1")
        socket.send_text("what is this")
        socket.send_text(json.dumps(first | {"type": "coment"}))
        socket.send_bytes(b"\xff\xfe")
        socket.send_text("{" * 50_000)
        say(socket, first)
        say(socket, first)
        say(socket, first | {"text": "other words"})
        socket.send_bytes(json.dumps(comment("c2")).encode())
        heard = hear(socket, 8)
    errors = [message["error"] for message in heard if message["kind"] == "error"]
    assert sorted(error["line"] for error in errors) == [1, 2, 3, 4, 7]
    assert all(error["reason"] and error["fix"] for error in errors)
    assert "did you mean `comment`" in errors[1]["fix"]
    acks = [(message["event"], message["duplicate"]) for message in heard if message["kind"] == "ack"]
    assert sorted(acks) == [("c1", False), ("c1", True), ("c2", False)]


def test_a_stream_is_resumed_without_a_gap_or_a_repeat(tmp_path: Path) -> None:
    with streaming(tmp_path) as client:
        seen: list[int] = []

        def listen(socket: WebSocketTestSession, count: int) -> None:
            while count:
                message = hear(socket, 1)[0]
                if message["kind"] == "decision":
                    seen.append(message["seq"])
                    count -= 1

        with opened(client) as socket:
            say(socket, started(), *(comment(f"a{n}", PROBE) for n in range(10)))
            listen(socket, 4)  # and away in the middle
        client.post("/v1/events", json=[comment(f"b{n}", PROBE) for n in range(600)], headers=bearer(client.key))
        with opened(client, f"/v1/stream?after={seen[-1]}") as socket:
            assert hear(socket, 1)[0] == {"kind": "open", "seq": seen[-1]}
            listen(socket, 3)
        with opened(client, f"/v1/stream?after={seen[-1]}") as socket:
            say(socket, comment("c1", PROBE))
            listen(socket, 600)
            say(socket, comment("c2", PROBE))
            until(lambda: len(entries(client.service.settings.journal_path, "decision")) == 612)
        with opened(client, f"/v1/stream?after={seen[-1]}") as socket:
            everything = [placed.seq for placed in entries(client.service.settings.journal_path, "decision")]
            listen(socket, len(everything) - len(seen))
        assert seen == everything
        assert len(everything) == 612


def test_after_a_number_that_this_journal_never_gave_is_refused(tmp_path: Path) -> None:
    with streaming(tmp_path) as client:
        client.post("/v1/events", json=[started()], headers=bearer(client.key))
        for after in ("3", "999999999999", "-1", "x", "²", "9" * 5_000):
            with pytest.raises(WebSocketDenialResponse) as refused, opened(client, f"/v1/stream?after={after}"):
                pass
            assert refused.value.status_code == 400
            assert refused.value.json()["error"]["fix"]
        with opened(client, "/v1/stream?after=2") as socket:
            assert hear(socket, 1)[0]["seq"] == 2


def test_a_bad_key_is_refused_with_its_reason(tmp_path: Path) -> None:
    with streaming(tmp_path) as client:
        metrics = make_key(client.data, Scope.METRICS_READ)
        gone = make_key(client.data)
        revoke(client.data, gone)
        for key, status in (("nonsense", 401), (gone, 401), (metrics, 403)):
            with pytest.raises(WebSocketDenialResponse) as refused, opened(client, key=key):
                pass
            assert refused.value.status_code == status
            assert refused.value.json()["error"]["fix"]


def test_servers_that_cannot_deny_close_with_a_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with streaming(tmp_path) as client:
        app = client.app

        async def without_denial(scope: Any, receive: Any, send: Any) -> None:
            await app(scope | {"extensions": {}}, receive, send)

        bare = TestClient(without_denial)
        metrics = make_key(client.data, Scope.METRICS_READ)
        for key, code in (("nonsense", 4001), (metrics, 4003)):
            headers = bearer(key)
            with pytest.raises(WebSocketDisconnect) as closed, bare.websocket_connect("/v1/stream", headers=headers):
                pass
            assert closed.value.code == code


def test_a_key_that_only_reads_and_one_that_only_writes(tmp_path: Path) -> None:
    with streaming(tmp_path) as client:
        reads = make_key(client.data, Scope.DECISIONS_READ)
        writes = make_key(client.data, Scope.EVENTS_WRITE)
        with opened(client, key=reads) as reader, opened(client, key=writes) as writer:
            assert hear(reader, 1)[0]["kind"] == "open"
            say(reader, comment("c1"))
            refused = hear(reader, 1)[0]
            assert refused["kind"] == "error" and "events:write" in refused["error"]["fix"]
            say(writer, started(), comment("c2", PROBE), comment("c3", SECOND_PROBE))
            assert [message["kind"] for message in hear(writer, 3)] == ["ack"] * 3
            assert [message["decision"]["event"] for message in hear(reader, 2)] == ["c2", "c3"]


def test_a_revoked_key_ends_its_streams(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEY_CHECK_S", 0.02)
    with streaming(tmp_path) as client, opened(client) as quiet:
        hear(quiet, 1)
        revoke(client.data, client.key)
        with pytest.raises(WebSocketDisconnect) as closed:
            quiet.receive_text()
        assert closed.value.code == 4001


def test_what_a_revoked_key_sends_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "KEY_CHECK_S", 3_600)
    with streaming(tmp_path) as client:
        with opened(client) as socket:
            hear(socket, 1)
            revoke(client.data, client.key)
            say(socket, comment("c1"))
            with pytest.raises(WebSocketDisconnect) as closed:
                socket.receive_text()
            assert closed.value.code == 4001
        assert entries(client.service.settings.journal_path, "event") == []


def test_streams_of_two_platforms_are_apart(tmp_path: Path) -> None:
    with streaming(tmp_path) as client:
        other = make_key(client.data, platform="othersite")
        with opened(client) as mine, opened(client, key=other) as theirs:
            hear(mine, 1)
            hear(theirs, 1)
            say(mine, started(), comment("c1", PROBE))
            hear(mine, 3)
            say(theirs, comment("t1", PROBE))
            heard = hear(theirs, 2)
            assert {message.get("event") or message["decision"]["event"] for message in heard} == {"t1"}
        with opened(client, "/v1/stream?after=0", key=other) as theirs:
            assert hear(theirs, 2)[1]["decision"]["event"] == "t1"


def test_more_streams_than_allowed_are_told_to_come_later(tmp_path: Path) -> None:
    with streaming(tmp_path, limits=Limits(max_streams=1)) as client, opened(client):
        with pytest.raises(WebSocketDenialResponse) as refused, opened(client):
            pass
        assert refused.value.status_code == 429


def test_a_slow_reader_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its queue runs over while it does not read; what was queued still comes, then the close."""
    listen = hub.Hub.listen
    monkeypatch.setattr(hub.Hub, "listen", lambda self, platform, limit=0: listen(self, platform, 5))
    blocked = stream._send

    async def slow(socket: Any, lock: Any, message: dict[str, Any]) -> None:
        if message["kind"] == "decision":
            await stream.asyncio.sleep(0.05)
        await blocked(socket, lock, message)

    monkeypatch.setattr(stream, "_send", slow)
    with streaming(tmp_path) as client:
        reads = make_key(client.data, Scope.DECISIONS_READ)
        with opened(client, key=reads) as socket:
            hear(socket, 1)
            batch = [started(), *(comment(f"c{n}", PROBE) for n in range(50))]
            client.post("/v1/events", json=batch, headers=bearer(client.key))
            seen = 0
            with pytest.raises(WebSocketDisconnect) as closed:
                while True:
                    seen = json.loads(socket.receive_text())["seq"]
            assert closed.value.code == 4013
            assert "?after=" in closed.value.reason
        monkeypatch.setattr(hub.Hub, "listen", listen)
        with opened(client, f"/v1/stream?after={seen}", key=reads) as socket:
            following = hear(socket, 2)[1]
            everything = [placed.seq for placed in entries(client.service.settings.journal_path, "decision")]
            assert following["seq"] == everything[everything.index(seen) + 1]


def test_a_reader_that_takes_nothing_in_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STALLED_S", 0.05)
    send = stream._send

    async def stalled(socket: Any, lock: Any, message: dict[str, Any]) -> None:
        if message["kind"] == "decision":
            await stream.asyncio.sleep(3_600)
        await send(socket, lock, message)

    monkeypatch.setattr(stream, "_send", stalled)
    with streaming(tmp_path) as client, opened(client) as socket:
        hear(socket, 1)
        client.post("/v1/events", json=[comment("c1", PROBE)], headers=bearer(client.key))
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 4013
        until(lambda: client.service.streams == 0)


def test_over_the_network_with_a_restart_between(tmp_path: Path) -> None:
    """The same as above through uvicorn: refusals are HTTP answers, a stop closes the stream, and it can be resumed."""
    with serve(tmp_path) as served:
        key = make_key(served.data)
        address = served.url.replace("http", "ws") + "/v1/stream"
        with connect(address, additional_headers=bearer(key)) as socket:
            assert json.loads(socket.recv())["kind"] == "open"
            for each in (started(), comment("c1", PROBE), comment("c2", SECOND_PROBE)):
                socket.send(json.dumps(each))
            heard = [json.loads(socket.recv()) for _ in range(5)]
            seen = next(m["seq"] for m in heard if m["kind"] == "decision" and m["decision"]["event"] == "c1")
            served.process.terminate()
            with pytest.raises(ConnectionClosed):
                while True:
                    socket.recv()
        served.stop()
        assert "Traceback" not in served.log
    with serve(tmp_path) as served:
        address = served.url.replace("http", "ws") + "/v1/stream"
        with connect(f"{address}?after={seen}", additional_headers=bearer(key)) as socket:
            heard = [json.loads(socket.recv()) for _ in range(2)]
            assert heard[1]["decision"]["event"] == "c2"
        assert key.split("_", 2)[2] not in served.log
