"""Streams as they come: every shape of file, broken ones, changing ones, a source that goes away and comes back."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from watch_support import Watched, cartoon, clip, nursery, pattern, prepared, tone, watch

from support import until
from upstander.watch import sandbox
from upstander.watch.address import Rules
from upstander.watch.analyst import Models
from upstander.watch.faces import FaceBoxes
from upstander.watch.nursery import Nursery
from upstander.watch.source import Source
from upstander.watch.watcher import Limits

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)


@pytest.fixture(scope="module")
def young() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of changing patterns and a tone, a key frame a second, as MPEG-TS."""
    folder = tmp_path_factory.mktemp("plain")
    return clip(folder / "plain.ts", [pattern(n // 10) for n in range(60)], tone(6))


def test_a_file_gives_a_frame_a_second(plain: Path, young: Nursery) -> None:
    found = watch(plain, young)
    assert found.fault == ""
    assert [frame.offset_ms // 1_000 for frame in found.frames] == [0, 1, 2, 3, 4, 5]
    assert all(frame.pdq and frame.quality and frame.quality > 50 for frame in found.frames)
    assert len({frame.pdq for frame in found.frames}) == 6
    assert all(frame.faces is None for frame in found.frames)  # nobody looked
    assert [frame.at - found.frames[0].at for frame in found.frames] == [f.offset_ms for f in found.frames]
    assert {"limits", "system calls"} <= set(found.watcher.state.walls)


def test_video_only_audio_only_and_black(tmp_path: Path, young: Nursery) -> None:
    video = watch(clip(tmp_path / "video.mp4", [pattern(n) for n in range(30)]), young, sound=True)
    assert len(video.frames) == 3
    audio = watch(clip(tmp_path / "audio.mp4", None, tone(3)), young, sound=True)
    assert (audio.fault, audio.frames) == ("", [])
    assert audio.watcher.state.opened.sounds == ["aac"]
    black = watch(clip(tmp_path / "black.mp4", [np.zeros((180, 320, 3), np.uint8)] * 30), young)
    assert [frame.scene for frame in black.frames] == ["black"] * 3
    assert all(frame.quality == 0 for frame in black.frames)


def test_the_size_and_the_codec_change_in_the_middle(tmp_path: Path, young: Nursery) -> None:
    small = clip(tmp_path / "a.ts", [pattern(n) for n in range(30)]).read_bytes()
    large = clip(tmp_path / "b.ts", [pattern(n, 640, 480) for n in range(30)]).read_bytes()
    other = clip(tmp_path / "c.ts", [pattern(n) for n in range(30)], codec="mpeg2video").read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(small + large + other + small)
    found = watch(joined, young)
    assert found.fault == ""
    assert len(found.frames) >= 8  # what another codec sends on the same track may be lost
    assert found.frames[-1].offset_ms >= found.frames[0].offset_ms


def test_corrupt_packets_cost_what_they_hold_and_no_more(plain: Path, tmp_path: Path, young: Nursery) -> None:
    data = bytearray(plain.read_bytes())
    chance = np.random.default_rng(4)
    for at in chance.integers(len(data) // 3, len(data) * 2 // 3, 300):
        data[at] ^= 0xFF
    broken = tmp_path / "broken.ts"
    broken.write_bytes(data)
    found = watch(broken, young)
    assert found.fault == ""
    assert found.frames[0].offset_ms == 0
    assert found.frames[-1].offset_ms >= 5_000


def test_wrong_times_are_counted_and_survived(tmp_path: Path, young: Nursery) -> None:
    """After three seconds the clock of the encoder jumps ahead by a day, and after five by another one."""
    made = clip(tmp_path / "t.mkv", [pattern(n) for n in range(60)], pts=lambda n: n + 864_000 * (n // 25))
    found = watch(made, young)
    assert found.watcher.state.beat.wrong_times >= 1
    offsets = [frame.offset_ms for frame in found.frames]
    assert offsets == sorted(offsets)
    assert offsets[-1] < 60_000


def test_rare_key_frames_and_a_scene_that_changes(tmp_path: Path, young: Nursery) -> None:
    rare = clip(tmp_path / "rare.mp4", [pattern(n // 10) for n in range(260)], gop=60)
    found = watch(rare, young)
    assert any("every frame" in line for line in found.told)
    assert len(found.frames) > 14  # after the second key frame, one a second


def test_pictures_with_faces_are_counted(tmp_path: Path, young: Nursery) -> None:
    scenes = [((320, 170, 80),), ((200, 170, 70), (450, 170, 60)), ()]
    pictures = [cartoon(scenes[n // 40], shift=n % 7) for n in range(120)]
    found = watch(clip(tmp_path / "faces.mp4", pictures), young, Models(FaceBoxes()), pictures=True)
    counts = [frame.faces for frame in found.frames]
    assert [counts[2:4], counts[6:8], counts[10:]] == [[1, 1], [2, 2], [0, 0]]
    assert {"person", "people"} <= {frame.scene for frame in found.frames}


def test_not_media_at_all(tmp_path: Path, young: Nursery) -> None:
    nonsense = tmp_path / "x.mp4"
    nonsense.write_bytes(b"this is no film\n" * 500)
    found = watch(nonsense, young)
    assert found.fault
    assert found.frames == []


class Server:
    """Sends a stream over HTTP again and again, a part of it each time, then breaks off."""

    def __init__(self, data: bytes, parts: int) -> None:
        self.data, self.parts, self.served = data, parts, 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                near, _ = self._server.accept()
            except OSError:
                return
            with near:
                near.recv(4096)
                self.served += 1
                try:
                    near.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: video/mp2t\r\nconnection: close\r\n\r\n")
                    near.sendall(self.data[: len(self.data) * 2 // 3] if self.served <= self.parts else self.data)
                except OSError:
                    pass

    def close(self) -> None:
        self._server.close()


def test_a_source_that_breaks_off_is_tried_again(plain: Path, young: Nursery) -> None:
    server = Server(plain.read_bytes(), 2)
    try:
        url = f"http://127.0.0.1:{server.port}/live.ts"
        source = Source(url, Rules().with_host("127.0.0.1", server.port))
        found = prepared(source, young, limits=Limits(attempts=3))
        found.watcher.run()
        assert server.served == 3
        assert sum("again in" in line for line in found.told) == 2
        assert len({frame.id for frame in found.frames}) == len(found.frames) >= 10
        offsets = [frame.offset_ms for frame in found.frames]
        assert found.watcher.state.opened.format == "mpegts"
        assert max(offsets) < 60_000
    finally:
        server.close()


def test_a_decoder_that_says_nothing_is_ended_and_the_watcher_goes_on(young: Nursery) -> None:
    """A server that takes the connection and then is silent."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        source = Source(f"http://127.0.0.1:{port}/x.ts", Rules().with_host("127.0.0.1", port))
        found = prepared(source, young, limits=Limits(deadline_s=0.5, open_s=0.5, attempts=1), read_s=30.0)
        fault = found.watcher.run()
    assert "deadline" in fault
    assert found.watcher.state.killed == 1


def test_a_name_that_the_dns_does_not_know_is_tried_again(young: Nursery) -> None:
    source = Source("rtmp://nowhere.invalid/live/x", Rules(hosts=("nowhere.invalid",)))
    found = prepared(source, young, limits=Limits(attempts=2))
    assert found.watcher.run()
    assert found.watcher.state.tries == 2


def test_stopping_is_quick_and_leaves_no_process(young: Nursery) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        source = Source(f"http://127.0.0.1:{port}/x.ts", Rules().with_host("127.0.0.1", port))
        found = prepared(source, young)
        running = threading.Thread(target=found.watcher.run)
        running.start()
        until(lambda: found.watcher.state.state == "opening")
        found.watcher.stop()
        running.join(10)
        assert not running.is_alive()
        assert found.watcher.state.state == "ended"


def test_clips_are_the_streams_own_packets(plain: Path, young: Nursery) -> None:
    found: Watched = watch(plain, young, sound=True, clip_s=2.0)
    assert [(each.from_ms // 1_000, each.to_ms > each.from_ms) for each in found.clips] == [
        (0, True),
        (2, True),
        (4, True),
    ]
    with av.open(io.BytesIO(found.clips[1].matroska)) as played:
        assert {stream.type for stream in played.streams} == {"video", "audio"}
        assert sum(1 for _ in played.decode(video=0)) == 20
    assert watch(plain, young, sound=True).clips == []
