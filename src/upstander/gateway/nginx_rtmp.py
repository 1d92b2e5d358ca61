"""The callbacks that nginx-rtmp makes: may this stream be published, may it go on, and: it is over.

nginx cannot send headers, so the secret stands in the callback's address. The service keeps no access log.
"""

from __future__ import annotations

import hmac
import logging
import uuid
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from upstander.adapters.nginx_rtmp import NginxRtmpAdapter
from upstander.engine.state import Broadcast
from upstander.gateway.http import read_body, service_of
from upstander.gateway.intake import Intake, Overloaded, Unavailable, now_ms
from upstander.gateway.service import Service
from upstander.model.vocabulary import AgeBand, AgeSource
from upstander.model.wire import WireError, decode_event
from upstander.outbox import actions
from upstander.watch.tokens import card_token

log = logging.getLogger(__name__)

#: The fields that are read. Each may come once only: what a publisher writes after `?` stands, as it is, behind them.
_FIELDS = frozenset({"app", "call", "name", "clientid", "card"})


async def on_publish(request: Request) -> Response:
    """200 lets the stream through, 403 refuses it: while paused or ended, and while nothing can be recorded.

    Serves ``on_update`` too, by which nginx asks again and again whether a stream may go on.
    """
    found = _adapter(request)
    if found is None:
        return _refused("the secret or the adapter's name is wrong")
    service, adapter = found
    form = await _form(request)
    call, name, client = form.get("call", ""), form.get("name", ""), form.get("clientid", "")
    if call == "update_play":
        return PlainTextResponse("ok")  # a viewer: `on_update` asks about these as well
    if call not in ("publish", "update_publish") or not name or form.get("app", "") != adapter.app:
        return _refused("the callback's fields are not in order, or it is about another `app`")
    if not adapter.can_drop(name):
        return _refused("a stream of this name could not be dropped: use ASCII without spaces, & and #")
    state = _state(service, adapter, name)
    if "card" in form:
        return _card(service, adapter, form, state)
    if state != "live":
        return _refused(f"the broadcast is {state}")
    adapter.joined(name, client)  # before anything is awaited: it may be gone again by then
    known = service.intake.broadcast(adapter.platform, name)
    if call == "publish" or known is None or known.ended:
        recorded = await _take(service.intake, adapter.platform, _started(service, adapter, name, client))
        # A broadcast that cannot be watched does not go live; one that is live already is not cut off for that.
        if not recorded and call == "publish":
            adapter.left(name, client)
            return _refused("the broadcast could not be recorded")
    state = _state(service, adapter, name)
    if state != "live":  # it may have been paused while its start was being recorded
        adapter.left(name, client)
        return _refused(f"the broadcast is {state}")
    return PlainTextResponse("ok")


async def on_publish_done(request: Request) -> Response:
    """The stream is over, unless another connection publishes it: nginx says this of every one it turned away."""
    found = _adapter(request)
    if found is None:
        return _refused("the secret or the adapter's name is wrong")
    service, adapter = found
    form = await _form(request)
    name, client = form.get("name", ""), form.get("clientid", "")
    if "card" in form:
        return PlainTextResponse("ok")  # a card, or one that was turned away: no broadcast
    if name and form.get("app", "") == adapter.app and adapter.left(name, client):
        event = {"type": "broadcast_ended", "id": _id("done", client), "at": now_ms(), "broadcast": name}
        await _take(service.intake, adapter.platform, event)
    return PlainTextResponse("ok")


def _card(service: Service, adapter: NginxRtmpAdapter, form: dict[str, str], state: str) -> Response:
    """Our own still card in place of a paused stream: only while it is paused, and only with the token."""
    right = card_token(service.secrets[adapter.name], form["name"])
    if state != "paused" or not hmac.compare_digest(right.encode(), form["card"].encode()):
        return _refused("a card may be published for a paused stream only, and by Upstander only")
    return PlainTextResponse("ok")


def _started(service: Service, adapter: NginxRtmpAdapter, name: str, client: str) -> dict[str, object]:
    """nginx knows a name and nothing else. What the platform said of the broadcast before still holds: a host who
    comes back after a broken connection, or after a pause, must not lose the protection of their age."""
    event: dict[str, object] = {
        "type": "broadcast_started",
        "id": _id("publish", client),
        "at": now_ms(),
        "broadcast": name,
        "host": name,
    }
    known = service.intake.broadcast(adapter.platform, name)
    if known is None:
        return event
    event |= {"host": known.host or name, "host_age_band": known.declared, "language": known.language}
    event["age_source"] = _source(known)
    if known.on_deadline:
        event["on_deadline"] = known.on_deadline
    if known.deadline_ms:
        event["deadline_ms"] = known.deadline_ms
    return event


def _source(known: Broadcast) -> AgeSource:
    if known.verified:
        return AgeSource.VERIFIED
    return AgeSource.NONE if known.declared is AgeBand.UNKNOWN else AgeSource.DECLARED


def _id(what: str, client: str) -> str:
    # nginx does not repeat a callback, and counts its connections from 1 again when it is restarted.
    return f"nginx:{what}:{client[:20]}:{uuid.uuid4().hex}"


def _state(service: Service, adapter: NginxRtmpAdapter, name: str) -> str:
    return actions.stream_state(service.intake.journal.reader, adapter.platform, name)


def _refused(why: str) -> Response:
    log.info("nginx: publishing refused: %s", why)
    return PlainTextResponse("refused", 403)


def _adapter(request: Request) -> tuple[Service, NginxRtmpAdapter] | None:
    service = service_of(request)
    name = request.path_params["adapter"]
    secret = service.secrets.get(name)
    sent = request.query_params.get("secret", "")
    if secret is None or not hmac.compare_digest(secret.encode(), sent.encode()):
        return None
    for adapter in service.adapters:
        if adapter.name == name and isinstance(adapter, NginxRtmpAdapter):
            return service, adapter
    return None


async def _form(request: Request) -> dict[str, str]:
    """The callback's fields; none at all when one that is read comes twice, or is not UTF-8."""
    body = await read_body(request)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        return {}
    pairs = [(field, value) for field, value in pairs if field in _FIELDS]
    return dict(pairs) if len({field for field, _ in pairs}) == len(pairs) else {}


async def _take(intake: Intake, platform: str, event: dict[str, object]) -> bool:
    raw = msgspec.json.encode(event)
    try:
        result = (await intake.observe(platform, [(0, raw, decode_event(raw))]))[0]
    except (WireError, Overloaded, Unavailable) as error:
        log.warning("nginx: an event was not accepted: %s", error)
        return False
    return not isinstance(result, WireError)
