"""How many faces a picture shows, and where: boxes for the age band. Nothing here tells one face from another.

The cascade is OpenCV's ``haarcascade_frontalface_alt2`` (Intel licence, in the opencv wheel; its authors do not say on
which pictures it was trained). It sees faces that look at the camera, from about a ninth of the picture's height.
"""

from __future__ import annotations

import threading
from collections import deque
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from upstander.watch.errors import WatchError
from upstander.watch.messages import PICTURE_WIDTH, Picture

#: left, top, right, bottom in the picture for the models
Box = tuple[int, int, int, int]
Rgb = NDArray[np.uint8]
#: A picture that waited so long for its turn is not looked at: the stream must not wait for a model.
WAIT_S = 0.5
LOOKS = 3


class FaceBoxes:
    """Finds faces, one picture at a time; ``skipped`` counts those whose turn did not come. Thread-safe."""

    def __init__(self) -> None:
        """Raises ``WatchError`` when OpenCV or its cascade is not there."""
        try:
            import cv2
        except ImportError:
            raise WatchError("counting faces needs OpenCV. Run: pip install 'upstander[watch]'") from None
        cv2.setNumThreads(1)
        self._cv2 = cv2
        file = Path(str(getattr(getattr(cv2, "data", None), "haarcascades", ""))) / "haarcascade_frontalface_alt2.xml"
        self._cascade = cv2.CascadeClassifier(str(file))
        if self._cascade.empty():
            raise WatchError(f"OpenCV's face cascade is not at {file}. Run: pip install 'opencv-python-headless<5'")
        self._turn = threading.Lock()
        self.skipped = 0

    def find(self, rgb: Rgb) -> list[Box] | None:
        """The faces in a picture ``(height, width, 3)``; ``None`` when its turn did not come."""
        if not self._turn.acquire(timeout=WAIT_S):
            self.skipped += 1
            return None
        try:
            grey = self._cv2.equalizeHist(self._cv2.cvtColor(rgb, self._cv2.COLOR_RGB2GRAY))
            found = self._cascade.detectMultiScale(grey, 1.1, 4, minSize=(20, 20))
        finally:
            self._turn.release()
        return [(int(x), int(y), int(x + w), int(y + h)) for x, y, w, h in found]


def rgb_of(picture: Picture) -> Rgb | None:
    """The picture for the models ``(height, 320, 3)``, if one came along."""
    height = len(picture.rgb) // (3 * PICTURE_WIDTH)
    if not height or len(picture.rgb) != height * PICTURE_WIDTH * 3:
        return None
    return np.frombuffer(picture.rgb, np.uint8).reshape(height, PICTURE_WIDTH, 3)


class FaceCount:
    """The count of one broadcast: the median of the last three looks, so that one miss changes nothing."""

    def __init__(self) -> None:
        self._looks: deque[int] = deque(maxlen=LOOKS)

    def add(self, faces: int) -> int:
        """Take one look in; the count now."""
        self._looks.append(faces)
        return sorted(self._looks)[(len(self._looks) - 1) // 2]
