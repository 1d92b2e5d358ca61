"""The administrator's page of API keys: make one (shown once), revoke one."""

from __future__ import annotations

from starlette.responses import Response

from upstander.console.web import Visit
from upstander.gateway.keys import KeyStoreError, Scope
from upstander.people.audit import Act


async def keys(visit: Visit) -> Response:
    """All keys, without their secrets."""
    await visit.note(Act.KEYS_VIEW)
    return _page(visit)


def _page(visit: Visit, status: int = 200, error: str = "", made: str = "", done: str = "") -> Response:
    held = sorted(visit.console.service.keys.entries(), key=lambda key: (bool(key.revoked_at), -key.created_at))
    data = {"keys": held, "made": made}
    return visit.page("keys.html.j2", status, data, error=error, done=done, made=made, keys=held, scopes=list(Scope))


async def make(visit: Visit) -> Response:
    """Make a key."""
    try:
        scopes = [Scope(name) for name in visit.values("scope")]
        text, key = visit.console.service.keys.create(visit.text("platform"), scopes, visit.text("note")[:200])
    except (KeyStoreError, ValueError) as error:
        return _page(visit, 422, str(error)[:1].upper() + str(error)[1:])
    said = f"{key.platform}: {' '.join(sorted(key.scopes))}"
    await visit.note(Act.KEY_MADE, platform=key.platform, subject=f"key {key.id}", detail=said)
    return _page(visit, made=text)


async def revoke(visit: Visit) -> Response:
    """Take a key out of force, at once and for good."""
    identifier = visit.request.path_params["key"]
    try:
        visit.console.service.keys.revoke(identifier)
    except KeyStoreError as error:
        return _page(visit, 404, str(error)[:1].upper() + str(error)[1:])
    await visit.note(Act.KEY_REVOKED, subject=f"key {identifier}")
    return _page(visit, done=f"The key {identifier} is revoked.")
