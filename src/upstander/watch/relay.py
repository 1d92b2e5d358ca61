"""The only way from a watcher's process to its source: a thread that connects where the rules allow and passes bytes
on.

The listener was made in the network of the watcher's process, which has nothing else in it. Two ways: to one host and
port (RTMP, RTSP), or as an HTTP proxy, so that every playlist, segment and redirect meets the rules (HLS).
"""

from __future__ import annotations

import contextlib
import logging
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from upstander.watch import address
from upstander.watch.errors import Lost, WatchError

log = logging.getLogger(__name__)

CONNECT_S = 10.0
#: A connection on which nothing moves for so long is closed.
IDLE_S = 60.0
MAX_HEAD = 64 * 1024
_CHUNK = 256 * 1024
_REQUEST = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.[01]\r\n")


class Target:
    """One host and port; ``tls`` when the relay speaks TLS to it (and checks its certificate)."""

    def __init__(self, host: str, port: int, tls: bool = False) -> None:
        self.host, self.port, self.tls = host, port, tls


def connect(target: Target, rules: address.Rules) -> socket.socket:
    """A connection to a target that the rules allow. Raises ``WatchError`` or ``OSError``."""
    addresses = address.resolve(target.host, target.port, rules)
    fault: OSError = OSError("no address")
    for found in addresses:
        try:
            far = socket.create_connection((found, target.port), CONNECT_S)
        except OSError as error:
            fault = error
            continue
        if target.tls:
            far = ssl.create_default_context().wrap_socket(far, server_hostname=target.host)
        far.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return far
    raise fault


class Relay:
    """Serves one watcher until it is closed. ``target`` ``None``: an HTTP proxy. ``refused``: by the rules."""

    def __init__(self, listener: socket.socket, rules: address.Rules, target: Target | None) -> None:
        self.rules, self.target = rules, target
        self.refused: list[str] = []
        self.passed = 0
        self._listener = listener
        self._open: set[socket.socket] = set()
        self._closed = False
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="watch relay", daemon=True).start()

    def close(self) -> None:
        """Close the listener and every connection."""
        with self._lock:
            self._closed = True
            ends = [self._listener, *self._open]
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._keep(near):
                return
            threading.Thread(target=self._serve, args=(near,), name="watch connection", daemon=True).start()

    def _keep(self, end: socket.socket) -> bool:
        with self._lock:
            if self._closed:
                end.close()
                return False
            self._open.add(end)
            return True

    def _serve(self, near: socket.socket) -> None:
        far: socket.socket | None = None
        try:
            near.settimeout(CONNECT_S)
            far = connect(self.target, self.rules) if self.target is not None else self._proxied(near)
            if far is not None and self._keep(far):
                pump(near, far, self._count)
        except Lost as error:
            log.info("watch: %s", address.for_logs(str(error)))
        except WatchError as error:
            self.refused.append(str(error))
            log.warning("watch: %s", address.for_logs(str(error)))
        except OSError as error:
            log.info("watch: the source gave up (%s)", address.for_logs(str(error)))
        finally:
            for end in (near, far):
                if end is not None:
                    self._open.discard(end)
                    end.close()

    def _count(self, size: int) -> None:
        self.passed += size

    def _proxied(self, near: socket.socket) -> socket.socket | None:
        """Read a proxy's request and connect where it leads; plain requests are passed on, one a connection."""
        head = b""
        while b"\r\n\r\n" not in head:
            data = near.recv(4096)
            if not data or len(head) > MAX_HEAD:
                return None
            head += data
        asked = _REQUEST.match(head)
        if asked is None:
            return None
        method, target = asked.group(1), asked.group(2).decode("ascii", "replace")
        try:
            if method == b"CONNECT":
                return self._tunnel(near, target)
            return self._forward(head, asked, target)
        except WatchError:
            with contextlib.suppress(OSError):
                near.sendall(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            raise

    def _tunnel(self, near: socket.socket, target: str) -> socket.socket:
        parts = address.check(f"https://{target}", self.rules)
        far = connect(Target(parts.hostname or "", address.port_of(parts)), self.rules)
        near.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return far

    def _forward(self, head: bytes, asked: re.Match[bytes], target: str) -> socket.socket:
        parts = address.check(target, self.rules)
        far = connect(Target(parts.hostname or "", address.port_of(parts)), self.rules)
        path = urlsplit(target)._replace(scheme="", netloc="").geturl() or "/"
        lines, _, body = head[asked.end() :].partition(b"\r\n\r\n")
        kept = [line for line in lines.split(b"\r\n") if not line.lower().startswith((b"connection:", b"proxy-"))]
        # One request a connection: what follows on it would not be looked at.
        first = asked.group(1) + b" " + path.encode() + b" HTTP/1.1"
        far.sendall(b"\r\n".join([first, *kept, b"connection: close", b"", b""]) + body)
        return far


def pump(near: socket.socket, far: socket.socket, count: Callable[[int], None]) -> None:
    """Pass bytes both ways until one side ends or nothing moves for a minute."""
    other = {near: far, far: near}
    with selectors.DefaultSelector() as selector:
        for end in other:
            end.settimeout(IDLE_S)
            selector.register(end, selectors.EVENT_READ)
        moved = time.monotonic()
        while True:
            ready = selector.select(5.0)
            if not ready and time.monotonic() - moved > IDLE_S:
                return
            for key, _ in ready:
                came = key.fileobj
                assert isinstance(came, socket.socket)
                if not _pass(came, other[came], count if came is far else _nothing):
                    return
                moved = time.monotonic()


def _nothing(_: int) -> None:
    pass


def _pass(end: socket.socket, to: socket.socket, count: Callable[[int], None]) -> bool:
    """Pass on what has come in; false at the end."""
    while True:
        data = end.recv(_CHUNK)
        if not data:
            return False
        to.sendall(data)
        count(len(data))
        # What TLS has decrypted already, no selector knows of.
        if not (isinstance(end, ssl.SSLSocket) and end.pending()):
            return True
