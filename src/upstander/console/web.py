"""The console's guard: every route is served through the table of permissions, with sessions, form tokens and headers.

A handler here gets a ``Visit``: the request is by then permitted, and a form's token has been checked.
"""

from __future__ import annotations

import logging
import re
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NoReturn
from urllib.parse import parse_qs

import jinja2
import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from upstander.cases.model import CaseError
from upstander.console.core import Console, console_of, text_of
from upstander.gateway.http import Refused, authorise, json_response, problem, read_body
from upstander.gateway.keys import Key
from upstander.people.audit import Act, Note
from upstander.people.door import place
from upstander.people.model import Person, Session, Stage
from upstander.people.permissions import KEYS, ROUTES, Access, Permission
from upstander.people.sessions import form_token, form_token_fits
from upstander.vault.errors import VaultError

log = logging.getLogger(__name__)

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=(), display-capture=()",
}
HSTS = {"strict-transport-security": "max-age=31536000"}
MAX_FORM_BYTES = 64 * 1024
#: The pages, in the order in which the first that a person may open is theirs to begin with.
PAGES = (
    ("/live", "Live", Permission.WALL_VIEW),
    ("/cases", "Cases", Permission.CASE_VIEW),
    ("/reports", "Reports", Permission.REPORT_VIEW),
    ("/reviews", "Reviews", Permission.CASE_ACT),
    ("/people", "People", Permission.PEOPLE_MANAGE),
    ("/keys", "API keys", Permission.KEYS_MANAGE),
    ("/audit", "Ledger", Permission.AUDIT_VIEW),
    ("/policy", "Policy", Permission.POLICY_VIEW),
    ("/health", "Health", Permission.HEALTH_VIEW),
    ("/statistics", "Statistics", Permission.STATISTICS_VIEW),
    ("/care", "Care", Permission.CASE_VIEW),
    ("/account", "Account", Permission.ACCOUNT_OWN),
)
#: Feeds that a page only keeps open: they do not count as use of the session.
PASSIVE = ("/live/events", "/cases/events")
_WAITING = {Stage.CODE: "/sign-in/code", Stage.SETUP: "/set-up"}


