"""Which addresses may be watched, and that the relay lets nothing else through: hosts, private networks, redirects."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from support import until
from upstander.watch import address, whep_http
from upstander.watch.address import Rules
from upstander.watch.errors import WatchError
from upstander.watch.relay import Relay, Target
from upstander.watch.settings import WatchSettings
from upstander.watch.source import Source
from upstander.watch.start import address_of, rules, typed

RULES = Rules(hosts=("cdn.example.org", ".live.example.org"))


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "concat:a|b", "data:text/plain,x", "gopher://cdn.example.org/", "ftp://cdn.example.org/x"],
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(WatchError, match=r"scheme|not an address"):
        address.check(url, RULES)


def test_hosts_have_to_be_listed() -> None:
    address.check("rtmp://cdn.example.org/live/a", RULES)
    address.check("rtmp://A.Live.Example.org:1936/live/a", RULES)
    for host in ("example.org", "live.example.org.evil.net", "evilcdn.example.org", "169.254.169.254"):
        with pytest.raises(WatchError, match="hosts"):
            address.check(f"rtmp://{host}/live/a", RULES)


@pytest.mark.parametrize(
    "inside",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "100.64.0.1", "224.0.0.1",
     "::1", "fe80::1", "fc00::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_private_networks_are_refused_however_they_are_written(inside: str) -> None:
    assert not address.public(inside)
    with pytest.raises(WatchError, match="private network"):
        address.resolve(inside, 80, Rules(hosts=("*",)))


def test_public_addresses_and_listed_private_ones_are_allowed() -> None:
    assert address.public("93.184.216.34")
    assert address.public("2606:4700::1111")
    assert address.resolve("127.0.0.1", 80, Rules(hosts=("127.0.0.1",), private=("127.0.0.1:80",))) == ["127.0.0.1"]
    with pytest.raises(WatchError):
        address.resolve("127.0.0.1", 81, Rules(hosts=("127.0.0.1",), private=("127.0.0.1:80",)))


def test_addresses_in_messages_show_no_secrets() -> None:
    shown = address.shown("rtmp://user:word@cdn.example.org/live/a?key=hidden")
    assert shown == "rtmp://cdn.example.org/live/a"


def test_logs_keep_no_ip_addresses() -> None:
    told = "b1: the host '127.0.0.1' lies in a private network (::ffff:127.0.0.1, fe80::1); again in 1.5 s at 10:20:30"
    kept = address.for_logs(told)
    assert "127.0.0.1" not in kept
    assert "fe80" not in kept
    assert "again in 1.5 s" in kept


def test_a_broadcasts_id_cannot_change_where_its_stream_is() -> None:
    settings = WatchSettings(sources={"mysite": "rtmp://127.0.0.1:1935/live/{broadcast}"})
    assert address_of(settings, "mysite", "b1") == "rtmp://127.0.0.1:1935/live/b1"
    tricky = address_of(settings, "mysite", "../x?y@evil.net/#")
    assert address.split(tricky).hostname == "127.0.0.1"
    assert address.split(tricky).path == "/live/..%2Fx%3Fy%40evil.net%2F%23"
    assert address_of(settings, "other", "b1") == ""
    address.check(tricky, rules(settings))
    with pytest.raises(WatchError, match="host"):
        address_of(WatchSettings(sources={"mysite": "rtmp://{broadcast}/live/x"}), "mysite", "evil.net")
    address.check("http://localhost:81/x", typed("http://localhost:81/x", WatchSettings()))


@pytest.mark.parametrize(
    ("url", "near", "tcurl"),
    [
        ("rtmp://h.example/live/a?k=1", "rtmp://127.0.0.1:{port}/live/a?k=1", "rtmp://h.example/live"),
        ("rtmps://h.example:444/live/x/a", "rtmp://127.0.0.1:{port}/live/x/a", "rtmps://h.example:444/live/x"),
    ],
)
def test_what_the_decoder_is_told_of_rtmp(url: str, near: str, tcurl: str) -> None:
    from upstander.watch.messages import Order

    order = Source(url, Rules(hosts=("h.example",))).order(Order(way=""))
    assert (order.url, order.options["rtmp_tcurl"], order.way) == (near, tcurl, "relay")
    assert "file" not in order.options["protocol_whitelist"]


def test_candidates_that_lead_inside_are_taken_out_of_a_whep_answer() -> None:
    source = Source("whep://h.example/x", Rules(hosts=("h.example",)))
    line = "a=candidate:1 1 udp 2130706431 {} 5000 typ host"
    sdp = "\r\n".join(["v=0", *(line.format(at) for at in ("10.0.0.1", "93.184.216.34", "x.local", "127.0.0.1"))])
    kept = whep_http.checked(sdp, source, ["203.0.113.5"])
    assert "93.184.216.34" in kept
    assert kept.count("candidate") == 1
    with pytest.raises(WatchError, match="no address"):
        whep_http.checked(line.format("10.0.0.1"), source, [])


# -- the relay ---------------------------------------------------------------------------------------------------


@contextmanager
def web() -> Iterator[tuple[int, list[str]]]:
    """A web server that sends everybody on to where the path says."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def relay(allowed: Rules, target: Target | None = None) -> Iterator[tuple[int, Relay]]:
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    made = Relay(listener, allowed, target)
    try:
        yield port, made
    finally:
        made.close()


def said(port: int, request: str) -> str:
    with socket.create_connection(("127.0.0.1", port), 10) as near:
        near.sendall(request.encode())
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while data := near.recv(4096):
                answer += data
    return answer.decode()


def test_the_proxy_asks_the_rules_at_every_request() -> None:
    with web() as (port, asked), web() as (other, seen):
        allowed = Rules(hosts=("127.0.0.1",), private=(f"127.0.0.1:{port}",))
        with relay(allowed) as (near, made):
            first = f"GET http://127.0.0.1:{port}/a?b=1 HTTP/1.1\r\nhost: x\r\nproxy-connection: keep-alive\r\n\r\n"
            assert said(near, first).endswith("ok")
            assert asked == ["/a?b=1"]
            for target in (f"http://127.0.0.1:{other}/b", "http://169.254.169.254/", "http://evil.net/", "file:///x"):
                assert " 403 " in said(near, f"GET {target} HTTP/1.1\r\nhost: x\r\n\r\n")
            assert " 403 " in said(near, f"CONNECT 127.0.0.1:{other} HTTP/1.1\r\n\r\n")
            until(lambda: len(made.refused) == 5)
            assert not seen


def test_a_relay_leads_to_its_target_only() -> None:
    with web() as (port, asked):
        allowed = Rules(hosts=("127.0.0.1",), private=("127.0.0.1",))
        with relay(allowed, Target("127.0.0.1", port)) as (near, made):
            assert said(near, "GET /c HTTP/1.0\r\n\r\n").endswith("ok")
            assert asked == ["/c"]
            until(lambda: made.passed > 0)
        with relay(Rules(hosts=("*",)), Target("127.0.0.1", port)) as (near, made):
            assert said(near, "GET /d HTTP/1.0\r\n\r\n") == ""
            until(lambda: made.refused)
            assert asked == ["/c"]
