"""WebRTC through WHEP, aiortc on both sides: a server here sends a moving picture, the watcher takes frames from it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator

import av
import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from watch_support import nursery, pattern, prepared

from support import until
from upstander.watch import sandbox
from upstander.watch.address import Rules
from upstander.watch.errors import WatchError
from upstander.watch.source import Source
from upstander.watch.watcher import Limits

aiortc = pytest.importorskip("aiortc", reason="pip install 'upstander[whep]'")
from aioice import ice  # noqa: E402

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)


class Picture(aiortc.VideoStreamTrack):
    """Patterns, at the pace that aiortc sets."""

    number = 0

    async def recv(self) -> av.VideoFrame:
        pts, base = await self.next_timestamp()
        frame = av.VideoFrame.from_ndarray(pattern(self.number // 30), "rgb24")
        frame.pts, frame.time_base = pts, base
        self.number += 1
        return frame


class Whep:
    """A WHEP server: an offer is posted, 201 and an answer come back."""

    def __init__(self) -> None:
        self.peers: list[aiortc.RTCPeerConnection] = []
        self.tokens: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        routes = [Route("/live/b1", self.offered, methods=["POST"]), Route("/none", self.none, methods=["POST"])]
        config = uvicorn.Config(Starlette(routes=routes), log_level="error")
        self.server = uvicorn.Server(config)

    async def offered(self, request: Request) -> Response:
        self.tokens.append(request.headers.get("authorization", ""))
        peer = aiortc.RTCPeerConnection(aiortc.RTCConfiguration(iceServers=[]))
        self.peers.append(peer)
        peer.addTrack(Picture())
        await peer.setRemoteDescription(aiortc.RTCSessionDescription((await request.body()).decode(), "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        headers = {"location": "/live/b1/1"}
        return Response(peer.localDescription.sdp, 201, headers, media_type="application/sdp")

    async def none(self, _: Request) -> Response:
        return Response("", 403)

    async def hang_up(self) -> None:
        for peer in self.peers:
            await peer.close()

    async def serve(self) -> None:
        await self.server.serve(sockets=[self.socket])
        await self.hang_up()


@contextlib.contextmanager
def whep() -> Iterator[Whep]:
    made = Whep()
    thread = threading.Thread(target=lambda: asyncio.run(made.serve()), daemon=True)
    thread.start()
    until(lambda: made.server.started)
    try:
        yield made
    finally:
        made.server.should_exit = True
        thread.join(20)


def test_frames_through_whep() -> None:
    with whep() as server, nursery() as young:
        url = f"whep+http://:word@127.0.0.1:{server.port}/live/b1"
        rules = Rules().with_host("127.0.0.1", server.port)
        # aiortc offers this machine's addresses but loopback: they are allowed as a site would allow its own.
        here = tuple(ice.get_host_addresses(use_ipv4=True, use_ipv6=False))
        source = Source(url, msgspec.structs.replace(rules, private=(*rules.private, *here)))
        found = prepared(source, young, limits=Limits(deadline_s=20, open_s=30, attempts=1), memory_mb=1024)
        running = threading.Thread(target=found.watcher.run)
        running.start()
        try:
            until(lambda: len(found.frames) >= 3 or not running.is_alive(), "frames", 60)
            assert len(found.frames) >= 3, (found.watcher.state, found.told)
        finally:
            found.watcher.stop()
            running.join(20)
        assert server.tokens == ["Bearer word"]
        assert all(frame.pdq and frame.quality and frame.quality > 50 for frame in found.frames[1:])
        assert "system calls" in found.watcher.state.walls
        assert "word" not in found.watcher.state.source


def test_a_server_that_says_no() -> None:
    with whep() as server, nursery() as young:
        source = Source(f"whep+http://127.0.0.1:{server.port}/none", Rules().with_host("127.0.0.1", server.port))
        found = prepared(source, young, limits=Limits(attempts=2))
        assert "answered 403" in found.watcher.run()
        assert found.watcher.state.tries == 1
    with pytest.raises(WatchError, match="not on the list"):
        Source("whep://example.org/x", Rules())
