"""One transaction of a SQLite file in autocommit mode, for every store beside the journal's own writer."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it is durable, or none; no other process writes meanwhile. Within another one: part of it."""
    outermost = not connection.in_transaction
    if outermost:
        connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        if outermost:
            connection.execute("COMMIT")
    except BaseException:
        if outermost and connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
