"""A person's own account: the first set-up, the password, the second factor, passkeys, sessions."""

from __future__ import annotations

import base64
import binascii

from starlette.responses import Response

from upstander.console.sign_in import enter
from upstander.console.web import Visit, home_of
from upstander.gateway.http import Refused, json_response
from upstander.people import codes
from upstander.people.audit import Act
from upstander.people.model import PeopleError
from upstander.people.passwords import check_password, hash_password

CODE_NEEDED = "That code is not right, or it was used already. Wait for the next one."
#: Secrets that are being set up: the oldest go when there are more.
_MOST_SETTING_UP = 1_000


async def set_up(visit: Visit) -> Response:
    """The next step of the set-up: a password of one's own, then the second factor."""
    return _set_up(visit)


def _set_up(visit: Visit, status: int = 200, error: str = "") -> Response:
    person = visit.who
    if person.must_change:
        return visit.page("set-up-password.html.j2", status, error=error, name=person.name)
    secret = _secret(visit)
    address = codes.uri(secret, person.name)
    shown = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    return visit.page("set-up.html.j2", status, error=error, qr=codes.qr_svg(address), secret=shown, name=person.name)


def _secret(visit: Visit) -> str:
    setting_up = visit.console.setting_up
    assert visit.session is not None
    while len(setting_up) > _MOST_SETTING_UP:
        del setting_up[next(iter(setting_up))]
    return setting_up.setdefault(visit.session.id, codes.new_secret())


async def set_up_password(visit: Visit) -> Response:
    """A password of one's own in place of the temporary one."""
    if not visit.who.must_change:
        return visit.go("/set-up")
    try:
        kept = await _new_password(visit)
    except PeopleError as error:
        return _set_up(visit, 422, _sentence(error))
    visit.console.people.set_password(visit.who.name, kept)
    await visit.note(Act.OWN_PASSWORD)
    return visit.go("/set-up")


async def _new_password(visit: Visit) -> str:
    wanted, again = (visit.raw(name) for name in ("new", "again"))
    if wanted != again:
        raise PeopleError("the two passwords differ. Type the same one twice.")
    if await visit.console.hashing(check_password, visit.who.password, wanted):
        raise PeopleError("that is the password you have. Choose another one.")
    return await visit.console.hashing(hash_password, wanted, visit.who.name)


async def set_up_code(visit: Visit) -> Response:
    """The second factor works: keep it, show the recovery codes once, and sign in."""
    console, person = visit.console, visit.who
    if person.must_change:
        return visit.go("/set-up")
    secret = _secret(visit)
    step = codes.step_of(secret, visit.text("code"), console.clock())
    if step is None:
        return _set_up(visit, 422, "That code is not right. See that your phone's clock is, and try the next one.")
    console.people.set_totp(person.name, secret, step)
    assert visit.session is not None
    console.setting_up.pop(visit.session.id, None)
    recovery = codes.new_recovery(console.people, person.name)
    await visit.note(Act.OWN_FACTOR)
    shown = visit.page("recovery.html.j2", codes=recovery, go=home_of(person))
    return await enter(visit, person, "set-up of the second factor", shown)


async def account(visit: Visit) -> Response:
    """The person's account."""
    return _account(visit)


def _account(visit: Visit, status: int = 200, error: str = "", done: str = "") -> Response:
    console, person = visit.console, visit.who
    assert visit.session is not None
    held = [
        {"id": base64.urlsafe_b64encode(key.id).decode(), "label": key.label, "made_at": key.made_at}
        for key in console.people.passkeys(person.name)
    ]
    sessions = console.sessions.of(person.name)
    data = {
        "name": person.name,
        "roles": sorted(person.roles),
        "platforms": sorted(person.platforms),
        "sessions": [{"made_at": each.made_at, "source": each.source, "agent": each.agent} for each in sessions],
        "passkeys": held,
        "recovery_left": console.people.recovery_left(person.name),
        "done": done,
    }
    return visit.page(
        "account.html.j2",
        status,
        data,
        error=error,
        done=done,
        sessions=sessions,
        current=visit.session.id,
        recovery_left=console.people.recovery_left(person.name),
        passkeys=held,
        passkeys_possible=console.passkeys is not None,
    )


