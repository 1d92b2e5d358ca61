"""The walls around a decoder: limits, no network but its source, no rights, few system calls. What they hold in is
not here.

Applied by the watcher's process to itself before it touches a byte of the stream.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import struct
from pathlib import Path

from upstander.watch.errors import WatchError

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
#: The user nobody, on Debian and elsewhere.
NOBODY = 65_534
_libc = ctypes.CDLL(None, use_errno=True)

#: What decoding and talking to the parent need. Everything else fails with EPERM.
_CALLS = """
read readv write writev pread64 pwrite64 lseek close fstat newfstatat stat lstat statx access faccessat faccessat2
readlink readlinkat getcwd getdents64 fcntl dup dup2 dup3 pipe2 poll ppoll select pselect6 epoll_create1 epoll_ctl
epoll_wait epoll_pwait eventfd2 mmap munmap mremap mprotect madvise brk futex futex_waitv sched_yield sched_getaffinity
getrandom clock_gettime clock_nanosleep nanosleep gettimeofday time times getrusage getpid getppid gettid getuid geteuid
getgid getegid getgroups uname sysinfo rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack rt_sigtimedwait exit
exit_group set_robust_list get_robust_list rseq restart_syscall recvfrom recvmsg sendto sendmsg shutdown getsockopt
setsockopt getsockname getpeername arch_prctl membarrier prlimit64 getrlimit set_tid_address
"""
#: A stream over the network connects to its relay; HLS does so again and again.
_SOCKETS = ("socket", "connect", "bind")
#: WebRTC brings threads, and datagrams to addresses that are agreed on with the server.
_THREADS = ("clone", "clone3", "sched_setaffinity", "sched_getscheduler", "sched_setscheduler", "sendmmsg", "recvmmsg",
            "ioctl", "socketpair")  # fmt: skip


def limit(memory_mb: int) -> None:
    """Memory beyond what is mapped already, no files of any size, no core dumps, few descriptors, no processes."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    room = mapped + memory_mb * 1024 * 1024
    for what, most in (
        (resource.RLIMIT_AS, room),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(what, (most, most))


def cut_off() -> bool:
    """A network of its own with nothing in it but loopback. False where the kernel does not let us."""
    # Root needs no user namespace; others get the right in one.
    flags = _CLONE_NEWNET if os.geteuid() == 0 else _CLONE_NEWUSER | _CLONE_NEWNET
    if _libc.unshare(flags) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        request = struct.pack("16sh22x", b"lo", _IFF_UP)
        try:
            fcntl.ioctl(probe, _SIOCSIFFLAGS, request)
        except OSError:
            return False
    return True


def drop_rights() -> bool:
    """Become nobody (when we are root) and never get rights back. True when we were root."""
    was_root = os.geteuid() == 0
    if was_root:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    _libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    # Changing the user forgets this one: whoever started us is gone, so are we.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return was_root


def available() -> str:
    """Why system calls cannot be filtered here; empty when they can."""
    try:
        import pyseccomp  # noqa: F401
    except ImportError:
        return "the package pyseccomp is not installed. Run: pip install 'upstander[watch]'"
    except (OSError, RuntimeError, AttributeError):
        return "the library libseccomp is not installed. On Debian: apt-get install libseccomp2"
    return ""


def close_off(way: str, files: bool = False) -> None:
    """Allow the system calls that this way of reading needs. Raises ``WatchError``.

    ``way`` is that of ``messages.Order``. ``files``: may be read (TLS has certificates to read); else none is opened.
    """
    reason = available()
    if reason:
        raise WatchError(f"decoders cannot be sandboxed: {reason}")
    import pyseccomp as seccomp

    calls = _CALLS.split()
    if way != "fd":
        calls += _SOCKETS
    if way == "whep":
        calls += _THREADS
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in calls:
        try:
            rules.add_rule(seccomp.ALLOW, name)
        except (OSError, RuntimeError, ValueError):
            continue  # this architecture or this library does not know the call: it stays forbidden
    for name, place in (("open", 1), ("openat", 2)) if files else ():
        try:
            read_only = seccomp.Arg(place, seccomp.MASKED_EQ, os.O_ACCMODE | os.O_CREAT | os.O_TRUNC, os.O_RDONLY)
            rules.add_rule(seccomp.ALLOW, name, read_only)
        except (OSError, RuntimeError, ValueError):
            continue
    # Asking for the terminal's size or whether a descriptor is one: harmless, and every open file asks.
    for request in (0x5401, 0x5413, 0x541B):
        rules.add_rule(seccomp.ALLOW, "ioctl", seccomp.Arg(1, seccomp.EQ, request))
    rules.load()
