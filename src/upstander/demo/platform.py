"""The pretend platform: it plays scripts, holds every comment for its verdict, and does what the webhooks ask."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec

from upstander.client import Client, Comment, UpstanderError, WebhookError, verify_webhook
from upstander.client.http import Held
from upstander.model.events import AnyEvent
from upstander.model.wire import decode_event

#: Chat is played at this many messages a second; for so long (of its own time) when nothing is repeated.
CHAT_RATE = 25.0
CHAT_SECONDS = 60.0


class Script:
    """A broadcast to play: its name and its events, the first at time 0."""

    def __init__(self, name: str, lines: list[bytes]) -> None:
        self.name = name
        self.events: list[AnyEvent] = [decode_event(line, number) for number, line in enumerate(lines, 1)]
        start = self.events[0].at_ms
        self.offsets_s = [(event.at_ms - start) / 1000 for event in self.events]

    def take(self, index: int, broadcast: str, at: int) -> AnyEvent:
        """The event at ``index`` as it happens now, in the broadcast given."""
        changed = {"broadcast": broadcast, "at": at, "id": f"{broadcast}:{index}"}
        return msgspec.structs.replace(self.events[index], **changed)


def bundled_scripts() -> list[Script]:
    """The scripts that ship."""
    folder = files("upstander.demo").joinpath("scripts")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".jsonl"))
    return [Script(name.removesuffix(".jsonl"), folder.joinpath(name).read_bytes().splitlines()) for name in names]


def bundled_chat() -> Path:
    """The invented chat that ships."""
    return Path(str(files("upstander.demo").joinpath("chat", "invented.jsonl")))


class Platform:
    """Plays all scripts at once, each in its own thread, against one Upstander.

    A broadcast that was cut short is taken up where it stopped: the service knows how many events it has.
    ``on_held`` is told of every comment and its verdict.
    """

    def __init__(
        self, url: str, key: str, speed: float, on_held: Callable[[Comment, Held], None], repeat: bool
    ) -> None:
        self._url, self._key = url, key
        self._speed, self._repeat = speed, repeat
        self._on_held = on_held
        self.client = Client(url, key, patience_s=10)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.live: dict[str, str] = {}
        self.errors: Counter[str] = Counter()

    def play(self, scripts: list[Script], chat: Path) -> None:
        """Start playing."""
        for script in scripts:
            self._start(self._play, script)
        self._start(self._play_chat, chat)

    @property
    def playing(self) -> bool:
        """Whether any script has not come to its end."""
        return any(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Stop playing; broadcasts stay open, to be taken up again."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=5)
        self.client.close()

    def _start(self, target: Callable[..., None], argument: Any) -> None:
        thread = threading.Thread(target=self._guard, args=(target, argument), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, target: Callable[..., None], argument: Any) -> None:
        try:
            target(argument)
        except UpstanderError as error:
            if not self._stop.is_set():
                self.errors[str(error)] += 1

    def _where(self, script: Script) -> tuple[int, int]:
        """Which take of a script to play, and from which event on."""
        headers = {"authorization": f"Bearer {self._key}"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=10) as http:
            for take in count(1):
                answer = http.get(f"/v1/broadcasts/{script.name}.{take}")
                if answer.status_code == 404:
                    return take, 0
                if answer.is_success and answer.json()["state"] != "ended":
                    return take, min(int(answer.json()["events"]), len(script.events))
        raise AssertionError("unreachable")

    def _play(self, script: Script) -> None:
        take, index = self._where(script)
        while not self._stop.is_set():
            broadcast = f"{script.name}.{take}"
            self.live[script.name] = broadcast
            resumed_at = script.offsets_s[index] if index < len(script.events) else 0.0
            began = time.monotonic() - resumed_at / self._speed
            for place in range(index, len(script.events)):
                wait = began + script.offsets_s[place] / self._speed - time.monotonic()
                if self._stop.wait(max(0.0, wait)):
                    return
                self._send(script.take(place, broadcast, _now()))
            self.live.pop(script.name, None)
            if not self._repeat or self._stop.wait(3.0 / self._speed):
                return
            take, index = take + 1, 0

    def _send(self, event: AnyEvent) -> None:
        if isinstance(event, Comment):
            # As a platform does that can hold a comment back before anyone sees it.
            self._on_held(event, self.client.hold(event))
        else:
            self.client.send_now([event])

    def _play_chat(self, path: Path) -> None:
        """Chat (JSON Lines with ``author`` and ``text``), from where it stopped, at a steady rate, again and again."""
        broadcast = f"chat-{path.stem}"
        headers = {"authorization": f"Bearer {self._key}"}
        answer = httpx.get(f"{self._url}/v1/broadcasts/{broadcast}", headers=headers, timeout=10)
        done = int(answer.json()["events"]) if answer.is_success else 0
        said = [json.loads(line) for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        self.live[broadcast] = broadcast
        began = time.monotonic()
        for number in count(done):
            if not self._repeat and number - done > CHAT_SECONDS * CHAT_RATE:
                return
            wait = began + (number - done) / (CHAT_RATE * self._speed) - time.monotonic()
            if self._stop.wait(max(0.0, wait)):
                return
            line = said[number % len(said)]
            text, author = str(line["text"])[:4000], str(line["author"])
            identifier = f"{broadcast}:{number}"
            self.client.send(Comment(id=identifier, at=_now(), broadcast=broadcast, actor=author, text=text))


class Receiver:
    """The platform's webhook: checks the signature, does each action once, and says what it did."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self.done: deque[str] = deque(maxlen=8)
        self.counts: Counter[str] = Counter()
        self._seen: set[str] = set()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "0")))
                status, answer = receiver.take(dict(self.headers.items()), body)
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Nothing: the live view shows what was done."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/upstander"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """One delivery: HTTP status and answer."""
        try:
            action = verify_webhook(self._secret, headers, body)
        except WebhookError as error:
            return 401, json.dumps({"error": str(error)}).encode()
        if action.id not in self._seen:
            self._seen.add(action.id)
            self.counts[action.doing] += 1
            target = f" ({action.target})" if action.target else ""
            self.done.appendleft(f"{action.doing} in {action.broadcast}{target}")
        return 200, json.dumps({"did": action.doing}).encode()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _now() -> int:
    return time.time_ns() // 1_000_000
