"""Real servers for the nginx-rtmp test: Upstander, nginx and ffmpeg as processes on loopback, and a gate between them.

Every process is stopped by its own handle; every file is in the folder that the caller gives.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

UPSTANDER = Path(sys.executable).with_name("upstander")
MODULES = ("/usr/lib/nginx/modules", "/usr/lib64/nginx/modules", "/usr/share/nginx/modules")
SCOPES = ("events:write", "broadcasts:read", "orders:write")
#: nginx's own executable is in a folder that is not on everybody's path.
PATH = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"


def needed(what: str, found: str | None, how: str = "scripts/apt.sh nginx libnginx-mod-rtmp ffmpeg") -> str:
    """What was found; else skip, or fail where everything must be there (CI)."""
    if found:
        return found
    reason = f"{what} is not installed: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def nginx() -> str:
    return needed("nginx", shutil.which("nginx", path=PATH))


def rtmp_module() -> str:
    files = (Path(folder) / "ngx_rtmp_module.so" for folder in MODULES)
    return needed("libnginx-mod-rtmp", next((str(file) for file in files if file.exists()), None))


def ffmpeg() -> str:
    return needed("ffmpeg", shutil.which("ffmpeg"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], within_s: float = 8.0, what: str = "what was waited for") -> Any:
    """What ``true`` returns once that is something."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if got := true():
            return got
        time.sleep(0.01)
    raise AssertionError(f"{what} did not happen within {within_s} s")


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A process with its output in a file."""

    def __init__(self, command: list[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        with log.open("wb") as file:
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)

    @property
    def running(self) -> bool:
        return self.popen.poll() is None

    def stop(self) -> None:
        """End it (it and no other) and wait until it has gone."""
        if self.running:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()


class Nginx(Process):
    """nginx in the foreground with a configuration of its own."""

    def __init__(self, folder: Path, rtmp: str, control: int, workers: int = 1) -> None:
        folder.mkdir()
        temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in TEMP)
        user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
        config = f"""
            load_module {rtmp_module()};
            {user} daemon off; worker_processes {workers}; pid {folder}/pid; error_log {folder}/error.log info;
            events {{ worker_connections 256; }}
            rtmp {{ {rtmp} }}
            http {{
              access_log off; {temp}
              server {{ listen 127.0.0.1:{control}; location /control {{ rtmp_control drop; }} }}
            }}
        """
        (folder / "nginx.conf").write_text(config)
        command = [nginx(), "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
        super().__init__(command, folder / "output")
        until(lambda: listening(control) or not self.running, what="nginx listening")
        assert self.running, self.log.read_text() + (folder / "error.log").read_text()


TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Publisher(Process):
    """ffmpeg sending a test picture and a tone, at the speed they are made for, until it is stopped or dropped."""

    def __init__(self, folder: Path, port: int, app: str, name: str, seconds: float = 60) -> None:
        picture = ["-re", "-f", "lavfi", "-i", "testsrc=size=64x48:rate=25"]
        tone = ["-re", "-f", "lavfi", "-i", "sine=sample_rate=22050"]
        codecs = ["-c:v", "flv1", "-g", "25", "-c:a", "aac", "-t", str(seconds), "-flush_packets", "1"]
        # The name apart from the address: ffmpeg would read some of its characters as part of that.
        output = ["-f", "flv", "-rtmp_playpath", name, f"rtmp://127.0.0.1:{port}/{app}"]
        log = folder / f"ffmpeg-{time.monotonic_ns()}.log"
        super().__init__([ffmpeg(), "-nostdin", "-v", "error", *picture, *tone, *codecs, *output], log)

    def result(self, within_s: float = 10.0) -> int:
        """Its exit status: 0 when it sent all it had, another when it was refused or dropped."""
        return self.popen.wait(within_s)


class Gate:
    """Forwards connections to a port, while it is open: stands for a control interface that can be down."""

    def __init__(self, port: int, to: int) -> None:
        self._port, self._to = port, to
        self._server: socket.socket | None = None

    def open(self) -> None:
        self._server = socket.create_server(("127.0.0.1", self._port))
        threading.Thread(target=self._accept, args=(self._server,), daemon=True).start()

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
            self._server = None

    def _accept(self, server: socket.socket) -> None:
        while True:
            try:
                near, _ = server.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._to))
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    @staticmethod
    def _pump(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Upstander(Process):
    """`upstander serve` with these settings, and what a platform does with it."""

    def __init__(self, folder: Path, settings: str, platforms: tuple[str, ...]) -> None:
        config = folder / "upstander.toml"
        config.write_text(settings if "[presets]" in settings else f'{settings}\n[presets]\nuse = ["none"]\n')
        self._keys = {platform: self._key(config, platform) for platform in platforms}
        super().__init__([str(UPSTANDER), "serve", "--config", str(config), "--port", "0"], folder / "upstander.log")
        listens = re.compile(r"listens on (http://127\.0\.0\.1:(\d+))")
        # The first start ever compiles the packs.
        said = until(lambda: listens.search(self.log.read_text()) or not self.running, 60, "Upstander listening")
        assert self.running, self.log.read_text()
        self.url, self.port = said.group(1), int(said.group(2))
        self._client = httpx.Client(base_url=self.url, trust_env=False, timeout=10)
        self._ids = iter(range(1, 1_000_000))

    @staticmethod
    def _key(config: Path, platform: str) -> str:
        scopes = [part for scope in SCOPES for part in ("--scope", scope)]
        command = [str(UPSTANDER), "keys", "create", "--config", str(config), "--platform", platform, *scopes]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def _headers(self, platform: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._keys[platform]}"}

    def event(self, platform: str, broadcast: str, **fields: object) -> dict[str, Any]:
        """Send one event; its decision (empty when there is none)."""
        event = {"id": f"e{next(self._ids)}", "at": time.time_ns() // 1_000_000, "broadcast": broadcast, **fields}
        answer = self._client.post("/v1/events", json=event, headers=self._headers(platform))
        assert answer.status_code == 200, answer.text
        return answer.json()["results"][0].get("decision") or {}

    def order(self, platform: str, broadcast: str, do: str) -> None:
        body = {"id": f"o{next(self._ids)}", "do": do, "by": "A. Moderator", "reason": "a test"}
        path = f"/v1/broadcasts/{quote(broadcast, safe='')}/orders"
        answer = self._client.post(path, json=body, headers=self._headers(platform))
        assert answer.status_code == 200, answer.text

    def broadcast(self, platform: str, broadcast: str) -> dict[str, Any]:
        """What Upstander holds about a broadcast; empty when it knows none."""
        answer = self._client.get(f"/v1/broadcasts/{quote(broadcast, safe='')}", headers=self._headers(platform))
        return answer.json() if answer.is_success else {}

    def action(self, platform: str, broadcast: str, asked: str) -> dict[str, Any]:
        """The latest action of this kind."""
        found = self.broadcast(platform, broadcast).get("actions", [])
        return next((action for action in found if action["asked"] == asked), {})

    def callback(self, adapter: str, secret: str, what: str, body: str | bytes) -> int:
        """What nginx would send, sent by hand; the status of the answer."""
        headers = {"content-type": "application/x-www-form-urlencoded"}
        path = f"/adapters/{adapter}/{what}"
        return self._client.post(path, params={"secret": secret}, content=body, headers=headers).status_code
