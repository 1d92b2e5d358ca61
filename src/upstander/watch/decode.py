"""Packets to samples: key frames hashed, sound in seconds, clips when media is kept. Runs inside the walls."""

from __future__ import annotations

import io
import time
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from upstander.watch import pdq
from upstander.watch.errors import Lost
from upstander.watch.messages import (
    PICTURE_HEIGHT,
    PICTURE_WIDTH,
    RATE,
    Beat,
    Clip,
    Ease,
    Line,
    Opened,
    Order,
    Picture,
    Sound,
)
from upstander.watch.pace import Pace, Timeline

#: Larger pictures than this (width x height) are refused by the decoder: a header must not buy the memory of a house.
MAX_PIXELS = 4096 * 2304
BEAT_S = 0.5
#: So many faults of a decoder without one good frame (key frames, or all of them), and a live stream is opened anew:
#: it may be in another codec by now.
MAX_FAULTS, MAX_FAULTS_OF_ALL = 5, 200
_LUMA_FIRST = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "nv21", "gray"})
_BT709 = 1


def now_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


def open_source(order: Order, source: Any) -> Any:
    """The opened container. Raises ``av.FFmpegError``."""
    options = {"probesize": "1000000", "analyzeduration": "1500000"} | order.options
    if order.live:
        options = {"fflags": "discardcorrupt"} | options
    name = source if source is not None else order.url
    return av.open(name, format=order.format or None, options=options, timeout=(order.read_s, order.read_s))


def run(order: Order, line: Line, source: Any, beat: Beat) -> None:
    """Read until the end. Raises ``Lost`` or ``av.FFmpegError`` when that is not how the stream meant it."""
    with open_source(order, source) as container:
        pictures = Pictures(order, container, beat)
        tracks = Tracks(order, container)
        if pictures.stream is None and not tracks.streams:
            raise Lost("there is neither video nor audio in it")
        line.send(Opened(container.format.name, pictures.describe(), tracks.describe()))
        Reader(order, line, container, pictures, tracks, beat).read()


class Reader:
    """Hands packets out and reports what comes of them."""

    def __init__(
        self, order: Order, line: Line, container: Any, pictures: Pictures, tracks: Tracks, beat: Beat
    ) -> None:
        self.order, self.line, self.container = order, line, container
        self.pictures, self.tracks, self.beat = pictures, tracks, beat
        self.clips = Clips(order, pictures.stream, tracks.streams) if order.clip_s else None
        self.timeline = Timeline(live=order.live)
        self._next_beat = 0.0

    def read(self) -> None:
        """All packets to the end."""
        streams = [*([self.pictures.stream] if self.pictures.stream is not None else []), *self.tracks.streams]
        for packet in self.container.demux(streams):
            now = time.monotonic()
            if now >= self._next_beat:
                self._beat(now)
            if packet.size:
                self.beat.packets += 1
                self._take(packet, now * 1000)
        for sound in self.tracks.rest(self.beat.offset_ms):
            self.line.send(sound)
        if self.clips is not None:
            self._send(self.clips.cut())

    def _take(self, packet: Any, wall_ms: float) -> None:
        kind = packet.stream.type
        claimed = packet.pts if packet.pts is not None else packet.dts
        claimed_ms = None if claimed is None or packet.time_base is None else float(claimed * packet.time_base * 1000)
        if kind == "video" or self.pictures.stream is None:
            self.beat.offset_ms = self.timeline.at(claimed_ms, wall_ms)
            self.beat.wrong_times = self.timeline.wrong
            if self.order.live and kind == "video":
                self.pictures.pace.behind(self.beat.offset_ms, wall_ms)
        if kind == "video":
            picture = self.pictures.look(packet, self.beat.offset_ms)
            if picture is not None:
                self.line.send(picture)
        elif kind == "audio":
            for sound in self.tracks.hear(packet, self.beat.offset_ms):
                self.line.send(sound)
        if self.clips is not None:
            self._send(self.clips.add(packet, self.beat.offset_ms))

    def _beat(self, now: float) -> None:
        self._next_beat = now + BEAT_S
        self.beat.interval_s = max(self.pictures.pace.interval_s, self.pictures.pace.floor_s)
        self.line.send(self.beat)
        while self.line.waiting():
            command, _ = self.line.command()
            if isinstance(command, Ease):
                self.pictures.pace.floor_s = min(60.0, max(0.0, command.interval_s))

    def _send(self, clip: Clip | None) -> None:
        if clip is not None:
            self.line.send(clip)


