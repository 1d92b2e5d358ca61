"""A still card in place of a paused stream: drawn here, published by a process of its own until its parent lets go.

One card for everybody: calm, fit for children, and without a reason. A card that differed by the host's age would tell
every viewer that the host is a child.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import unicodedata
from fractions import Fraction
from typing import Any

import av
import msgspec
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FPS, RATE = 640, 360, 5, 44_100
#: Two lines in each language that cards are written in.
WORDS = {
    "en": ("A short break", "This stream is paused. It may go on in a moment."),
    "de": ("Kurze Pause", "Dieser Stream macht Pause. Gleich geht es vielleicht weiter."),
    "es": ("Una pausa", "Este directo está en pausa. Puede seguir en un momento."),
    "fr": ("Petite pause", "Ce direct est en pause. Il peut reprendre bientôt."),
    "pt": ("Uma pausa", "Esta transmissão está em pausa. Pode continuar em breve."),
}


class Publishing(msgspec.Struct):
    """What the process is told, on its standard input: where to publish, and in which language."""

    url: str
    language: str = "en"


def _font(size: int, text: str) -> tuple[Any, str]:
    """A font that has all letters of the five languages, where one is installed; else Pillow's own, without accents."""
    from PIL import ImageFont

    for file in ("DejaVuSans.ttf", "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"):
        try:
            return ImageFont.truetype(file, size), text
        except OSError:
            continue
    plain = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return ImageFont.load_default(size), plain


def draw(language: str) -> NDArray[np.uint8]:
    """The card ``(360, 640, 3)``; in English where there are no words in a language."""
    from PIL import Image, ImageDraw

    title, text = WORDS.get(language[:2].lower(), WORDS["en"])
    picture = Image.new("RGB", (WIDTH, HEIGHT), (38, 50, 84))
    pen = ImageDraw.Draw(picture)
    for number, radius in enumerate((58, 44)):
        pen.ellipse(
            (320 - radius, 112 - radius, 320 + radius, 112 + radius), fill=((92, 116, 176), (226, 232, 246))[number]
        )
    for left in (304, 324):
        pen.rounded_rectangle((left, 92, left + 12, 132), 4, fill=(38, 50, 84))
    for line, height, size, colour in ((title, 212, 32, (255, 255, 255)), (text, 258, 17, (214, 222, 240))):
        font, letters = _font(size, line)
        pen.text((320, height), letters, colour, font, anchor="mm")
    return np.asarray(picture, np.uint8)


def publish(order: Publishing, stopped: threading.Event) -> None:
    """Publish the card with silence until stopped. Raises ``av.FFmpegError`` when the server takes it no more."""
    picture = draw(order.language)
    with av.open(order.url, "w", format="flv", timeout=(5.0, 5.0)) as out:
        video = out.add_stream("libx264", FPS, options={"preset": "veryfast", "tune": "stillimage,zerolatency"})
        video.width, video.height, video.pix_fmt, video.gop_size = WIDTH, HEIGHT, "yuv420p", FPS
        video.time_base = Fraction(1, FPS)
        voice = out.add_stream("aac", RATE, layout="mono")
        began, sounds = time.monotonic(), 0
        number = 0
        while not stopped.wait(max(0.0, began + number / FPS - time.monotonic())):
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            out.mux(video.encode(frame))
            number += 1
            while sounds * 1024 < number * RATE // FPS:
                out.mux(voice.encode(_silence(sounds)))
                sounds += 1


def _silence(number: int) -> Any:
    piece = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.int16), "s16", "mono")
    piece.sample_rate, piece.pts = RATE, number * 1024
    return piece


def main() -> None:
    """Publish until standard input is closed."""
    os.nice(5)
    order = msgspec.json.decode(sys.stdin.buffer.readline(), type=Publishing)
    stopped = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        stopped.set()

    threading.Thread(target=wait, daemon=True).start()
    av.logging.set_level(None)
    try:
        publish(order, stopped)
    except av.FFmpegError:
        os._exit(1)
    os._exit(0)  # not waiting for the thread that reads


if __name__ == "__main__":
    main()