class Visit:
    """One permitted request. ``person`` and ``session`` are ``None`` where nobody is signed in; ``form`` holds what was
    posted, ``json`` what a script posted."""

    def __init__(self, request: Request, console: Console) -> None:
        self.request, self.console = request, console
        self.token = request.cookies.get(self.cookie("session"), "")
        self.session: Session | None = None
        self.person: Person | None = None
        self.key: Key | None = None
        self.form: Mapping[str, list[str]] = {}
        self.json: dict[str, Any] = {}
        self._form_cookie = request.cookies.get(self.cookie("form"), "")
        self._new_form_cookie = ""

    @property
    def secure(self) -> bool:
        """Whether the visit came over TLS (a proxy on this machine says so in X-Forwarded-Proto)."""
        return self.request.url.scheme == "https"

    @property
    def source(self) -> str:
        """The address that the visit came from."""
        return self.request.client.host if self.request.client else ""

    @property
    def who(self) -> Person:
        """The person who is signed in."""
        assert self.person is not None
        return self.person

    @property
    def platforms(self) -> list[str]:
        """The platforms that the person, or the key, sees."""
        if self.key is not None:
            return [self.key.platform]
        return [name for name in sorted(self.console.service.intake.runtime.engines) if self.who.sees(name)]

    def cookie(self, name: str) -> str:
        """A cookie's full name; over TLS with the prefix that keeps neighbouring domains from setting it."""
        return f"{'__Host-' if self.secure else ''}upstander_{name}"

    @property
    def name(self) -> str:
        """Who visits, as the ledger and the history of cases have it. A key says for whom it acts (``by``)."""
        if self.key is None:
            return self.who.name
        by = self.text("by")
        return f"{by} (key {self.key.id})" if by else f"key {self.key.id}"

    def sees(self, platform: str) -> bool:
        """Whether what is on this platform is for this visitor to see."""
        return self.key.platform == platform if self.key is not None else self.who.sees(platform)

    def may(self, permission: Permission) -> bool:
        """Whether the person who is signed in may do this; a key may do what its routes say, and nothing else."""
        return self.key is None and self.who.may(permission)

    @property
    def wants_json(self) -> bool:
        """Whether a program asks: it accepts JSON, and no page."""
        accept = self.request.headers.get("accept", "")
        return "application/json" in accept and "text/html" not in accept

    def text(self, name: str) -> str:
        """A field of the form, or of the JSON object that was sent in its place; without the spaces around it."""
        if name in self.json:
            value = self.json[name]
            return str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
        return text_of(self.form, name)

    def raw(self, name: str) -> str:
        """A field as it was sent, with the spaces around it: a password may have some."""
        value = self.json.get(name)
        return value if isinstance(value, str) else self.form.get(name, [""])[0]

    def values(self, name: str) -> list[str]:
        """A field that can be there several times; in JSON, a list."""
        value = self.json.get(name)
        if value is None:
            return self.form.get(name, [])
        return [str(each) for each in value] if isinstance(value, list) else [str(value)]

    async def note(self, what: Act, **more: str) -> None:
        """An entry in the ledger, of the person who is signed in."""
        await self.console.note(Note(self.who.name if self.key is None else f"key {self.key.id}", what, **more))

    @property
    def form_token(self) -> str:
        """What this visit's forms must carry. Signed in, it follows from the session; else from a cookie of its own."""
        if self.session is not None:
            return form_token(self.token)
        if not self._form_cookie:
            self._form_cookie = self._new_form_cookie = new_form_cookie()
        return form_token(self._form_cookie)

    @property
    def asker(self) -> str:
        """The secret that a passkey's challenge is bound to."""
        return self.token if self.session is not None else self._form_cookie

    def form_fits(self, sent: str) -> bool:
        """Whether a form was made for this visitor."""
        return form_token_fits(self.token if self.session is not None else self._form_cookie, sent)

    def page(self, template: str, status: int = 200, data: Any = None, **values: Any) -> Response:
        """A page from its template; for a program that asks for JSON, ``data`` (or the error) in its place."""
        if self.wants_json:
            return self.answer(status, data, str(values.get("error") or ""), str(values.get("done") or ""))
        person = self.person if self.session is not None and self.session.stage is Stage.FULL else None
        pages = [(href, name) for href, name, needs in PAGES if person is not None and person.may(needs)]
        token = self.form_token
        here = self.request.url.path
        theme = self.console.care.preferences(person.name).theme if person is not None else "system"
        values = {"person": person, "pages": pages, "form_token": token, "here": here, "theme": theme} | values
        html = _environment().get_template(template).render(values)
        return self.finish(Response(html, status, media_type="text/html"))

    def answer(self, status: int, data: Any, error: str = "", done: str = "") -> Response:
        """What a program is answered: the data, or what went wrong. It gets the token that its next form must carry."""
        if error:
            return self.finish(problem(status, error, "See /openapi.json for what can be sent."))
        if data is None:
            if not done:
                raise Refused(406, "this is a page for people", "Ask for text/html, or see /openapi.json.")
            data = {"done": done}
        token = {"x-form-token": self.form_token} if self.session is not None else {}
        return self.finish(json_response(data, status, token))

    def go(self, path: str, data: Any = None) -> Response:
        """On to another page; for a program, ``data`` about what was done."""
        if self.wants_json and data is not None:
            return self.answer(200, data)
        return self.finish(RedirectResponse(path, 303))

    def finish(self, response: Response) -> Response:
        """The headers and cookies that every answer carries."""
        response.headers.update(HEADERS | (HSTS if self.secure else {}))
        if self._new_form_cookie:
            self.set_cookie(response, "form", self._new_form_cookie, 24 * 3600)
        return response

    def set_cookie(self, response: Response, name: str, value: str, seconds: int, samesite: Any = "strict") -> None:
        """A cookie that scripts cannot read."""
        response.set_cookie(self.cookie(name), value, seconds, secure=self.secure, httponly=True, samesite=samesite)

    def drop_cookie(self, response: Response, name: str) -> None:
        """Have the browser forget a cookie."""
        response.delete_cookie(self.cookie(name), secure=self.secure, httponly=True, samesite="strict")


Handler = Callable[[Visit], Awaitable[Response]]


def new_form_cookie() -> str:
    """A fresh secret for a visitor who is not signed in."""
    return secrets.token_urlsafe(24)


def home_of(person: Person) -> str:
    """The page that a person begins with."""
    return next(href for href, _, needs in PAGES if person.may(needs))


def route(method: str, path: str, handler: Handler) -> Route:
    """A route of the console. Raises ``KeyError`` for one that is not in the table of permissions."""
    needs = ROUTES[method, path]

    async def serve(request: Request) -> Response:
        visit = Visit(request, console_of(request))
        try:
            return await _admit(visit, method, path, needs) or await handler(visit)
        except Refused as refused:
            return _refusal(visit, refused)
        except (CaseError, VaultError, sqlite3.Error) as error:
            # A handler answers for what it expects; this is a file that cannot be read, or is busy for too long.
            log.error("%s %s: %s", method, path, error)
            return _refusal(visit, Refused(503, "that cannot be read now", "Try again; see the service's log.", 5))

    return Route(path, serve, methods=[method])


