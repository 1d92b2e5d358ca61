"""A homeserver in miniature: the endpoints that the Matrix adapter uses, with the specification's rules behind them.

That it behaves like a real one is shown by tests/e2e/test_matrix.py, which runs the same checks against Synapse.
"""

from __future__ import annotations

import copy
import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Content = dict[str, Any]
Answer = tuple[int, Content]

SERVER = "fake.test"
MODERATOR = f"@mod:{SERVER}"
HOST = f"@host:{SERVER}"
VIEWER = f"@viewer:{SERVER}"
TOKEN = "syt_bW9k_a-secret-token_1"

LEVELS: Content = {
    "users": {MODERATOR: 100, HOST: 50},
    "users_default": 0,
    "events": {"m.room.name": 50, "m.reaction": 0, "m.room.redaction": 0},
    "events_default": 0,
    "state_default": 50,
    "redact": 50,
    "invite": 0,
}


def refused(status: int, code: str, **fields: Any) -> Answer:
    return status, {"errcode": code, "error": "no"} | fields


class Room:
    def __init__(self, identifier: str, members: dict[str, str]) -> None:
        self.id = identifier
        self.members = members
        self.state: dict[tuple[str, str], Content] = {("m.room.power_levels", ""): copy.deepcopy(LEVELS)}
        self.events: dict[str, Content] = {}

    @property
    def levels(self) -> Content:
        return self.state["m.room.power_levels", ""]

    def level_of(self, user: str) -> int:
        return int(self.levels.get("users", {}).get(user, self.levels.get("users_default", 0)))

    def may_send(self, user: str, kind: str) -> bool:
        needed = self.levels.get("events", {}).get(kind, self.levels.get("events_default", 0))
        return self.members.get(user) == "join" and self.level_of(user) >= needed


