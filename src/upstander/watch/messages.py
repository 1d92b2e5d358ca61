"""What a watcher's process and the one that started it say to each other: length, then msgpack. No pickles.

What comes from the sandboxed side is read with hard limits: it may be under somebody else's control.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from typing import Annotated

import msgspec

MAX_BYTES = 64 * 1024 * 1024
_HEAD = struct.Struct("!I")
#: A picture for the models is this wide; its height follows, up to this.
PICTURE_WIDTH, PICTURE_HEIGHT = 320, 640
RATE = 16_000

Small = Annotated[str, msgspec.Meta(max_length=2_000)]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=10**14)]


class Order(msgspec.Struct, tag="order"):
    """What a watcher's process is to do. ``way``: ``fd`` (the source is a descriptor that comes along), ``relay`` (it
    connects to its own listener, see ``relay``) or ``whep``. ``url``: as given to the decoder, ``{port}`` stands for
    the listener's. ``clip_s`` 0: no media is kept."""

    way: str
    url: str = ""
    options: dict[str, str] = {}
    format: str = ""
    live: bool = True
    interval_s: float = 1.0
    pictures: bool = False
    sound: bool = True
    clip_s: float = 0.0
    memory_mb: int = 512
    read_s: float = 10.0
    sandbox: bool = True


class Ease(msgspec.Struct, tag="ease"):
    """Sample no more often than this."""

    interval_s: float


class Answer(msgspec.Struct, tag="answer"):
    """The WHEP server's answer to an offer."""

    sdp: str


class Ready(msgspec.Struct, tag="ready"):
    """The sandbox stands; ``port`` of the listener that comes along (0: none). ``walls``: what it is made of."""

    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    walls: Annotated[list[Small], msgspec.Meta(max_length=20)] = []


class Offer(msgspec.Struct, tag="offer"):
    """An offer (SDP) for a WHEP server."""

    sdp: Annotated[str, msgspec.Meta(max_length=100_000)]


class Opened(msgspec.Struct, tag="opened"):
    """The stream is open: what is in it."""

    format: Small = ""
    video: Small = ""
    sounds: Annotated[list[Small], msgspec.Meta(max_length=16)] = []


class Picture(msgspec.Struct, tag="picture"):
    """A sampled frame. ``at_ms``: epoch, when its packet came in. ``luma``: the 64 x 64 samples that were hashed, a
    byte each. ``rgb``: the picture for the models, ``height`` x 320 x 3 bytes, or nothing."""

    offset_ms: Milliseconds
    at_ms: Milliseconds
    pdq: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    quality: Annotated[int, msgspec.Meta(ge=0, le=100)]
    changed: bool
    luma: Annotated[bytes, msgspec.Meta(min_length=4096, max_length=4096)]
    size: Annotated[tuple[int, int], msgspec.Meta()] = (0, 0)
    rgb: Annotated[bytes, msgspec.Meta(max_length=PICTURE_WIDTH * PICTURE_HEIGHT * 3)] = b""


class Sound(msgspec.Struct, tag="sound"):
    """About a second of one audio track: 16 kHz, mono, 16-bit."""

    track: Annotated[int, msgspec.Meta(ge=0, le=15)]
    offset_ms: Milliseconds
    at_ms: Milliseconds
    pcm: Annotated[bytes, msgspec.Meta(max_length=RATE * 2 * 60)]


class Clip(msgspec.Struct, tag="clip"):
    """Some seconds of the stream's own packets as a Matroska file."""

    from_ms: Milliseconds
    to_ms: Milliseconds
    at_ms: Milliseconds
    matroska: bytes


class Beat(msgspec.Struct, tag="beat"):
    """Still alive, and how it goes. ``mode``: ``key frames`` or ``every frame``; counts are since the stream opened."""

    offset_ms: Milliseconds = 0
    interval_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 1.0
    mode: Small = "key frames"
    packets: Annotated[int, msgspec.Meta(ge=0)] = 0
    frames: Annotated[int, msgspec.Meta(ge=0)] = 0
    corrupt: Annotated[int, msgspec.Meta(ge=0)] = 0
    wrong_times: Annotated[int, msgspec.Meta(ge=0)] = 0


class Ended(msgspec.Struct, tag="ended"):
    """The stream is over. ``fault`` empty: it ended by itself; ``again``: it is worth another try."""

    fault: Small = ""
    again: bool = False
    beat: Beat = msgspec.field(default_factory=Beat)


Report = Ready | Offer | Opened | Picture | Sound | Clip | Beat | Ended
Command = Order | Ease | Answer
_ENCODER = msgspec.msgpack.Encoder()
_REPORT = msgspec.msgpack.Decoder(Report)
_COMMAND = msgspec.msgpack.Decoder(Command)


class Silent(Exception):
    """Nothing came for as long as was allowed."""


class Gone(Exception):
    """The other side is not there any more."""


class Line:
    """One end of the pair of sockets."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end

    def send(self, message: Report | Command, fds: list[int] | None = None) -> None:
        """Send one message, with descriptors. Raises ``Gone``."""
        body = _ENCODER.encode(message)
        data = _HEAD.pack(len(body)) + body
        try:
            if fds:
                sent = socket.send_fds(self.end, [data], fds)
                data = data[sent:]
            self.end.sendall(data)
        except OSError:
            raise Gone from None

    def report(self, within_s: float) -> tuple[Report, list[int]]:
        """The next report and the descriptors with it. Raises ``Silent``, ``Gone`` or ``msgspec`` errors."""
        body, fds = self._take(within_s)
        return _REPORT.decode(body), fds

    def command(self, within_s: float | None = None) -> tuple[Command, list[int]]:
        """The next command."""
        body, fds = self._take(within_s)
        return _COMMAND.decode(body), fds

    def waiting(self) -> bool:
        """Whether something can be read right now."""
        return bool(select.select([self.end], [], [], 0)[0])

    def _take(self, within_s: float | None) -> tuple[bytes, list[int]]:
        until = None if within_s is None else time.monotonic() + within_s
        head, fds = self._exactly(_HEAD.size, until, first=True)
        size = _HEAD.unpack(head)[0]
        if size > MAX_BYTES:
            raise msgspec.ValidationError(f"a message of {size:,} bytes")
        return self._exactly(size, until)[0], fds

    def _exactly(self, size: int, until: float | None, first: bool = False) -> tuple[bytes, list[int]]:
        found, descriptors = bytearray(), []
        while len(found) < size:
            self.end.settimeout(None if until is None else max(0.001, until - time.monotonic()))
            try:
                if first and not found:
                    data, fds, _, _ = socket.recv_fds(self.end, size, 4)
                    descriptors += fds
                else:
                    data = self.end.recv(min(size - len(found), 1 << 20))
            except TimeoutError:
                raise Silent from None
            except OSError:
                raise Gone from None
            if not data:
                raise Gone
            found += data
        self.end.settimeout(None)
        return bytes(found), descriptors

    def close(self) -> None:
        """Close this end."""
        self.end.close()
