"""``/v1/nudges``: the card of a nudge, what a platform reports of it, and the component that shows it."""

from __future__ import annotations

import functools

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from upstander.gateway.http import Refused, authorise, json_response, read_body, service_of
from upstander.gateway.keys import Scope
from upstander.journal.entries import Kind
from upstander.nudge import book
from upstander.nudge.book import Report, Reported
from upstander.nudge.cards import FOLDER
from upstander.nudge.payload import Do

COMPONENT = "/static/upstander-nudge.js"
LONGEST_MS = 86_400_000

_HEADERS = {
    # A module is always fetched with CORS, and the platform's pages are on another origin. It holds nothing secret.
    "access-control-allow-origin": "*",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    "cache-control": "public, max-age=3600",
}


@functools.cache
def component() -> bytes:
    """The source of ``<upstander-nudge>``."""
    return FOLDER.joinpath("static", "upstander-nudge.js").read_bytes()


async def get_component(request: Request) -> Response:
    """The component, for a page of any origin. It needs no key: it comes without any card."""
    return Response(component(), 200, _HEADERS, "text/javascript")


async def get_card(request: Request) -> Response:
    """The card of a decision, for platforms that read decisions and have no webhook."""
    key = authorise(request, Scope.DECISIONS_READ)
    reader = service_of(request).intake.journal.reader
    broadcast, event = (request.query_params.get(name, "") for name in ("broadcast", "event"))
    found = book.find_chosen(reader, key.platform, book.nudge_id(key.platform, broadcast, event))
    if found is None:
        fix = "Ask for a decision with `nudge_host`; there is no card when every one that fits was chosen minutes ago."
        raise Refused(404, f"the event {event[:64]!r} has no card in the broadcast {broadcast[:64]!r}", fix)
    return json_response(found[1].card)


async def post_report(request: Request) -> Response:
    """Note that a card was shown, dismissed, or that a button was pressed. The same report counts once."""
    key = authorise(request, Scope.NUDGES_WRITE)
    intake = service_of(request).intake
    identifier = request.path_params["nudge"]
    report = _report(await read_body(request))
    found = book.find_chosen(intake.journal.reader, key.platform, identifier)
    if found is None:
        fix = "Use the `id` of the card that came with `nudge_host`."
        raise Refused(404, f"no nudge {identifier[:64]!r} is known", fix)
    seq = book.find_report(intake.journal.reader, key.platform, identifier, report)
    if seq:
        return json_response({"nudge": identifier, "seq": seq, "duplicate": True})
    about = (Kind.NUDGE_REPORT, key.platform, found[0].broadcast)
    seq = await intake.record(*about, Reported(identifier, report), book.nudge_reference(key.platform, identifier))
    intake.nudges.counts[report.event] += 1
    return json_response({"nudge": identifier, "seq": seq, "duplicate": False})


def _report(body: bytes) -> Report:
    example = 'Send {"event": "shown"}, {"event": "dismissed"} or {"event": "action", "do": "block_viewer"}.'
    try:
        report = msgspec.json.decode(body, type=Report)
    except msgspec.ValidationError as error:
        raise Refused(422, str(error), example) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(422, f"the body is not JSON ({error})", example) from None
    if (report.event == "action") != (report.do is not None) or report.do is Do.DISMISS:
        raise Refused(422, f"`do` does not go with the event {report.event!r}", example)
    if report.after_ms is not None and not 0 <= report.after_ms <= LONGEST_MS:
        raise Refused(422, f"after_ms is {report.after_ms}", "Give milliseconds since the card was shown.")
    return report
