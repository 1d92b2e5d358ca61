"""A real Synapse on loopback, and people who use it with a plain client. Every process is stopped by its own handle."""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from nginx_support import Process, free_port, needed, until

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".tools/synapse/bin/python"
SERVER = "loopback.test"
_TRANSACTIONS = itertools.count(1)

Content = dict[str, Any]


def synapse() -> str:
    """Synapse's Python; skips (or fails, in CI) when it is not installed."""
    found = needed("Synapse", str(PYTHON) if PYTHON.exists() else None, "scripts/synapse.sh")
    # Known to itself as what is installed there: without its packages the module would be no test of anything.
    assert (PYTHON.parent.parent / "installed.txt").exists(), "run scripts/synapse.sh"
    return found


class Synapse(Process):
    """A homeserver with SQLite in ``folder``; ``module`` is the configuration of Upstander's module in it, if any."""

    def __init__(self, folder: Path, module: Content | None = None, port: int = 0) -> None:
        folder.mkdir(exist_ok=True)
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._secret = secrets.token_hex(16)
        seed = base64.b64encode(os.urandom(32)).decode().rstrip("=")
        (folder / "signing.key").write_text(f"ed25519 a_test {seed}\n")
        (folder / "log.yaml").write_text(LOG)
        many = {"per_second": 10_000, "burst_count": 10_000}
        config = {
            "server_name": SERVER,
            "listeners": [
                {
                    "port": self.port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "resources": [{"names": ["client"]}],
                }
            ],
            "database": {"name": "sqlite3", "args": {"database": str(folder / "homeserver.db")}},
            "signing_key_path": str(folder / "signing.key"),
            "media_store_path": str(folder / "media"),
            "log_config": str(folder / "log.yaml"),
            "pid_file": str(folder / "pid"),
            "registration_shared_secret": self._secret,
            "macaroon_secret_key": secrets.token_hex(16),
            "trusted_key_servers": [],
            "report_stats": False,
            "bcrypt_rounds": 4,
            "presence": {"enabled": False},
            "rc_message": many,
            "rc_joins": {"local": many},
            "rc_joins_per_room": many,
            "rc_room_creation": many,
            "rc_invites": {"per_room": many, "per_user": many, "per_issuer": many},
        }
        if module is not None:
            config["modules"] = [{"module": "upstander.adapters.matrix.module.UpstanderModule", "config": module}]
        (folder / "homeserver.yaml").write_text(json.dumps(config))  # JSON is YAML
        # The source alone, without a single package of ours: the module must need nothing but Synapse.
        env = os.environ | {"PYTHONPATH": str(ROOT / "src"), "PYTHONUNBUFFERED": "1"}
        command = [synapse(), "-m", "synapse.app.homeserver", "-c", str(folder / "homeserver.yaml")]
        super().__init__(command, folder / "output", env)
        until(lambda: self._answers() or not self.running, 60, "Synapse answering")
        assert self.running, self.log.read_text()[-5_000:]

    def _answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}/_matrix/client/versions", timeout=2, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def register(self, name: str) -> Account:
        """A new account, made with the shared secret as an administrator does."""
        path = f"{self.url}/_synapse/admin/v1/register"
        with httpx.Client(trust_env=False, timeout=30) as client:
            nonce = client.get(path).json()["nonce"]
            password = secrets.token_hex(8)
            text = "\0".join((nonce, name, password, "notadmin")).encode()
            mac = hmac.new(self._secret.encode(), text, hashlib.sha1).hexdigest()
            body = {"nonce": nonce, "username": name, "password": password, "mac": mac, "admin": False}
            answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return Account(self.url, answer.json()["user_id"], answer.json()["access_token"])


class Account:
    """A person with a plain client."""

    def __init__(self, url: str, user: str, token: str) -> None:
        self.user, self.token = user, token
        headers = {"authorization": f"Bearer {token}"}
        self.http = httpx.Client(base_url=f"{url}/_matrix/client/v3", headers=headers, timeout=30, trust_env=False)
        self._since = ""

    def call(self, method: str, path: str, body: Content | None = None, **parameters: Any) -> httpx.Response:
        return self.http.request(method, path, json=body if method != "GET" else None, params=parameters)

    def good(self, method: str, path: str, body: Content | None = None, **parameters: Any) -> Content:
        answer = self.call(method, path, body or {}, **parameters)
        assert answer.status_code == 200, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def room(self, state: list[Content] = (), **fields: Any) -> str:  # type: ignore[assignment]
        body = {"preset": "public_chat", "initial_state": list(state)} | fields
        return str(self.good("POST", "/createRoom", body)["room_id"])

    def join(self, room: str) -> None:
        self.good("POST", f"/join/{quote(room)}")

    def leave(self, room: str) -> None:
        self.good("POST", f"/rooms/{quote(room)}/leave")

    def send(self, room: str, content: Content | str, kind: str = "m.room.message") -> httpx.Response:
        body = {"msgtype": "m.text", "body": content} if isinstance(content, str) else content
        return self.call("PUT", f"/rooms/{quote(room)}/send/{kind}/t{next(_TRANSACTIONS)}", body)

    def sent(self, room: str, content: Content | str, kind: str = "m.room.message") -> str:
        """Send what must arrive; its event id."""
        answer = self.send(room, content, kind)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["event_id"])

    def state(self, room: str, kind: str, key: str = "") -> Content:
        return self.good("GET", f"/rooms/{quote(room)}/state/{kind}/{quote(key)}")

    def set_state(self, room: str, kind: str, content: Content, key: str = "") -> httpx.Response:
        return self.call("PUT", f"/rooms/{quote(room)}/state/{kind}/{quote(key)}", content)

    def sync(self, timeout_ms: int = 0) -> Content:
        """What came since the last time."""
        since = {"since": self._since} if self._since else {}
        found = self.good("GET", "/sync", timeout=timeout_ms, **since)
        self._since = found["next_batch"]
        return found

    def arrivals(self, room: str, until_event: str, within_s: float = 20.0) -> list[Content]:
        """Every event of the room that this client got up to this one, that one included."""
        end, got = time.monotonic() + within_s, []
        while time.monotonic() < end:
            joined = self.sync(1_000).get("rooms", {}).get("join", {})
            got += joined.get(room, {}).get("timeline", {}).get("events", [])
            if any(event["event_id"] == until_event for event in got):
                return got
        raise AssertionError(f"{until_event} did not arrive: {got}")

    def invitations(self) -> Iterator[str]:
        yield from self.sync().get("rooms", {}).get("invite", {})

    def event(self, room: str, event: str) -> Content:
        return self.good("GET", f"/rooms/{quote(room)}/event/{quote(event)}")


LOG = """
version: 1
disable_existing_loggers: false  # Upstander's module is imported before this is read
formatters: {short: {format: '%(asctime)s %(levelname)s %(name)s: %(message)s'}}
handlers: {console: {class: logging.StreamHandler, formatter: short}}
root: {level: WARNING, handlers: [console]}
"""