class Pictures:
    """The video: which frames are decoded, and what is reported of them."""

    def __init__(self, order: Order, container: Any, beat: Beat) -> None:
        self.order, self.beat = order, beat
        self.pace = Pace(order.interval_s, order.interval_s)
        # Cover art in a sound file is no video.
        found = [s for s in container.streams.video if not int(s.disposition) & 0x400 and s.codec_context is not None]
        self.stream: Any = found[0] if found else None
        self._every, self._faults = False, 0
        self._reformatter = av.video.reformatter.VideoReformatter() if order.pictures else None
        if self.stream is not None:
            context = self.stream.codec_context
            context.thread_count = 1
            context.options = {"max_pixels": str(MAX_PIXELS)}
            context.skip_frame = "NONKEY"

    def describe(self) -> str:
        """Codec and size; empty: no video."""
        if self.stream is None:
            return ""
        context = self.stream.codec_context
        return f"{context.name} {context.width}x{context.height}"

    def look(self, packet: Any, offset_ms: int) -> Picture | None:
        """What is to be reported of a packet, if anything."""
        changed = False
        if packet.is_keyframe:
            changed = self.pace.key(offset_ms)
            if self.pace.every_frame != self._every:
                self._every = not self._every
                self.stream.codec_context.skip_frame = "DEFAULT" if self._every else "NONKEY"
                self.beat.mode = "every frame" if self._every else "key frames"
        if not self._every and not (packet.is_keyframe and self.pace.due(offset_ms, changed)):
            return None
        frame = self._decoded(packet)
        if frame is None or (self._every and not self.pace.due(offset_ms, changed)):
            return None
        self.beat.frames += 1
        return picture_of(frame, offset_ms, changed, self._reformatter)

    def _decoded(self, packet: Any) -> Any:
        context = self.stream.codec_context
        try:
            frames = context.decode(packet)
            if not frames and not self._every:
                # The decoder waits for frames that come earlier in time; none will be given to it.
                frames = context.decode(None)
                context.flush_buffers()
        except av.FFmpegError as error:
            self.beat.corrupt += 1
            self._faults += 1
            if not self._every:
                context.flush_buffers()
            if self.order.live and self._faults >= (MAX_FAULTS_OF_ALL if self._every else MAX_FAULTS):
                raise Lost(f"{self._faults} packets in a row could not be decoded ({error.strerror})") from None
            return None
        if not frames:
            return None
        self._faults = 0
        if frames[-1].is_corrupt:
            self.beat.corrupt += 1
        return frames[-1]


def picture_of(frame: Any, offset_ms: int, changed: bool, reformatter: Any) -> Picture:
    """What is reported of a decoded frame. ``reformatter`` ``None``: without a picture for the models."""
    samples = samples_of(frame)
    luma = np.clip(np.rint(samples), 0, 255).astype(np.uint8).tobytes()
    rgb = b""
    if reformatter is not None:
        height = max(2, min(PICTURE_HEIGHT, round(frame.height * PICTURE_WIDTH / max(1, frame.width))))
        small = reformatter.reformat(frame, PICTURE_WIDTH, height, "rgb24", interpolation="AREA", threads=1)
        rgb = small.to_ndarray().tobytes()
    size = (frame.width, frame.height)
    return Picture(offset_ms, now_ms(), pdq.bits(samples).hex(), pdq.quality(samples), changed, luma, size, rgb)


def plane_of(frame: Any, number: int) -> NDArray[np.uint8]:
    """A plane of 8-bit values ``(height, width)`` without a copy."""
    plane = frame.planes[number]
    rows: NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
    return rows[: plane.height]


def samples_of(frame: Any) -> pdq.Matrix:
    """The 64 x 64 samples that PDQ hashes of a decoded frame, 0 to 255.

    PDQ weighs colours as BT.601 does. Luma of BT.709 is brought there by its chroma: for 64 x 64 samples, not for all.
    """
    name = frame.format.name
    if min(frame.width, frame.height) < pdq.MIN_SIDE:
        return np.zeros((pdq.SIDE, pdq.SIDE), np.float32)
    if name not in _LUMA_FIRST:
        return pdq.shrink(plane_of(frame.reformat(format="gray", threads=1), 0))
    samples = pdq.shrink(plane_of(frame, 0))
    full = name.startswith("yuvj") or name == "gray" or frame.color_range == 2
    if not full:
        samples = (samples - np.float32(16)) * np.float32(255 / 219)
    if frame.colorspace == _BT709 and name.startswith("yuv") and min(p.width for p in frame.planes) >= pdq.SIDE:
        scale = np.float32(1 if full else 255 / 224)
        for plane, weight in ((1, 0.1016), (2, 0.1961)):
            samples = samples + (pdq.shrink(plane_of(frame, plane)) - np.float32(128)) * scale * np.float32(weight)
    return samples


