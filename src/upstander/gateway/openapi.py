"""The OpenAPI description of the gateway, made from the types that it reads and writes."""

from __future__ import annotations

from typing import Any

import msgspec

from upstander import __version__
from upstander.gateway.broadcasts import BroadcastView, OrderAsked
from upstander.gateway.keys import Scope
from upstander.model.answers import EventsAnswer, HoldAnswer
from upstander.model.decision import Decision
from upstander.model.events import AnyEvent, Comment, Gift
from upstander.nudge.book import Report
from upstander.nudge.payload import Card


class ErrorBody(msgspec.Struct):
    """What went wrong and what to do about it."""

    reason: str
    fix: str


class ErrorAnswer(msgspec.Struct):
    """The body of every answer that is not a success."""

    error: ErrorBody


class SequencedDecision(msgspec.Struct):
    """A decision with its sequence number in the journal."""

    seq: int
    decision: Decision


class DecisionsAnswer(msgspec.Struct):
    """Decisions in order."""

    decisions: list[SequencedDecision]


_TYPES: tuple[Any, ...] = (
    AnyEvent,
    Comment | Gift,
    EventsAnswer,
    HoldAnswer,
    BroadcastView,
    OrderAsked,
    DecisionsAnswer,
    ErrorAnswer,
    Report,
    Card,
)


def describe() -> dict[str, Any]:
    """The document served at ``/openapi.json``: the gateway, and the console where its packages are installed."""
    document = _gateway()
    from upstander.console import missing  # noqa: PLC0415

    if missing():
        return document
    from upstander.console.openapi import SECURITY, paths  # noqa: PLC0415

    of_console, schemas = paths({"$ref": "#/components/schemas/ErrorAnswer"})
    document["paths"] |= of_console
    document["components"]["schemas"] = schemas | document["components"]["schemas"]
    document["components"]["securitySchemes"] |= SECURITY
    return document


