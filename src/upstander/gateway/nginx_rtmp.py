"""The callbacks that nginx-rtmp makes: may this stream be published, and: it is over.

nginx cannot send headers, so the secret stands in the callback's address. The service keeps no access log.
"""

from __future__ import annotations

import hmac
import logging
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from upstander.adapters.nginx_rtmp import NginxRtmpAdapter
from upstander.gateway.http import read_body, service_of
from upstander.gateway.intake import Intake, Overloaded, Unavailable, now_ms
from upstander.gateway.service import Service
from upstander.model.wire import WireError, decode_event
from upstander.outbox import actions

log = logging.getLogger(__name__)


async def on_publish(request: Request) -> Response:
    """200 lets the stream through, 403 refuses it: while paused or ended, and while nothing can be recorded."""
    found = _adapter(request)
    if found is None:
        return PlainTextResponse("refused", 403)
    service, adapter = found
    form = await _form(request)
    name = form.get("name", "")
    if not name or form.get("app", "") != adapter.app:
        return PlainTextResponse("refused", 403)
    state = actions.stream_state(service.intake.journal.reader, adapter.platform, name)
    if state != "live":
        log.info("nginx: publishing refused, the broadcast is %s", state)
        return PlainTextResponse("refused", 403)
    event = {
        "type": "broadcast_started",
        "id": f"nginx:publish:{form.get('clientid', '')}:{now_ms()}",
        "at": now_ms(),
        "broadcast": name,
        "host": name,
    }
    # A broadcast that cannot be watched does not go live.
    return PlainTextResponse("ok", 200 if await _take(service.intake, adapter.platform, event) else 403)


async def on_publish_done(request: Request) -> Response:
    """The stream is over."""
    found = _adapter(request)
    if found is None:
        return PlainTextResponse("refused", 403)
    service, adapter = found
    form = await _form(request)
    if form.get("name"):
        event = {
            "type": "broadcast_ended",
            "id": f"nginx:done:{form.get('clientid', '')}:{now_ms()}",
            "at": now_ms(),
            "broadcast": form["name"],
        }
        await _take(service.intake, adapter.platform, event)
    return PlainTextResponse("ok")


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
    body = await read_body(request)
    return dict(parse_qsl(body.decode("utf-8", "replace")))


async def _take(intake: Intake, platform: str, event: dict[str, object]) -> bool:
    raw = msgspec.json.encode(event)
    try:
        result = (await intake.observe(platform, [(0, raw, decode_event(raw))]))[0]
    except (WireError, Overloaded, Unavailable) as error:
        log.warning("nginx: an event was not accepted: %s", error)
        return False
    return not isinstance(result, WireError)
