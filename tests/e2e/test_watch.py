"""Upstander watches what nginx carries: frames in the journal, words decided on, evidence sealed, pause and resume."""

from __future__ import annotations

import contextlib
import io
import json
import re
import secrets
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import av
import pytest
from nginx_support import UPSTANDER, Nginx, Process, Upstander, ffmpeg, free_port, needed, nginx, rtmp_module, until

from upstander.journal import store
from upstander.watch import sandbox

APP = "main"
SECRET = secrets.token_hex(16)
SAID = "are your parents home. do not tell anyone about this. add me on the other app."
HARMLESS = "welcome everybody. today we are going to build a castle."
BASIS = "Evidence Act 1999, section 7"

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)


class Site(NamedTuple):
    upstander: Upstander
    port: int
    folder: Path

    @property
    def journal(self) -> Path:
        return self.folder / "data" / "journal.sqlite"

    def events(self, broadcast: str, kind: str) -> list[dict[str, Any]]:
        connection = store.connect(self.journal, readonly=True)
        try:
            found = [json.loads(placed.entry.body) for placed in store.read(connection) if placed.entry.kind == "event"]
        finally:
            connection.close()
        return [event for event in found if (event["broadcast"], event["type"]) == (broadcast, kind)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    nginx(), rtmp_module(), ffmpeg()
    needed("espeak-ng", shutil.which("espeak-ng"), "scripts/apt.sh espeak-ng")
    folder = tmp_path_factory.mktemp("watch")
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    port, control = free_port(), free_port()
    settings = f"""
        data = "data"
        [[adapters]]
        name = "{APP}"
        platform = "{APP}"
        kind = "nginx_rtmp"
        secret_file = "secret"
        control_url = "http://127.0.0.1:{control}/control"
        app = "{APP}"
        card_url = "rtmp://127.0.0.1:{port}/{APP}"
        [cases]
        enabled = true
        [watch]
        enabled = true
        language = "en"
        [watch.sources]
        {APP} = "rtmp://127.0.0.1:{port}/{APP}/{{broadcast}}"
        [[watch.keep]]
        platform = "{APP}"
        jurisdiction = "GB"
        legal_basis = "{BASIS}"
        by = "A. Officer"
        seconds = 30
    """
    data = str(folder / "data")
    subprocess.run([UPSTANDER, "vault", "init", "--data", data, "--by", "A. Officer"], check=True, timeout=60)
    upstander = Upstander(folder, settings, (APP,))
    here = f"http://127.0.0.1:{upstander.port}/adapters/{APP}"
    asks = f"on_publish {here}/publish?secret={SECRET}; on_publish_done {here}/done?secret={SECRET};"
    carrier = Nginx(
        folder / "nginx", f"server {{ listen 127.0.0.1:{port}; application {APP} {{ live on; {asks} }} }}", control
    )
    try:
        yield Site(upstander, port, folder)
        assert "Traceback" not in upstander.log.read_text()
    finally:
        carrier.stop()
        upstander.stop()


class Speaker(Process):
    """ffmpeg sending a moving picture, a key frame a second, and a voice that says these words again and again."""

    def __init__(self, site: Site, name: str, text: str) -> None:
        wave = site.folder / f"{name.partition('?')[0]}.wav"
        subprocess.run(["espeak-ng", "-s", "130", "-w", str(wave), text], check=True, timeout=30)
        loop = ["-af", "apad=pad_dur=2,aloop=loop=-1:size=2e6"]
        picture = ["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=15", "-i", str(wave)]
        codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "15", "-pix_fmt", "yuv420p"]
        sound = [*loop, "-c:a", "aac", "-ar", "44100", "-t", "60"]
        output = ["-f", "flv", f"rtmp://127.0.0.1:{site.port}/{APP}/{name}"]
        log = site.folder / f"ffmpeg-{name.partition('?')[0]}-{time.monotonic_ns()}.log"
        super().__init__([ffmpeg(), "-nostdin", "-v", "error", *picture, *codecs, *sound, *output], log)


def test_frames_and_words_of_a_live_stream(site: Site) -> None:
    site.upstander.event(APP, "live-1", type="broadcast_started", host="h", host_age_band="10_12")
    speaker = Speaker(site, "live-1", SAID)
    try:
        frames = until(lambda: len(found := site.events("live-1", "frame")) >= 3 and found, 60, "three frames")
        assert all(re.fullmatch("[0-9a-f]{64}", frame["pdq"]) for frame in frames)
        assert all(frame["faces"] == 0 for frame in frames)
        speech = until(lambda: site.events("live-1", "speech"), 90, "words")
        assert speech[0]["speaker"] == "unknown"
        state = until(lambda: site.upstander.broadcast(APP, "live-1"), what="the broadcast")
        assert state["broadcast"] == "live-1"

        # A person writes what makes it urgent: what the stream showed just then is sealed into the case.
        for number in range(4):
            text = ("do a spin and ill send a gift", "dont tell anyone, meet me at the park, come alone")[number % 2]
            site.upstander.event(APP, "live-1", type="comment", actor="v1", text=text)
        until(lambda: "media" in parts(site), 60, "sealed media")
    finally:
        speaker.stop()
    data = str(site.folder / "data")
    assert subprocess.run([UPSTANDER, "vault", "verify", "--data", data], check=False, timeout=60).returncode == 0
    address = sealed(site, "media")[0]
    named = ["--data", data, "--by", "A. Officer", "--why", "a test"]
    shown = subprocess.run([UPSTANDER, "vault", "show", address, *named], capture_output=True, timeout=60, check=True)
    with av.open(io.BytesIO(shown.stdout)) as played:
        assert {stream.type for stream in played.streams} == {"video", "audio"}
    ledger = [entry for entry in told(site) if entry["kind"] == "media"]
    assert [(entry["by"], BASIS in entry["why"], entry["reference"]) for entry in ledger] == [
        ("A. Officer", True, f"media:{APP}:GB")
    ]


