"""What the tests of the gateway, the outbox and the client share: services, keys, events, a webhook receiver."""

from __future__ import annotations

import asyncio
import functools
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import httpx

from log_scanner import SCANNER
from upstander import runtime
from upstander.adapters.base import Action, Adapter, Capability, Outcome
from upstander.client import WebhookError, verify_webhook
from upstander.gateway.app import create_app
from upstander.gateway.keys import KeyStore, Scope
from upstander.gateway.service import Service
from upstander.journal import recovery, store
from upstander.journal.entries import Placed
from upstander.settings import PresetSettings, Settings

T = TypeVar("T")

PLATFORM = "mysite"
UPSTANDER = Path(sys.executable).with_name("upstander")
#: No deadline of these tests is about speed: it only has to be longer than a busy machine ever needs.
PATIENCE_S = 30.0

#: Mild words that show a tactic: to a child host they are held from the first message.
PROBE = "are your parents home"
SECOND_PROBE = "add me on the other app"
HARMLESS = "nice game"


# -- events ------------------------------------------------------------------------------------------------------


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event(type_: str, identifier: str, broadcast: str = "b1", **fields: Any) -> dict[str, Any]:
    return {"type": type_, "id": identifier, "at": now_ms(), "broadcast": broadcast} | fields


def started(identifier: str = "s1", broadcast: str = "b1", band: str = "10_12", **fields: Any) -> dict[str, Any]:
    return event("broadcast_started", identifier, broadcast, host="host", host_age_band=band, **fields)


def comment(
    identifier: str, text: str = HARMLESS, broadcast: str = "b1", actor: str = "v1", **fields: Any
) -> dict[str, Any]:
    return event("comment", identifier, broadcast, actor=actor, text=text, **fields)


def ended(identifier: str = "end", broadcast: str = "b1", **fields: Any) -> dict[str, Any]:
    return event("broadcast_ended", identifier, broadcast, **fields)


def lines(*events: dict[str, Any]) -> bytes:
    """JSON Lines."""
    return b"\n".join(json.dumps(each).encode() for each in events)


# -- waiting -----------------------------------------------------------------------------------------------------


def until(probe: Callable[[], T], what: str = "", patience_s: float = PATIENCE_S) -> T:
    """The first true value of ``probe``, asked again and again."""
    end = time.monotonic() + patience_s
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what or probe}"
        time.sleep(0.01)


async def eventually(probe: Callable[[], T], what: str = "", patience_s: float = PATIENCE_S) -> T:
    """``until``, on the event loop."""
    end = time.monotonic() + patience_s
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what or probe}"
        await asyncio.sleep(0.01)


