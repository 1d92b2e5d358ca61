"""The client over HTTP: batches, back-pressure, retries, what is lost is told, and a verdict in any case."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from support import (
    HARMLESS,
    PROBE,
    Receiver,
    Served,
    event_ids,
    free_port,
    make_key,
    now_ms,
    outbox,
    serve,
    until,
    webhook_section,
)
from upstander.client import BroadcastStarted, Client, Comment, Held, Rejected, Sent, Unreachable
from upstander.gateway.keys import Scope
from upstander.model.vocabulary import AgeBand

Answer = tuple[int, dict[str, str], Any]


def said(identifier: str, text: str = HARMLESS, actor: str = "v1") -> Comment:
    return Comment(id=identifier, at=now_ms(), broadcast="b1", actor=actor, text=text)


def live(identifier: str = "s1") -> BroadcastStarted:
    return BroadcastStarted(
        id=identifier, at=now_ms(), broadcast="b1", host="host", host_age_band=AgeBand.FROM_10_TO_12
    )


class Stub:
    """A server that answers as it is told, and keeps what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.times: list[float] = []
        self.answers: list[Answer] = []
        self.answer: Callable[[list[dict[str, Any]]], Answer] = self.accept
        self.url = ""

    @staticmethod
    def accept(events: list[dict[str, Any]]) -> Answer:
        results = [{"event": event["id"], "seq": n} for n, event in enumerate(events, 1)]
        return 200, {}, {"accepted": len(events), "duplicates": 0, "results": results, "errors": []}

    @property
    def batches(self) -> list[list[str]]:
        return [[event["id"] for event in body] for body in self.bodies]


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.paths.append(self.path)
            made.bodies.append(body)
            made.times.append(time.monotonic())
            status, headers, answer = made.answers.pop(0) if made.answers else made.answer(body)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("served")) as running:
        yield running


@contextmanager
def held_up(stub: Stub) -> Iterator[threading.Event]:
    """A server that answers no one until the block is left."""
    gate = threading.Event()

    def wait(events: list[dict[str, Any]]) -> Answer:
        gate.wait(20)
        return Stub.accept(events)

    stub.answer = wait
    try:
        yield gate
    finally:
        gate.set()


# -- sending -----------------------------------------------------------------------------------------------------


def test_against_the_service(served: Served) -> None:
    key = make_key(served.data)
    sent: list[Sent] = []
    with Client(served.url, key, linger_s=0.01, on_sent=sent.append) as client:
        answer = client.send_now([live(), said("n1", PROBE)])
        assert (answer.accepted, answer.duplicates, answer.errors) == (2, 0, [])
        decision = answer.results[1].decision
        assert decision is not None and decision.level == "notice"
        assert client.send_now([said("n1", "other words")]).errors[0].field == "id"
        assert client.send_now([]).accepted == 0
        for n in range(500):
            client.send(said(f"q{n}"))
        client.flush()
        assert client.hold(said("h1")).verdict == "allow"
        held = client.hold(said("h2", PROBE), deadline_ms=10_000)
        assert held.verdict == "hold" and held.decided and held.accepted and held.decision is not None
    assert sum(each.accepted for each in sent) == 500
    assert [each for each in event_ids(served.journal) if each.startswith("q")] == [f"q{n}" for n in range(500)]


def test_events_are_sent_in_batches_in_order(stub: Stub) -> None:
    with held_up(stub) as gate, Client(stub.url, "key", batch=10, linger_s=0.2) as client:
        client.send(said("first"))
        until(lambda: stub.bodies)  # on its way alone; what comes now waits for it
        for n in range(25):
            client.send(said(f"c{n}"))
        gate.set()
    assert [len(batch) for batch in stub.batches] == [1, 10, 10, 5]
    assert [each for batch in stub.batches for each in batch] == ["first", *(f"c{n}" for n in range(25))]


def test_a_full_queue_holds_the_sender_back(stub: Stub) -> None:
    with held_up(stub) as gate, Client(stub.url, "key", batch=1, linger_s=0, queue_size=2) as client:
        client.send(said("c0"))
        until(lambda: stub.bodies)
        client.send(said("c1"))
        client.send(said("c2"))
        with pytest.raises(Unreachable, match="queue"):
            client.send(said("c3"), timeout_s=0.05)
        blocked = threading.Thread(target=client.send, args=(said("c4"),))
        blocked.start()
        blocked.join(0.05)
        assert blocked.is_alive()
        gate.set()
        blocked.join(10)
        assert not blocked.is_alive()
        client.flush()
        assert stub.batches == [["c0"], ["c1"], ["c2"], ["c4"]]


