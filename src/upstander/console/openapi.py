"""The console as an API in the OpenAPI document: the same paths and permissions as its pages, answered in JSON.

Made from the one table of permissions; what each route takes and gives is in ``api_shapes``.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from upstander.console.api_shapes import SHAPES, Shape
from upstander.people.permissions import GRANTS, KEYS, ROUTES, Permission

_PARAMETERS = {
    "case": ("A case's id, or the digits that it begins with (at least 4).", "^[0-9a-f]{4,16}$"),
    "batch": ("The id of a bulk action.", "^[0-9a-f]{12}$"),
    "item": ("An item's address, or the digits that it begins with (at least 8).", "^[0-9a-f]{8,64}$"),
    "report": ("A report's id, or the beginning of it (at least 4 characters).", "^r-[0-9a-f]{2,12}$"),
    "entry": ("An entry's id in a bank.", "^[0-9a-f]{16}$"),
    "ask": ("The id of what somebody asks for.", "^[0-9a-f]{12}$"),
    "platform": ("A platform.", "^[a-z0-9_-]{1,64}$"),
    "broadcast": ("A broadcast's id.", ""),
    "person": ("An account's name.", "^[a-z0-9][a-z0-9._-]{1,31}$"),
    "key": ("A key's id.", "^[0-9a-f]{12}$"),
}
_REFUSALS = {
    "400": "The request is not one.",
    "406": "There is a page for people only.",
    "401": "No session is open, its sign-in is not complete, or no valid key was sent.",
    "403": "The person's roles (or the key's scopes) do not include it, or `x-form-token` is missing or another's.",
    "404": "There is no such thing, or it is another platform's.",
    "409": "It cannot be done as things stand; the reason says why.",
    "422": "Something of what was sent cannot be used; the reason says what.",
    "429": "Too many requests, or too many wrong codes: wait.",
    "503": "The vault or the journal cannot be used now.",
}
SECURITY = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "upstander_session",
        "description": "The cookie of a person who is signed in (over TLS `__Host-upstander_session`). Requests that "
        "change something also carry `x-form-token`, which every JSON answer gives as a header.",
    }
}


def paths(error: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The paths of the console and the schemas that they refer to. ``error``: the schema of a refusal."""
    chosen = {
        where: needs for where, needs in ROUTES.items() if isinstance(needs, Permission) and where[1] not in _FEEDS
    }
    shapes = {where: SHAPES.get(where) or Shape(f"The page {where[1]}") for where in chosen}
    kinds = [kind for shape in shapes.values() for kind in (shape.body, shape.answer) if kind is not None]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    by_kind = dict(zip(map(id, kinds), schemas, strict=True))
    made: dict[str, Any] = {}
    for (method, path), needs in chosen.items():
        plain = re.sub(r":\w+}", "}", path)
        operation = _operation(method, path, needs, shapes[method, path], by_kind, error)
        made.setdefault(plain, {})[method.lower()] = operation
    return made, components


_FEEDS = ("/live/events", "/cases/events")


def _operation(
    method: str, path: str, needs: Permission, shape: Shape, schemas: dict[int, Any], error: dict[str, Any]
) -> dict[str, Any]:
    roles = ", ".join(sorted(GRANTS[needs]))
    scope = KEYS.get((method, path))
    said = f"Needs `{needs}` ({roles})." + (f" A key needs the scope `{scope}`." if scope else "")
    if scope and method == "POST":
        said += " A key says in `by` who acts."
    security: list[dict[str, list[str]]] = [{"session": []}]
    made: dict[str, Any] = {
        "summary": shape.summary,
        "description": said,
        "security": [*security, {"key": []}] if scope else security,
        "responses": {code: _json(error, why) for code, why in _REFUSALS.items()} | _ok(shape, schemas),
    }
    named = [_in_path(name) for name in re.findall(r"{(\w+)(?::\w+)?}", path)]
    named += [_in_query(name, schema) for name, schema in shape.query.items()]
    if method == "POST":
        token = {"type": "string", "description": "From the header of any JSON answer; not needed with a key."}
        named.append({"name": "x-form-token", "in": "header", "required": False, "schema": token})
        schema = schemas[id(shape.body)] if shape.body is not None else {"type": "object"}
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    if named:
        made["parameters"] = named
    return made


def _ok(shape: Shape, schemas: dict[int, Any]) -> dict[str, Any]:
    said = shape.summary + "."
    if not shape.media:
        return {"204": {"description": said}}
    if shape.media != "application/json":
        content = {shape.media: {"schema": {"type": "string", "format": "binary"}}}
        return {"200": {"description": said, "content": content}}
    return {shape.code: _json(schemas[id(shape.answer)] if shape.answer is not None else {"type": "object"}, said)}


def _json(schema: Any, description: str) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _in_path(name: str) -> dict[str, Any]:
    said, pattern = _PARAMETERS[name]
    schema = {"type": "string", "minLength": 1} | ({"pattern": pattern} if pattern else {})
    return {"name": name, "in": "path", "required": True, "description": said, "schema": schema}


def _in_query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}
