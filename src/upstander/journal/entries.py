"""What stands in the journal, and how entries are chained."""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

#: The hash before the first entry.
GENESIS = bytes(32)


class Kind(StrEnum):
    """What an entry records."""

    CONFIG = "config"
    EVENT = "event"
    DECISION = "decision"
    ORDER = "order"
    ANSWER = "answer"
    AUDIT = "audit"
    NUDGE = "nudge"
    NUDGE_REPORT = "nudge_report"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One entry before it has a place: ``at`` is when it was received (epoch ms), ``ref`` the key of its event.

    ``body`` of an event is the line exactly as it was received.
    """

    kind: Kind
    body: bytes
    at: int
    platform: str = ""
    broadcast: str = ""
    ref: int | None = None


class Placed(msgspec.Struct, frozen=True, gc=False):
    """An entry in the journal: its sequence number (from 1) and the hash that chains it to all before it."""

    seq: int
    entry: Entry
    hash: bytes


def reference(platform: str, broadcast: str, event: str) -> int:
    """The 64-bit key under which an event is looked up again. Not proof of equality: compare the ids on a hit."""
    digest = hashlib.blake2b(f"{platform}\0{broadcast}\0{event}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def chain(previous: bytes, seq: int, entry: Entry) -> bytes:
    """SHA-256 over the previous hash and everything in the entry, each part with its length."""
    digest = hashlib.sha256(previous)
    head = f"{seq} {entry.at} {entry.ref} {entry.kind} {len(entry.platform)} {len(entry.broadcast)} {len(entry.body)} "
    digest.update((head + entry.platform + entry.broadcast).encode("utf-8", "surrogatepass"))
    digest.update(entry.body)
    return digest.digest()
