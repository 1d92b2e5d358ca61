"""The data folder's lock: one process writes a journal, for two would tear its hash chain."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


def take(folder: Path) -> int:
    """Lock a data folder until the descriptor that is returned is closed. Raises ``BlockingIOError`` when it is taken,
    ``OSError`` when the folder cannot be used."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