class Homeserver:
    """One room that is a broadcast, one for moderators, and whatever rooms are made."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str]] = []
        self.answers: list[Answer] = []
        self.rooms: dict[str, Room] = {}
        self.aliases: dict[str, str] = {}
        self._transactions: dict[tuple[str, str], Answer] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        everybody = dict.fromkeys((MODERATOR, HOST, VIEWER), "join")
        self.broadcast = self.add("!broadcast", everybody)
        self.broadcast.state["io.upstander.broadcast", ""] = {"host": HOST, "host_age_band": "10_12"}
        self.moderators = self.add("!moderators", {MODERATOR: "join"})
        homeserver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else every answer waits 40 ms for the acknowledgement of its headers

            def do_GET(self) -> None:
                homeserver._serve(self)

            do_PUT = do_POST = do_GET

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Homeserver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, name: str, members: dict[str, str]) -> Room:
        room = Room(f"{name}:{SERVER}", dict(members))
        self.rooms[room.id] = room
        return room

    def write(self, room: Room, user: str, text: str) -> str:
        """What a person writes with their own client; its event id."""
        with self._lock:
            return self._new(room, user, "m.room.message", {"msgtype": "m.text", "body": text})

    def _new(self, room: Room, user: str, kind: str, content: Content) -> str:
        identifier = f"$event{next(self._numbers)}"
        room.events[identifier] = {"type": kind, "sender": user, "content": content}
        return identifier

    # -- requests ------------------------------------------------------------------------------------------------

    def _serve(self, request: BaseHTTPRequestHandler) -> None:
        raw = request.rfile.read(int(request.headers.get("content-length") or 0))
        with self._lock:
            self.requests.append((request.command, request.path))
            if self.answers:
                status, content = self.answers.pop(0)
            elif request.headers.get("authorization") != f"Bearer {TOKEN}":
                status, content = refused(401, "M_UNKNOWN_TOKEN")
            else:
                status, content = self._answer(request.command, request.path, json.loads(raw) if raw else {})
        body = json.dumps(content).encode()
        request.send_response(status)
        request.send_header("content-type", "application/json")
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _answer(self, method: str, target: str, body: Content) -> Answer:
        start = "/_matrix/client/v3/"
        path = target.partition("?")[0]
        if not path.startswith(start):
            return refused(404, "M_UNRECOGNIZED")
        parts = [unquote(part) for part in path.removeprefix(start).split("/")]
        if parts[0] == "rooms" and len(parts) > 2 and parts[1] not in self.rooms:
            return refused(403, "M_FORBIDDEN")
        match method, *parts:
            case "GET", "account", "whoami":
                return 200, {"user_id": MODERATOR}
            case "GET", "directory", "room", alias:
                room_id = self.aliases.get(alias)
                return (200, {"room_id": room_id}) if room_id else refused(404, "M_NOT_FOUND")
            case "POST", "createRoom":
                return self._create(body)
            case "POST", "rooms", identifier, "invite":
                self.rooms[identifier].members[body["user_id"]] = "invite"
                return 200, {}
            case "POST", "rooms", identifier, ("ban" | "unban") as what:
                return self._ban(self.rooms[identifier], what, body["user_id"])
            case "GET", "rooms", identifier, "state", kind, *key:
                return self._state(self.rooms[identifier], kind, "".join(key))
            case "PUT", "rooms", identifier, "state", kind, *key:
                return self._set_state(self.rooms[identifier], kind, "".join(key), body)
            case "PUT", "rooms", identifier, ("send" | "redact") as what, subject, transaction:
                # The same transaction again, on the same path, is the same request.
                known = self._transactions.get((path, transaction))
                if known is None:
                    do = self._send if what == "send" else self._redact
                    known = do(self.rooms[identifier], subject, body)
                    if known[0] == 200:
                        self._transactions[path, transaction] = known
                return known
        return refused(404, "M_UNRECOGNIZED")

    def _create(self, body: Content) -> Answer:
        alias = f"#{body['room_alias_name']}:{SERVER}"
        if alias in self.aliases:
            return refused(400, "M_ROOM_IN_USE")
        members = {MODERATOR: "join"} | dict.fromkeys(body.get("invite", ()), "invite")
        room = self.add(f"!made{next(self._numbers)}", members)
        self.aliases[alias] = room.id
        return 200, {"room_id": room.id}

    @staticmethod
    def _ban(room: Room, what: str, user: str) -> Answer:
        if room.level_of(user) >= room.level_of(MODERATOR) or (what == "unban") != (room.members.get(user) == "ban"):
            return refused(403, "M_FORBIDDEN")
        if not user.startswith("@"):
            return refused(400, "M_INVALID_PARAM")
        room.members[user] = "ban" if what == "ban" else "leave"
        return 200, {}

    def _state(self, room: Room, kind: str, key: str) -> Answer:
        if kind == "m.room.member":
            membership = room.members.get(key)
            return (200, {"membership": membership}) if membership else refused(404, "M_NOT_FOUND")
        found = room.state.get((kind, key))
        return (200, copy.deepcopy(found)) if found is not None else refused(404, "M_NOT_FOUND")

    def _set_state(self, room: Room, kind: str, key: str, content: Content) -> Answer:
        needed = room.levels.get("events", {}).get(kind, room.levels.get("state_default", 50))
        if room.members.get(MODERATOR) != "join" or room.level_of(MODERATOR) < needed:
            return refused(403, "M_FORBIDDEN")
        if kind == "m.room.power_levels" and not self._may_change(room, content):
            return refused(403, "M_FORBIDDEN")
        room.state[kind, key] = content
        return 200, {"event_id": f"$event{next(self._numbers)}"}

    @staticmethod
    def _may_change(room: Room, content: Content) -> bool:
        """Room version 11, authorisation rule 9: nobody gives or takes more than they have."""
        mine, before, after = room.level_of(MODERATOR), room.levels.get("users", {}), content.get("users", {})
        for user in before.keys() | after.keys():
            if before.get(user) == after.get(user):
                continue
            if (user in before and user != MODERATOR and before[user] >= mine) or after.get(user, 0) > mine:
                return False
        return all(isinstance(level, int) for level in after.values())

    def _send(self, room: Room, kind: str, content: Content) -> Answer:
        if not room.may_send(MODERATOR, kind):
            return refused(403, "M_FORBIDDEN")
        return 200, {"event_id": self._new(room, MODERATOR, kind, content)}

    def _redact(self, room: Room, event: str, body: Content) -> Answer:
        if room.level_of(MODERATOR) < room.levels.get("redact", 50):
            return refused(403, "M_FORBIDDEN")
        if event not in room.events:
            return refused(404, "M_NOT_FOUND")
        room.events[event]["content"] = {}
        return 200, {"event_id": self._new(room, MODERATOR, "m.room.redaction", {"redacts": event} | body)}