def parts(site: Site) -> set[str]:
    connection = sqlite3.connect(site.folder / "data" / "vault" / "ledger.sqlite3")
    try:
        return {part for (part,) in connection.execute("SELECT part FROM items")}
    finally:
        connection.close()


def sealed(site: Site, part: str) -> list[str]:
    connection = sqlite3.connect(site.folder / "data" / "vault" / "ledger.sqlite3")
    try:
        return [address for (address,) in connection.execute("SELECT address FROM items WHERE part = ?", (part,))]
    finally:
        connection.close()


def told(site: Site) -> list[dict[str, Any]]:
    connection = sqlite3.connect(site.folder / "data" / "vault" / "ledger.sqlite3")
    try:
        return [json.loads(body) for (body,) in connection.execute("SELECT body FROM entries ORDER BY seq")]
    finally:
        connection.close()


def test_what_shows_nothing_is_kept_apart_and_no_media_lies_anywhere(site: Site) -> None:
    speaker = Speaker(site, "live-2", HARMLESS)
    try:
        until(lambda: heard(site, "live-2"), 90, "words that show nothing")
    finally:
        speaker.stop()
    assert site.events("live-2", "speech") == []
    file = site.folder / "data" / "transcripts.sqlite3"
    assert file.stat().st_mode & 0o077 == 0
    media = [path for path in (site.folder / "data").rglob("*") if path.is_file() and b"matroska" in path.read_bytes()]
    assert media == []


def heard(site: Site, broadcast: str) -> list[str]:
    connection = sqlite3.connect(site.folder / "data" / "transcripts.sqlite3")
    try:
        return [text for (text,) in connection.execute("SELECT text FROM heard WHERE broadcast = ?", (broadcast,))]
    finally:
        connection.close()


class Player:
    """Somebody who watches over RTMP: the corner of each picture that comes, as (red, green, blue)."""

    def __init__(self, site: Site, name: str) -> None:
        self.corners: list[tuple[int, int, int]] = []
        self._url = f"rtmp://127.0.0.1:{site.port}/{APP}/{name}"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        with contextlib.suppress(av.FFmpegError), av.open(self._url, timeout=(10, 20)) as stream:
            for frame in stream.decode(video=0):
                red, green, blue = frame.to_ndarray(format="rgb24")[4, 4]
                self.corners.append((int(red), int(green), int(blue)))
                if self._done.is_set():
                    return

    def sees_card(self) -> bool:
        wanted = (38, 50, 84)
        return bool(self.corners) and all(abs(a - b) < 12 for a, b in zip(self.corners[-1], wanted, strict=True))

    def stop(self) -> None:
        self._done.set()


def test_a_card_stands_in_for_a_paused_stream_which_is_watched_again_when_it_comes_back(site: Site) -> None:
    speaker = Speaker(site, "live-3", HARMLESS)
    until(lambda: len(site.events("live-3", "frame")) >= 2, 60, "two frames")
    early = Player(site, "live-3")
    until(lambda: len(early.corners) > 5, 30, "pictures at the player")
    assert not early.sees_card()
    site.upstander.order(APP, "live-3", "pause")
    until(lambda: not speaker.running, 30, "the encoder dropped")
    late = Player(site, "live-3")
    until(late.sees_card, 30, "the card at somebody who comes now")
    until(early.sees_card, 30, "the card at somebody who was there")
    for forged in ("card=wrong", "card="):
        intruder = Speaker(site, f"live-3?{forged}", HARMLESS)
        until(lambda running=intruder: not running.running, 30, "a forged card refused")  # type: ignore[misc]
    before = len(site.events("live-3", "frame"))
    site.upstander.order(APP, "live-3", "resume")

    def back() -> Speaker | None:
        again = Speaker(site, "live-3", HARMLESS)  # as encoders do: again and again until the name is free
        time.sleep(1.0)
        return again if again.running else None

    again = until(back, 60, "the encoder back")
    try:
        until(lambda: len(site.events("live-3", "frame")) >= before + 2, 90, "frames again")
        until(lambda: not late.sees_card(), 30, "the stream at the player")
    finally:
        again.stop()
        early.stop()
        late.stop()
    ids = [frame["id"] for frame in site.events("live-3", "frame")]
    assert len(set(ids)) == len(ids)
    assert site.events("live-3", "broadcast_ended")


def test_no_watcher_outlives_the_service(site: Site) -> None:
    mine = [
        p.name for p in Path("/proc").iterdir() if p.name.isdigit() and parent_of(p.name) == site.upstander.popen.pid
    ]
    assert mine  # the supervisor
    site.upstander.stop()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in mine), 30, "the supervisor's end")
    assert "Traceback" not in site.upstander.log.read_text()


def parent_of(pid: str) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    except (OSError, IndexError):
        return 0
