"""What a capture may have gone through, undone: borders taken away, a crop made up for, the mirror turned back.

Works on small pictures of one clip; nothing here knows fingerprints of broadcasts.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from upstander.captures.pictures import Picture

#: By how much on each side (top and bottom, left and right) a clip is taken to be cropped: what was there is made up
#: by reflection, which is wrong, but the rest then lies where it lay, and that is what the fingerprint mostly sees.
CROPS = (
    (0.0, 0.0), (0.04, 0.04), (0.08, 0.08), (0.12, 0.12), (0.16, 0.16),
    (0.0, 0.08), (0.0, 0.16), (0.08, 0.0), (0.16, 0.0),
)  # fmt: skip
#: A border may take so much of each side.
MOST = 0.45


class Box(msgspec.Struct, frozen=True, gc=False):
    """A part of a picture, in shares of its height and width: 0, 1, 0, 1 is all of it."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0

    def of(self, picture: Picture) -> Picture:
        """That part of a picture."""
        height, width = picture.shape[:2]
        rows = slice(round(self.top * height), max(round(self.bottom * height), round(self.top * height) + 8))
        columns = slice(round(self.left * width), max(round(self.right * width), round(self.left * width) + 8))
        return picture[rows, columns]

    @property
    def whole(self) -> bool:
        """Whether (nearly) nothing is cut away."""
        return self.top < 0.02 and self.left < 0.02 and self.bottom > 0.98 and self.right > 0.98

    def near(self, other: Box) -> bool:
        """Whether two are the same but for a pixel or two."""
        return all(abs(getattr(self, name) - getattr(other, name)) < 0.015 for name in self.__struct_fields__)


def padded(picture: Picture, crop: tuple[float, float]) -> Picture:
    """The picture as large as it was before ``crop`` of the height and width was cut off at each side."""
    height, width = picture.shape[:2]
    rows, columns = (round(size * share / (1 - 2 * share)) for size, share in zip((height, width), crop, strict=True))
    if not rows and not columns:
        return picture
    return np.pad(picture, ((rows, rows), (columns, columns), (0, 0)), mode="symmetric")


def boxes(pictures: Sequence[Picture]) -> list[Box]:
    """Where the content of a clip may be: all of the picture, without plain borders, within straight static edges."""
    greys = np.stack([picture[..., 1] for picture in pictures]).astype(np.float32)
    found = [Box()]
    plain = _plain(greys)
    for box in (plain, _framed(greys, plain)):
        if not box.whole and not any(box.near(other) for other in found):
            found.append(box)
    return found


def _plain(greys: NDArray[np.float32]) -> Box:
    """Without rows and columns at the edges that have one colour all through the clip."""
    _, height, width = greys.shape
    top, bottom = _bar(greys.mean(axis=0), greys.std(axis=0)), _bar(greys.mean(0)[::-1], greys.std(0)[::-1])
    rows = slice(top, height - bottom)
    inner = greys[:, rows]
    mean, spread = inner.mean(axis=0).T, inner.std(axis=0).T
    left, right = _bar(mean, spread), _bar(mean[::-1], spread[::-1])
    return Box(top / height, 1 - bottom / height, left / width, 1 - right / width)


def _bar(mean: NDArray[np.float32], spread: NDArray[np.float32]) -> int:
    """How many rows from the first one on are of one colour and do not change."""
    edge = float(np.median(mean[0]))
    limit = int(len(mean) * MOST)
    for number in range(limit):
        row = np.abs(mean[number] - edge)
        if np.percentile(row, 97) > 10 or np.percentile(spread[number], 97) > 8:
            # The row between may be a blend of both: it belongs to the border.
            return number + 1 if number else 0
    return limit


def _framed(greys: NDArray[np.float32], within: Box) -> Box:
    """Within the innermost straight lines that stand still and run along most of each side: a window's edges."""
    middle = np.median(greys, axis=0)
    height, width = middle.shape
    top, bottom = round(within.top * height), round(within.bottom * height)
    left, right = round(within.left * width), round(within.right * width)
    down = _lines(np.abs(np.diff(middle[:, left:right], axis=0)))
    across = _lines(np.abs(np.diff(middle[top:bottom], axis=1)).T)
    first, last = _innermost(down, top, bottom)
    start, end = _innermost(across, left, right)
    return Box(first / height, last / height, start / width, end / width)


def _lines(steps: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether there is a line between each row and the next."""
    lines: NDArray[np.bool_] = (steps > 10).mean(axis=1) > 0.55
    return lines


def _innermost(lines: NDArray[np.bool_], start: int, end: int) -> tuple[int, int]:
    reach = round((end - start) * 0.4)
    before = [at + 1 for at in range(start, min(start + reach, len(lines))) if lines[at]]
    after = [at + 1 for at in range(max(end - reach, 0), min(end, len(lines))) if lines[at]]
    return (max(before) if before else start), (min(after) if after else end)
