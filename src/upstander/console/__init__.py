"""The console: pages for moderators, administrators and auditors. Needs the packages of ``upstander[console]``."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.util import find_spec

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from upstander.gateway.http import problem

PACKAGES = ("argon2", "authlib", "jinja2", "pyotp", "segno", "webauthn", "zxcvbn")


def missing() -> list[str]:
    """The packages that the console needs and that are not installed."""
    return [name for name in PACKAGES if find_spec(name) is None]


def console_routes() -> list[BaseRoute]:
    """The console's routes; one that says what to install when its packages are missing."""
    if missing():
        return [Route(path, _absent) for path in ("/", "/live", "/sign-in")]
    from upstander.console.routes import routes  # noqa: PLC0415

    return list(routes())


async def _absent(request: Request) -> Response:
    reason = f"the console's packages are not installed ({', '.join(missing())})"
    return problem(501, reason, "Run: pip install 'upstander[console]'")


@asynccontextmanager
async def running(app: Starlette) -> AsyncIterator[None]:
    """While the service runs: tell the journal how far the ledger is; close the files at the end."""
    if missing():
        yield
        return
    from upstander.console.core import Console  # noqa: PLC0415

    console = app.state.console = Console(app.state.service)
    anchoring = asyncio.create_task(console.keep_anchoring(), name="ledger anchors")
    try:
        yield
    finally:
        anchoring.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await anchoring
        await console.anchor()
        console.close()
