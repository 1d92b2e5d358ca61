"""The API in the OpenAPI document: every route of the console is there, and nothing that is sent breaks the service."""

from __future__ import annotations

import re
from pathlib import Path

from api_fuzz import TOML, Fuzz, prepare

from support import serve
from upstander.console.api_shapes import SHAPES
from upstander.console.openapi import _FEEDS
from upstander.gateway.openapi import describe
from upstander.people.permissions import KEYS, ROUTES, Permission


def test_every_route_that_needs_a_permission_is_in_the_document_with_it() -> None:
    wanted = {
        where: needs for where, needs in ROUTES.items() if isinstance(needs, Permission) and where[1] not in _FEEDS
    }
    assert set(SHAPES) <= set(wanted), "a shape of a route that is not there"
    paths = describe()["paths"]
    for (method, path), needs in wanted.items():
        operation = paths[re.sub(r":\w+}", "}", path)][method.lower()]
        assert f"Needs `{needs}`" in operation["description"]
        schemes = {name for each in operation["security"] for name in each}
        assert schemes == ({"session", "key"} if (method, path) in KEYS else {"session"})
    assert any(path == "/v1/events" for path in paths), "the gateway is there, too"


def test_no_case_of_schemathesis_breaks_the_service(tmp_path: Path) -> None:
    """A few hundred here; 20,000 in ``benchmarks/api.py``."""
    prepare(tmp_path)
    with serve(tmp_path, TOML) as served:
        fuzz = Fuzz(served)
        try:
            fuzz.run(400)
        finally:
            fuzz.close()
        assert fuzz.failures == []
        assert fuzz.asked > 300
        assert fuzz.statuses[200] > 50, "some of it was let in"
