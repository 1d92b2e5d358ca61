"""``/openapi.json``: it parses, its references resolve, it names every route, and answers fit what it says of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.routing import Route, WebSocketRoute

from support import PROBE, Recorder, asynchronous, comment, event, gateway, started
from upstander.gateway.openapi import describe
from upstander.settings import Hold


def nodes(tree: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(tree, dict):
        yield path, tree
        for name, value in tree.items():
            yield from nodes(value, f"{path}/{name}")
    elif isinstance(tree, list):
        for n, value in enumerate(tree):
            yield from nodes(value, f"{path}/{n}")


def resolve(document: Any, reference: str) -> Any:
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def complaints(document: Any, schema: dict[str, Any], value: Any, where: str = "$") -> list[str]:
    """What in a value does not fit a schema: the keywords that this document uses, and no others."""
    if "$ref" in schema:
        return complaints(document, resolve(document, schema["$ref"]), value, where)
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            tried = [complaints(document, each, value, where) for each in schema[keyword]]
            fits = sum(not found for found in tried)
            return [] if fits >= 1 else [f"{where}: fits none of {keyword}: {min(tried, key=len)}"]
    kinds = {
        "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
        "null": type(None),
    }  # fmt: skip
    found = []
    if "type" in schema:
        kind = kinds[schema["type"]]
        if not isinstance(value, kind) or (isinstance(value, bool) and schema["type"] in ("integer", "number")):
            return [f"{where}: {value!r} is no {schema['type']}"]
    if "enum" in schema and value not in schema["enum"]:
        found.append(f"{where}: {value!r} is none of {schema['enum']}")
    if isinstance(value, str):
        if not schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9):
            found.append(f"{where}: its length is {len(value)}")
        if "pattern" in schema and not re.search(schema["pattern"], value):
            found.append(f"{where}: {value!r} does not match {schema['pattern']}")
    if isinstance(value, int | float) and not (schema.get("minimum", value) <= value <= schema.get("maximum", value)):
        found.append(f"{where}: {value} is out of range")
    if isinstance(value, dict):
        found += [f"{where}: {name} is missing" for name in schema.get("required", ()) if name not in value]
        properties = schema.get("properties", {})
        for name, each in value.items():
            if name in properties:
                found += complaints(document, properties[name], each, f"{where}.{name}")
            elif isinstance(schema.get("additionalProperties"), dict):
                found += complaints(document, schema["additionalProperties"], each, f"{where}.{name}")
            elif schema.get("additionalProperties") is False:
                found.append(f"{where}: {name} is not allowed")
    if isinstance(value, list):
        prefix = schema.get("prefixItems", [])
        for n, each in enumerate(value):
            items = prefix[n] if n < len(prefix) else schema.get("items", {})
            if isinstance(items, dict):
                found += complaints(document, items, each, f"{where}[{n}]")
    return found


def test_every_reference_resolves_and_every_component_is_used() -> None:
    document = describe()
    references = {node["$ref"] for _, node in nodes(document) if "$ref" in node}
    mapped = {target for _, node in nodes(document) if "mapping" in node for target in node["mapping"].values()}
    for reference in references | mapped:
        assert resolve(document, reference), reference
    for name in document["components"]["schemas"]:
        assert f"#/components/schemas/{name}" in references, name


@asynchronous
async def test_it_is_served_without_a_key_and_names_every_route(tmp_path: Path) -> None:
    async with gateway(tmp_path) as g:
        response = await g.http.get("/openapi.json", headers={"authorization": ""})
        assert response.status_code == 200
        document = response.json()
        assert document == json.loads(json.dumps(describe()))
        routes = g.http._transport.app.routes  # type: ignore[attr-defined]
        expected = {
            re.sub(r":\w+}", "}", route.path): sorted((route.methods or {"GET"}) - {"HEAD"})
            if isinstance(route, Route)
            else ["GET"]
            for route in routes
            if isinstance(route, Route | WebSocketRoute) and route.path.startswith("/v1/")
        }
        paths = {
            path: sorted(method.upper() for method in item)
            for path, item in document["paths"].items()
            if path.startswith("/v1/")
        }
        assert paths == expected
        for path in ("/healthz", "/readyz", "/metrics"):
            assert path in document["paths"]
        for _, node in nodes(document["paths"]):
            for name in re.findall(r"{(\w+)}", str(node.get("path", ""))):
                assert name in [parameter["name"] for parameter in node["parameters"]]
        for path, item in document["paths"].items():
            for operation in item.values():
                declared = {each["name"] for each in operation.get("parameters", ()) if each["in"] == "path"}
                assert declared == set(re.findall(r"{(\w+)}", path))
                assert operation["summary"] and operation["responses"]


@asynchronous
async def test_what_is_sent_and_answered_fits_the_document(tmp_path: Path) -> None:
    document = describe()
    bodies = [
        started(title="hello", device="mobile", language="en", on_deadline="hold", deadline_ms=200),
        comment("c1", PROBE, reply_to="c0"),
        event("joined", "j1", actor="v1", account_age_days=3, follows_host=False),
        event("left", "l1", actor="v1"),
        event("reaction", "r1", actor="v1", kind="like", count=3),
        event("gift", "g1", actor="v1", gift="rose", value=1.5, currency="EUR", text="hi"),
        event("followed", "f1", actor="v1"),
        event("invite", "i1", actor="v1", channel="direct_message"),
        event("user_report", "u1", actor="v2", subject="v1", reason="rude"),
        event("speech", "p1", speaker="host", text="hello all", confidence=0.9),
        event("frame", "x1", offset_ms=5, pdq="0" * 64, quality=90, faces=1, age_bands=["adult"], scene="home"),
        event("verdict", "v1", actor="ada", outcome="harmful", subject="v1", decision="c1", reason="why"),
        event("broadcast_ended", "e1", reason="over") | {"at": "2026-11-24T18:30:00.250Z"},
    ]

    def check(path: str, method: str, response: Any, request: Any = None) -> None:
        operation = document["paths"][path][method]
        declared = operation["responses"][str(response.status_code)]
        schema = declared["content"]["application/json"]["schema"]
        assert complaints(document, schema, response.json()) == [], (path, response.status_code)
        if request is not None:
            asked = operation["requestBody"]["content"]["application/json"]["schema"]
            assert complaints(document, asked, request) == [], request

    async with gateway(tmp_path, [Recorder()], hold=Hold(10_000)) as g:
        check("/v1/events", "post", await g.post(bodies), bodies)
        check("/v1/events", "post", await g.post(bodies[1]), bodies[1])
        check("/v1/events", "post", await g.post(b"what"))
        check("/v1/events", "post", await g.post(b""))
        check("/v1/events", "post", await g.http.post("/v1/events", content=b"x" * 5_000_000))
        check("/v1/events", "post", await g.http.post("/v1/events", content=b"", headers={"authorization": "x"}))
        held = comment("c2", PROBE)
        check("/v1/hold", "post", await g.hold(held), held)
        check("/v1/hold", "post", await g.hold(b"what"))
        check("/v1/hold", "post", await g.hold(held, deadline_ms=0))
        order = {"id": "o1", "do": "pause", "by": "Ada", "reason": "why"}
        where = "/v1/broadcasts/{broadcast}"
        check(f"{where}/orders", "post", await g.order(**order), order)
        check(f"{where}/orders", "post", await g.order(**(order | {"do": "resume"})))
        check(f"{where}/orders", "post", await g.order(do="nothing"))
        check(where, "get", await g.http.get("/v1/broadcasts/b1"))
        check(where, "get", await g.http.get("/v1/broadcasts/unknown"))
        check("/v1/decisions", "get", await g.http.get("/v1/decisions"))
        check("/v1/decisions", "get", await g.http.get("/v1/decisions?limit=0"))
        g.service.intake.available = False
        check("/v1/events", "post", await g.post(bodies))
        check("/v1/hold", "post", await g.hold(comment("c3")))
        check(f"{where}/orders", "post", await g.order(id="o2", do="pause"))
        g.service.intake.available = True
        await g.service.intake.order("mysite", _end())
    assert complaints(document, {"$ref": "#/components/schemas/Comment"}, {"type": "comment"}) != []


def _end() -> Any:
    from upstander.model.order import Order
    from upstander.model.vocabulary import Intervention

    return Order("o3", 0, "b1", Intervention.END, "Ada", "why")
