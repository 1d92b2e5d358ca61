"""The platforms on which this project's adapters are tried: each a ``conformance.Bench`` around a fake."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from homeserver import SERVER, TOKEN, VIEWER, Homeserver

from support import PLATFORM, Receiver
from upstander.adapters.base import Action, Adapter, Capability
from upstander.adapters.matrix.adapter import MatrixAdapter
from upstander.adapters.nginx_rtmp import NginxRtmpAdapter
from upstander.adapters.webhook import WebhookAdapter

Address = tuple[str, int] | None

#: What can be done and undone on a platform that posts to a webhook: the switch, and whether it is then on.
SWITCHES = {
    "mute_viewer": ("muted", True),
    "unmute_viewer": ("muted", False),
    "slow_mode": ("slow", True),
    "slow_mode_off": ("slow", False),
    "disable_gifts": ("gifts off", True),
    "enable_gifts": ("gifts off", False),
    "hide_counts": ("counts hidden", True),
    "show_counts": ("counts hidden", False),
    "remove_viewer": ("removed", True),
    "readmit_viewer": ("removed", False),
    "disable_comments": ("comments off", True),
    "enable_comments": ("comments off", False),
    "disable_invites": ("invites off", True),
    "enable_invites": ("invites off", False),
    "pause": ("paused", True),
    "resume": ("paused", False),
}


class WebhookBench:
    """A platform that keeps what it is told: a switch for each thing that can be done and undone, and a list."""

    broadcast, viewer, http, undoes = "b1", "v1", True, True
    limit_s = 6.0

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.secrets = [receiver.secret, receiver.secret.removeprefix("whsec_")]
        self._switches: dict[str, bool] = {}
        self._done: list[str] = []
        self._seen: set[str] = set()
        self._comments = 0
        receiver.answer = self._take

    def _take(self, action: Action | None) -> tuple[int, dict[str, str], bytes] | None:
        if action is None:
            return 401, {}, b""
        if action.id not in self._seen:
            self._seen.add(action.id)
            switch = SWITCHES.get(action.doing)
            if switch is None:
                self._done.append(f"{action.doing} {action.target}")
            else:
                self._switches[switch[0]] = switch[1]
        return 200, {}, json.dumps({"did": action.doing}).encode()

    def adapter(self, address: Address = None, wrong_secret: bool = False) -> Adapter:
        url = f"http://{address[0]}:{address[1]}/" if address else self.receiver.url
        secret = "whsec_" + "QUFB" * 8 if wrong_secret else self.receiver.secret
        return WebhookAdapter("hook", PLATFORM, url, secret, frozenset(Capability))

    async def comment(self) -> str:
        self._comments += 1
        return f"c{self._comments}"

    async def state(self) -> object:
        return {name for name, on in self._switches.items() if on}, list(self._done)


class NginxBench:
    """nginx's control interface, as far as dropping goes, with one publisher who always comes back."""

    broadcast, viewer, http, undoes = "b1", "v1", True, False
    limit_s = 8.0
    secrets = ("the secret of the callbacks",)

    def __init__(self) -> None:
        self.dropped: set[str] = set()
        bench = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = urlsplit(self.path)
                name = parse_qs(asked.query).get("name", [""])[0]
                here = name == bench.broadcast and name not in bench.dropped
                bench.dropped |= {name} if here else set()
                body = str(int(here)).encode()
                self.send_response(200 if asked.path == "/control/drop/publisher" else 404)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> NginxBench:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def adapter(self, address: Address = None, wrong_secret: bool = False) -> Adapter | None:
        if wrong_secret:
            return None  # whoever reaches the control interface may use it
        host, port = address or self._server.server_address[:2]
        return NginxRtmpAdapter("rtmp", PLATFORM, f"http://{host!s}:{port}/control", "live")

    async def comment(self) -> str:
        return "c1"

    async def state(self) -> object:
        return set(self.dropped)


class MatrixBench:
    """The homeserver in miniature."""

    viewer, http, undoes = VIEWER, True, True
    limit_s = 6.0
    secrets = (TOKEN,)

    def __init__(self, homeserver: Homeserver) -> None:
        self.homeserver = homeserver
        self.broadcast = homeserver.broadcast.id

    def adapter(self, address: Address = None, wrong_secret: bool = False) -> Adapter:
        url = f"http://{address[0]}:{address[1]}" if address else self.homeserver.url
        token = "syt_wrong" if wrong_secret else TOKEN
        return MatrixAdapter("chat", PLATFORM, url, token, moderators_room=f"!moderators:{SERVER}")

    async def comment(self) -> str:
        return self.homeserver.write(self.homeserver.broadcast, VIEWER, "nice game")

    async def state(self) -> object:
        rooms = self.homeserver.rooms.values()
        levels, slow = self.homeserver.broadcast.levels, self.homeserver.broadcast.state.get(("io.upstander.chat", ""))
        said = [[(event["type"], json.dumps(event["content"])) for event in room.events.values()] for room in rooms]
        banned = [user for user, now in self.homeserver.broadcast.members.items() if now == "ban"]
        return json.dumps(levels, sort_keys=True), (slow or {}).get("slow_mode_s", 0), said, banned
