"""What a sampled frame shows as a whole: black, static, a card, a screen, people. Counting faces is in ``faces``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from upstander.watch.messages import PICTURE_WIDTH, Picture
from upstander.watch.pdq import SIDE

#: Mean and spread of luma (0 to 255) below which a picture is black.
BLACK_MEAN, BLACK_SPREAD = 20.0, 6.0
#: Mean change of a sample (0 to 255) below which nothing moves, and for how long it must not.
STILL, STILL_MS = 1.5, 10_000
#: A card with writing is flat nearly everywhere and has hard edges; it counts as "starting soon" early on only.
FLAT_SHARE, CARD_MS = 0.55, 15 * 60_000
#: On a screen nearly all strong edges run along rows and columns.
ALONG_SHARE = 0.85

#: The words of a frame's ``scene``.
WORDS = ("none", "person", "people", "screen", "static", "starting_soon", "black")


class Scene:
    """One broadcast's scene over time."""

    def __init__(self) -> None:
        self._reference: NDArray[np.float32] | None = None
        self._since = 0

    def word(self, picture: Picture, faces: int | None) -> str:
        """The scene's label, one of ``WORDS``. ``faces`` ``None``: nobody looked."""
        luma = np.frombuffer(picture.luma, np.uint8).reshape(SIDE, SIDE).astype(np.float32)
        still_ms = self._still(luma, picture.offset_ms)
        if luma.mean() < BLACK_MEAN and luma.std() < BLACK_SPREAD:
            return "black"
        if still_ms >= STILL_MS:
            soon = picture.offset_ms <= CARD_MS and not faces and flat_share(_grey(picture, luma)) >= FLAT_SHARE
            return "starting_soon" if soon else "static"
        if faces:
            return "person" if faces == 1 else "people"
        return "screen" if is_screen(_grey(picture, luma)) else "none"

    def _still(self, luma: NDArray[np.float32], offset_ms: int) -> int:
        """For how long nothing has moved, in ms."""
        moved = self._reference is None or float(np.abs(luma - self._reference).mean()) > STILL
        if moved or offset_ms < self._since:
            self._reference, self._since = luma, offset_ms
        return offset_ms - self._since


def _grey(picture: Picture, luma: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture for the models in grey, or the samples when there is none."""
    height = len(picture.rgb) // (3 * PICTURE_WIDTH)
    if not height or len(picture.rgb) != height * PICTURE_WIDTH * 3:
        return luma
    rgb = np.frombuffer(picture.rgb, np.uint8).reshape(height, PICTURE_WIDTH, 3)
    return rgb.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def flat_share(grey: NDArray[np.float32]) -> float:
    """The share of places whose neighbours to the right and below are (nearly) the same."""
    across, down = np.abs(np.diff(grey, axis=1))[:-1], np.abs(np.diff(grey, axis=0))[:, :-1]
    return float(((across < 2) & (down < 2)).mean())


def is_screen(grey: NDArray[np.float32]) -> bool:
    """Whether it looks like a shared screen: flat areas, and edges that run along rows and columns."""
    across, down = np.abs(np.diff(grey, axis=1))[:-1], np.abs(np.diff(grey, axis=0))[:, :-1]
    strong = np.maximum(across, down) > 24
    if strong.mean() < 0.01 or flat_share(grey) < FLAT_SHARE:
        return False
    along = np.minimum(across, down)[strong] < 0.25 * np.maximum(across, down)[strong]
    return float(along.mean()) >= ALONG_SHARE
