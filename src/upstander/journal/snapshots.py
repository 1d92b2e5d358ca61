"""Snapshots: the engines' state at a point of the journal, so that recovery need not start at the first event."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)
KEEP = 2


class Snapshot(msgspec.Struct, frozen=True):
    """The state after entry ``seq``, whose chain hash is ``head``."""

    seq: int
    head: bytes
    states: dict[str, bytes]


def save(folder: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot so that a crash leaves the old ones or the new one whole; keeps the last two."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    body = msgspec.msgpack.encode(snapshot)
    path = folder / f"{snapshot.seq:020d}.snapshot"
    temporary = path.with_suffix(".part")
    with temporary.open("wb") as file:
        file.write(hashlib.sha256(body).digest() + body)
        file.flush()
        os.fsync(file.fileno())
    temporary.chmod(0o600)
    temporary.rename(path)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    for old in sorted(folder.glob("*.snapshot"))[:-KEEP]:
        old.unlink(missing_ok=True)
    return path


def latest(folder: Path, connection: sqlite3.Connection) -> Snapshot | None:
    """The newest whole snapshot that belongs to this journal; damaged or foreign ones are passed over."""
    for path in sorted(folder.glob("*.snapshot"), reverse=True):
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            log.warning("snapshot %s is damaged: passed over", path.name)
            continue
        try:
            snapshot = msgspec.msgpack.decode(data[32:], type=Snapshot)
        except msgspec.DecodeError:
            log.warning("snapshot %s is of another release: passed over", path.name)
            continue
        row = connection.execute("SELECT hash FROM entries WHERE seq = ?", (snapshot.seq,)).fetchone()
        if row is not None and row[0] == snapshot.head:
            return snapshot
        log.warning("snapshot %s does not belong to this journal: passed over", path.name)
    return None
