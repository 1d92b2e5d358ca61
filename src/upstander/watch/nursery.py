"""Starts watchers' processes: one clean process that has loaded the decoder once and forks from then on.

Run as ``python -m upstander.watch.nursery FD``; the descriptor is its socket to the process that wants watchers.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading

from upstander.watch.errors import WatchError
from upstander.watch.messages import Line


class Child:
    """One watcher's process: the line to it, and a descriptor by which it, and no other, can be killed."""

    def __init__(self, line: Line, pid: int, handle: int) -> None:
        self.line, self.pid, self._handle = line, pid, handle

    def kill(self) -> None:
        """End it. Does nothing when it has gone already."""
        if self._handle >= 0:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            os.close(self._handle)
            self._handle = -1
        self.line.close()


class Nursery:
    """What the parent holds. Thread-safe; the process behind it is started when the first child is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._end: socket.socket | None = None

    def child(self) -> Child:
        """A new watcher's process. Raises ``WatchError`` when there cannot be one."""
        with self._lock:
            end = self._running()
            ours, theirs = socket.socketpair()
            try:
                socket.send_fds(end, [b"f"], [theirs.fileno()])
                answer, fds, _, _ = socket.recv_fds(end, 32, 1)
                if not fds:
                    raise OSError("no process came back")
            except OSError as error:
                ours.close()
                self._end, self._process = None, None
                raise WatchError(f"no process for a watcher could be started ({error}).") from None
            finally:
                theirs.close()
            return Child(Line(ours), int(answer), fds[0])

    def _running(self) -> socket.socket:
        if self._end is None or self._process is None or self._process.poll() is not None:
            ours, theirs = socket.socketpair()
            # One thread each: forty decoders of one thread are what the cores are shared among.
            threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
            self._process = subprocess.Popen(
                [sys.executable, "-m", "upstander.watch.nursery", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env=os.environ | threads,
                start_new_session=True,  # Ctrl-C is for the one who asked, and who then closes this
            )
            theirs.close()
            self._end = ours
        return self._end

    def close(self) -> None:
        """End it and all its children."""
        with self._lock:
            if self._end is not None:
                self._end.close()
            if self._process is not None:
                self._process.wait(10)
            self._end, self._process = None, None


def main(descriptor: int) -> None:
    """Fork a child for each request until the parent has gone; then the children go too."""
    from upstander.watch import child, rehearse, sandbox

    rehearse.rehearse()
    sandbox.available()
    end = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        try:
            asked, fds, _, _ = socket.recv_fds(end, 1, 1)
        except OSError:
            break
        if not asked:
            break
        pid = os.fork()
        if pid == 0:
            end.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            child.begin(socket.socket(fileno=fds[0]))
        handle = os.pidfd_open(pid)
        try:
            socket.send_fds(end, [str(pid).encode()], [handle])
        except OSError:
            break
        finally:
            os.close(handle)
            os.close(fds[0])


if __name__ == "__main__":
    main(int(sys.argv[1]))
