"""Signing in: password and code, passkey, provider, one-time link; and signing out."""

from __future__ import annotations

import base64
import contextlib

import msgspec
from starlette.responses import Response

from upstander.console.core import Console
from upstander.console.web import Visit, home_of
from upstander.gateway.http import Refused, json_response
from upstander.people import codes
from upstander.people.audit import Act, Note
from upstander.people.door import place
from upstander.people.model import PeopleError, Person, Stage
from upstander.people.passwords import check_password
from upstander.people.provider import Begun
from upstander.people.sessions import BROWSER_MS

WRONG = "That is not right. Check the name, the password and the code."
WAIT = "Too many wrong tries. Wait {seconds} seconds, or send the current code of your app together with the password."
CROWDED = (
    "Many wrong passwords were tried at this account. Send the current code of your app together with the password."
)
PROVIDER_S = 600


async def home(visit: Visit) -> Response:
    """On to the person's first page."""
    return visit.go(_onward(visit))


def _onward(visit: Visit) -> str:
    if visit.session is None or visit.person is None:
        return "/sign-in"
    waiting = {Stage.CODE: "/sign-in/code", Stage.SETUP: "/set-up"}.get(visit.session.stage)
    return waiting or home_of(visit.person)


async def form(visit: Visit) -> Response:
    """The form to sign in."""
    if visit.session is not None:
        return visit.go(_onward(visit))
    return _form(visit)


def _form(visit: Visit, status: int = 200, error: str = "", name: str = "") -> Response:
    console = visit.console
    provider = console.provider.label if console.provider else ""
    anyone = bool(console.people.run("SELECT 1 FROM people LIMIT 1"))
    values = {"name": name, "provider": provider, "passkeys": console.passkeys is not None, "anyone": anyone}
    return visit.page("sign-in.html.j2", status, error=error, **values)


