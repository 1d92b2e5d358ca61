"""Anchors of the ledger in the journal: what the journal was told cannot be rewritten in the ledger unseen."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from upstander.journal import store


class Anchor(msgspec.Struct, frozen=True):
    """The body of an audit entry of the journal that says how far the ledger was: number and hash of its last entry."""

    ledger: int
    head: str


def anchors_in(journal: Path) -> list[tuple[int, str]]:
    """All anchors that stand in a journal: number and hash of entries of the ledger. None when there is no journal."""
    if not journal.exists():
        return []
    connection = store.connect(journal, readonly=True)
    try:
        return anchors_of(connection)
    finally:
        connection.close()


def anchors_of(connection: sqlite3.Connection) -> list[tuple[int, str]]:
    """``anchors_in``, of an open journal."""
    found = []
    for (body,) in connection.execute("SELECT body FROM entries WHERE kind = 'audit' AND body LIKE '{\"ledger\":%'"):
        with contextlib.suppress(msgspec.MsgspecError):
            anchor = msgspec.json.decode(body, type=Anchor)
            found.append((anchor.ledger, anchor.head))
    return found
