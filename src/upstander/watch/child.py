"""A watcher's process: builds its walls, opens its source, reports. What a stream is worth is decided elsewhere."""

from __future__ import annotations

import importlib
import os
import signal
import socket
import traceback
from typing import Any

import av

from upstander.watch import decode, sandbox
from upstander.watch.errors import Lost, WatchError
from upstander.watch.messages import Answer, Beat, Ended, Gone, Line, Offer, Order, Ready


def begin(end: socket.socket) -> None:
    """Everything a child does, from its first message to its end. Never returns."""
    line = Line(end)
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        order, fds = line.command(30)
        if isinstance(order, Order):
            _obey(order, fds, line)
            status = 0
    except Gone:
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _obey(order: Order, fds: list[int], line: Line) -> None:
    av.logging.set_level(None)
    beat = Beat()
    try:
        line.send(*_walled(order))
        if order.way == "whep":
            _whep().receive(order, line, _exchange)
            ended = Ended()
        else:
            source = os.fdopen(fds[0], "rb", buffering=0) if order.way == "fd" else None
            decode.run(order, line, source, beat)
            ended = Ended(beat=beat)
    except WatchError as error:
        ended = Ended(fault=str(error)[:2_000], again=isinstance(error, Lost), beat=beat)
    except av.FFmpegError as error:
        ended = Ended(fault=f"{type(error).__name__}: {error.strerror}"[:2_000], again=True, beat=beat)
    except MemoryError:
        ended = Ended(fault="the decoder asked for more memory than it is allowed", again=True, beat=beat)
    line.send(ended)


def _walled(order: Order) -> tuple[Ready, list[int]]:
    """Build the walls. The listener has to be made inside them, and its descriptor goes out."""
    walls, fds, port = [], [], 0
    if order.way == "whep":
        _whep().load()
    if order.sandbox:
        sandbox.limit(order.memory_mb)
        walls.append("limits")
        if order.way != "whep" and sandbox.cut_off():
            walls.append("network")
    if order.way == "relay":
        listener = socket.create_server(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        order.url = order.url.format(port=port)
        order.options = {name: value.replace("{port}", str(port)) for name, value in order.options.items()}
        fds = [os.dup(listener.fileno())]
        listener.close()
    if order.sandbox:
        if sandbox.drop_rights():
            walls.append("nobody")
        sandbox.close_off(order.way, files=order.way == "whep" or order.url.startswith("https"))
        walls.append("system calls")
    return Ready(port, walls), fds


def _whep() -> Any:
    """The module that receives WebRTC. Raises ``WatchError`` when aiortc is not installed."""
    try:
        return importlib.import_module("upstander.watch.whep")
    except ImportError:
        raise WatchError("WHEP needs packages that are not installed. Run: pip install 'upstander[whep]'") from None


def _exchange(line: Line, sdp: str) -> str:
    """An offer out, the server's answer back."""
    line.send(Offer(sdp))
    answer, _ = line.command(30)
    if not isinstance(answer, Answer):
        raise WatchError("something else than an answer came")
    return answer.sdp