def test_closing_sends_what_is_queued_and_then_refuses(stub: Stub) -> None:
    client = Client(stub.url, "key", linger_s=5)
    client.send(said("c1"))
    client.close()
    client.close()
    assert stub.batches == [["c1"]]
    with pytest.raises(Rejected, match="closed"):
        client.send(said("c2"))


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again(stub: Stub, status: int) -> None:
    stub.answers = [(status, {}, b"later"), (status, {}, {"error": {"reason": "x", "fix": "y"}})]
    with Client(stub.url, "key", linger_s=0) as client:
        assert client.send_now([said("c1")]).accepted == 1
    assert stub.batches == [["c1"]] * 3


def test_retry_after_is_never_cut_short(stub: Stub) -> None:
    stub.answers = [(429, {"retry-after": "1"}, b""), (503, {"retry-after": "²".encode().decode("latin-1")}, b"")]
    with Client(stub.url, "key") as client:
        client.send_now([said("c1")])
    assert stub.times[1] - stub.times[0] > 0.99


def test_the_client_gives_up_in_time_and_tells_what_was_lost(stub: Stub) -> None:
    lost: list[tuple[list[Any], Exception]] = []
    stub.answer = lambda _: (503, {"retry-after": "60"}, b"")
    with Client(stub.url, "key", patience_s=0.2, on_lost=lambda *each: lost.append(each)) as client:
        with pytest.raises(Unreachable, match="answered 503"):
            client.send_now([said("c1")])
        client.send(said("c2"))
        client.send(said("c3"))
        client.flush()
        ((events, error),) = lost
        assert [event.id for event in events] == ["c2", "c3"]
        assert isinstance(error, Unreachable)
        stub.answer = Stub.accept
        assert client.send_now([said("c4")]).accepted == 1


def test_a_service_that_comes_later_gets_everything(tmp_path: Path) -> None:
    port = free_port()
    key = make_key(tmp_path / "data")
    with Client(f"http://127.0.0.1:{port}", key, linger_s=0.01) as client:
        client.send(live())
        for n in range(10):
            client.send(said(f"c{n}"))
        time.sleep(0.2)  # the connection is refused meanwhile
        with serve(tmp_path, port=port) as served:
            client.flush()
            assert event_ids(served.journal) == ["s1", *(f"c{n}" for n in range(10))]


def test_a_service_that_is_killed_in_between_gets_everything_once(tmp_path: Path) -> None:
    port = free_port()
    key = make_key(tmp_path / "data")
    lost: list[Any] = []
    with Client(f"http://127.0.0.1:{port}", key, batch=5, linger_s=0.001, on_lost=lambda *e: lost.append(e)) as client:
        with serve(tmp_path, port=port) as served:
            client.send(live())
            for n in range(300):
                client.send(said(f"c{n}"))
                if n == 150:
                    until(lambda: len(event_ids(served.journal)) > 20)
                    served.kill()
        with serve(tmp_path, port=port) as served:
            client.flush()
            assert event_ids(served.journal) == ["s1", *(f"c{n}" for n in range(300))]
    assert lost == []


def test_bad_keys_and_bad_requests_are_not_tried_again(stub: Stub) -> None:
    for status in (400, 401, 403, 404):
        stub.answers = [(status, {}, {"error": {"reason": "that is wrong", "fix": "Do it so."}})]
        with Client(stub.url, "key") as client, pytest.raises(Rejected, match=r"that is wrong\. Do it so") as refused:
            client.send_now([said("c1")])
        assert refused.value.status == status
    assert len(stub.bodies) == 4


