"""The client of NCMEC's CyberTipline: seven calls, Basic authentication, and what each answer means.

Not tested against the real server. ``responseCode`` decides success, never the HTTP status. Nothing here is logged.
"""

from __future__ import annotations

import email.utils
import xml.etree.ElementTree as ET
from enum import StrEnum

import httpx
import msgspec
from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import fromstring  # type: ignore[import-untyped]

from upstander.reports.model import ReportError
from upstander.reports.words import CODES, OK

PRODUCTION = "https://report.cybertip.org/ispws"
TEST = "https://exttest.cybertip.org/ispws"
MAX_ANSWER = 1024 * 1024
MAX_SCHEMA = 4 * 1024 * 1024


class Call(StrEnum):
    """The calls of the protocol."""

    STATUS = "status"
    XSD = "xsd"
    SUBMIT = "submit"
    UPLOAD = "upload"
    FILEINFO = "fileinfo"
    FINISH = "finish"
    RETRACT = "retract"


class Answer(msgspec.Struct, frozen=True):
    """What the service answered. ``server_at``: its clock, epoch ms (0: it did not say)."""

    code: int
    words: str = ""
    report_id: str = ""
    file_id: str = ""
    md5: str = ""
    files: tuple[str, ...] = ()
    server_at: int = 0
    request_id: str = ""
    body: bytes = b""

    @property
    def ok(self) -> bool:
        """Whether it was done."""
        return self.code == OK

    @property
    def said(self) -> str:
        """The answer in words, with its code."""
        known = CODES.get(self.code, "unknown code")
        return f"{self.code} {known}" + (f": {self.words}" if self.words and self.words.lower() != known else "")


class Unreached(Exception):
    """The request surely did not arrive: it can be made again."""


class Unknown(Exception):
    """The request may have been carried out: nobody knows. The message says what was seen, without any content."""


class CyberTip:
    """One service. ``close`` when done."""

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        if not username or not password:
            fix = "Put `username` and `password_file` under [reports.ncmec]."
            raise ReportError(f"the CyberTipline needs a name and a password. {fix}")
        self.url = url.rstrip("/")
        host = httpx.URL(self.url).host
        if not self.url.startswith("https://") and host not in ("127.0.0.1", "::1", "localhost"):
            raise ReportError(f"`url` of [reports.ncmec] is {self.url}: reports leave this machine by https only.")
        timeout = httpx.Timeout(timeout_s, connect=min(10.0, timeout_s))
        # No proxy of the environment sees a report; a redirect is never followed.
        self._client = httpx.Client(
            auth=(username, password), timeout=timeout, transport=transport, trust_env=False, follow_redirects=False
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def status(self) -> Answer:
        """Does it answer, and are name and password right?"""
        return self._call("GET", Call.STATUS)

    def xsd(self) -> bytes:
        """The live schema. Raises ``ReportError`` when there is none."""
        status, _, body = self._send("GET", Call.XSD, MAX_SCHEMA)
        if status != 200:
            raise ReportError(f"the schema cannot be fetched (HTTP {status}). Check name and password, or try later.")
        return body

    def submit(self, document: bytes) -> Answer:
        """Open a report."""
        return self._call("POST", Call.SUBMIT, content=document, headers=_XML)

    def upload(self, report_id: str, name: str, content: bytes) -> Answer:
        """Add a file to an open report; the answer has its id and MD5."""
        sent = {"file": (name, content, "application/octet-stream")}
        return self._call("POST", Call.UPLOAD, data={"id": report_id}, files=sent)

    def fileinfo(self, document: bytes) -> Answer:
        """Describe a file that was added."""
        return self._call("POST", Call.FILEINFO, content=document, headers=_XML)

    def finish(self, report_id: str) -> Answer:
        """Finish an open report: from then on it cannot be changed or retracted."""
        return self._call("POST", Call.FINISH, data={"id": report_id})

    def retract(self, report_id: str) -> Answer:
        """Take an open report back."""
        return self._call("POST", Call.RETRACT, data={"id": report_id})

    def _call(self, method: str, call: Call, **sent: object) -> Answer:
        status, headers, body = self._send(method, call, MAX_ANSWER, **sent)
        at, request_id = _date(headers.get("date", "")), headers.get("request-id", "")[:100]
        if status == 401 and not body.strip():
            return Answer(2000, "", server_at=at, request_id=request_id)
        answer = read(body)
        if answer is not None:
            return msgspec.structs.replace(answer, server_at=at, request_id=request_id)
        if status in (429, 503) or 300 <= status < 500:
            # Answered before it was looked at: by a proxy, a limit, or an address that is not the service.
            raise Unreached(f"HTTP {status} without the service's answer")
        raise Unknown(f"HTTP {status} without the service's answer")

    def _send(self, method: str, call: Call, limit: int, **sent: object) -> tuple[int, httpx.Headers, bytes]:
        try:
            with self._client.stream(method, f"{self.url}/{call}", **sent) as response:  # type: ignore[arg-type]
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > limit:
                        raise Unknown(f"the answer is larger than {limit:,} bytes")
                return response.status_code, response.headers, body
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise Unreached(type(error).__name__) from None
        except httpx.HTTPError as error:
            raise Unknown(type(error).__name__) from None


_XML = {"content-type": "text/xml; charset=utf-8"}


def read(body: bytes) -> Answer | None:
    """The answer in a body; ``None`` when it is none of the service's."""
    try:
        root = fromstring(body, forbid_dtd=True)
    except (ET.ParseError, DefusedXmlException, ValueError):
        return None
    if root.tag not in ("reportResponse", "reportDoneResponse"):
        return None
    found = {child.tag: (child.text or "").strip() for child in root}
    code = found.get("responseCode", "")
    if not (code.isascii() and code.isdigit() and len(code) < 10):
        return None
    return Answer(
        int(code),
        found.get("responseDescription", "")[:1_000],
        _digits(found.get("reportId", "")),
        found.get("fileId", "")[:200],
        found.get("hash", "").lower()[:64],
        tuple((each.text or "").strip() for each in root.iter("fileId")),
        body=body,
    )


def _digits(text: str) -> str:
    return text if text.isascii() and text.isdigit() and len(text) < 20 else ""


def _date(text: str) -> int:
    try:
        return int(email.utils.parsedate_to_datetime(text).timestamp() * 1000) if text else 0
    except (ValueError, TypeError, OverflowError):
        return 0