async def password(visit: Visit) -> Response:
    """Check a password (and a code, when one was sent). Every mistake has one answer: nobody learns what was wrong."""
    console, name, code = visit.console, visit.text("name").lower()[:64], visit.text("code")
    browser = _known_browser(visit, name)
    if not browser and console.sign_ins.over(place(visit.source)):
        raise Refused(429, "these are too many tries to sign in from here", "Wait a minute.", 60)
    found = console.people.find(name)
    person = found if found is not None and not found.disabled_at else None
    wait = console.door.wait_ms(name, visit.source, browser)
    crowded = not browser and console.door.crowded(name)
    # Who has the second factor in hand is no stranger: the code is looked at first, and used up only further down.
    if (wait or crowded) and not (person is not None and _right_code(console, person, code)):
        seconds = -(-wait // 1000)
        response = _form(visit, 429, WAIT.format(seconds=seconds) if wait else CROWDED, name)
        if wait:
            response.headers["retry-after"] = str(seconds)
        return response
    kept = person.password if person is not None else ""
    if not await console.hashing(check_password, kept, visit.form.get("password", [""])[0]) or person is None:
        await _refused(visit, name, browser, found)
        return _form(visit, 401, WRONG, name)
    if person.must_change or not (person.totp or console.people.passkeys(person.name)):
        return _wait(visit, person, Stage.SETUP)
    if code:
        if not codes.use_code(console.people, person, code):
            await _refused(visit, name, browser, found, code=True)
            return _form(visit, 401, WRONG, name)
        return await enter(visit, person, "password and code")
    return _wait(visit, person, Stage.CODE)


def _known_browser(visit: Visit, name: str) -> str:
    token = visit.request.cookies.get(visit.cookie("browser"), "")
    return token if visit.console.sessions.knows_browser(name, token) else ""


def _right_code(console: Console, person: Person, code: str) -> bool:
    step = codes.step_of(person.totp, code, console.clock()) if person.totp else None
    return step is not None and step > person.totp_last


async def _refused(visit: Visit, name: str, browser: str, found: Person | None, *, code: bool = False) -> None:
    """Count a wrong try, and write it down when there is such an account: at most once a minute, so that the ledger
    cannot be flooded, and never what was typed where there is none: it may be a password."""
    console = visit.console
    alarm = console.door.wrong(name, visit.source, browser, code=code)
    if found is None:
        return
    notes = []
    if alarm or not console.refusals.over(name):
        what = "wrong code" if code else "wrong password"
        notes.append(Note("nobody", Act.SIGN_IN_REFUSED, subject=name, detail=f"{what} from {visit.source}"))
    if alarm:
        what = "somebody knows the password and guesses codes" if code else "somebody guesses passwords"
        notes.append(Note("upstander", Act.ALERT_GUESSES, subject=name, detail=what))
    await console.note(*notes)


def _wait(visit: Visit, person: Person, stage: Stage) -> Response:
    agent = visit.request.headers.get("user-agent", "")
    token = visit.console.sessions.open(person.name, stage, visit.source, agent, visit.token)
    response = visit.go("/sign-in/code" if stage is Stage.CODE else "/set-up")
    visit.set_cookie(response, "session", token, 600)
    return response


async def enter(visit: Visit, person: Person, how: str, response: Response | None = None) -> Response:
    """Sign a person in: a fresh session, a known browser, an entry in the ledger before any of it opens anything."""
    console = visit.console
    browser = _known_browser(visit, person.name)
    await console.note(Note(person.name, Act.SIGN_IN, detail=f"{how}, from {visit.source}"))
    agent = visit.request.headers.get("user-agent", "")
    token = console.sessions.open(person.name, Stage.FULL, visit.source, agent, visit.token)
    console.people.signed_in(person.name)
    console.door.right(person.name, visit.source, browser)
    response = response or visit.go(home_of(person))
    visit.set_cookie(response, "session", token, visit.console.settings.session_hours * 3600)
    if not browser:
        visit.set_cookie(response, "browser", console.sessions.know_browser(person.name), BROWSER_MS // 1000)
    return response


async def code_form(visit: Visit) -> Response:
    """The form for the second factor."""
    return visit.page("code.html.j2", error="")


async def code(visit: Visit) -> Response:
    """Check the second factor. A recovery code serves as well, and needs no wait: it cannot be guessed."""
    console, person, sent = visit.console, visit.who, visit.text("code")
    browser = _known_browser(visit, person.name)
    recovery = len(sent.replace("-", "").replace(" ", "")) == 16
    wait = 0 if recovery else console.door.codes_wait_ms(person.name, visit.source, browser)
    if wait:
        error = f"Too many wrong codes. Wait {-(-wait // 1000)} seconds, or use a recovery code."
        return visit.page("code.html.j2", 429, error=error)
    if not codes.use_code(console.people, person, sent):
        await _refused(visit, person.name, browser, person, code=True)
        return visit.page(
            "code.html.j2", 401, error="That is not right, or it was used already. Wait for the next code."
        )
    if recovery:
        left = console.people.recovery_left(person.name)
        await visit.note(Act.OWN_RECOVERY_USED, detail=f"{left} left")
    return await enter(visit, person, "password and recovery code" if recovery else "password and code")


async def link(visit: Visit) -> Response:
    """A one-time link, which the demo makes for its own account."""
    ticket = visit.request.query_params.get("ticket", "")
    person = visit.console.people.find(visit.console.people.redeem_link(ticket) or "")
    if person is None or person.disabled_at:
        return _form(visit, 401, "That link was used already, or is older than five minutes.")
    return await enter(visit, person, "one-time link")


async def passkey_options(visit: Visit) -> Response:
    """What the browser needs to sign in with a passkey."""
    passkeys = visit.console.passkeys
    if passkeys is None:
        raise Refused(404, "passkeys are not set up here", "Give `url` under [console] in the settings.")
    try:
        return visit.finish(json_response(passkeys.offer_sign_in(visit.asker)))
    except PeopleError as error:
        raise Refused(429, str(error), "Try again in a minute.", 60) from None


async def passkey(visit: Visit) -> Response:
    """Sign in with a passkey, which is two factors in one: the device, and the finger or number that unlocks it."""
    console = visit.console
    if console.passkeys is None:
        raise Refused(404, "passkeys are not set up here", "Give `url` under [console] in the settings.")
    if console.sign_ins.over(place(visit.source)):
        raise Refused(429, "these are too many tries to sign in from here", "Wait a minute.", 60)
    try:
        person = console.people.get(console.passkeys.sign_in(visit.asker, visit.json))
    except PeopleError as error:
        raise Refused(401, str(error), "Try again, or sign in with a password.") from None
    if person.disabled_at or person.must_change:
        raise Refused(401, "this account cannot sign in with a passkey now", "Ask an administrator.")
    return await enter(visit, person, "passkey", visit.finish(json_response({"go": home_of(person)})))


async def provider(visit: Visit) -> Response:
    """Off to the identity provider."""
    if visit.console.provider is None:
        raise Refused(404, "no identity provider is set up here", "See [console.provider] in the settings.")
    try:
        begun = await visit.console.provider.begin()
    except PeopleError as error:
        return _form(visit, 502, str(error))
    response = visit.go(begun.address)
    # Lax: it must come along when the provider sends the browser back, which no strict cookie does.
    kept = base64.urlsafe_b64encode(msgspec.json.encode(begun)).decode()
    visit.set_cookie(response, "provider", kept, PROVIDER_S, "lax")
    return response


async def provider_return(visit: Visit) -> Response:
    """Back from the identity provider. Only accounts that were made here before are let in."""
    console = visit.console
    if console.provider is None:
        raise Refused(404, "no identity provider is set up here", "See [console.provider] in the settings.")
    begun = None
    with contextlib.suppress(ValueError, msgspec.MsgspecError):
        kept = visit.request.cookies.get(visit.cookie("provider"), "")
        begun = msgspec.json.decode(base64.urlsafe_b64decode(kept), type=Begun)
    if begun is None:
        return _form(visit, 401, "This sign-in was not begun here, or took longer than ten minutes. Start again.")
    try:
        subject = await console.provider.finish(begun, dict(visit.request.query_params))
    except PeopleError as error:
        return _provider_gone(visit, _form(visit, 401, str(error)))
    person = console.people.by_subject(subject)
    if person is None or person.disabled_at:
        unknown = "The provider knows you, but there is no account for you here. Ask an administrator."
        return _provider_gone(visit, _form(visit, 403, unknown))
    # A page, not a redirect: the strict session cookie goes along only with what this site itself asks for.
    onward = visit.page("onward.html.j2", go=home_of(person))
    return _provider_gone(visit, await enter(visit, person, "identity provider", onward))


def _provider_gone(visit: Visit, response: Response) -> Response:
    visit.drop_cookie(response, "provider")
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session."""
    if visit.session is not None:
        await visit.note(Act.SIGN_OUT)
        visit.console.sessions.close(visit.token)
    response = visit.go("/sign-in")
    visit.drop_cookie(response, "session")
    response.headers["clear-site-data"] = '"cache"'
    return response
