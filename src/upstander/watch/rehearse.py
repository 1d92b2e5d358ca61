"""Decodes a few made-up frames before any stream is there: what is loaded on first use is loaded outside the walls."""

from __future__ import annotations

import importlib
import io

import av
import numpy as np

from upstander.watch import decode
from upstander.watch.messages import RATE, Beat, Command, Line, Order, Report


class _Nobody(Line):
    """A line that leads nowhere."""

    def __init__(self) -> None:
        pass

    def send(self, message: Report | Command, fds: list[int] | None = None) -> None:
        """Forget it."""

    def waiting(self) -> bool:
        """Never."""
        return False


def rehearse() -> None:
    """Go once through everything that a watcher's process does with a stream."""
    for name in ("encodings.idna", "encodings.utf_8", "encodings.ascii", "stringprep", "traceback", "linecache"):
        importlib.import_module(name)
    order = Order(way="fd", live=False, pictures=True, clip_s=0.1)
    decode.run(order, _Nobody(), io.BytesIO(_film()), Beat())
    av.logging.set_level(None)
    try:
        av.open(io.BytesIO(b"nothing"), timeout=(1.0, 1.0))
    except av.FFmpegError as error:
        str(error)


def _film() -> bytes:
    """Two seconds of grey and silence."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as out:
        video = out.add_stream("mpeg4", 10)
        video.width, video.height, video.pix_fmt, video.gop_size = 64, 64, "yuv420p", 5
        voice = out.add_stream("aac", RATE, layout="mono")
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number * 10, np.uint8), "rgb24")
            frame.pts = number
            out.mux(video.encode(frame))
        for number in range(2 * RATE // 1024):
            piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
            piece.sample_rate, piece.pts = RATE, number * 1024
            out.mux(voice.encode(piece))
        out.mux(video.encode(None))
        out.mux(voice.encode(None))
    return buffer.getvalue()