def _gateway() -> dict[str, Any]:
    schemas, components = msgspec.json.schema_components(
        (*_TYPES, Decision), ref_template="#/components/schemas/{name}"
    )
    # ``msgspec.Raw`` (JSON that is passed on unparsed: here, decisions) has no schema of its own.
    components["BroadcastView"]["properties"]["decisions"]["items"] = {"$ref": "#/components/schemas/Decision"}
    event, held, events_answer, hold_answer, broadcast, order, decisions, error, report, card, _ = schemas
    text = {"schema": {"type": "string"}}
    broadcast_id = {"name": "broadcast", "in": "path", "required": True, "schema": {"type": "string"}}
    event_id = {**broadcast_id, "name": "event", "in": "query"}
    after = {"name": "after", "in": "query", "schema": {"type": "integer", "minimum": 0}}
    limit = {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}}
    deadline = {"name": "deadline_ms", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 10000}}

    def operation(
        summary: str, scope: Scope | None, answers: dict[str, Any], body: Any = None, parameters: Any = ()
    ) -> dict[str, Any]:
        made: dict[str, Any] = {"summary": summary, "responses": answers}
        if scope is not None:
            made["description"] = f"Needs a key with the scope `{scope}`."
            made["security"] = [{"key": []}]
            answers = {code: _json(error, why) for code, why in _REFUSALS.items()} | answers
            made["responses"] = answers
        else:
            made["security"] = []
        if body is not None:
            made["requestBody"] = {"required": True, "content": body}
        if parameters:
            made["parameters"] = list(parameters)
        return made

    batch = {"oneOf": [event, {"type": "array", "items": event}]}
    bodies = {"application/json": {"schema": batch}, "application/x-ndjson": text}
    overloaded = "Too much is waiting; nothing was accepted. See Retry-After."
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Upstander",
            "version": __version__,
            "description": "Events of live broadcasts in, decisions out. What is answered is durable. What people do in"
            " the console is here, too.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {
            "/v1/events": {
                "post": operation(
                    "Send one event, a JSON array of events, or JSON Lines",
                    Scope.EVENTS_WRITE,
                    {
                        "200": _json(events_answer, "What was accepted is durable; what was refused is in `errors`."),
                        "400": _json(error, "The body is empty, or an array that is not JSON."),
                        "422": _json(events_answer, "Every event was refused; see `errors`."),
                        "413": _json(error, "The body or the batch is too large."),
                        "429": _json(error, overloaded),
                    },
                    bodies,
                )
            },
            "/v1/hold": {
                "post": operation(
                    "Hold one comment until it is decided, or until its deadline",
                    Scope.EVENTS_WRITE,
                    {
                        "200": _json(hold_answer, "What to do with the comment."),
                        "400": _json(error, "`deadline_ms` is out of range."),
                        "413": _json(error, "The body is too large."),
                        "422": _json(error, "The comment was refused."),
                        "429": _json(hold_answer, "Not accepted; `verdict` is the fail policy's. See Retry-After."),
                        "503": _json(hold_answer, "Not accepted; `verdict` is the fail policy's. See Retry-After."),
                    },
                    {"application/json": {"schema": held}},
                    [deadline],
                )
            },
            "/v1/broadcasts/{broadcast}": {
                "get": operation(
                    "What is held about one broadcast (the look is noted in the journal)",
                    Scope.BROADCASTS_READ,
                    {
                        "200": _json(broadcast, "The broadcast as of its last event."),
                        "404": _json(error, "No such broadcast is known."),
                        "410": _json(error, "It has ended and its state is released."),
                    },
                    parameters=[broadcast_id],
                )
            },
            "/v1/broadcasts/{broadcast}/orders": {
                "post": operation(
                    "A person's order: pause, resume, end, mute, release, …",
                    Scope.ORDERS_WRITE,
                    {
                        "200": _json(_ORDER_ANSWER, "Recorded and on its way."),
                        "404": _json(error, "The broadcast's id cannot stand in a path."),
                        "409": _json(error, "The id was used before, for another order."),
                        "422": _json(error, "The order is incomplete."),
                    },
                    {"application/json": {"schema": order}},
                    [broadcast_id],
                )
            },
            "/v1/decisions": {
                "get": operation(
                    "Decisions after a sequence number",
                    Scope.DECISIONS_READ,
                    {"200": _json(decisions, "In order."), "400": _json(error, "A parameter is out of range.")},
                    parameters=[after, limit],
                )
            },
            "/v1/nudges": {
                "get": operation(
                    "The card of a decision that asks for `nudge_host`",
                    Scope.DECISIONS_READ,
                    {"200": _json(card, "The card."), "404": _json(error, "That event has no card.")},
                    parameters=[{**broadcast_id, "in": "query"}, event_id],
                )
            },
            "/v1/nudges/{nudge}": {
                "post": operation(
                    "What came of a nudge: shown, dismissed, or a button pressed",
                    Scope.NUDGES_WRITE,
                    {
                        "200": _json(_REPORT_ANSWER, "Recorded."),
                        "404": _json(error, "No such nudge is known."),
                        "422": _json(error, "The report is incomplete."),
                    },
                    {"application/json": {"schema": report}},
                    [{**broadcast_id, "name": "nudge"}],
                )
            },
            "/v1/stream": {
                "get": operation(
                    "WebSocket: events in, acknowledgements and decisions out, resumable",
                    Scope.DECISIONS_READ,
                    {
                        "101": {"description": "One event a text frame in; one JSON object with a `kind` a frame out."},
                        "400": _json(error, "`after` is not a sequence number of this journal."),
                        "426": _json(error, "The request is no WebSocket upgrade."),
                        "429": _json(error, "Too many streams are open."),
                    },
                    parameters=[after],
                )
            },
            "/healthz": {"get": operation("The process answers", None, {"200": {"description": "It does."}})},
            "/readyz": {
                "get": operation(
                    "Events are accepted",
                    None,
                    {"200": {"description": "They are."}, "503": {"description": "Not now."}},
                )
            },
            "/metrics": {
                "get": operation(
                    "Prometheus metrics",
                    Scope.METRICS_READ,
                    {"200": {"description": "Text.", "content": {"text/plain": text}}},
                )
            },
        },
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "ups_…"}},
        },
    }


_REFUSALS = {
    "401": "No valid key was sent.",
    "403": "The key lacks the scope.",
    "503": "The journal cannot be written now; nothing was accepted. See Retry-After.",
}
_ORDER_ANSWER = {
    "type": "object",
    "required": ["order", "seq", "duplicate"],
    "properties": {"order": {"type": "string"}, "seq": {"type": "integer"}, "duplicate": {"type": "boolean"}},
}
_REPORT_ANSWER = {
    "type": "object",
    "required": ["nudge", "seq", "duplicate"],
    "properties": {"nudge": {"type": "string"}, "seq": {"type": "integer"}, "duplicate": {"type": "boolean"}},
}


def _json(schema: Any, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
