"""What watching costs: one 720p stream beside bare decoding, then forty RTMP streams through nginx, with chat beside.

Limits: sampling and hashing at most 1.5 times the CPU of PyAV's own key-frame decoding, 150 streams a core; with forty
streams no frame older than 3 s at the engine (99%). A frame's age is measured from the moment its packet was sent to
nginx (the publisher notes it) to its entry in the journal. The publisher, nginx, forty decoders, the service and the
load generator share the cores. ``--faces`` counts faces too; speech is measured in ``speech.py``.
"""

from __future__ import annotations

import argparse
import bisect
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

from common import ROOT, emit, percentile
from gateway import load
from upstander.gateway.keys import KeyStore, Scope
from upstander.journal import store
from upstander.watch import decode, pdq
from upstander.watch.messages import Beat, Order, Picture

STREAMS, SECONDS, FPS, LENGTH_S = 40, 30, 15, 45
ROUNDS = 5
CHAT_RATE, CHAT_S = 200, 10
MODULE = "/usr/lib/nginx/modules/ngx_rtmp_module.so"


def film(path: Path, seconds: int, fps: int) -> Path:
    """720p H.264, a key frame a second, another picture each second, things that move in it."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream(
            "libx264", fps, options={"preset": "veryfast", "sc_threshold": "0", "bf": "2", "crf": "17"}
        )
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 1280, 720, "yuv420p", fps
        for second in range(seconds):
            chance = np.random.default_rng(second)
            rough = chance.integers(40, 216, (5, 8, 3), dtype=np.uint8)
            still = cv2.GaussianBlur(cv2.resize(rough, (1280, 720), interpolation=cv2.INTER_CUBIC), (61, 61), 0)
            for _ in range(6):
                corner = tuple(int(n) for n in chance.integers(0, 640, 2))
                cv2.rectangle(still, corner, (corner[0] + 300, corner[1] + 120), tuple(map(int, rough[0, 0])), -1)
            for number in range(fps):
                picture = still.copy()
                cv2.circle(picture, (100 + number * 30, 360), 90, (255, 255, 255), -1)
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts = second * fps + number
                out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


class Counter:
    """A line to nobody, that counts pictures."""

    pictures: list[Picture]

    def __init__(self) -> None:
        self.pictures = []

    def send(self, message: object, fds: object = None) -> None:
        if isinstance(message, Picture):
            self.pictures.append(message)

    def waiting(self) -> bool:
        return False


def ours(path: Path, **order: Any) -> list[Picture]:
    line = Counter()
    with path.open("rb", buffering=0) as file:
        decode.run(Order(way="fd", live=False, **{"sound": False} | order), line, file, Beat())  # type: ignore[arg-type]
    return line.pictures


def bare(path: Path, which: str) -> int:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.skip_frame, stream.codec_context.thread_count = which, 1
        return sum(1 for _ in container.decode(stream))


def key_frame_bytes(path: Path) -> float:
    with av.open(str(path)) as container:
        sizes = [p.size for p in container.demux(container.streams.video[0]) if p.is_keyframe and p.size]
    return sum(sizes) / len(sizes)


def cpu(path: Path) -> dict[str, float]:
    """Milliseconds of CPU for each second of the stream; the least of several rounds that take turns."""
    ways = {
        "key_frames_bare": lambda: bare(path, "NONKEY"),
        "ours": lambda: ours(path),
        "ours_with_picture_for_models": lambda: ours(path, pictures=True),
        "every_frame_bare": lambda: bare(path, "DEFAULT"),
    }
    best: dict[str, float] = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.process_time()
            way()
            best[name] = min(best[name], (time.process_time() - began) * 1_000 / LENGTH_S)
    return best


# -- forty streams -----------------------------------------------------------------------------------------------


def publish(path: str, port: str) -> None:
    """A process of its own: forty streams of the same packets, each begun a little later. Prints when each key frame
    was sent: ``stream second epoch_ms``."""
    os.nice(5)
    lock = threading.Lock()

    def one(number: int) -> None:
        time.sleep(number * 0.15)
        with av.open(f"rtmp://127.0.0.1:{port}/live/s{number}", "w", format="flv") as out, av.open(path) as mine:
            target = out.add_stream_from_template(mine.streams.video[0])
            began, loops = time.monotonic(), 0
            while True:
                for packet in mine.demux(mine.streams.video[0]):
                    if packet.dts is None:
                        continue
                    at = float(packet.dts * packet.time_base)
                    time.sleep(max(0.0, began + loops * LENGTH_S + at - time.monotonic()))
                    key, second = packet.is_keyframe, round(float(packet.pts * packet.time_base))
                    shift = int(loops * LENGTH_S / packet.time_base)
                    packet.pts, packet.dts, packet.stream = packet.pts + shift, packet.dts + shift, target
                    sent = time.time_ns() // 1_000_000
                    out.mux(packet)
                    if key:
                        with lock:
                            print(number, second, sent, flush=True)
                loops += 1
                mine.seek(0)

    for number in range(STREAMS):
        threading.Thread(target=one, args=(number,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)


def nginx(folder: Path, port: int, control: int, serving: int, secret: str) -> subprocess.Popen[bytes]:
    ask, done = (f"http://127.0.0.1:{serving}/adapters/main/{what}?secret={secret}" for what in ("publish", "done"))
    temp = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"load_module {MODULE}; {user} daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;"
        f"events {{ worker_connections 512; }} rtmp {{ server {{ listen 127.0.0.1:{port}; application live {{ live on;"
        f" on_publish {ask}; on_publish_done {done}; }} }} }} http {{ access_log off; {temp} server {{"
        f" listen 127.0.0.1:{control}; location /control {{ rtmp_control drop; }} }} }}"
    )
    command = ["/usr/sbin/nginx", "-p", str(folder), "-e", f"{folder}/error.log", "-c", f"{folder}/nginx.conf"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def served(folder: Path, port: int, faces: bool) -> tuple[subprocess.Popen[str], int, int, str]:
    control = free_port()
    (folder / "secret").write_text("0123456789abcdef" * 4)
    (folder / "secret").chmod(0o600)
    (folder / "upstander.toml").write_text(
        f'data = "data"\n[presets]\nuse = ["none"]\n[[adapters]]\nname = "main"\nplatform = "bench"\n'
        f'kind = "nginx_rtmp"\nsecret_file = "secret"\napp = "live"\n'
        f'control_url = "http://127.0.0.1:{control}/control"\n'
        f"[watch]\nenabled = true\nspeech = false\nfaces = {str(faces).lower()}\n"
        f'[watch.sources]\nbench = "rtmp://127.0.0.1:{port}/live/{{broadcast}}"\n'
    )
    keys = KeyStore(folder / "data" / "keys.sqlite")
    key, _ = keys.create("bench", [Scope.EVENTS_WRITE])
    keys.close()
    command = [ROOT / ".venv/bin/upstander", "serve", "--config", folder / "upstander.toml", "--port", "0"]
    command += ["--log-level", "error"]
    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, text=True, cwd=folder)
    assert process.stdout is not None
    serving = int(process.stdout.readline().split("http://127.0.0.1:", 1)[1].split()[0])
    return process, serving, control, key


def frames_of(journal: Path) -> list[tuple[str, int, str]]:
    """``(broadcast, epoch ms of the journal entry, pdq)`` of every frame."""
    connection = store.connect(journal, readonly=True)
    try:
        found = []
        for placed in store.read(connection, 0, "kind = 'event'"):
            event = json.loads(placed.entry.body)
            if event["type"] == "frame":
                found.append((event["broadcast"], placed.entry.at, event["pdq"]))
        return found
    finally:
        connection.close()


def ages(path: Path, frames: list[tuple[str, int, str]], sent: list[str], since: int) -> dict[str, list[float]]:
    """Seconds from a key frame's sending to its entry, by broadcast. Which frame it is, its hash says."""
    known = np.array([np.unpackbits(np.frombuffer(bytes.fromhex(p.pdq), np.uint8)) for p in ours(path, interval_s=0.5)])
    times: dict[tuple[int, int], list[int]] = {}
    for line in sent:
        number, second, at = (int(field) for field in line.split())
        times.setdefault((number, second), []).append(at)
    found: dict[str, list[float]] = {}
    for broadcast, at, pdq_hex in frames:
        if at < since:
            continue
        apart = (known != np.unpackbits(np.frombuffer(bytes.fromhex(pdq_hex), np.uint8))).sum(axis=1)
        sendings = times.get((int(broadcast[1:]), int(apart.argmin())), [])
        place = bisect.bisect_right(sendings, at) - 1
        if place >= 0 and apart.min() <= 40:
            found.setdefault(broadcast, []).append((at - sendings[place]) / 1_000)
    return found


