"""The walls from within: what a decoder that somebody else controls can still do. Nothing but read its stream."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from upstander.watch import sandbox

if sandbox.available():
    pytest.skip(sandbox.available(), allow_module_level=True)

#: Each line is tried behind the walls; what is printed is the name of the error, or "possible".
TRIES = {
    "start a program": "os.execv('/bin/true', ['true'])",
    "fork": "os.fork()",
    "write a file": "open('/tmp/upstander-sandbox-probe', 'w')",
    "open for both": "os.open('/etc/hostname', os.O_RDWR)",
    "delete": "os.unlink('/etc/hostname')",
    "signal others": "os.kill(os.getppid(), 15)",
    "read memory of others": "libc.ptrace(16, os.getppid(), 0, 0) and error()",
    "get rights": "os.setuid(0)",
    "change limits": "resource.setrlimit(resource.RLIMIT_FSIZE, (9, 9))",
    "mount": "libc.mount(b'x', b'/mnt', b'tmpfs', 0, 0) and error()",
    "new socket": "socket.socket()",
    "datagram": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
    "netlink": "socket.socket(16, socket.SOCK_RAW)",
    "much memory": "bytearray(600 * 1024 * 1024)",
}
SCRIPT = """
import ctypes, json, os, resource, socket, sys
from upstander.watch import sandbox
libc = ctypes.CDLL(None, use_errno=True)
def error():
    raise OSError(ctypes.get_errno(), "x")
way, tries = json.loads(sys.argv[1])
sandbox.available()
sandbox.limit(256)
cut = sandbox.cut_off()
sandbox.drop_rights()
sandbox.close_off(way)
found = {"cut off": cut, "user": os.geteuid()}
for name, line in tries.items():
    try:
        exec(line)
        found[name] = "possible"
    except BaseException as fault:
        found[name] = type(fault).__name__
print(json.dumps(found), flush=True)
os._exit(0)
"""


def behind(way: str, tries: dict[str, str]) -> dict[str, object]:
    command = [sys.executable, "-c", SCRIPT, json.dumps([way, tries])]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    found: dict[str, object] = json.loads(result.stdout)
    return found


def test_nothing_is_possible_but_reading() -> None:
    found = behind("fd", TRIES | {"read a file": "open('/etc/hostname').read()", "read": "os.read(0, 0)"})
    assert found.pop("read") == "possible"
    assert found.pop("user") != 0
    found.pop("cut off")
    assert {name: what for name, what in found.items() if what == "possible"} == {}


def test_a_stream_over_the_network_reaches_its_relay_and_nothing_else() -> None:
    tries = {
        "loopback of the machine": "socket.create_connection(('127.0.0.1', PORT), 2)",
        "the world": "socket.create_connection(('192.0.2.1', 80), 2)",
        "its own loopback": "socket.create_server(('127.0.0.1', 0))",
        "fork": "os.fork()",
        "write a file": "open('/tmp/upstander-sandbox-probe', 'w')",
    }
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        found = behind("relay", {name: line.replace("PORT", port) for name, line in tries.items()})
    if not found["cut off"]:
        pytest.skip("this kernel gives no network namespace: the relay is then kept by its rules alone")
    assert found["loopback of the machine"] != "possible"
    assert found["the world"] != "possible"
    assert found["fork"] != "possible"
    assert found["write a file"] != "possible"
