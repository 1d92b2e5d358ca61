"""The gateway's server with nothing behind it, in the framework named: decodes an event, answers a constant."""

from __future__ import annotations

import asyncio
import socket
import sys
from typing import Any

import msgspec
import uvicorn
import uvloop

from upstander.model.events import Comment
from upstander.model.wire import decode_event


class Answer(msgspec.Struct):
    event: str
    verdict: str = "allow"
    decided: bool = True


def starlette_app() -> Any:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    async def hold(request: Request) -> Response:
        event = decode_event(await request.body())
        return Response(msgspec.json.encode(Answer(event.id)), media_type="application/json")

    return Starlette(routes=[Route("/v1/hold", hold, methods=["POST"])])


def litestar_app() -> Any:
    from litestar import Litestar, post

    @post("/v1/hold", status_code=200)
    async def hold(data: Comment) -> Answer:
        return Answer(data.id)

    return Litestar([hold], openapi_config=None, logging_config=None)


async def main() -> None:
    app = {"starlette": starlette_app, "litestar": litestar_app}[sys.argv[1]]()
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    print(f"listens on http://127.0.0.1:{listener.getsockname()[1]} ", flush=True)
    config = uvicorn.Config(
        app, http="httptools", access_log=False, log_config=None, server_header=False, lifespan="off"
    )
    await uvicorn.Server(config).serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    asyncio.run(main())