async def here(visit: Visit) -> Response:
    """The person is at the screen: the look at the session counted as its use."""
    return visit.finish(Response(status_code=204))


async def change_password(visit: Visit) -> Response:
    """A new password; it needs the old one, and ends the other sessions."""
    console, person = visit.console, visit.who
    if not person.password:
        raise Refused(403, "this account has no password", "It signs in with the identity provider.")
    wait = console.door.wait_ms(person.name, visit.source, visit.token)
    if wait:
        return _account(visit, 429, f"Too many wrong passwords. Wait {-(-wait // 1000)} seconds.")
    if not await console.hashing(check_password, person.password, visit.raw("old")):
        # The session counts as a known browser: nobody else's tries make it wait, and its own do.
        console.door.wrong(person.name, visit.source, visit.token)
        return _account(visit, 401, "The current password is not right.")
    try:
        kept = await _new_password(visit)
    except PeopleError as error:
        return _account(visit, 422, _sentence(error))
    console.people.set_password(person.name, kept)
    console.sessions.close_others(person.name, visit.token)
    await visit.note(Act.OWN_PASSWORD)
    return _account(visit, done="The password is changed. Your other sessions have ended.")


def _prove(visit: Visit, sent: str) -> str:
    """Why the second factor does not prove that it is the person who asks; empty when it does."""
    wait = visit.console.door.wait_ms(visit.who.name, visit.source, visit.token)
    if wait:
        return f"Too many wrong codes. Wait {-(-wait // 1000)} seconds."
    if codes.use_code(visit.console.people, visit.who, sent):
        return ""
    visit.console.door.wrong(visit.who.name, visit.source, visit.token)
    return CODE_NEEDED


async def recovery_codes(visit: Visit) -> Response:
    """New recovery codes in place of the old ones; it needs a code."""
    why = _prove(visit, visit.text("code"))
    if why:
        return _account(visit, 401, why)
    made = codes.new_recovery(visit.console.people, visit.who.name)
    await visit.note(Act.OWN_RECOVERY)
    return visit.page("recovery.html.j2", 200, {"codes": made}, codes=made, go="/account")


async def end_sessions(visit: Visit) -> Response:
    """End the person's other sessions."""
    ended = visit.console.sessions.close_others(visit.who.name, visit.token)
    await visit.note(Act.OWN_SESSIONS, detail=str(ended))
    return _account(visit, done=f"{ended} other session{'' if ended == 1 else 's'} ended.")


async def passkey_options(visit: Visit) -> Response:
    """What the browser needs to make a passkey; it needs a code."""
    if visit.console.passkeys is None:
        raise Refused(404, "passkeys are not set up here", "Give `url` under [console] in the settings.")
    why = _prove(visit, str(visit.json.get("code", "")))
    if why:
        raise Refused(401, "the code was refused", why)
    try:
        return visit.finish(json_response(visit.console.passkeys.offer_registration(visit.who.name, visit.asker)))
    except PeopleError as error:
        raise Refused(409, str(error), "See your account.") from None


async def add_passkey(visit: Visit) -> Response:
    """Keep a passkey that the browser made."""
    passkeys = visit.console.passkeys
    credential = visit.json.get("credential")
    if passkeys is None or not isinstance(credential, dict):
        raise Refused(422, "no passkey was sent", "Use the button on the account page.")
    try:
        made = passkeys.register(visit.who.name, visit.asker, credential, str(visit.json.get("label", "")))
    except PeopleError as error:
        raise Refused(422, str(error), "Try again.") from None
    await visit.note(Act.OWN_PASSKEY, detail=f"added {made.label}")
    return visit.finish(json_response({"label": made.label}, 201))


async def remove_passkey(visit: Visit) -> Response:
    """Forget a passkey."""
    try:
        identifier = base64.urlsafe_b64decode(visit.text("id").encode("ascii", "replace"))
    except (ValueError, binascii.Error):
        identifier = b""
    if not visit.console.people.remove_passkey(visit.who.name, identifier):
        return _account(visit, 404, "There is no such passkey any more.")
    await visit.note(Act.OWN_PASSKEY, detail="removed one")
    return _account(visit, done="The passkey is removed.")


def _sentence(error: PeopleError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
