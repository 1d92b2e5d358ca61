"""What all routes share: who asks and may they, bodies of bounded size, errors that say reason and fix."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from upstander.gateway.intake import Overloaded, Unavailable
from upstander.gateway.keys import Key, Scope
from upstander.gateway.service import Service

Handler = Callable[[Request], Awaitable[Response]]


class Refused(Exception):
    """The request is refused: HTTP status, reason and fix."""

    def __init__(self, status: int, reason: str, fix: str, retry_after_s: int = 0) -> None:
        self.status, self.reason, self.fix, self.retry_after_s = status, reason, fix, retry_after_s
        super().__init__(f"{reason}. {fix}")


def service_of(connection: HTTPConnection) -> Service:
    """The running service."""
    service: Service = connection.app.state.service
    return service


def json_response(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def authorise(connection: HTTPConnection, scope: Scope) -> Key:
    """The caller's key, which must be in force and have the scope."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    key = service_of(connection).keys.check(token.strip()) if scheme.lower() == "bearer" else None
    if key is None:
        raise Refused(401, "no valid API key was sent", "Send `Authorization: Bearer ups_…` with a key in force.")
    if scope not in key.scopes:
        fix = f"Make a key with it: `upstander keys create --platform {key.platform} --scope {scope}`."
        raise Refused(403, f"this key lacks the scope {scope}", fix)
    return key


def whole_number(text: str, low: int, high: int) -> int | None:
    """The number that a parameter or header is, or ``None``. ASCII digits only: ``int`` and ``isdigit`` take others."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        return None
    number = int(text)
    return number if low <= number <= high else None


async def read_body(request: Request) -> bytes:
    """The whole body, refused as soon as it is larger than the limit."""
    limit = service_of(request).settings.limits.max_body_bytes
    length = request.headers.get("content-length", "")
    too_large = Refused(413, f"the body is larger than {limit:,} bytes", "Send fewer events a request.")
    if length and whole_number(length, 0, limit) is None:
        raise too_large
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise too_large
        parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def problem(status: int, reason: str, fix: str, retry_after_s: int = 0) -> Response:
    """An error as JSON: ``{"error": {"reason", "fix"}}``."""
    headers = {"retry-after": str(retry_after_s)} if retry_after_s else None
    return json_response({"error": {"reason": reason, "fix": fix}}, status, headers)


async def on_refused(request: Request, error: Exception) -> Response:
    """Answer for ``Refused``."""
    assert isinstance(error, Refused)
    return problem(error.status, error.reason, error.fix, error.retry_after_s)


async def on_overloaded(request: Request, error: Exception) -> Response:
    """Answer for ``Overloaded``: 429."""
    fix = "Nothing of this request was accepted: send it again after the seconds in Retry-After."
    return problem(429, "too many events are waiting", fix, Overloaded.retry_after_s)


async def on_unavailable(request: Request, error: Exception) -> Response:
    """Answer for ``Unavailable``: 503."""
    fix = "Nothing of this request was accepted: send it again after the seconds in Retry-After."
    return problem(503, "the journal cannot be written now", fix, Unavailable.retry_after_s)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer for what the router refuses (no such path, wrong method)."""
    assert isinstance(error, HTTPException)
    fixes = {404: "See /openapi.json for the paths there are.", 405: "See /openapi.json for the methods of this path."}
    return problem(error.status_code, str(error.detail).lower(), fixes.get(error.status_code, "Check the request."))


EXCEPTION_HANDLERS: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {
    Refused: on_refused,
    Overloaded: on_overloaded,
    Unavailable: on_unavailable,
    HTTPException: on_http_error,
}
