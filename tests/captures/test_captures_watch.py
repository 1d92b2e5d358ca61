"""What watches broadcasts and what hashes files see the same: a watched frame lies within the radius of a file's."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import scenes

from upstander.captures.bits import QUALITY, RADIUS, distances, from_bytes, mirrored
from upstander.captures.pictures import pdq_of
from upstander.watch import pdq
from upstander.watch.decode import samples_of


@pytest.mark.parametrize("size", [(640, 360), (1280, 720)])
def test_watched_frames_are_recognised_in_files(tmp_path: Path, size: tuple[int, int]) -> None:
    import cv2

    frames = (cv2.resize(frame, size) for frame in scenes.Broadcast(11, 60).frames(0, 4, rate=3))
    path = scenes.write(tmp_path / "v.mp4", frames, rate=3)
    apart = []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            samples = samples_of(frame)
            watched = from_bytes(pdq.bits(samples))[0]
            words, quality = pdq_of(frame.to_ndarray(format="rgb24"))
            assert quality >= QUALITY and pdq.quality(samples) >= QUALITY
            apart.append(int(distances(watched, words)))
            flipped, _ = pdq_of(np.ascontiguousarray(frame.to_ndarray(format="rgb24")[:, ::-1]))
            assert distances(mirrored(watched), flipped) <= RADIUS
    assert max(apart) <= 16
