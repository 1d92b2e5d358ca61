"""Media made here and now: test patterns, drawn faces, tones, synthesised speech; watchers that run to their end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from upstander.model.events import AnyEvent, Frame
from upstander.watch.address import Rules
from upstander.watch.analyst import Analyst, Models, Said
from upstander.watch.messages import Order
from upstander.watch.nursery import Nursery
from upstander.watch.source import Source
from upstander.watch.watcher import Limits, Watcher

Rgb = NDArray[np.uint8]
RATE = 48_000


def pattern(number: int, width: int = 320, height: int = 180) -> Rgb:
    """A picture with much structure, another one for each number."""
    chance = np.random.default_rng(number)
    small = chance.integers(0, 256, (6, 10, 3), dtype=np.uint8)
    picture = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(5):
        colour = tuple(int(c) for c in chance.integers(0, 256, 3))
        x, y, r = (int(chance.integers(0, n)) for n in (width, height, height // 3))
        cv2.circle(picture, (x, y), r + 4, colour, -1)
    return picture


def cartoon(faces: Sequence[tuple[int, int, int]], width: int = 640, height: int = 360, shift: int = 0) -> Rgb:
    """A drawn room with drawn faces ``(x, y, half height)``."""
    picture = np.full((height, width, 3), (110, 140, 120), np.uint8)
    for x in range(-40, width, 40):
        cv2.line(picture, (x + shift, 0), (x + 30 + shift, height), (118, 150, 125), 2)
    for x, y, r in faces:
        cv2.ellipse(picture, (x, y + int(r * 1.9)), (int(r * 1.3), int(r * 0.9)), 0, 0, 360, (40, 60, 140), -1)
        cv2.ellipse(picture, (x, y), (int(r * 0.8), r), 0, 0, 360, (235, 190, 150), -1)
        cv2.ellipse(picture, (x, y - int(r * 0.45)), (int(r * 0.85), int(r * 0.6)), 0, 180, 360, (60, 40, 30), -1)
        for side in (-1, 1):
            eye = (x + side * int(r * 0.32), y - int(r * 0.12))
            cv2.ellipse(picture, eye, (int(r * 0.16), int(r * 0.09)), 0, 0, 360, (250, 250, 250), -1)
            cv2.circle(picture, eye, int(r * 0.08), (20, 30, 40), -1)
            brow = [(x + side * int(r * at), y - int(r * up)) for at, up in ((0.15, 0.3), (0.5, 0.32))]
            cv2.line(picture, brow[0], brow[1], (60, 40, 30), max(2, r // 18))
        nose = [(x, y - int(r * 0.05)), (x - int(r * 0.08), y + int(r * 0.25)), (x + int(r * 0.1), y + int(r * 0.27))]
        cv2.polylines(picture, [np.array(nose, np.int32)], False, (180, 130, 90), max(2, r // 20))
        cv2.ellipse(picture, (x, y + int(r * 0.5)), (int(r * 0.3), int(r * 0.12)), 0, 0, 180, (170, 60, 60), -1)
    return cv2.GaussianBlur(picture, (5, 5), 0)


def clip(
    path: Path,
    pictures: Iterable[Rgb] | None,
    sound: NDArray[np.int16] | None = None,
    *,
    fps: int = 10,
    gop: int = 10,
    codec: str = "libx264",
    pts: Callable[[int], int] = lambda n: n,
) -> Path:
    """A file with these pictures and this sound (48 kHz, mono), either of which may be ``None``."""
    with av.open(str(path), "w") as out:
        video = voice = None
        frames = list(pictures) if pictures is not None else []
        if frames:
            video = out.add_stream(codec, fps)
            video.width, video.height = frames[0].shape[1], frames[0].shape[0]
            video.pix_fmt, video.gop_size, video.time_base = "yuv420p", gop, Fraction(1, fps)
            if codec == "libx264":
                video.options = {"preset": "ultrafast", "sc_threshold": "0"}
        if sound is not None:
            voice = out.add_stream("aac", RATE, layout="mono")
        if video is not None:
            for number, picture in enumerate(frames):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = pts(number), Fraction(1, fps)
                out.mux(video.encode(frame))
            out.mux(video.encode(None))
        if voice is not None and sound is not None:
            for at in range(0, len(sound) - 1023, 1024):
                piece = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], "s16", "mono")
                piece.sample_rate, piece.pts = RATE, at
                out.mux(voice.encode(piece))
            out.mux(voice.encode(None))
    return path


def tone(seconds: float) -> NDArray[np.int16]:
    """A tone of 440 Hz."""
    return (np.sin(np.arange(int(seconds * RATE)) * 2 * np.pi * 440 / RATE) * 8_000).astype(np.int16)


def spoken(text: str, folder: Path, voice: str = "en-us", speed: int = 130) -> NDArray[np.int16]:
    """Synthesised speech at 48 kHz, half a second of silence around it; skips where espeak-ng is missing."""
    program = shutil.which("espeak-ng")
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail("espeak-ng is not installed: scripts/apt.sh espeak-ng")
        pytest.skip("espeak-ng is not installed: scripts/apt.sh espeak-ng")
    file = folder / "spoken.wav"
    subprocess.run([program, "-v", voice, "-s", str(speed), "-w", str(file), text], check=True, timeout=30)
    resampler = av.AudioResampler("s16", "mono", RATE)
    with av.open(str(file)) as found:
        pieces = [p.to_ndarray()[0] for frame in found.decode(audio=0) for p in resampler.resample(frame)]
    silence = np.zeros(RATE // 2, np.int16)
    return np.concatenate([silence, *pieces, silence])


class Watched:
    """What came of a watcher that ran to its end."""

    def __init__(self) -> None:
        self.events: list[AnyEvent] = []
        self.said: list[Said] = []
        self.told: list[str] = []
        self.clips: list[Any] = []
        self.fault = ""
        self.watcher: Watcher

    @property
    def frames(self) -> list[Frame]:
        return [event for event in self.events if isinstance(event, Frame)]


@contextmanager
def nursery() -> Iterator[Nursery]:
    made = Nursery()
    try:
        yield made
    finally:
        made.close()


def prepared(
    source: Source, nursery: Nursery, models: Models | None = None, limits: Limits | None = None, **order: Any
) -> Watched:
    """A watcher that has not begun; ``finish`` runs it."""
    watched = Watched()
    analyst = Analyst("b1", models or Models(), watched.events.append, watched.said.append, live=source.live)
    asked = Order(way="", **({"sound": False} | order))
    watched.watcher = Watcher(source, asked, analyst, nursery, limits, watched.told.append, watched.clips.append)
    return watched


def watch(path: Path, nursery: Nursery, models: Models | None = None, **order: Any) -> Watched:
    """Watch a file to its end."""
    limits = order.pop("limits", None)
    watched = prepared(Source("", Rules(), path), nursery, models, limits, **order)
    watched.fault = watched.watcher.run()
    return watched
