"""The fake service's state and answers: ``handle`` takes a request and gives a reply. No sockets here: see ``server``.

Written from the published contract: Basic authentication, XML checked against the schema, response codes, the order of
calls, and unfinished reports that are deleted when their time is over.
"""

from __future__ import annotations

import base64
import email.utils
import hashlib
import io
import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

import httpx
import msgspec
import multipart
from lxml import etree  # type: ignore[import-untyped]

from upstander.reports import schema
from upstander.reports.cybertip import Call
from upstander.reports.fake.faults import Fault, Kind
from upstander.reports.words import CODES

HOUR_MS, MINUTE_MS = 3_600_000, 60_000
FIRST = 4_000_001


class Uploaded(msgspec.Struct):
    """A file that was added to a report."""

    name: str
    size: int
    md5: str
    details: str = ""


class Opened(msgspec.Struct):
    """A report that was opened. Times are epoch ms by the fake's clock, 0 means never."""

    id: str
    xml: str
    opened_at: int
    changed_at: int
    files: dict[str, Uploaded] = {}
    finished_at: int = 0
    retracted_at: int = 0


class Reply(msgspec.Struct, frozen=True):
    """What is answered: ``status`` 0 means that the connection is closed without a word; ``wait_s`` before that."""

    status: int
    headers: dict[str, str] = {}
    body: bytes = b""
    wait_s: float = 0.0


