"""From an address to what a watcher's process is told: the way in, the decoder's options, who passes the bytes on."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec

from upstander.watch import address
from upstander.watch.address import Rules
from upstander.watch.errors import WatchError
from upstander.watch.messages import Order
from upstander.watch.relay import Relay, Target

#: Protocols the decoder may use inside its walls. No file, no pipe, no data.
_WEB = "http,https,httpproxy,tls,tcp,hls,crypto"


class Source:
    """One stream to watch: a ``file`` that a person named on the command line, or a ``url`` by the ``rules``."""

    def __init__(self, url: str, rules: Rules, file: Path | None = None) -> None:
        """Raises ``WatchError`` when the rules refuse the address."""
        self.url, self.rules, self.file = url, rules, file
        self.parts = None if file is not None else address.check(url, rules)
        self.scheme = "file" if self.parts is None else self.parts.scheme.lower()

    @property
    def shown(self) -> str:
        """For people: without secrets."""
        return str(self.file) if self.file is not None else address.shown(self.url)

    @property
    def live(self) -> bool:
        """Whether it plays in time."""
        return self.file is None

    def order(self, base: Order) -> Order:
        """The order for a watcher's process."""
        if self.scheme in ("file", "srt"):
            return msgspec.structs.replace(
                base, way="fd", live=self.live, format="mpegts" if self.scheme == "srt" else ""
            )
        if self.scheme.startswith("whep"):
            return msgspec.structs.replace(base, way="whep")
        assert self.parts is not None
        if self.scheme in ("http", "https"):
            proxy = {"http_proxy": "http://127.0.0.1:{port}", "protocol_whitelist": _WEB, "tls_verify": "1"}
            # Braces in an address are no place-holders.
            url = self.url.replace("{", "{{").replace("}", "}}")
            return msgspec.structs.replace(base, way="relay", url=url, options=proxy | _certificates())
        user = f"{self.parts.netloc.rsplit('@', 1)[0]}@" if "@" in self.parts.netloc else ""
        scheme = "rtmp" if self.scheme == "rtmps" else self.scheme
        near = urlunsplit((scheme, f"{user}127.0.0.1:PORT", self.parts.path, self.parts.query, ""))
        near = near.replace("{", "{{").replace("}", "}}").replace("127.0.0.1:PORT", "127.0.0.1:{port}", 1)
        if scheme == "rtsp":
            options = {"rtsp_transport": "tcp", "protocol_whitelist": "rtsp,tcp,rtp,udp"}
        else:
            options = {"rtmp_live": "live", "rtmp_tcurl": self._tcurl(), "protocol_whitelist": "rtmp,tcp"}
        return msgspec.structs.replace(base, way="relay", url=near, options=options)

    def _tcurl(self) -> str:
        """What an RTMP client says it connects to: the real host, or a server of several finds no stream."""
        assert self.parts is not None
        names = self.parts.path.strip("/").split("/")
        app = names[0] if len(names) <= 2 else "/".join(names[:2])
        port = f":{self.parts.port}" if self.parts.port else ""
        return f"{self.scheme}://{self.parts.hostname}{port}/{app}"

    def relay(self, listener: socket.socket) -> Relay:
        """What serves the watcher's listener."""
        assert self.parts is not None
        target = None
        if self.scheme in ("rtmp", "rtmps", "rtsp"):
            target = Target(self.parts.hostname or "", address.port_of(self.parts), self.scheme == "rtmps")
        return Relay(listener, self.rules, target)


def _certificates() -> dict[str, str]:
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    return {"ca_file": str(bundle)} if bundle.exists() else {}


class Feed:
    """Where the bytes of an ``fd`` source come from: a file, or a program that speaks SRT and writes what it gets."""

    def __init__(self, source: Source) -> None:
        """Raises ``WatchError`` when there is no such file, or no such program."""
        self._process: subprocess.Popen[bytes] | None = None
        if source.file is not None:
            try:
                self.fd = os.open(source.file, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                raise WatchError(f"{source.file}: cannot be read ({error.strerror}).") from None
            return
        self._process = _srt(source)
        assert self._process.stdout is not None
        self.fd = os.dup(self._process.stdout.fileno())
        self._process.stdout.close()

    def close(self) -> None:
        """Close it; the program ends."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()


def _srt(source: Source) -> Any:
    """PyAV's wheels do not speak SRT: Debian's srt-tools carry the bytes, the decoder sees a plain MPEG-TS."""
    program = shutil.which("srt-live-transmit")
    if program is None:
        raise WatchError("SRT needs the program srt-live-transmit. On Debian: apt-get install srt-tools")
    parts = source.parts
    assert parts is not None
    port = address.port_of(parts)
    found = address.resolve(parts.hostname or "", port, source.rules, socket.SOCK_DGRAM)[0]
    host = f"[{found}]" if ":" in found else found
    asked = dict(pair.split("=", 1) for pair in urlsplit(source.url).query.split("&") if "=" in pair)
    query = urlencode(
        {"mode": "caller"} | {k: v for k, v in asked.items() if k in ("streamid", "passphrase", "latency")}
    )
    command = [program, "-q", "-a:no", "-loglevel:fatal", f"srt://{host}:{port}?{query}", "file://con"]
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
