"""Pictures out of image and video files, and their fingerprints: PyAV decodes, pdqhash computes PDQ.

Pictures live in memory for as long as it takes to hash them; none is written anywhere.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import av.error
import msgspec
import numpy as np
import pdqhash
from numpy.typing import NDArray

from upstander.captures.bits import Words, from_bytes
from upstander.captures.errors import CaptureError

#: Height x width x 3, red, green, blue, 0 to 255.
Picture = NDArray[np.uint8]

#: The longer side of pictures that are hashed in many variants; others are hashed as they are. A PDQ moves by about 12
#: bits for it (at 256 it would be 24: PDQ's own windows have an odd width there).
SMALL = 192
#: Files bigger than this in pixels a picture are refused: they would fill the memory.
MAX_PIXELS = 64_000_000


class Print(msgspec.Struct, frozen=True, gc=False):
    """One picture's fingerprint: ``offset_ms`` from the file's start, PDQ in hexadecimal, its quality 0 to 100."""

    offset_ms: int
    pdq: str
    quality: int


def pdq_of(picture: Picture) -> tuple[Words, int]:
    """A picture's PDQ (four words) and quality, by the reference implementation."""
    bits, quality = pdqhash.compute(np.ascontiguousarray(picture))
    return from_bytes(np.packbits(bits).tobytes())[0], int(quality)


def pictures(path: Path, per_second: float, longest: int = 0) -> Iterator[tuple[int, Picture]]:
    """Pictures of a file with their offset in ms: at most ``per_second`` a second, the first one always.

    ``longest``: the longer side is brought down to it (0: as it is). Raises ``CaptureError`` when the file cannot be
    read; a file that breaks off gives the pictures before that.
    """
    try:
        container = av.open(str(path))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    with container:
        if not container.streams.video:
            raise CaptureError(f"{path} has no pictures in it. Name an image or a video.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        given = 0
        try:
            for offset, frame in _sampled(container, stream, per_second):
                if frame.width * frame.height > MAX_PIXELS:
                    raise CaptureError(f"{path} has pictures of {frame.width}x{frame.height}: too big to be hashed.")
                given += 1
                yield offset, _array(frame, longest)
        except av.error.FFmpegError as error:
            if not given:
                raise _unreadable(path, error) from None


def _sampled(container: Any, stream: Any, per_second: float) -> Iterator[tuple[int, Any]]:
    step, due, first = 1000.0 / per_second, 0.0, None
    for number, frame in enumerate(container.decode(stream)):
        at = frame.time if frame.time is not None else number / 25
        first = at if first is None else first
        offset = (at - first) * 1000
        if offset + 1 >= due:
            # From where the frame is, not from where it was due: a gap in the file is not made up for.
            due = max(due + step, offset + step / 2)
            yield round(offset), frame


def _array(frame: Any, longest: int) -> Picture:
    width, height = frame.width, frame.height
    scale = min(1.0, longest / max(width, height)) if longest else 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture: Picture = frame.to_ndarray(format="rgb24", width=size[0], height=size[1], interpolation="AREA")
    return picture


def _unreadable(path: Path, error: Exception) -> CaptureError:
    return CaptureError(f"{path} cannot be read as an image or a video ({error}). Check the file.")


def duration_ms(path: Path) -> int:
    """How long a file is, as its header says; 0 when it does not (an image)."""
    try:
        with av.open(str(path)) as container:
            return int((container.duration or 0) / 1000)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None


def prints(path: Path, per_second: float = 1.0) -> list[Print]:
    """The fingerprints of a file, one for an image. Raises ``CaptureError`` when there is none to be had."""
    found = []
    for offset, picture in pictures(path, per_second):
        words, quality = pdq_of(picture)
        found.append(Print(offset, words.astype("<u8").tobytes().hex(), quality))
    if not found:
        raise CaptureError(f"{path} has no picture that can be decoded. Check the file.")
    return found


def digests(path: Path) -> dict[str, str]:
    """A file's MD5, SHA-1 and SHA-256, hexadecimal."""
    made = {name: hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")}
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            for digest in made.values():
                digest.update(block)
    return {name: digest.hexdigest() for name, digest in made.items()}
