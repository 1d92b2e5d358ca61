"""Stateful fakes of the exchanges, each after its contract, and what can go wrong with any server."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.sax.saxutils import escape

Answer = tuple[int, bytes, dict[str, str]]


class Fake:
    """A server on a free port. ``faults``: what befalls the next requests, in order ("" is nothing)."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.asked: list[str] = []
        self.skew_s = 0.0
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments: object) -> None:
                pass

            def date_time_string(self, timestamp: float | None = None) -> str:
                return super().date_time_string((timestamp or time.time()) + fake.skew_s)

            def _serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                fake.asked.append(f"{self.command} {self.path}")
                fault = fake.faults.pop(0) if fake.faults else ""
                if fault == "timeout":
                    time.sleep(1.0)
                    self.close_connection = True
                    return
                if fault in ("429", "500", "503"):
                    status, made, headers = int(fault), b"", {"Retry-After": "1"} if fault == "429" else {}
                else:
                    path = urlsplit(self.path)
                    asked = {name: values[0] for name, values in parse_qs(path.query).items()}
                    status, made, headers = fake.answer(self.command, path.path, asked, body, self.headers)
                if fault == "bad":
                    made = b"<html>oops" + made[:50]
                if fault == "half":
                    made = made[: len(made) // 2]
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(made)))
                self.end_headers()
                self.wfile.write(made)

            do_GET = do_POST = do_PUT = _serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes, headers: Any) -> Answer:
        raise NotImplementedError

    def __enter__(self) -> Any:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def clock(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


class FakeNcmec(Fake):
    """Entries by (member, id); each a version with the second in which it changed. ``size`` a page."""

    size = 3

    def __init__(self) -> None:
        super().__init__()
        self.entries: dict[tuple[str, str], tuple[float, dict[str, str] | None]] = {}
        self.feedback: dict[str, str] = {}
        self.reasons = {"11-22": "not what it says"}

    def put(self, identifier: str, prints: dict[str, str] | None, at: float, member: str = "7") -> None:
        self.entries[member, identifier] = at, prints

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes, headers: Any) -> Answer:
        if headers.get("authorization") != basic("me", "secret"):
            return 401, b"", {}
        if path == "/v2/status":
            return (
                200,
                b'<status xmlns="x"><member id="9">Me</member></status>',
                {},
            )
        if path == "/v2/members":
            return 200, b'<members xmlns="x"><member id="7">Seven</member><member id="9">Me</member></members>', {}
        if path.startswith("/v2/feedback/"):
            found = "".join(f'<reason guid="{guid}" name="{name}" />' for guid, name in self.reasons.items())
            text = f'<getFeedbackReasons xmlns="x"><availableFeedbackReasons type="PDQ">{found}'
            return 200, f"{text}</availableFeedbackReasons></getFeedbackReasons>".encode(), {}
        if method == "PUT":
            self.feedback[path] = body.decode()
            return 200, b"", {}
        return 200, self._page(asked).encode(), {}

    def _page(self, asked: dict[str, str]) -> str:
        start, end = asked["from"], asked["to"]
        # In no order of time, as the real one.
        chosen = sorted(
            (key for key, (at, _) in self.entries.items() if start <= clock(at) <= end),
            key=lambda key: hash(key[1][::-1]),
        )
        first = int(asked.get("start", "0"))
        shown = chosen[first : first + self.size]
        rows = "".join(self._entry(*key, *self.entries[key]) for key in shown)
        text = f'<queryResult xmlns="https://hashsharing.ncmec.org/hashsharing/v2"><images count="{len(shown)}" '
        text += f'maxTimestamp="{clock(time.time())}">{rows}</images>'
        if first + self.size < len(chosen):
            following = (
                f"/v2/entries?from={start}&to={end}&start={first + self.size}&size={self.size}&max={len(chosen)}"
            )
            text += f"<paging><next>{escape(following)}</next></paging>"
        return text + "</queryResult>"

    @staticmethod
    def _entry(member: str, identifier: str, at: float, prints: dict[str, str] | None) -> str:
        head = f'<member id="{member}">M</member><timestamp>{clock(at)}</timestamp><id>{identifier}</id>'
        if prints is None:
            return f"<deletedImage>{head}</deletedImage>"
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in prints.items())
        return f"<image>{head}<classification>A1</classification><fingerprints>{inner}</fingerprints></image>"


