"""The web application: which path is served by what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

from upstander.console import console_routes, running
from upstander.gateway import broadcasts, events, nginx_rtmp, nudges
from upstander.gateway.http import EXCEPTION_HANDLERS, authorise, json_response, problem, service_of
from upstander.gateway.keys import Scope
from upstander.gateway.openapi import describe
from upstander.gateway.service import Service
from upstander.gateway.stream import stream


async def _health(request: Request) -> Response:
    return PlainTextResponse("ok")


async def _ready(request: Request) -> Response:
    service = service_of(request)
    if not service.intake.available:
        return PlainTextResponse("not ready: the journal cannot be written", 503)
    # Why stands in the log: anyone may ask here.
    failed = "; the packs in the folder are broken, those before go on (see the log)" if service.reloader.failed else ""
    return PlainTextResponse(f"ready{failed}")


async def _upgrade(request: Request) -> Response:
    fix = "Open it as a WebSocket; for plain HTTP there is /v1/decisions."
    return problem(426, "the stream is a WebSocket", fix)


async def _metrics(request: Request) -> Response:
    authorise(request, Scope.METRICS_READ)
    return Response(service_of(request).metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")


async def _openapi(request: Request) -> Response:
    return json_response(describe())


def create_app(service: Service) -> Starlette:
    """The application for a service; its lifespan starts and stops the service."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        if not service.ready:
            await service.start()
        try:
            async with running(app):
                yield
        finally:
            await service.stop()

    routes = [
        Route("/v1/events", events.post_events, methods=["POST"]),
        Route("/v1/hold", events.post_hold, methods=["POST"]),
        Route("/v1/decisions", broadcasts.get_decisions),
        # Orders first: a broadcast's id may itself contain slashes.
        Route("/v1/broadcasts/{broadcast:path}/orders", broadcasts.post_order, methods=["POST"]),
        Route("/v1/broadcasts/{broadcast:path}", broadcasts.get_broadcast),
        Route("/v1/nudges", nudges.get_card),
        Route("/v1/nudges/{nudge}", nudges.post_report, methods=["POST"]),
        WebSocketRoute("/v1/stream", stream),
        Route("/v1/stream", _upgrade),
        Route("/healthz", _health),
        Route("/readyz", _ready),
        Route("/metrics", _metrics),
        Route("/openapi.json", _openapi),
        Route(nudges.COMPONENT, nudges.get_component),
        Route("/adapters/{adapter}/publish", nginx_rtmp.on_publish, methods=["POST"]),
        Route("/adapters/{adapter}/done", nginx_rtmp.on_publish_done, methods=["POST"]),
        *console_routes(),
    ]
    app = Starlette(routes=routes, lifespan=lifespan, exception_handlers=EXCEPTION_HANDLERS)
    app.state.service = service
    return app