class Tracks:
    """The audio tracks, decoded to 16 kHz mono and handed on in pieces of about a second."""

    def __init__(self, order: Order, container: Any) -> None:
        found = [s for s in container.streams.audio if s.codec_context is not None] if order.sound else []
        self.streams = found[:16]
        self._resamplers: dict[int, Any] = {}
        self._pieces: dict[int, list[NDArray[np.int16]]] = {}
        self._began: dict[int, int] = {}
        for stream in self.streams:
            stream.codec_context.thread_count = 1

    def describe(self) -> list[str]:
        """Each track's title, or its codec."""
        return [str(s.metadata.get("title") or s.codec_context.name)[:200] for s in self.streams]

    def hear(self, packet: Any, offset_ms: int) -> list[Sound]:
        """What became complete with this packet."""
        track = next((n for n, stream in enumerate(self.streams) if stream.index == packet.stream.index), None)
        if track is None:
            return []
        try:
            for frame in packet.stream.codec_context.decode(packet):
                self._began.setdefault(track, offset_ms)
                self._pieces.setdefault(track, []).extend(self._resampled(track, frame))
        except (av.FFmpegError, ValueError):
            self._resamplers.pop(track, None)
            return []
        length = sum(len(piece) for piece in self._pieces.get(track, []))
        return [self._cut(track)] if length >= RATE else []

    def _resampled(self, track: int, frame: Any) -> list[NDArray[np.int16]]:
        frame.pts = None
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        known = self._resamplers.get(track)
        if known is None or known[0] != shape:
            known = self._resamplers[track] = (shape, av.AudioResampler("s16", "mono", RATE))
        return [piece.to_ndarray()[0] for piece in known[1].resample(frame)]

    def _cut(self, track: int) -> Sound:
        pcm = np.concatenate(self._pieces.pop(track))[: RATE * 60]
        return Sound(track, self._began.pop(track), now_ms(), pcm.astype("<i2").tobytes())

    def rest(self, offset_ms: int) -> list[Sound]:
        """What is left at the end."""
        return [self._cut(track) for track in list(self._pieces) if self._pieces[track] and offset_ms >= 0]


class Clips:
    """The stream's own packets in Matroska files of some seconds, each of which can be played by itself."""

    def __init__(self, order: Order, video: Any, sounds: list[Any]) -> None:
        self._length_ms = order.clip_s * 1000
        self._templates = [*([video] if video is not None else []), *sounds]
        self._video = video
        self._file: Any = None
        self._buffer = io.BytesIO()
        self._streams: dict[int, Any] = {}
        self._from = self._to = 0

    def add(self, packet: Any, offset_ms: int) -> Clip | None:
        """Put a packet in; the clip that ended before it, if one did. A clip with video begins with a key frame."""
        done = None
        starts = packet.is_keyframe and (self._video is None or packet.stream.index == self._video.index)
        if self._file is not None and starts and offset_ms - self._from >= self._length_ms:
            done = self.cut()
        if self._file is None:
            if not starts or packet.dts is None:
                return done
            self._open(offset_ms)
        stream = self._streams.get(packet.stream.index)
        if stream is not None and packet.dts is not None:
            packet.stream = stream
            try:
                self._file.mux(packet)
                self._to = offset_ms
            except (av.FFmpegError, ValueError):
                done = self.cut() or done
        return done

    def _open(self, offset_ms: int) -> None:
        self._buffer = io.BytesIO()
        self._file = av.open(self._buffer, "w", format="matroska")
        self._streams = {s.index: self._file.add_stream_from_template(s) for s in self._templates}
        self._from = self._to = offset_ms

    def cut(self) -> Clip | None:
        """End the clip that is being made."""
        if self._file is None:
            return None
        try:
            self._file.close()
        except (av.FFmpegError, ValueError):
            return None
        finally:
            self._file = None
        return Clip(self._from, self._to, now_ms(), self._buffer.getvalue())