def forty(path: Path, folder: Path, faces: bool) -> dict[str, Any]:
    port = free_port()
    service, serving, control, key = served(folder, port, faces)
    carrier = nginx(folder, port, control, serving, (folder / "secret").read_text())
    publisher: subprocess.Popen[str] | None = None
    texts = ["nice game", "hello from here", "what a goal", "how did you do that"] * 50
    try:
        time.sleep(3)
        load(serving, key, "warm", texts, CHAT_RATE, 3)
        alone = load(serving, key, "alone", texts, CHAT_RATE, CHAT_S)
        command = [sys.executable, __file__, "publish", str(path), str(port)]
        log = (folder / "sent").open("w")
        publisher = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, text=True)
        time.sleep(STREAMS * 0.15 + 15)
        since = time.time_ns() // 1_000_000
        began = time.monotonic()
        beside = load(serving, key, "beside", texts, CHAT_RATE, CHAT_S)
        time.sleep(max(0.0, SECONDS - (time.monotonic() - began)))
    finally:
        for process in (publisher, carrier, service):
            if process is not None:
                process.terminate()
                process.wait(30)
    found = ages(path, frames_of(folder / "data" / "journal.sqlite"), (folder / "sent").read_text().splitlines(), since)
    every = sorted(age for each in found.values() for age in each)
    return {
        "streams_with_frames": len(found),
        "frames": len(every),
        "frames_a_second_and_stream": round(len(every) / SECONDS / STREAMS, 2),
        "age_s": {share: round(percentile(every, value), 2) for share, value in (("p50", 0.5), ("p99", 0.99))}
        | {"max": round(every[-1], 2)},
        "chat_p99_ms_alone": alone["p99_ms"],
        "chat_p99_ms_beside": beside["p99_ms"],
        "chat_p50_ms": [alone["p50_ms"], beside["p50_ms"]],
        "chat_decided": set(beside["statuses"]) == {"200"},  # type: ignore[call-overload]
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--faces", action="store_true")
    parser.add_argument("--only-cpu", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT) as name:
        folder = Path(name)
        cost = cpu(film(folder / "film30.mp4", LENGTH_S, 30))
        ratio, per_core = cost["ours"] / cost["key_frames_bare"], 1_000 / cost["ours"]
        plane = np.random.default_rng(1).integers(0, 256, (720, 1280), dtype=np.uint8)
        began = time.process_time()
        for _ in range(200):
            pdq.hash_of(plane)
        limits = {"1.5 times bare key frames": ratio <= 1.5, "150 streams a core": per_core >= 150}
        figures: dict[str, Any] = {
            "cpu_ms_a_second_of_720p30": {way: round(value, 2) for way, value in cost.items()},
            "key_frame_kb": round(key_frame_bytes(folder / "film30.mp4") / 1_000, 1),
            "pdq_ms": round((time.process_time() - began) * 5, 2),
            "ratio_to_bare_key_frames": round(ratio, 2),
            "ratio_to_every_frame": round(cost["ours"] / cost["every_frame_bare"], 3),
            "streams_a_core": round(per_core),
        }
        if not asked.only_cpu:
            (folder / "site").mkdir()
            figures |= {"streams": STREAMS, "faces": asked.faces}
            figures |= forty(film(folder / "film15.mp4", LENGTH_S, FPS), folder / "site", asked.faces)
            limits["no frame older than 3 s (99%)"] = figures["age_s"]["p99"] <= 3
            limits["every stream watched"] = figures["streams_with_frames"] == STREAMS
    emit("watch", limits, **figures)


if __name__ == "__main__":
    if sys.argv[1:2] == ["publish"]:
        publish(*sys.argv[2:])
    else:
        main()
