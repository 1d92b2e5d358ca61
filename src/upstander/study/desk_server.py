"""The coding desk as a page: one coder, one study, on this computer only. What may be coded and what is written is
``desk``'s; this only asks it. It shows no media, sets no cookie and talks to nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from upstander.study import desk
from upstander.study.codebook import Field
from upstander.study.errors import StudyError
from upstander.study.folder import Study
from upstander.study.settle import Disagreement

STATIC = Path(__file__).parent / "static"
#: The most that a page may send at once (bytes).
MOST_BYTES = 4096
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_FILES = {
    "/": ("desk.html", "text/html; charset=utf-8"),
    "/desk.js": ("desk.js", "text/javascript; charset=utf-8"),
    "/desk.css": ("desk.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}


class _Coded(msgspec.Struct, forbid_unknown_fields=True):
    item_id: str
    values: dict[str, str]


class _Decided(msgspec.Struct, forbid_unknown_fields=True):
    item_id: str
    field: str
    value: str


class _Skipped(msgspec.Struct, forbid_unknown_fields=True):
    item_id: str
    field: str = ""


class Desk:
    """What one coder has before them: items in the coder's order, or (``settling``) fields to decide.

    Items are asked for anew when the list is through, so that nothing that was skipped or came later is lost.
    """

    def __init__(self, study: Study, coder: str, settling: bool = False, consensus: bool = False) -> None:
        desk.admit(study, coder)
        self.study, self.coder, self.settling, self.consensus = study, coder, settling, consensus
        self.done = 0
        self._skipped: set[tuple[str, str]] = set()
        self._waiting: list[desk.Task] | list[Disagreement] = []
        self.refill()

    def refill(self) -> None:
        """Ask the study what is to be done."""
        if self.settling:
            self._waiting = desk.open_disagreements(self.study, self.coder, self.consensus)
        else:
            self._waiting = desk.queue(self.study, self.coder)

    def state(self) -> dict[str, Any]:
        """What the page shows: the next item (or field), how many are left and were done, and the fields to code."""
        left = [one for one in self._waiting if _name(one) not in self._skipped]
        shown: dict[str, Any] = {
            "study": self.study.about.title,
            "coder": self.coder,
            "settling": self.settling,
            "left": len(left),
            "skipped": len(self._waiting) - len(left),
            "done": self.done,
        }
        if not left:
            return shown
        one = left[0]
        if isinstance(one, desk.Task):
            task = {"item_id": one.item_id, "media_type": one.media_type}
            return shown | {"task": task, "fields": [_shown(field) for field in self.study.codebook.judged]}
        # Who said which is not told: the person decides on the item, not on the coders.
        field = self.study.codebook.by_name[one.field]
        said = sorted(set(one.values.values()))
        values = field.values or tuple(said)
        choice = _shown(field) | {"kind": "choice", "values": list(values)}
        return shown | {"task": {"item_id": one.item_id, "said": said}, "fields": [choice]}

    def code(self, item_id: str, values: dict[str, str]) -> None:
        """Write a coding; it is on the disk when this returns. Raises ``StudyError``."""
        task = self._find(item_id, "")
        assert isinstance(task, desk.Task)
        desk.code(self.study, task, self.coder, values, _now())
        self._settled(task)

    def decide(self, item_id: str, field: str, value: str) -> None:
        """Write a decision. Raises ``StudyError``."""
        one = self._find(item_id, field)
        assert isinstance(one, Disagreement)
        desk.decide(self.study, one, self.coder, value, _now(), self.consensus)
        self._settled(one)

    def skip(self, item_id: str, field: str) -> None:
        """Leave it for later; nothing is written, and nobody is told."""
        self._skipped.add((item_id, field))

    def again(self) -> None:
        """Take up what was skipped, and what came since."""
        self._skipped.clear()
        self.refill()

    def _find(self, item_id: str, field: str) -> desk.Task | Disagreement:
        for one in self._waiting:
            if _name(one) == (item_id, field):
                return one
        raise StudyError(f"item {item_id}", "is not waiting for you (any more)", "Load the page again")

    def _settled(self, one: desk.Task | Disagreement) -> None:
        self._waiting.remove(one)  # type: ignore[arg-type]
        self.done += 1


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


def _name(one: desk.Task | Disagreement) -> tuple[str, str]:
    return one.item_id, "" if isinstance(one, desk.Task) else one.field


def _shown(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "kind": field.kind,
        "rule": field.rule,
        "values": list(field.values),
        "low": field.low,
        "high": field.high,
    }


def create_app(here: Desk, key: str, hosts: Sequence[str] = ("127.0.0.1", "localhost")) -> Starlette:
    """The application. ``key``: what every request of the page brings; whoever lacks it is told nothing.

    ``hosts``: by these names alone is it reached, so that no other site's name can be pointed at it.
    """

    def keyed(answer: Callable[[bytes], dict[str, Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def serve(request: Request) -> Response:
            if not secrets.compare_digest(request.headers.get("x-key", "").encode(), key.encode()):
                return _json({"error": "The link is not complete: open the one that the command printed."}, 403)
            body = b""
            async for part in request.stream():
                body += part
                if len(body) > MOST_BYTES:
                    return _json({"error": f"More than {MOST_BYTES} bytes were sent."}, 413)
            try:
                return _json(answer(body))
            except StudyError as error:
                return _json({"error": str(error)}, 409)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                return _json({"error": f"What was sent cannot be read ({error})."}, 400)

        return serve

    def state(_body: bytes) -> dict[str, Any]:
        return here.state()

    def code(body: bytes) -> dict[str, Any]:
        sent = msgspec.json.decode(body, type=_Coded)
        here.code(sent.item_id, sent.values)
        return here.state()

    def decide(body: bytes) -> dict[str, Any]:
        sent = msgspec.json.decode(body, type=_Decided)
        here.decide(sent.item_id, sent.field, sent.value)
        return here.state()

    def skip(body: bytes) -> dict[str, Any]:
        sent = msgspec.json.decode(body, type=_Skipped)
        here.skip(sent.item_id, sent.field)
        return here.state()

    def again(_body: bytes) -> dict[str, Any]:
        here.again()
        return here.state()

    routes = [Route(path, _file(STATIC / name, media)) for path, (name, media) in _FILES.items()]
    routes.append(Route("/state", keyed(state)))
    work = {"/decide": decide} if here.settling else {"/code": code}
    for path, answer in (work | {"/skip": skip, "/again": again}).items():
        routes.append(Route(path, keyed(answer), methods=["POST"]))
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))])


def _json(value: dict[str, Any], status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, HEADERS, "application/json")


def _file(path: Path, media: str) -> Callable[[Request], Awaitable[Response]]:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise StudyError(path, f"cannot be read ({error.strerror})", "Install the package again") from None

    async def serve(_request: Request) -> Response:
        return Response(body, 200, HEADERS, media)

    return serve
