"""One broadcast: what is believed and why, what was done, and what a person can do now. It shows no chat text."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from upstander.cases import reading
from upstander.console.web import Visit, not_found
from upstander.gateway.broadcasts import ActionView, BroadcastView, view_of
from upstander.gateway.http import Refused
from upstander.gateway.intake import now_ms
from upstander.model.decision import Decision, decode_decision
from upstander.model.order import Order
from upstander.model.vocabulary import REVERSE, Intervention
from upstander.people.audit import Act
from upstander.people.permissions import Permission
from upstander.vault.page import moment

#: What a person can order from here. Orders about one viewer need the viewer's name.
ORDERS = (
    Intervention.PAUSE,
    Intervention.RESUME,
    Intervention.SLOW_MODE,
    Intervention.SLOW_MODE_OFF,
    Intervention.DISABLE_GIFTS,
    Intervention.ENABLE_GIFTS,
    Intervention.NUDGE_HOST,
    Intervention.MUTE_VIEWER,
    Intervention.UNMUTE_VIEWER,
    Intervention.REMOVE_VIEWER,
    Intervention.READMIT_VIEWER,
    Intervention.END,
)


_STEPS_IN = (
    Intervention.HOLD_COMMENT,
    Intervention.DELETE_COMMENT,
    Intervention.MUTE_VIEWER,
    Intervention.REMOVE_VIEWER,
    Intervention.SLOW_MODE,
    Intervention.DISABLE_GIFTS,
    Intervention.DISABLE_COMMENTS,
    Intervention.DISABLE_INVITES,
    Intervention.HIDE_COUNTS,
    Intervention.PAUSE,
)
#: What takes back a step that was taken.
UNDOES = {do: back for do in _STEPS_IN if (back := REVERSE[do]) is not None}


def address(platform: str, broadcast: str) -> str:
    """The path of a broadcast's page."""
    return f"/live/broadcasts/{platform}/{quote(broadcast, safe='')}"


async def broadcast(visit: Visit) -> Response:
    """The page of one broadcast. The look is in the ledger before anything is shown."""
    where = visit.request.path_params
    return await _page(visit, where["platform"], where["broadcast"])


async def _page(visit: Visit, platform: str, identifier: str, status: int = 200, **more: str) -> Response:
    intake = visit.console.service.intake
    known = platform in visit.platforms
    found = intake.broadcast(platform, identifier) if known else None
    # Also a look for something that is not there is a look.
    await visit.note(Act.BROADCAST_VIEW, platform=platform, broadcast=identifier, detail="" if found else "not found")
    if found is None:
        not_found("no such broadcast is held now", "It may have ended and been released, or be another platform's.")
    view = view_of(visit.console.service, platform, found, intake.runtime.engine(platform).status(identifier))
    decisions = [_shown(decode_decision(bytes(raw))) for raw in view.decisions]
    values: dict[str, Any] = {"error": "", "done": "", "reason": "", "target": ""} | more
    return visit.page(
        "broadcast.html.j2",
        status,
        view,
        view=view,
        platform=platform,
        decisions=decisions,
        curve=reading.curve_of(_placed(view), moment),
        undoes=_undoes(view.actions) if visit.who.may(Permission.BROADCAST_ACT) else [],
        orders=[order for order in ORDERS if visit.who.may(Permission.BROADCAST_ACT)],
        **values,
    )


def _placed(view: BroadcastView) -> list[reading.Decided]:
    """The decisions, the oldest first, with the audience's belief in place of one viewer's."""
    found = [decode_decision(bytes(raw)) for raw in reversed(view.decisions)]
    return [
        reading.Decided(0, msgspec.structs.replace(each, belief=max(each.belief, each.broadcast_belief)))
        for each in found
    ]


def _undoes(done: list[ActionView]) -> list[dict[str, str]]:
    """What was done and can be taken back, each once, unless it was taken back since; the latest first."""
    taken_back: set[tuple[str, str]] = set()
    made: list[dict[str, str]] = []
    for action in sorted(done, key=lambda each: -each.created_at):
        asked = Intervention(action.asked)
        back = UNDOES.get(asked)
        if (
            (asked, action.target) not in taken_back
            and back is not None
            and action.state in ("pending", "sent", "acknowledged")
        ):
            made.append({"asked": asked, "do": back, "target": action.target})
        # A step in that came before this one is undone by it, or is the same: once is enough.
        taken_back |= {(do, action.target) for do, other in UNDOES.items() if asked in (do, other)}
    return made


def _shown(decision: Decision) -> dict[str, Any]:
    why = [reason.why for reason in decision.reasons if reason.what not in decision.exposures][:3]
    done = [asked.do for asked in decision.interventions]
    return {"level": decision.level, "actor": decision.actor or "a voice", "at": decision.at, "why": why, "done": done}


async def order(visit: Visit) -> Response:
    """Give an order about a broadcast, in the person's name and with a reason."""
    platform, identifier = visit.text("platform"), visit.text("broadcast")
    intake = visit.console.service.intake
    if platform not in visit.platforms or intake.broadcast(platform, identifier) is None:
        not_found("no such broadcast is held now", "It may have ended and been released, or be another platform's.")
    target, reason, do = visit.text("target"), visit.text("reason"), visit.text("do")
    again = {"reason": reason, "target": target}
    if do not in ORDERS and do not in UNDOES.values():
        raise Refused(422, "there is no such order here", "Choose one of those that the page offers.")
    if do.endswith("_viewer") and not target:
        return await _page(visit, platform, identifier, 422, error="Name the viewer that this is about.", **again)
    made = {"id": secrets.token_hex(8), "at": now_ms(), "broadcast": identifier, "do": do, "by": visit.who.name}
    try:
        asked = msgspec.convert(made | again, type=Order)
    except msgspec.ValidationError:
        error = "Say why, in at most a few sentences: the reason is kept with the order."
        return await _page(visit, platform, identifier, 422, error=error, **again)
    detail = f"{do}{f' {target}' if target else ''}: {reason}"
    await visit.note(Act.ORDER, platform=platform, broadcast=identifier, detail=detail)
    await intake.order(platform, asked)
    return visit.go(address(platform, identifier), {"order": asked.id, "broadcast": identifier, "do": do})
