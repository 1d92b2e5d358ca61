"""HLS end to end: a playlist and its segments through the relay; one that leads elsewhere leads nowhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from watch_support import Watched, clip, nursery, pattern, prepared

from upstander.watch import sandbox
from upstander.watch.address import Rules
from upstander.watch.nursery import Nursery
from upstander.watch.source import Source
from upstander.watch.watcher import Limits

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)


@contextmanager
def web(files: dict[str, bytes], moved: dict[str, str] | None = None) -> Iterator[tuple[int, list[str]]]:
    """A web server with these files; ``moved`` are sent on to other addresses."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked.append(self.path)
            target = (moved or {}).get(self.path)
            body = b"" if target else files.get(self.path, b"")
            self.send_response(302 if target else 200 if body else 404)
            if target:
                self.send_header("location", target)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def young() -> Iterator[Nursery]:
    with nursery() as made:
        yield made


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder: Path = tmp_path_factory.mktemp("hls")
    made = {
        f"/{n}.ts": clip(folder / f"{n}.ts", [pattern(10 * n + k // 10) for k in range(20)]).read_bytes()
        for n in range(3)
    }
    return made | {"/live.m3u8": playlist(list(made))}


def playlist(uris: list[str]) -> bytes:
    listed = "".join(f"#EXTINF:2.0,\n{uri}\n#EXT-X-DISCONTINUITY\n" for uri in uris)
    return f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n{listed}#EXT-X-ENDLIST\n".encode()


def watched(port: int, young: Nursery, path: str = "/live.m3u8") -> Watched:
    source = Source(f"http://127.0.0.1:{port}{path}", Rules().with_host("127.0.0.1", port))
    found = prepared(source, young, limits=Limits(attempts=1))
    found.fault = found.watcher.run()
    return found


def test_a_playlist_and_its_segments(segments: dict[str, bytes], young: Nursery) -> None:
    with web(segments) as (port, asked):
        found = watched(port, young)
    assert found.watcher.state.opened.format == "hls"
    assert len(found.frames) >= 5
    assert {"/live.m3u8", "/0.ts", "/1.ts", "/2.ts"} <= set(asked)


def test_segments_and_redirects_that_lead_elsewhere_are_never_asked_for(
    segments: dict[str, bytes], young: Nursery
) -> None:
    with web(segments) as (other, asked_there):
        there = f"http://127.0.0.1:{other}"
        evil = {
            "/segments.m3u8": playlist([f"{there}/0.ts", f"{there}/1.ts"]),
            "/file.m3u8": playlist(["file:///etc/passwd"]),
        }
        with web(segments | evil, {"/moved.m3u8": f"{there}/live.m3u8"}) as (port, _):
            for path in ("/segments.m3u8", "/moved.m3u8", "/file.m3u8"):
                found = watched(port, young, path)
                assert found.frames == []
                assert found.fault
    assert asked_there == []
