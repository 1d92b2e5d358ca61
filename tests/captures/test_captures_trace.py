"""Recordings are traced back: real drawn video, hashed and transformed for real, among fingerprints of other hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import scenes
from captures_support import NOW, frames_of, random_words

from upstander.captures import trace
from upstander.captures.errors import CaptureError
from upstander.captures.pictures import digests, pdq_of, pictures, prints
from upstander.captures.recorded import Frame, Recorded


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Two drawn broadcasts of 40 s and twenty hours of other fingerprints."""
    folder = tmp_path_factory.mktemp("recorded")
    kept = Recorded(folder / "captures")
    with kept.transaction():
        for seed in (1, 2):
            frames = scenes.Broadcast(seed, 60).frames(0, 40, rate=4)
            for one in prints(scenes.write(folder / "b.mp4", frames, rate=4), 1.0):
                kept.add(
                    [Frame("p", f"b{seed}", one.offset_ms, NOW + one.offset_ms, one.quality, bytes.fromhex(one.pdq))]
                )
        for hour in range(4):
            kept.add(frames_of(np.repeat(random_words(900, hour), 4, axis=0), f"other{hour}"))
    yield kept
    kept.close()


HOW: dict[str, tuple[list[Callable[[scenes.Frame], scenes.Frame]], float, float]] = {
    "as it was": ([], 1.0, 10),
    "cropped": ([scenes.cropped(0.08)], 1.0, 10),
    "mirrored": ([scenes.mirrored], 1.0, 10),
    "re-encoded": ([scenes.smaller], 1.0, 10),
    "letterboxed": ([scenes.letterboxed], 1.0, 10),
    "screen": ([scenes.screen(3)], 1.0, 10),
    "faster": ([], 1.05, 10),
    "short": ([], 1.0, 5),
}


@pytest.mark.parametrize("how", HOW)
def test_a_clip_is_traced(recorded: Recorded, tmp_path: Path, how: str) -> None:
    changes, speed, seconds = HOW[how]
    frames = scenes.Broadcast(1, 60).frames(12, seconds * speed, rate=8, speed=speed)
    clip = scenes.write(tmp_path / "clip.mp4", scenes.changed(frames, *changes), rate=8, quality=30)
    found = trace.trace_file(recorded, clip)
    assert [(one.platform, one.broadcast) for one in found] == [("p", "b1")]
    assert abs(found[0].offset_ms - 12_000) < 1_500
    assert abs(found[0].at - NOW - 12_000) < 1_500
    assert found[0].confidence > 0.5
    assert 0.95 <= found[0].speed <= 1.05


def test_another_video_is_not_traced(recorded: Recorded, tmp_path: Path) -> None:
    clip = scenes.write(tmp_path / "clip.mp4", scenes.Broadcast(77, 60).frames(12, 6, rate=6), rate=6)
    assert trace.trace_file(recorded, clip) == []


def test_a_file_made_of_two_broadcasts_names_both(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "WINDOW_S", 8.0)

    def joined() -> Iterator[scenes.Frame]:
        yield from scenes.Broadcast(1, 60).frames(4, 16, rate=4)
        yield from scenes.Broadcast(2, 60).frames(20, 8, rate=4)

    found = trace.trace_file(recorded, scenes.write(tmp_path / "both.mp4", joined(), rate=4))
    assert [one.broadcast for one in found] == ["b1", "b2"]
    assert found[0].end_ms - found[0].start_ms > 12_000
    assert abs(found[1].offset_ms - 20_000) < 2_000


def test_what_is_no_picture_is_named(recorded: Recorded, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(CaptureError, match=r"notes.txt cannot be read as an image or a video"):
        trace.trace_file(recorded, tmp_path / "notes.txt")


def test_a_broken_video_gives_what_it_has(tmp_path: Path) -> None:
    whole = scenes.write(tmp_path / "whole.mkv", scenes.Broadcast(5, 60).frames(0, 6, rate=6), rate=6)
    part = tmp_path / "part.mkv"
    part.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    assert 0 < len(prints(part, 2)) < len(prints(whole, 2))


def test_a_mirrored_picture_is_the_mirrored_fingerprint() -> None:
    from upstander.captures.bits import distances, mirrored

    picture = np.ascontiguousarray(scenes.Scene(9).draw(1.0)[..., ::-1])
    turned, _ = pdq_of(picture[:, ::-1])
    assert distances(mirrored(pdq_of(picture)[0]), turned) <= 12


def test_the_same_pictures_as_threatexchange_computes(tmp_path: Path) -> None:
    """Bit for bit, from the same file, for pictures of several shapes."""
    import cv2
    from threatexchange.signal_type.pdq.pdq_hasher import pdq_from_file

    for seed, size in enumerate([(640, 360), (300, 300), (123, 457)]):
        path = tmp_path / f"{seed}.png"
        cv2.imwrite(str(path), cv2.resize(scenes.Scene(seed).draw(0), size))
        assert (prints(path)[0].pdq, prints(path)[0].quality) == pdq_from_file(path)


def test_pictures_come_at_the_rate_that_was_asked_for(tmp_path: Path) -> None:
    path = scenes.write(tmp_path / "v.mp4", scenes.Broadcast(6, 60).frames(0, 6, rate=10), rate=10)
    assert [offset for offset, _ in pictures(path, 1, 64)] == [0, 1000, 2000, 3000, 4000, 5000]
    assert set(digests(path)) == {"md5", "sha1", "sha256"}


def test_retention_deletes_fingerprints_and_they_trace_no_more(tmp_path: Path) -> None:
    kept = Recorded(tmp_path)
    words = random_words(100)
    with kept.transaction():
        assert kept.add(frames_of(words[:50], "old")) == 50
        assert kept.add(frames_of(words[:50], "old")) == 0  # the same again
        kept.add(frames_of(words[50:], "new", start_ms=10_000_000))
    kept.save_index()
    assert kept.expire(NOW + 1_000_000) == 1
    kept.close()
    again = Recorded(tmp_path)
    assert again.counts() == (1, 50)
    assert len(again.index()) == 50
    assert len(again.index().query(words[:50]).key) == 0
    known = again.find("p", "new")
    assert known is not None
    assert again.at_of(known.no, 10_000_500) == NOW + 10_000_500
    with pytest.raises(Exception, match="only added"):
        again.connection.execute("UPDATE frames SET quality = 0")
