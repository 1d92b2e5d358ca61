"""WebRTC through WHEP, behind the walls: frames and sound from a peer connection. The HTTP side is in ``whep_http``.

aiortc decodes every frame, so such a stream costs more than one by RTMP. Its process may open datagram sockets and
threads; it has no network of its own, so what it may reach is held by the candidates that are let through.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil
import time
from collections.abc import Callable
from typing import Any

import aiortc
import av
import numpy as np
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from upstander.watch.decode import BEAT_S, now_ms, picture_of
from upstander.watch.errors import Lost
from upstander.watch.messages import RATE, Beat, Ease, Line, Opened, Order, Sound
from upstander.watch.pace import Pace, Timeline

Exchange = Callable[[Line, str], str]


def load() -> None:
    """Import what is imported late otherwise: behind the walls it may be out of reach."""
    import aioice

    for package in (aiortc, aioice):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.rpartition(".")[2].startswith("_"):
                with contextlib.suppress(ImportError):
                    importlib.import_module(module.name)
    for name in ("concurrent.futures.thread", "encodings.idna", "stringprep", "OpenSSL.SSL", "pylibsrtp"):
        importlib.import_module(name)


def receive(order: Order, line: Line, exchange: Exchange) -> None:
    """Receive until the connection ends. Raises ``Lost`` when it breaks or never comes about."""
    asyncio.run(_Receiver(order, line).run(exchange))


class _Receiver:
    """One peer connection."""

    def __init__(self, order: Order, line: Line) -> None:
        self.order, self.line = order, line
        self.beat = Beat(mode="every frame")
        self.pace = Pace(order.interval_s, order.interval_s)
        self.timeline = Timeline()
        self.lost: asyncio.Future[str]
        self._reformatter = av.video.reformatter.VideoReformatter() if order.pictures else None
        self._moved = time.monotonic()

    async def run(self, exchange: Exchange) -> None:
        """Offer, answer, receive."""
        self.lost = asyncio.get_running_loop().create_future()
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTransceiver("video", direction="recvonly")
        if self.order.sound:
            peer.addTransceiver("audio", direction="recvonly")
        tasks: list[asyncio.Task[None]] = []

        @peer.on("track")
        def track(found: Any) -> None:
            work = self._video(found) if found.kind == "video" else self._audio(found)
            tasks.append(asyncio.create_task(work))

        @peer.on("connectionstatechange")
        def changed() -> None:
            if peer.connectionState in ("failed", "closed", "disconnected"):
                self._lose(f"the connection is {peer.connectionState}")

        try:
            await peer.setLocalDescription(await peer.createOffer())
            sdp = await asyncio.to_thread(exchange, self.line, peer.localDescription.sdp)
            await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
            self.line.send(Opened("whep", "webrtc", ["webrtc"] if self.order.sound else []))
            tasks.append(asyncio.create_task(self._beats()))
            raise Lost(await self.lost)
        finally:
            for task in tasks:
                task.cancel()
            await peer.close()

    def _lose(self, why: str) -> None:
        if not self.lost.done():
            self.lost.set_result(why)

    async def _beats(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            if time.monotonic() - self._moved > self.order.read_s:
                self._lose(f"nothing came for {self.order.read_s:g} s")
            self.beat.interval_s = max(self.pace.interval_s, self.pace.floor_s)
            self.line.send(self.beat)
            while self.line.waiting():
                command, _ = self.line.command()
                if isinstance(command, Ease):
                    self.pace.floor_s = min(60.0, max(0.0, command.interval_s))

    async def _video(self, track: Any) -> None:
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                self._lose("the video ended")
                return
            self._moved = time.monotonic()
            claimed = None if frame.pts is None else float(frame.pts * frame.time_base * 1000)
            offset = self.beat.offset_ms = self.timeline.at(claimed, self._moved * 1000)
            self.beat.packets += 1
            self.beat.wrong_times = self.timeline.wrong
            if self.pace.due(offset):
                self.beat.frames += 1
                self.line.send(picture_of(frame, offset, False, self._reformatter))

    async def _audio(self, track: Any) -> None:
        resampler = av.AudioResampler("s16", "mono", RATE)
        pieces: list[Any] = []
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return
            self._moved = time.monotonic()
            frame.pts = None
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
            length = sum(len(piece) for piece in pieces)
            if length >= RATE:
                pcm = np.concatenate(pieces).astype("<i2").tobytes()
                offset = max(0, self.beat.offset_ms - length * 1000 // RATE)
                self.line.send(Sound(0, offset, now_ms(), pcm[: RATE * 120]))
                pieces = []