class Hotline:
    """One fake service. Threads may share it. ``clock`` gives epoch ms; ``ahead_ms`` is how far its own is ahead."""

    def __init__(
        self,
        username: str = "fake",
        password: str = "fake",  # noqa: S107 (a fake's)
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        ahead_ms: int = 0,
    ) -> None:
        self._allowed = "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
        self._username, self._clock, self.ahead_ms = username, clock, ahead_ms
        self.reports: dict[str, Opened] = {}
        #: every report that was ever opened and has expired unfinished
        self.expired: dict[str, Opened] = {}
        self.faults: list[Fault] = []
        self.calls: list[str] = []
        self.is_down = False
        self._open: set[str] = set()
        self._next = FIRST
        self._files = 0
        self._damage = False
        self._lock = threading.Lock()

    def now(self) -> int:
        """The fake's own clock."""
        return self._clock() + self.ahead_ms

    @property
    def finished(self) -> list[Opened]:
        """Reports that were finished: those that count."""
        return [each for each in self.reports.values() if each.finished_at]

    @property
    def unfinished(self) -> list[Opened]:
        """Reports that are open now."""
        self._expire()
        return [each for each in self.reports.values() if not each.finished_at and not each.retracted_at]

    def transport(self) -> httpx.MockTransport:
        """The service as a transport of httpx, within the process: for tests without sockets."""

        def handler(request: httpx.Request) -> httpx.Response:
            path = request.url.path.rsplit("/", 1)[-1]
            if self.is_down:
                raise httpx.ConnectError("down", request=request)
            reply = self.handle(request.method, path, dict(request.headers), request.read())
            if not reply.status:
                raise httpx.ReadTimeout("no answer", request=request)
            return httpx.Response(reply.status, headers=reply.headers, content=reply.body)

        return httpx.MockTransport(handler)

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Reply:
        """Answer one request. ``path`` is the last part of the address; header names are lower case."""
        with self._lock:
            self._expire()
            if path not in set(Call) or method != ("GET" if path in (Call.STATUS, Call.XSD) else "POST"):
                return Reply(404, self._headers("text/plain"), b"not found")
            self.calls.append(path)
            if headers.get("authorization") != self._allowed:
                return Reply(401, self._headers("text/plain"))
            fault = self._fault(Call(path))
            if fault is None:
                return self._do(Call(path), headers, body)
            return self._faulty(fault, headers, body)

    # -- faults --------------------------------------------------------------------------------------------------

    def _fault(self, call: Call) -> Fault | None:
        for fault in self.faults:
            if fault.call is call:
                if fault.times == 1:
                    self.faults.remove(fault)
                elif fault.times > 1:
                    fault.times -= 1
                return fault
        return None

    def _faulty(self, fault: Fault, headers: dict[str, str], body: bytes) -> Reply:
        if fault.kind is Kind.DOWN:
            return Reply(0)
        if fault.kind is Kind.HTTP:
            return Reply(int(fault.value), self._headers("text/html"), b"<html><body>a proxy's page</body></html>")
        if fault.kind is Kind.CODE:
            code, _, words = fault.value.partition(" ")
            return self._answer(int(code), words or CODES[int(code)])
        self._damage = fault.kind is Kind.WRONG_MD5
        if fault.kind is Kind.DUPLICATE:
            self._do(fault.call, headers, body)
        reply = self._do(fault.call, headers, body)
        if fault.kind is Kind.HTTP_AFTER:
            return Reply(int(fault.value), self._headers("text/html"), b"<html><body>a proxy's page</body></html>")
        if fault.kind in (Kind.DROP, Kind.TIMEOUT):
            return Reply(0, wait_s=float(fault.value or 0))
        wait = float(fault.value) if fault.kind is Kind.SLOW else 0.0
        return Reply(reply.status, reply.headers, reply.body, wait)

    # -- calls ---------------------------------------------------------------------------------------------------

    def _do(self, call: Call, headers: dict[str, str], body: bytes) -> Reply:
        if call is Call.STATUS:
            return self._answer(0, f"Remote User : {self._username}")
        if call is Call.XSD:
            return Reply(200, self._headers("application/xml"), schema.bundled_bytes())
        if call is Call.SUBMIT:
            return self._submit(body)
        if call is Call.FILEINFO:
            return self._describe(body)
        form = _form(headers.get("content-type", ""), body)
        found = self.reports.get(str(form.get("id", "")))
        wrong = self._closed(found)
        if wrong is not None or found is None:
            return wrong or self._answer(5001)
        if call is Call.UPLOAD:
            return self._upload(found, form)
        if call is Call.RETRACT:
            found.retracted_at = self.now()
            return self._answer(0, "Success", reportId=found.id)
        found.finished_at = self.now()
        files = "".join(f"<fileId>{each}</fileId>" for each in found.files)
        inner = f"<responseCode>0</responseCode><reportId>{found.id}</reportId><files>{files}</files>"
        return self._xml(f"<reportDoneResponse>{inner}</reportDoneResponse>")

    def _submit(self, body: bytes) -> Reply:
        root, wrong = self._parsed(body, "report")
        if root is None:
            return wrong
        at = root.findtext("incidentSummary/incidentDateTime") or ""
        if _epoch(at) > self.now():
            return self._answer(4100, "incidentDateTime must be in the past")
        identifier = str(self._next)
        self._next += 1
        self._open.add(identifier)
        self.reports[identifier] = Opened(identifier, body.decode(), self.now(), self.now(), {})
        return self._answer(0, "Success", reportId=identifier)

    def _upload(self, found: Opened, form: dict[str, Any]) -> Reply:
        sent = form.get("file")
        if not isinstance(sent, tuple):
            return self._answer(4200)
        name, content = sent
        if self._damage:
            content, self._damage = content[::-1] + b"?", False
        self._files += 1
        identifier = hashlib.sha256(f"{found.id}/{self._files}".encode()).hexdigest()[:32]
        md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
        found.files[identifier] = Uploaded(name, len(content), md5)
        found.changed_at = self.now()
        return self._answer(0, "Success", reportId=found.id, fileId=identifier, hash=md5)

    def _describe(self, body: bytes) -> Reply:
        root, wrong = self._parsed(body, "fileDetails")
        if root is None:
            return wrong
        found = self.reports.get(root.findtext("reportId") or "")
        closed = self._closed(found)
        if closed is not None or found is None:
            return closed or self._answer(5001)
        file = found.files.get(root.findtext("fileId") or "")
        if file is None:
            return self._answer(5002)
        file.details = body.decode()
        found.changed_at = self.now()
        return self._answer(0, "Success", reportId=found.id)

    def _parsed(self, body: bytes, root: str) -> tuple[Any, Reply]:
        faults = schema.bundled().faults(body)
        if faults:
            malformed = faults[0].startswith("not well-formed")
            return None, self._answer(4110 if malformed else 4100, faults[0])
        tree = etree.fromstring(body, schema.parser())
        if tree.tag != root:
            return None, self._answer(4100, f"the root is {tree.tag}, not {root}")
        return tree, Reply(200)

    def _closed(self, found: Opened | None) -> Reply | None:
        if found is None:
            return self._answer(5001)
        if found.retracted_at:
            return self._answer(5101)
        return self._answer(5102) if found.finished_at else None

    def _expire(self) -> None:
        """What is unfinished is deleted 24 h after it was opened or 1 h after its last change, whichever is later."""
        now = self.now()
        for identifier in list(self._open):
            each = self.reports[identifier]
            if each.finished_at or each.retracted_at:
                self._open.remove(identifier)
            elif now > max(each.opened_at + 24 * HOUR_MS, each.changed_at + 60 * MINUTE_MS):
                self._open.remove(identifier)
                self.expired[identifier] = self.reports.pop(identifier)

    # -- answers -------------------------------------------------------------------------------------------------

    def _headers(self, kind: str) -> dict[str, str]:
        date = email.utils.formatdate(self.now() / 1000, usegmt=True)
        return {"content-type": kind, "date": date, "request-id": f"fake-{len(self.calls)}"}

    def _answer(self, code: int, words: str = "", **more: str) -> Reply:
        inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in more.items())
        said = f"<responseDescription>{escape(words or CODES[code])}</responseDescription>"
        return self._xml(f"<reportResponse><responseCode>{code}</responseCode>{said}{inner}</reportResponse>")

    def _xml(self, inner: str) -> Reply:
        body = f'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>{inner}'.encode()
        return Reply(200, self._headers("application/xml; charset=utf-8"), body)


def _form(kind: str, body: bytes) -> dict[str, Any]:
    """The fields of a form: text, or name and bytes of a file."""
    environ = {"REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body))}
    try:
        fields, files = multipart.parse_form_data(environ | {"wsgi.input": io.BytesIO(body)}, strict=True)
    except multipart.MultipartError:
        return {}
    return {key: fields[key] for key in fields} | {key: (files[key].filename, files[key].raw) for key in files}


def _epoch(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
