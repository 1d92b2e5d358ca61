"""A bank's values made from files and from broadcasts: what is seen of a capture, also letterboxed and cropped.

Live frames come without their pictures, so the variants are made here, where there is one. No picture is kept.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from upstander.captures.banks import Value
from upstander.captures.bits import QUALITY, Words, distances, hex_of
from upstander.captures.errors import CaptureError
from upstander.captures.pictures import Picture, digests, duration_ms, pdq_of, pictures
from upstander.captures.recorded import Recorded
from upstander.captures.values import Feature, Kind, written
from upstander.captures.variants import boxes

#: Pictures a second, and the longer side they are hashed at: what moves differs in 30 bits after a quarter of a second,
#: and a live frame lies anywhere between two of these. Pictures that hardly differ from the last one are left out.
RATE = 8.0
LONGEST = 640
SAME_BITS, SAME_MS = 6, 1000
#: Shapes that a rebroadcast puts the picture into (width over height), and how much of each side a crop cuts off.
SHAPES = (4 / 3, 16 / 9, 9 / 16)
CROPS = (0.05, 0.1)


def of_file(path: Path, reference: str = "") -> list[Value]:
    """A file's digests; a PDQ for an image, a sequence for a video; with letterboxed and centre-cropped variants.

    The mirrored picture needs no variant: matching looks for it by itself. Raises ``CaptureError`` (unreadable).
    """
    values = [Value(Kind(kind), value, reference) for kind, value in digests(path).items()]
    shown = list(pictures(path, RATE, LONGEST))
    if not shown:
        raise CaptureError(f"{path} has no picture that can be decoded. Check the file.")
    # Without the borders it came with: whoever shows it again may put others around it.
    content = boxes([picture for _, picture in shown[:40]])[-1]
    variants: list[list[Feature]] = []
    last: tuple[int, Words] | None = None
    for offset, picture in shown:
        words, quality = pdq_of(picture)
        if last is not None and offset - last[0] < SAME_MS and distances(words, last[1]) <= SAME_BITS:
            continue
        last = offset, words
        others = [pdq_of(one) for one in _variants(content.of(picture), whole=content.whole)]
        for number, (one, good) in enumerate([(words, quality), *others]):
            if len(variants) <= number:
                variants.append([])
            if good >= QUALITY:
                variants[number].append(Feature(hex_of(one), good, offset / 1000))
    if not any(variants):
        raise CaptureError(f"{path}: there is too little in its pictures to recognise them by. Use its digests alone.")
    moving = duration_ms(path) > 500 and len(shown) > 1
    for features in variants:
        if features:
            value = written(features) if moving else features[0].pdq
            values.append(Value(Kind.VPDQ if moving else Kind.PDQ, value, reference))
    return list({(one.kind, one.value): one for one in values}.values())


def _variants(picture: Picture, *, whole: bool) -> list[Picture]:
    """The content in other shapes and cropped; by itself, too, unless it is the whole picture anyway."""
    height, width = picture.shape[:2]
    made = [] if whole else [picture]
    for shape in SHAPES:
        rows, columns = 0, 0
        if width / height > shape * 1.02:
            rows = round((width / shape - height) / 2)
        elif width / height < shape * 0.98:
            columns = round((height * shape - width) / 2)
        if rows or columns:
            made.append(np.pad(picture, ((rows, rows), (columns, columns), (0, 0))))
    for share in CROPS:
        dy, dx = round(height * share), round(width * share)
        made.append(picture[dy : height - dy, dx : width - dx])
    return made


def of_broadcast(recorded: Recorded, platform: str, broadcast: str, start_ms: int, end_ms: int) -> Value:
    """A part of a broadcast of this installation as a sequence. Raises ``CaptureError`` when there is none."""
    known = recorded.find(platform, broadcast)
    recording = recorded.recording(known.no, start_ms, end_ms) if known is not None else None
    if recording is None or not (recording.quality >= QUALITY).any():
        reason = f"there are no fingerprints of that part of {platform} {broadcast}"
        raise CaptureError(f"{reason}. Check the names and times; see `keep_days` under [captures].")
    features = [
        Feature(hex_of(words), int(quality), (int(offset) - start_ms) / 1000)
        for offset, words, quality in zip(recording.offsets, recording.words, recording.quality, strict=True)
        if quality >= QUALITY
    ]
    return Value(Kind.VPDQ, written(features), f"{platform} {broadcast} {start_ms}-{end_ms}")
