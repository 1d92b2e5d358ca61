"""``/v1/broadcasts/{id}``, ``/v1/broadcasts/{id}/orders`` and ``/v1/decisions``. Every look at a broadcast is noted."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from upstander.engine.exposures import active_exposures, factor_of
from upstander.engine.fading import faded_belief, faded_evidence
from upstander.engine.state import Broadcast
from upstander.gateway.http import Refused, authorise, json_response, read_body, service_of, whole_number
from upstander.gateway.intake import Conflict, now_ms
from upstander.gateway.keys import Scope
from upstander.gateway.service import Service
from upstander.journal import store
from upstander.journal.entries import Kind
from upstander.model.order import Order
from upstander.model.vocabulary import Intervention, Level
from upstander.outbox import actions

PAIRS_SHOWN = 50
DECISIONS_SHOWN = 20


class PairView(msgspec.Struct, gc=False):
    """What is believed of one viewer here: nats a tactic as of now, the highest level reached, muted or not."""

    viewer: str
    level: str
    belief: float
    evidence: dict[str, float]
    muted: bool


class ActionView(msgspec.Struct, gc=False):
    """One action of the outbox; ``did`` is what the adapter said it did, or why it failed."""

    id: str
    event: str
    asked: str
    doing: str
    target: str
    adapter: str
    state: str
    attempts: int
    did: str
    created_at: int


class BroadcastView(msgspec.Struct, gc=False):
    """A broadcast as of its last event. ``state``: ``live``, ``paused`` or ``ended``."""

    broadcast: str
    state: str
    level: str
    host_age_band: str
    events: int
    comments: int
    last_event: str
    now: int
    belief: float
    factor: float
    exposures: dict[str, str]
    viewers_present: int
    pairs: list[PairView]
    actions: list[ActionView]
    decisions: list[msgspec.Raw]


class OrderAsked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of an order: what (``do``), who asks (``by``), why, and for viewer or comment orders at what."""

    do: Intervention
    by: str
    reason: str
    id: str
    target: str = ""


async def get_broadcast(request: Request) -> Response:
    """What is held about one broadcast."""
    key = authorise(request, Scope.BROADCASTS_READ)
    service = service_of(request)
    identifier = request.path_params["broadcast"]
    broadcast = service.intake.broadcast(key.platform, identifier)
    status = service.intake.runtime.engine(key.platform).status(identifier)
    if broadcast is None:
        if status == "ended":
            raise Refused(410, f"the broadcast {identifier!r} has ended and its state is released", "See the journal.")
        raise Refused(404, f"no broadcast {identifier!r} is known", "Send `broadcast_started`, or check the id.")
    await service.intake.record(Kind.AUDIT, key.platform, identifier, {"key": key.id, "viewed": "broadcast"})
    return json_response(view_of(service, key.platform, broadcast, status))


def view_of(service: Service, platform: str, broadcast: Broadcast, status: str) -> BroadcastView:
    """What is held about a broadcast of a platform; ``status`` is the engine's word for it."""
    reader = service.intake.journal.reader
    stream = actions.stream_state(reader, platform, broadcast.id)
    active = active_exposures(broadcast)
    factor = factor_of(active)
    pairs = []
    for viewer, pair in broadcast.pairs.items():
        evidence = {tactic: round(value, 4) for tactic, value in faded_evidence(pair, broadcast.now).items()}
        total = round(sum(evidence.values()) * factor, 4)
        pairs.append(PairView(viewer.lstrip("\0"), Level(pair.level).word, total, evidence, bool(pair.muted)))
    pairs.sort(key=lambda pair: (-pair.belief, pair.viewer))
    sql = (
        "SELECT body FROM entries WHERE kind = 'decision' AND platform = ? AND broadcast = ? ORDER BY seq DESC LIMIT ?"
    )
    rows = reader.execute(sql, (platform, broadcast.id, DECISIONS_SHOWN)).fetchall()
    return BroadcastView(
        broadcast=broadcast.id,
        state=stream if stream != "live" else status,
        level=Level(broadcast.level).word,
        host_age_band=broadcast.band,
        events=broadcast.events,
        comments=broadcast.comments,
        last_event=broadcast.last_event,
        now=broadcast.now,
        belief=round(faded_belief(broadcast), 4),
        factor=round(factor, 4),
        exposures={name: broadcast.exposures[name].why for name in active},
        viewers_present=len(broadcast.audience.present),
        pairs=pairs[:PAIRS_SHOWN],
        actions=[_action(row) for row in actions.actions_of(reader, platform, broadcast.id)],
        decisions=[msgspec.Raw(row[0]) for row in rows],
    )


def _action(row: actions.Row) -> ActionView:
    action = row.action
    return ActionView(
        action.id,
        action.event,
        action.asked,
        action.doing,
        action.target,
        action.adapter,
        row.state,
        row.attempts,
        row.note,
        action.created_at,
    )


async def post_order(request: Request) -> Response:
    """A person's order for a broadcast: pause, resume, end, mute, release, …; recorded with name and reason."""
    key = authorise(request, Scope.ORDERS_WRITE)
    service = service_of(request)
    identifier = request.path_params["broadcast"]
    try:
        asked = msgspec.json.decode(await read_body(request), type=OrderAsked)
        order = msgspec.convert({**msgspec.structs.asdict(asked), "at": now_ms(), "broadcast": identifier}, type=Order)
    except msgspec.ValidationError as error:
        example = '{"id": "order-1", "do": "resume", "by": "your name", "reason": "why"}'
        raise Refused(422, str(error), f"Send an order such as {example}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refused(422, f"the body is not JSON ({error})", "Send one JSON object.") from None
    if asked.do.endswith("_viewer") and not asked.target:
        raise Refused(422, f"`{asked.do}` needs a target", "Give the viewer's account in `target`.")
    if asked.do.endswith("_comment") and not asked.target:
        raise Refused(422, f"`{asked.do}` needs a target", "Give the comment's event id in `target`.")
    try:
        seq, new = await service.intake.order(key.platform, order)
    except Conflict:
        fix = "Give every order an id of its own; repeat an id only to send the same order again."
        raise Refused(409, f"the id {order.id!r} was used before in this broadcast, for another order", fix) from None
    return json_response({"order": order.id, "seq": seq, "duplicate": not new})


async def get_decisions(request: Request) -> Response:
    """Decisions after a sequence number, for those who cannot hold a WebSocket open."""
    key = authorise(request, Scope.DECISIONS_READ)
    service = service_of(request)
    after = whole_number(request.query_params.get("after", "0"), 0, 10**18)
    limit = whole_number(request.query_params.get("limit", "100"), 1, 1_000)
    if after is None or limit is None:
        raise Refused(
            400, "`after` or `limit` is not in range", "Give `after` a sequence number and `limit` 1 to 1000."
        )
    found = []
    where = "kind = 'decision' AND platform = ?"
    for placed in store.read(service.intake.journal.reader, after, where, (key.platform,)):
        found.append({"seq": placed.seq, "decision": msgspec.Raw(placed.entry.body)})
        if len(found) >= limit:
            break
    return json_response({"decisions": found})
