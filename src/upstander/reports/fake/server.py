"""The fake service on a socket of this machine, with two addresses of its own beside the contract's: ``/_fake/reports``
lists what it has, ``/_fake/faults`` takes faults, one a line."""

from __future__ import annotations

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import msgspec

from upstander.reports.fake.faults import read
from upstander.reports.fake.hotline import Hotline, Reply
from upstander.reports.model import ReportError

MAX_BODY = 256 * 1024 * 1024


class FakeServer:
    """Serves a ``Hotline`` until closed. ``url`` is the address to give as `url` under [reports.ncmec]."""

    def __init__(self, hotline: Hotline, host: str = "127.0.0.1", port: int = 0) -> None:
        self.hotline = hotline
        self._server = ThreadingHTTPServer((host, port), _handler_of(hotline))
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_address[1]}/ispws"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until the server ends."""
        self._thread.join()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def _handler_of(hotline: Hotline) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body leave together: apart they would wait for an acknowledgement.
        wbufsize = 64 * 1024
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._serve("GET")

        def do_POST(self) -> None:
            self._serve("POST")

        def _serve(self, method: str) -> None:
            length = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(min(length, MAX_BODY))
            if self.path.startswith("/_fake/"):
                reply = _own(hotline, self.path, body)
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                reply = hotline.handle(method, self.path.removeprefix("/ispws/"), headers, body)
            if reply.wait_s:
                time.sleep(reply.wait_s)
            if not reply.status:
                self.close_connection = True
                return
            try:
                self.send_response_only(reply.status)
                for name, value in (reply.headers | {"content-length": str(len(reply.body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(reply.body)
                self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # who asked has gone

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is logged: reports name people, even invented ones."""

    return Handler


def _own(hotline: Hotline, path: str, body: bytes) -> Reply:
    """The fake's own two addresses."""
    if path == "/_fake/reports":
        found = {"reports": list(hotline.reports.values()), "expired": len(hotline.expired)}
        return Reply(200, {"content-type": "application/json"}, msgspec.json.encode(found))
    if path == "/_fake/faults":
        try:
            hotline.faults += [read(line) for line in body.decode("utf-8", "replace").split() if line]
        except ReportError as error:
            return Reply(422, {"content-type": "text/plain"}, f"{error}\n".encode())
        return Reply(200, {"content-type": "text/plain"}, b"ok\n")
    return Reply(404, {"content-type": "text/plain"}, b"not found\n")