def asynchronous(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """A coroutine as a test."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(60):
                await test(*arguments, **named)

        asyncio.run(bounded())

    return run


# -- a service in this process -----------------------------------------------------------------------------------

ALL_SCOPES = tuple(Scope)


def make_key(data: Path, *scopes: Scope, platform: str = PLATFORM) -> str:
    """An API key with these scopes (all of them when none is named), made as the command line makes it."""
    keys = KeyStore(data / "keys.sqlite")
    try:
        return keys.create(platform, scopes or ALL_SCOPES)[0]
    finally:
        keys.close()


def revoke(data: Path, key: str) -> None:
    keys = KeyStore(data / "keys.sqlite")
    try:
        keys.revoke(key.split("_")[1])
    finally:
        keys.close()


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


class Recorder:
    """An adapter that does nothing but remember, and answers what ``answers`` says next (done, when it is empty)."""

    def __init__(
        self, name: str = "recorder", capabilities: Sequence[Capability] = tuple(Capability), platform: str = PLATFORM
    ) -> None:
        self.name, self.platform, self.capabilities = name, platform, frozenset(capabilities)
        self.performed: list[Action] = []
        self.answers: list[Outcome | Exception] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def perform(self, action: Action) -> Outcome:
        self.performed.append(action)
        await self.gate.wait()
        answer = self.answers.pop(0) if self.answers else Outcome(True, note="noted")
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self) -> None:
        pass


@dataclass
class Gateway:
    """A service in this process and an HTTP client that may do everything on it."""

    service: Service
    http: httpx.AsyncClient
    data: Path
    key: str

    async def post(self, body: object, **named: Any) -> httpx.Response:
        """POST /v1/events: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post("/v1/events", content=content, **named)

    async def hold(self, body: object, **parameters: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.http.post("/v1/hold", content=content, params=parameters)

    async def order(self, broadcast: str = "b1", **fields: Any) -> httpx.Response:
        order = {"id": "o1", "by": "Ada", "reason": "a test"} | fields
        return await self.http.post(f"/v1/broadcasts/{broadcast}/orders", json=order)

    def journal(self, kind: str | None = None) -> list[Placed]:
        return entries(self.service.settings.journal_path, kind)

    def actions(self) -> list[dict[str, Any]]:
        return outbox(self.service.settings.journal_path)


def settings_in(folder: Path, **sections: Any) -> Settings:
    """Settings of a service whose data lie in ``folder``; without presets, so that only their own tests see them."""
    return Settings(data=str(folder / "data"), **{"presets": PresetSettings(use=("none",)), **sections})


@asynccontextmanager
async def gateway(folder: Path, adapters: Sequence[Adapter] = (), **sections: Any) -> AsyncIterator[Gateway]:
    """A running service. ``sections`` are sections of the settings (``limits=Limits(…)``)."""
    settings = settings_in(folder, **sections)
    service = Service(settings, adapters)
    await service.start()
    key = make_key(settings.folder)
    transport = httpx.ASGITransport(create_app(service))
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://upstander", headers=bearer(key)) as http:
            yield Gateway(service, http, settings.folder, key)
    finally:
        await service.stop()


class Gate:
    """Stands before every commit: while it is closed the journal is as slow as a disk that does not answer."""

    def __init__(self, monkeypatch: Any) -> None:
        self._open = threading.Event()
        self._open.set()
        self.fail: Exception | None = None
        write = store.write

        def gated(*arguments: Any) -> list[bytes]:
            assert self._open.wait(PATIENCE_S), "nobody opened the gate"
            if self.fail is not None:
                raise self.fail
            return write(*arguments)

        monkeypatch.setattr(store, "write", gated)

    def close(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    @contextmanager
    def closed(self) -> Iterator[None]:
        self.close()
        try:
            yield
        finally:
            self.open()


# -- looking into the data folder --------------------------------------------------------------------------------


def entries(journal: Path, kind: str | None = None) -> list[Placed]:
    """What stands in a journal, also while a service writes it."""
    connection = store.connect(journal, readonly=True)
    try:
        found = list(store.read(connection))
    finally:
        connection.close()
    return [placed for placed in found if kind is None or placed.entry.kind == kind]


def outbox(journal: Path) -> list[dict[str, Any]]:
    """The outbox's rows, in the order they were put in."""
    connection = store.connect(journal, readonly=True)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute("SELECT * FROM outbox ORDER BY rowid")]
    finally:
        connection.close()


def event_ids(journal: Path) -> list[str]:
    return [json.loads(placed.entry.body)["id"] for placed in entries(journal, "event")]


def assert_whole(journal: Path) -> None:
    """The journal's chain is whole, and it replays from its first entry to the same decisions."""
    result = recovery.verify(journal, runtime.current())
    assert result.ok, result


def replayed_states(journal: Path, folder: Path) -> dict[str, bytes]:
    """The engines' state after a replay from the first entry (``folder`` has no snapshots)."""
    connection = store.connect(journal, readonly=True)
    try:
        return recovery.recover(connection, folder / "no-snapshots", runtime.current())[0].snapshot()
    finally:
        connection.close()


# -- a service in a process of its own ---------------------------------------------------------------------------


@dataclass
class Served:
    """``upstander serve`` on a free loopback port."""

    process: subprocess.Popen[bytes]
    url: str
    data: Path
    logs: list[str] = field(default_factory=list)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def journal(self) -> Path:
        return self.data / "journal.sqlite"

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    @property
    def log(self) -> str:
        return "".join(self.logs)

    def kill(self) -> None:
        """End it as a crash does."""
        self.process.kill()
        self.process.wait(PATIENCE_S)

    def stop(self) -> int:
        """Ask it to end, and wait until it has."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)


def _environment(covered: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if covered or not name.startswith("COVERAGE_")}
    return kept | {"PYTHONUNBUFFERED": "1"}


@contextmanager
def serve(folder: Path, toml: str = "", *, port: int = 0, data: str = "data", covered: bool = True) -> Iterator[Served]:
    """``upstander serve`` in a process of its own, with ``data`` under ``folder`` and settings from ``toml``.

    ``toml`` holds sections only (``[limits]`` …); without ``[presets]`` there are none. Its standard error is kept in
    ``logs``. ``covered``: its coverage is measured, which makes its start twice as long, and is lost when it is killed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    settings = folder / "upstander.toml"
    presets = "" if "[presets]" in toml else '\n[presets]\nuse = ["none"]\n'
    settings.write_text(f'data = "{data}"\n{toml}{presets}')
    process = subprocess.Popen(
        [UPSTANDER, "serve", "--config", settings, "--port", str(port)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=folder,
        env=_environment(covered),
    )
    assert process.stdout is not None and process.stderr is not None
    served = Served(process, "", folder / data)
    # Pipes, not files: a test may limit how large the files are that this process writes.
    reader = threading.Thread(target=_keep, args=(process.stderr, served.logs), daemon=True)
    reader.start()
    try:
        line = process.stdout.readline().decode()
        assert "listens on http" in line, f"{line}\n{served.log}"
        served.url = line.split("listens on ", 1)[1].split(" ", 1)[0]
        threading.Thread(target=_keep, args=(process.stdout, served.logs), daemon=True).start()
        until(lambda: _ready(served.url), "the service to be ready")
        yield served
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()
        reader.join(PATIENCE_S)


def _keep(pipe: Any, kept: list[str]) -> None:
    for line in pipe:
        kept.append(line.decode("utf-8", "replace"))
        SCANNER.read(kept[-1], "a service's output")


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


def free_port() -> int:
    """A loopback port on which nothing listens just now."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.server_close()
    return int(server.server_address[1])


# -- a platform's webhook receiver -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Delivery:
    """One request to the receiver: its headers, its body, and the action in it (``None``: not to be trusted)."""

    headers: dict[str, str]
    body: bytes
    action: Action | None
    at: float


class Receiver:
    """A loopback service that takes webhooks in threads, verifies them and keeps every delivery.

    ``answers`` are ``(status, headers, body)`` for the next deliveries, or a function from the action to one;
    without one it answers 200.
    """

    def __init__(self, secret: str) -> None:
        self.secret = secret
        self.deliveries: list[Delivery] = []
        self.answers: list[tuple[int, dict[str, str], bytes]] = []
        self.answer: Callable[[Action | None], tuple[int, dict[str, str], bytes] | None] = lambda _: None
        self._lock = threading.Lock()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer waits 40 ms for the acknowledgement of its headers

            def do_POST(self) -> None:
                receiver._take(self)

            def do_GET(self) -> None:
                receiver._take(self)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/actions"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def trusted(self) -> list[Action]:
        """The actions of all deliveries that verified, repeats included, in the order they came."""
        with self._lock:
            return [delivery.action for delivery in self.deliveries if delivery.action is not None]

    @property
    def distinct(self) -> list[str]:
        """Ids of the actions received, each once."""
        return list(dict.fromkeys(action.id for action in self.trusted))

    def _take(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length") or 0))
        headers = dict(request.headers.items())
        try:
            action = verify_webhook(self.secret, headers, body)
        except WebhookError:
            action = None
        with self._lock:
            self.deliveries.append(Delivery(headers, body, action, time.monotonic()))
            answer = self.answers.pop(0) if self.answers else None
        status, extra, content = answer or self.answer(action) or ((200 if action else 401), {}, b"")
        request.send_response(status)
        for name, value in extra.items():
            request.send_header(name, value)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)


def webhook_section(receiver: Receiver, folder: Path, capabilities: Sequence[str] = ("platform_hold",)) -> str:
    """The TOML of a webhook adapter that posts to this receiver; writes the secret's file."""
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "webhook.secret"
    secret.touch(mode=0o600)
    secret.write_text(receiver.secret)
    return (
        f'[[adapters]]\nname = "hook"\nplatform = "{PLATFORM}"\nkind = "webhook"\nurl = "{receiver.url}"\n'
        f'secret_file = "webhook.secret"\ncapabilities = {json.dumps(list(capabilities))}\n'
    )
