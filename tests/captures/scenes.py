"""Drawn video for tests and benchmarks: rooms with shapes, a cartoon face, cards of colour; and what is done to copies.

Every scene follows from its seed. No camera ever saw any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

WIDTH, HEIGHT, RATE = 640, 360, 15
Frame = np.ndarray


class Scene:
    """A room, its furniture and one face that moves in it. ``draw`` gives the picture at a time (s)."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = np.random.default_rng(seed)
        top, bottom = rng.integers(40, 220, 3), rng.integers(20, 200, 3)
        ramp = np.linspace(0, 1, HEIGHT)[:, None, None]
        self.wall = np.broadcast_to(top * (1 - ramp) + bottom * ramp, (HEIGHT, WIDTH, 3)).astype(np.uint8).copy()
        for _ in range(int(rng.integers(4, 10))):
            x, y = int(rng.integers(0, WIDTH)), int(rng.integers(0, HEIGHT))
            w, h = int(rng.integers(30, 220)), int(rng.integers(30, 200))
            colour = tuple(int(v) for v in rng.integers(0, 255, 3))
            if rng.random() < 0.6:
                cv2.rectangle(self.wall, (x, y), (x + w, y + h), colour, -1 if rng.random() < 0.8 else 6)
            else:
                cv2.ellipse(self.wall, (x, y), (w // 2, h // 2), float(rng.integers(180)), 0, 360, colour, -1)
        texture = cv2.resize(rng.normal(0, 14, (45, 80)).astype(np.float32), (WIDTH, HEIGHT))
        self.wall = np.clip(self.wall + texture[..., None], 0, 255).astype(np.uint8)
        self.skin = tuple(int(v) for v in rng.integers(90, 240, 3))
        self.hair = tuple(int(v) for v in rng.integers(0, 120, 3))
        self.shirt = tuple(int(v) for v in rng.integers(0, 255, 3))
        self.place = rng.uniform(0.3, 0.7) * WIDTH, rng.uniform(0.4, 0.6) * HEIGHT
        self.size = rng.uniform(0.15, 0.28) * HEIGHT
        self.ways = rng.uniform(0.03, 0.4, 6), rng.uniform(0, 6.28, 6)

    def draw(self, t: float) -> Frame:
        waves = np.sin(2 * np.pi * self.ways[0] * t + self.ways[1])
        picture = self.wall.copy()
        x = int(self.place[0] + waves[0] * WIDTH * 0.12 + waves[1] * 12)
        y = int(self.place[1] + waves[2] * HEIGHT * 0.08)
        r = int(self.size * (1 + 0.12 * waves[3]))
        cv2.ellipse(picture, (x, y + int(2.4 * r)), (int(1.6 * r), int(1.5 * r)), 0, 0, 360, self.shirt, -1)
        hand = int(x + 1.8 * r * waves[4]), int(y + r * (1.2 - waves[5]))
        cv2.line(picture, (x, y + 2 * r), hand, self.shirt, max(4, r // 3))
        cv2.circle(picture, hand, max(4, r // 3), self.skin, -1)
        cv2.ellipse(picture, (x, y - r // 4), (int(1.1 * r), int(1.2 * r)), 0, 0, 360, self.hair, -1)
        cv2.ellipse(picture, (x, y), (int(0.85 * r), r), 8 * waves[1], 0, 360, self.skin, -1)
        for side in (-1, 1):
            cv2.circle(picture, (x + side * r // 3, y - r // 5), max(2, r // 9), (20, 20, 20), -1)
        cv2.ellipse(
            picture, (x, y + r // 3), (r // 3, max(2, int(r * 0.1 * (1 + waves[5])))), 0, 0, 360, (40, 40, 160), -1
        )
        return picture


class Broadcast:
    """Scenes one after the other, each of 15 to 60 s. ``draw`` gives the picture at a time (s)."""

    def __init__(self, seed: int, seconds: float = 3600) -> None:
        rng = np.random.default_rng([seed, 77])
        self.starts = [0.0]
        while self.starts[-1] < seconds:
            self.starts.append(self.starts[-1] + float(rng.uniform(15, 60)))
        self.seeds = rng.integers(0, 2**31, len(self.starts))
        self._scenes: dict[int, Scene] = {}

    def draw(self, t: float) -> Frame:
        number = max(i for i, start in enumerate(self.starts) if start <= t)
        if number not in self._scenes:
            self._scenes[number] = Scene(int(self.seeds[number]))
        return self._scenes[number].draw(t)

    def frames(self, start: float, seconds: float, rate: float = RATE, speed: float = 1.0) -> Iterator[Frame]:
        """Pictures of ``seconds`` of the broadcast played at ``speed``."""
        for number in range(int(seconds / speed * rate)):
            yield self.draw(start + number * speed / rate)


def write(path: Path, frames: Iterator[Frame], rate: float = RATE, quality: int = 24) -> Path:
    """An H.264 file of these pictures (BGR); ``quality``: libx264's CRF, higher is worse."""
    with av.open(str(path), "w") as container:
        stream = None
        for frame in frames:
            height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
            if stream is None:
                options = {"crf": str(quality), "preset": "ultrafast"}
                stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1000), options=options)
                stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame[:height, :width]), format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return path


def cropped(share: float) -> Callable[[Frame], Frame]:
    def change(frame: Frame) -> Frame:
        height, width = frame.shape[:2]
        dy, dx = int(height * share), int(width * share)
        return cv2.resize(frame[dy : height - dy, dx : width - dx], (width, height), interpolation=cv2.INTER_AREA)

    return change


def mirrored(frame: Frame) -> Frame:
    return frame[:, ::-1]


def smaller(frame: Frame) -> Frame:
    return cv2.resize(frame, (320, 180), interpolation=cv2.INTER_AREA)


def letterboxed(frame: Frame) -> Frame:
    """Into 4:3, with black bars."""
    return cv2.copyMakeBorder(frame, 60, 60, 0, 0, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def pillarboxed(frame: Frame) -> Frame:
    return cv2.copyMakeBorder(frame, 0, 0, 140, 140, cv2.BORDER_CONSTANT, value=(16, 16, 16))


def screen(seed: int) -> Callable[[Frame], Frame]:
    """A window on a desktop, recorded: background, title bar, buttons."""
    rng = np.random.default_rng([seed, 5])
    desktop = np.empty((HEIGHT + 150, WIDTH + 180, 3), np.uint8)
    desktop[:] = rng.integers(30, 225, 3)
    ramp = np.linspace(-25, 25, WIDTH + 180)[None, :, None]
    desktop = np.clip(desktop + ramp, 0, 255).astype(np.uint8)
    x, y = int(rng.integers(40, 130)), int(rng.integers(45, 100))
    cv2.rectangle(desktop, (x - 3, y - 26), (x + WIDTH + 2, y + HEIGHT + 2), (235, 235, 235), -1)
    cv2.putText(desktop, "player", (x + 8, y - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 60, 60), 1)
    for n in range(4):
        cv2.circle(desktop, (18, 60 + 70 * n), 12, tuple(int(v) for v in rng.integers(0, 255, 3)), -1)

    def change(frame: Frame) -> Frame:
        shown = desktop.copy()
        shown[y : y + HEIGHT, x : x + WIDTH] = frame
        return cv2.resize(shown, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)

    return change


def changed(frames: Iterator[Frame], *changes: Callable[[Frame], Frame]) -> Iterator[Frame]:
    for frame in frames:
        shown = frame
        for change in changes:
            shown = change(shown)
        yield shown