class FakeStopNcii(Fake):
    """Records by hash, with the time of their last change; tokens are forgotten when ``forget`` is called."""

    size = 3

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[str, dict[str, Any]] = {}
        self.tokens: dict[str, tuple[int, int]] = {}
        self.feedback: list[dict[str, Any]] = []

    def put(self, value: str, at: int, status: str = "Active", kind: str = "ImagePDQ") -> None:
        self.records[value] = {"lastModtimestamp": at, "signalType": kind, "hashValue": value, "hashStatus": status,
                               "caseNumbers": {"c": status}, "CSPFeedbacks": []}  # fmt: skip

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes, headers: Any) -> Answer:
        if headers.get("x-functions-key") != "func" or headers.get("ocp-apim-subscription-key") != "subs":
            return 401, b"", {}
        if path == "/SubmitFeedback":
            self.feedback += json.loads(body)["hashFeedbacks"]
            return 200, b"{}", {}
        start, first = int(asked["startTimestamp"]), 0
        if "nextPageToken" in asked:
            if asked["nextPageToken"] not in self.tokens:
                return 400, b"", {}
            start, first = self.tokens[asked["nextPageToken"]]
        chosen = sorted(
            (r for r in self.records.values() if r["lastModtimestamp"] >= start), key=lambda r: r["lastModtimestamp"]
        )
        shown = chosen[first : first + self.size]
        more = first + self.size < len(chosen)
        token = f"t{start}-{first + self.size}" if more else None
        if token:
            self.tokens[token] = start, first + self.size
        latest = max((r["lastModtimestamp"] for r in chosen), default=start)
        answer = {"count": len(shown), "nextPageToken": token, "nextSetTimestamp": latest, "hasMoreRecords": more,
                  "hashRecords": shown}  # fmt: skip
        return 200, json.dumps(answer).encode(), {}


class FakeTat(Fake):
    """Rows in the order of their change; the token runs out after ``lives`` uses."""

    size = 3

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, Any]] = []
        self.lives, self._left, self._token = 4, 0, 0

    def put(self, identifier: int, value: str, at: int, algorithm: str = "PDQ", deleted: bool = False) -> None:
        self.rows = [row for row in self.rows if row["id"] != identifier]
        self.rows.append({"id": identifier, "hash_digest": value, "algorithm": algorithm, "ideology": "all",
                          "file_type": "jpg", "deleted": deleted, "updated_on": at, "created_on": at})  # fmt: skip

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes, headers: Any) -> Answer:
        if path == "/token-auth/tcap/":
            form = parse_qs(body.decode())
            if (form["username"], form["password"]) != (["me"], ["secret"]):
                return 401, b"", {}
            self._token, self._left = self._token + 1, self.lives
            return 200, json.dumps({"token": f"t{self._token}", "user": {}}).encode(), {}
        if headers.get("authorization") != f"Bearer t{self._token}" or self._left <= 0:
            return 401, b"", {}
        self._left -= 1
        rows = sorted(self.rows, key=lambda row: (row["updated_on"], row["id"]))
        if asked.get("after"):
            at, identifier = asked["after"].split(",")
            rows = [row for row in rows if (row["updated_on"], row["id"]) > (int(at), int(identifier))]
        shown = rows[: self.size]
        mark = f"{shown[-1]['updated_on']},{shown[-1]['id']}" if shown else asked.get("after", "")
        following = f"limit={self.size}&offset={self.size}" if len(rows) > self.size else None
        answer = {"count": len(rows), "next": following, "previous": None, "checkpoint": mark, "results": shown}
        return 200, json.dumps(answer).encode(), {}


class FakeShield(Fake):
    """Knows some PDQs; distances are none of the caller's business."""

    def __init__(self) -> None:
        super().__init__()
        self.known: dict[str, str] = {}
        self.bodies: list[dict[str, Any]] = []

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes, headers: Any) -> Answer:
        if headers.get("authorization") != basic("me", "secret"):
            return 401, b"", {}
        assert (method, path) == ("POST", "/v1/pdq/")
        sent = json.loads(body)
        self.bodies.append(sent)
        told: dict[str, Any] = {}
        for one in sent["hashes"]:
            name = self.known.get(base64.b64decode(one).hex())
            told[one] = name and {"classification": name, "match_type": "near", "near_match_details": []}
        return 200, json.dumps({"scanned_hashes": told}).encode(), {}


class FakeList(Fake):
    """One CSV, with an ETag."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""

    def answer(self, method: str, path: str, asked: dict[str, str], body: bytes, headers: Any) -> Answer:
        if headers.get("authorization") != "Token abc":
            return 403, b"", {}
        mark = f'"{hash(self.text)}"'
        if headers.get("if-none-match") == mark:
            return 304, b"", {"ETag": mark}
        return 200, self.text.encode(), {"ETag": mark}


Filler = Callable[[Any], None]
