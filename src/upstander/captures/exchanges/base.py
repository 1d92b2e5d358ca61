"""What every exchange is: pages with a checkpoint each, votes, and HTTP that is asked again when it fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import msgspec

from upstander.captures.banks import Entry, Value
from upstander.captures.errors import CaptureError

TRIES = 5
TIMEOUT_S = 60.0
#: A server that asks for a longer wait than this is asked again by the next run.
LONGEST_WAIT_S = 120.0
MAX_BYTES = 64 * 1024 * 1024


class Change(msgspec.Struct, frozen=True):
    """What a source says now of what it calls ``reference``: it stands by these values and no others under that name.
    None: it was withdrawn. ``gone``: values that it withdraws by themselves, where it has no name for them."""

    reference: str
    values: tuple[Value, ...] = ()
    gone: tuple[Value, ...] = ()


class Page(msgspec.Struct, frozen=True):
    """Changes, and where to go on after them. ``whole``: what is not in these changes is withdrawn."""

    changes: tuple[Change, ...]
    checkpoint: bytes
    whole: bool = False
    unread: int = 0


class Exchange(Protocol):
    """A source of fingerprints. Pages may overlap: taking one in twice is the same as once."""

    def pages(self, checkpoint: bytes) -> Iterator[Page]:
        """What changed since a checkpoint (empty: everything), a page at a time. Raises ``CaptureError``."""

    def vote(self, entry: Entry, references: list[str], *, confirm: bool) -> None:
        """Tell the source that an entry is right, or not. Telling twice is the same as once."""


class Http:
    """A server that is asked, again when it answers 429 or 5xx, not in time, or by a part of an answer."""

    def __init__(
        self,
        base: str,
        *,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        parts = urlsplit(base)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
            raise CaptureError(f"{base} is not https: a password would go in clear. Give an https address.")
        self._base, self._host, self._sleep = base.rstrip("/"), parts.netloc, sleep
        # No redirect is followed: credentials must not go where an answer points to.
        self._client = httpx.Client(auth=auth, headers=dict(headers or {}), timeout=timeout_s, follow_redirects=False)

    def ask(self, method: str, path: str, *, read: Callable[[httpx.Response], Any] | None = None, **named: Any) -> Any:
        """The answer, as ``read`` makes it (raising ``CaptureError`` when it is broken), asked for up to five times."""
        url = path if path.startswith(self._base) else f"{self._base}/{path.lstrip('/')}"
        if urlsplit(url).netloc != self._host:
            raise CaptureError(
                f"{self._host} points to another server ({urlsplit(url).netloc}). Nothing was sent there."
            )
        problem = ""
        for number in range(TRIES):
            wait = min(2.0**number, 30.0)
            try:
                answer = self._client.request(method, url, **named)
            except httpx.HTTPError as error:
                problem = f"no answer ({type(error).__name__})"
            else:
                if answer.status_code == 429 or answer.status_code >= 500:
                    problem = f"it answered {answer.status_code}"
                    wait = _asked_to_wait(answer, wait)
                elif answer.status_code >= 300 and answer.status_code != 304:
                    raise Refused(self._told(path, answer), answer.status_code)
                elif len(answer.content) > MAX_BYTES:
                    raise CaptureError(f"{self._host}: an answer of more than {MAX_BYTES:,} bytes. It was left alone.")
                else:
                    try:
                        return read(answer) if read is not None else answer
                    except (CaptureError, msgspec.MsgspecError, KeyError, TypeError, ValueError) as error:
                        problem = f"its answer could not be read ({error})"
            if wait > LONGEST_WAIT_S:
                raise CaptureError(f"{self._host} asks to be left alone for {wait:g} s. Run this again later.")
            if number + 1 < TRIES:
                self._sleep(wait)
        fix = "What came before is kept: run this again, it goes on from there."
        raise CaptureError(f"{self._host}{urlsplit(url).path}: {problem}, {TRIES} times. {fix}")

    def _told(self, path: str, answer: httpx.Response) -> str:
        why = {401: "the name or password is wrong", 403: "this account may not", 404: "there is no such address"}
        reason = why.get(answer.status_code, f"it answered {answer.status_code}")
        fix = "Check `user`, `secret_file` and `url` under [[exchanges]]."
        return f"{self._host} {path.partition('?')[0]}: {reason}. {fix}"

    def close(self) -> None:
        """End the connections."""
        self._client.close()


class Refused(CaptureError):
    """The server said no; asking again would not help."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _asked_to_wait(answer: httpx.Response, otherwise: float) -> float:
    text = answer.headers.get("retry-after", "")
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time()) if text else otherwise
    except ValueError:
        return otherwise


def server_time(answer: httpx.Response) -> float:
    """The server's own clock (epoch seconds), and ours where it does not say."""
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return time.time()
