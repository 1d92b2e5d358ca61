"""What takes long to make, kept in a folder: written whole, and used only when it is whole and ours."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)


def kept(path: Path) -> bytes | None:
    """What ``keep`` wrote; None when it is not there, was damaged, or belongs to somebody else."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        data = path.read_bytes()
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
    except OSError as error:
        log.debug("%s could not be kept: %s", path.name, error)