def test_a_batch_too_large_for_the_server_is_halved(stub: Stub) -> None:
    sent: list[Sent] = []
    lost: list[Any] = []

    def small(events: list[dict[str, Any]]) -> Answer:
        if len(events) > 3 or (events[0]["id"] == "c4" and len(events) == 1):
            return 413, {}, {"error": {"reason": "too large", "fix": "Send fewer."}}
        return Stub.accept(events)

    stub.answer = small
    with Client(stub.url, "key", linger_s=0.2, on_sent=sent.append, on_lost=lambda *e: lost.append(e)) as client:
        for n in range(8):
            client.send(said(f"c{n}"))
    assert [result.event for each in sent for result in each.results] == [
        "c0",
        "c1",
        "c2",
        "c3",
        "c4",
        "c5",
        "c6",
        "c7",
    ]
    assert lost == []
    alone: list[Any] = []
    with Client(stub.url, "key", on_lost=lambda events, _: alone.extend(events)) as client:
        client.send(said("c4"))
    assert [event.id for event in alone] == ["c4"]


def test_an_event_that_cannot_be_written_takes_no_other_down(stub: Stub) -> None:
    with Client(stub.url, "key", linger_s=0.1) as client:
        client.send(said("c1"))
        with pytest.raises(Rejected, match="'bad'"):
            client.send(said("bad", "half a character: \ud83d"))
        with pytest.raises(Rejected, match="'bad'"):
            client.hold(said("bad", "\ud83d"))
        client.send(said("c2"))
    assert stub.batches == [["c1", "c2"]]


def test_a_callback_that_fails_does_not_stop_the_sending(stub: Stub) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug of the platform's")

    stub.answers = [(401, {}, b"")]
    with Client(stub.url, "key", batch=1, on_sent=broken, on_lost=broken) as client:
        for n in range(4):
            client.send(said(f"c{n}"))
        client.flush()
    assert stub.batches == [["c0"], ["c1"], ["c2"], ["c3"]]


# -- holding -----------------------------------------------------------------------------------------------------


def fallback(event: str, verdict: str) -> Held:
    return Held(event, verdict, False, False, 0, None)


@pytest.mark.parametrize("verdict", ["hold", "allow", "block"])
def test_nobody_there_means_the_clients_own_fail_policy(verdict: str) -> None:
    with Client(f"http://127.0.0.1:{free_port()}", "key", on_deadline=verdict) as client:
        assert client.hold(said("c1")) == fallback("c1", verdict)


def test_a_service_that_does_not_answer_holds_nobody_up(stub: Stub) -> None:
    with held_up(stub), Client(stub.url, "key", timeout_s=60) as client:
        assert client.hold(said("c1"), deadline_ms=1) == fallback("c1", "hold")


def test_the_services_fail_policy_is_passed_on(stub: Stub) -> None:
    answer = {"event": "c1", "verdict": "block", "decided": False, "accepted": False, "seq": 0, "decision": None}
    with Client(stub.url, "key") as client:
        for status in (200, 429, 503):
            stub.answers = [(status, {"retry-after": "9"}, answer)]
            assert client.hold(said("c1")) == fallback("c1", "block")
        for status, body in ((500, b"oops"), (502, b"<html>"), (503, b"<html>"), (200, b"\xff\xfe"), (503, b"{}")):
            stub.answers = [(status, {}, body)]
            assert client.hold(said("c1")) == fallback("c1", "hold")
        stub.answers = [(422, {}, {"error": {"reason": "no text", "fix": "Give it."}})]
        with pytest.raises(Rejected, match="no text"):
            client.hold(said("c1"))
        assert len(stub.bodies) == 9, "a held comment is never tried again"


def test_scopes_are_told(served: Served) -> None:
    with Client(served.url, make_key(served.data, Scope.DECISIONS_READ)) as client:
        with pytest.raises(Rejected, match="events:write"):
            client.send_now([said("x1")])
        with pytest.raises(Rejected, match="events:write"):
            client.hold(said("x2"))


def test_the_whole_way_from_a_held_comment_to_a_webhook(tmp_path: Path, receiver: Receiver) -> None:
    toml = webhook_section(receiver, tmp_path, ["platform_hold", "mute_viewer"]) + "[journal]\nlinger_ms = 100\n"
    with serve(tmp_path, toml) as served, Client(served.url, make_key(served.data)) as client:
        client.send_now([live()])
        late = client.hold(said("c1"), deadline_ms=1)
        assert (late.verdict, late.decided, late.accepted) == ("hold", False, False)
        until(lambda: receiver.trusted, "the correction")
        (action,) = receiver.trusted
        assert (action.asked, action.target, action.event) == ("release_comment", "c1", "c1")
        until(lambda: [row["state"] for row in outbox(served.journal)] == ["acknowledged"])
