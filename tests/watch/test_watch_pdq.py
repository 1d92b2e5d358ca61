"""PDQ of our path beside the reference: drawn pictures, and what JPEG, resizing and blur make of them."""

from __future__ import annotations

import io

import av
import cv2
import numpy as np
import pdqhash
import pytest
from watch_support import pattern

from upstander.watch import pdq
from upstander.watch.decode import plane_of, samples_of

SIZES = ((320, 180), (256, 256), (200, 300), (389, 251), (640, 360))


def bits_apart(picture: av.VideoFrame) -> tuple[int, int, int]:
    """Bits between our hash of a decoded frame and the reference's of its RGB, and both qualities."""
    samples = samples_of(picture)
    vector, quality = pdqhash.compute(np.ascontiguousarray(picture.to_ndarray(format="rgb24")))
    ours = np.unpackbits(np.frombuffer(pdq.bits(samples), np.uint8))
    return int((ours != vector).sum()), pdq.quality(samples), quality


def decoded(jpeg: bytes) -> av.VideoFrame:
    with av.open(io.BytesIO(jpeg), format="jpeg_pipe") as found:
        return next(found.decode(video=0))


def variants(number: int) -> list[av.VideoFrame]:
    """A picture as a video frame, as JPEG, resized, blurred."""
    width, height = SIZES[number % len(SIZES)]
    picture = pattern(number, width, height)
    jpeg = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 60])[1].tobytes()
    smaller = cv2.resize(picture, (width * 3 // 4 // 2 * 2, height * 3 // 4 // 2 * 2), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(picture, (7, 7), 0)
    frames = [av.VideoFrame.from_ndarray(np.ascontiguousarray(p), "rgb24") for p in (picture, smaller, blurred)]
    return [*(frame.reformat(format="yuv420p") for frame in frames), decoded(jpeg)]


def test_within_ten_bits_of_the_reference_on_200_pictures_and_their_variants() -> None:
    found = [bits_apart(frame) for number in range(200) for frame in variants(number)]
    good = [apart for apart, _, quality in found if quality >= 80]
    assert len(good) >= 600
    assert max(good) <= 10
    assert max(abs(ours - reference) for _, ours, reference in found) <= 4


@pytest.mark.parametrize("form", ["yuv444p", "nv12", "rgb24", "yuv420p10le", "gray"])
def test_other_pixel_formats(form: str) -> None:
    frame = av.VideoFrame.from_ndarray(pattern(7, 640, 360), "rgb24").reformat(format=form)
    assert bits_apart(frame)[0] <= 10


def test_luma_of_bt709_is_weighed_as_the_reference_weighs_it() -> None:
    """Saturated colours: without the correction the hash moves."""
    picture = np.zeros((360, 640, 3), np.uint8)
    picture[:, :320] = (200, 0, 40)
    picture[80:200, 100:500] = (0, 180, 0)
    picture[150:340, 300:600] = (20, 40, 250)
    picture = cv2.GaussianBlur(picture, (31, 31), 0)
    frame = av.VideoFrame.from_ndarray(picture, "rgb24").reformat(format="yuv420p", dst_colorspace="ITU709")
    frame.colorspace = 1
    vector, _ = pdqhash.compute(picture)
    ours = np.unpackbits(np.frombuffer(pdq.bits(samples_of(frame)), np.uint8))
    uncorrected = np.unpackbits(np.frombuffer(pdq.bits(pdq.shrink(plane_of(frame, 0))), np.uint8))
    assert int((ours != vector).sum()) <= 10 < int((uncorrected != vector).sum())


def test_what_is_too_small_and_what_is_exactly_64_wide() -> None:
    assert pdq.hash_of(np.zeros((4, 100), np.uint8)) == ("0" * 64, 0)
    picture = pattern(3, 64, 64)
    grey = np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    vector, _ = pdqhash.compute(np.repeat(grey[:, :, None], 3, axis=2).copy())
    ours = np.unpackbits(np.frombuffer(bytes.fromhex(pdq.hash_of(grey)[0]), np.uint8))
    assert int((ours != vector).sum()) <= 2


def test_a_constant_and_a_factor_change_nothing() -> None:
    samples = pdq.shrink(pattern(5)[:, :, 1])
    assert pdq.bits(samples) == pdq.bits(samples * np.float32(0.5) + np.float32(9))
