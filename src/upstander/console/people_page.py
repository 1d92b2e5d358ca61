"""The administrator's page of accounts: add people, change roles, reset, disable. Never one's own account."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from upstander.console.web import Visit
from upstander.gateway.http import Refused
from upstander.people.audit import Act
from upstander.people.model import PeopleError, Person
from upstander.people.passwords import hash_temporary
from upstander.people.permissions import PURPOSE, Role


async def people(visit: Visit) -> Response:
    """All accounts."""
    await visit.note(Act.PEOPLE_VIEW)
    return _page(visit)


def _page(visit: Visit, status: int = 200, error: str = "", done: str = "", password: str = "") -> Response:
    store = visit.console.people
    rows: list[dict[str, Any]] = [
        {
            "person": person,
            "factor": "code" if person.totp else "provider" if person.subject else "not set up",
            "passkeys": len(store.passkeys(person.name)),
            "own": person.name == visit.who.name,
        }
        for person in store.everyone()
    ]
    platforms = sorted(visit.console.service.intake.runtime.engines)
    values = {"rows": rows, "roles": PURPOSE, "platforms": platforms}
    told = [_told(row) for row in rows]
    data = {"people": told, "done": done, "password": password}
    return visit.page("people.html.j2", status, data, error=error, done=done, password=password, **values)


def _told(row: dict[str, Any]) -> dict[str, Any]:
    """An account as a program is told it: nothing that could sign anybody in."""
    person: Person = row["person"]
    named = {name: getattr(person, name) for name in ("name", "made_at", "disabled_at", "signed_in_at")}
    held = {"roles": sorted(person.roles), "platforms": sorted(person.platforms)}
    return named | held | {"factor": row["factor"], "passkeys": row["passkeys"]}


def _roles(visit: Visit) -> list[Role]:
    try:
        return [Role(name) for name in visit.values("role")]
    except ValueError as error:
        raise PeopleError(f"{error}. The roles are: {', '.join(Role)}.") from None


def _platforms(visit: Visit) -> list[str]:
    names = visit.text("platforms").replace(",", " ").split()
    for name in names:
        if not re.fullmatch("[a-z0-9_-]{1,64}", name):
            raise PeopleError(f"{name!r} is no platform name. Use lower case letters, digits, - and _.")
    return names


def _says(held: Person) -> str:
    return f"{', '.join(sorted(held.roles))}; platforms: {', '.join(sorted(held.platforms)) or 'all'}"


async def add(visit: Visit) -> Response:
    """Add a person, with a temporary password that is shown once."""
    name = visit.text("name").lower()
    try:
        password, kept = await visit.console.hashing(hash_temporary)
        made = visit.console.people.add(name, _roles(visit), kept, _platforms(visit), must_change=True)
    except PeopleError as error:
        return _page(visit, 422, _sentence(error))
    await visit.note(Act.PERSON_ADDED, subject=made.name, detail=_says(made))
    return _page(visit, done=f"{made.name} is added. The temporary password is shown this once:", password=password)


def _other(visit: Visit) -> Person:
    person = visit.console.people.find(visit.request.path_params["person"])
    if person is None:
        raise Refused(404, "there is no such account", "See the list of people.")
    if person.name == visit.who.name:
        raise Refused(403, "nobody changes their own rights", "Ask another administrator.")
    return person


async def roles(visit: Visit) -> Response:
    """Give a person other roles; their sessions end."""
    person = _other(visit)
    try:
        held = visit.console.people.set_roles(person.name, _roles(visit), _platforms(visit))
    except PeopleError as error:
        return _page(visit, 422, _sentence(error))
    await visit.note(Act.PERSON_ROLES, subject=held.name, detail=f"{_says(person)} -> {_says(held)}")
    return _page(visit, done=f"{held.name} is now {', '.join(sorted(held.roles))}.")


async def reset(visit: Visit) -> Response:
    """A temporary password, and no second factor, for somebody who lost theirs; their sessions end."""
    person = _other(visit)
    password, kept = await visit.console.hashing(hash_temporary)
    visit.console.people.reset(person.name, kept, must_change=True)
    await visit.note(Act.PERSON_RESET, subject=person.name)
    return _page(visit, done=f"{person.name} is reset. The temporary password is shown this once:", password=password)


async def disable(visit: Visit) -> Response:
    """Take an account out of force; its sessions end at once."""
    person = _other(visit)
    try:
        visit.console.people.disable(person.name)
    except PeopleError as error:
        return _page(visit, 422, _sentence(error))
    await visit.note(Act.PERSON_DISABLED, subject=person.name)
    return _page(visit, done=f"{person.name} is disabled.")


async def enable(visit: Visit) -> Response:
    """Put an account in force again."""
    person = _other(visit)
    try:
        visit.console.people.enable(person.name)
    except PeopleError as error:
        return _page(visit, 422, _sentence(error))
    await visit.note(Act.PERSON_ENABLED, subject=person.name)
    return _page(visit, done=f"{person.name} is in force again.")


def _sentence(error: PeopleError) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