async def _admit(visit: Visit, method: str, path: str, needs: Access | Permission) -> Response | None:
    """Nothing, when the visit is permitted; else where to go instead. Raises ``Refused``."""
    if (method, path) in KEYS and "authorization" in visit.request.headers:
        visit.key = authorise(visit.request, KEYS[method, path])
        if method == "POST":
            await _read_json(visit)
        return None
    console = visit.console
    visit.session = console.sessions.find(visit.token, used=path not in PASSIVE)
    if visit.session is not None:
        visit.person = console.people.find(visit.session.person)
    rate, who = (console.visits, visit.session.id) if visit.session else (console.strangers, place(visit.source))
    if rate.over(who):
        raise Refused(429, "these are too many requests", "Wait a minute.", 60)
    if method == "POST":
        # Before anything is told apart by who is signed in: a form of another site is refused as such.
        await _read_form(visit)
    return await _permit(visit, method, needs)


async def _permit(visit: Visit, method: str, needs: Access | Permission) -> Response | None:
    session, person = visit.session, visit.person
    if needs is Access.ANYONE:
        return None
    if session is None or person is None:
        if method == "POST" or not _wants_page(visit.request):
            raise Refused(401, "no session is open", "Sign in at /sign-in.")
        return visit.go("/sign-in")
    if needs is Access.CODE or needs is Access.SETUP:
        wanted = Stage.CODE if needs is Access.CODE else Stage.SETUP
        return None if session.stage is wanted else visit.go(_WAITING.get(session.stage) or home_of(person))
    if session.stage is not Stage.FULL:
        if method == "POST" or not _wants_page(visit.request):
            raise Refused(401, "the sign-in is not complete", f"Go on at {_WAITING[session.stage]}.")
        return visit.go(_WAITING[session.stage])
    if not person.may(needs):
        await visit.note(Act.FORBIDDEN, detail=f"{method} {visit.request.url.path}")
        raise Refused(403, f"your roles do not include {needs}", "Ask an administrator if you should have it.")
    return None


async def _read_form(visit: Visit) -> None:
    request = visit.request
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Refused(403, "another site sent this", "Open the console itself and try again.")
    body = await read_body(request)
    if len(body) > MAX_FORM_BYTES:
        raise Refused(413, f"the form is larger than {MAX_FORM_BYTES:,} bytes", "Send less.")
    sent = request.headers.get("x-form-token", "")
    if request.headers.get("content-type", "").startswith("application/json"):
        visit.json = _object(body)
    else:
        try:
            visit.form = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=200)
        except ValueError:
            raise Refused(422, "the form has too many fields", "Send fewer than 200.") from None
        sent = sent or text_of(visit.form, "form_token")
    if not visit.form_fits(sent):
        raise Refused(403, "the form is out of date, or was made elsewhere", "Load the page again and repeat it.")


async def _read_json(visit: Visit) -> None:
    """The body that a program with a key sends: no form token is needed, for no browser sends a key by itself."""
    body = await read_body(visit.request)
    if len(body) > MAX_FORM_BYTES:
        raise Refused(413, f"the body is larger than {MAX_FORM_BYTES:,} bytes", "Send less.")
    visit.json = _object(body)
    if not visit.text("by"):
        raise Refused(422, "`by` is missing", "Say who acts: the history of a case names people.")


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body or b"{}", type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise Refused(422, "the body is not a JSON object", "Send one.") from None


def _wants_page(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "") or "accept" not in request.headers


def _refusal(visit: Visit, refused: Refused) -> Response:
    if not _wants_page(visit.request):
        return visit.finish(problem(refused.status, refused.reason, refused.fix, refused.retry_after_s))
    response = visit.page("refused.html.j2", refused.status, reason=refused.reason, fix=refused.fix)
    if refused.retry_after_s:
        response.headers["retry-after"] = str(refused.retry_after_s)
    return response


def not_found(what: str, fix: str) -> NoReturn:
    """Refuse: there is no such thing."""
    raise Refused(404, what, fix)


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("upstander.console", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["time"] = _time
    made.filters["span"] = _span
    made.filters["words"] = _words
    return made


def _time(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "never"


def _words(name: object) -> str:
    """A name of the vocabulary as words; a band of ages keeps its dash."""
    return re.sub(r"(?<=\d)_(?=\d)", "-", str(name)).replace("_", " ")


def _span(ms: float) -> str:
    """A length of time as people say it."""
    minutes = int(max(0, ms)) // 60_000
    if minutes < 1:
        return "under a minute"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} days"
