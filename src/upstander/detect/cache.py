"""What takes long to make, kept in a folder: written whole, and used only when it is whole and ours.

What was not used for the longest goes when the folder grows too large.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

log = logging.getLogger(__name__)

#: The folder's size that is not exceeded for long: some dozens of pack sets, more than anyone goes back to.
MAX_BYTES = 1 << 30


def cache_folder() -> Path:
    """Where it is kept: ``$XDG_CACHE_HOME/upstander``, or ``~/.cache/upstander``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "upstander"


def kept(path: Path) -> bytes | None:
    """What ``keep`` wrote; None when it is not there, was damaged, or belongs to somebody else."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        data = path.read_bytes()
        os.utime(path)  # used now
    except OSError:
        return None
    return data[32:] if hashlib.sha256(data[32:]).digest() == data[:32] else None


def keep(path: Path, body: bytes) -> None:
    """Keep something. A folder that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(body).digest() + body)
        Path(file.name).replace(path)
        _tidy(path.parent, path)
    except OSError as error:
        log.debug("%s could not be kept: %s", path.name, error)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While no other process makes something for the folder: several that start together do not all make the same."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (folder / "lock").open("ab")
    except OSError as error:
        log.debug("%s cannot be locked: %s", folder, error)
        yield
        return
    with file:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _tidy(folder: Path, newest: Path) -> None:
    """Remove what was used longest ago until the rest fits; never what was just made."""
    found = [(status.st_mtime, status.st_size, each) for each in folder.iterdir() if (status := each.stat()).st_size]
    size = sum(bytes_ for _, bytes_, _ in found)
    for _, bytes_, each in sorted(found):
        if size <= MAX_BYTES:
            return
        if each != newest:
            each.unlink(missing_ok=True)
            size -= bytes_
