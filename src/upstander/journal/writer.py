"""The one thread that writes the journal: it takes all that waits, commits it with one fsync, and says so."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from upstander.journal import store
from upstander.journal.entries import Entry
from upstander.journal.store import JournalError, Statement

log = logging.getLogger(__name__)

#: At most this many entries share one transaction, so that no one waits for an endless one.
MAX_GROUP = 2_000


class Batch(msgspec.Struct, gc=False):
    """Entries and statements that become durable together. Once durable, ``first`` is the sequence number of its
    first entry and ``head`` the chain hash of its last."""

    entries: Sequence[Entry]
    statements: Sequence[Statement] = ()
    done: Callable[[Batch], None] | None = None
    first: int = 0
    head: bytes = b""
    error: Exception | None = None


class Writer:
    """Group commit. Batches are written in the order they were submitted, each wholly or not at all.

    After a failed commit nothing more is written until ``resume``: what was submitted later was decided on the
    ground of what could not be kept. ``settle`` is called from the writer's thread, once a commit, with its batches.
    """

    def __init__(self, path: Path, settle: Callable[[list[Batch]], None], linger_ms: float = 1.0) -> None:
        self.path = path
        self._settle = settle
        self._linger = linger_ms / 1000
        self._connection = store.open_store(path)
        self.head = store.head(self._connection)
        self._queue: deque[Batch] = deque()
        self._condition = threading.Condition()
        self._stopping = False
        self._stopped = False
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, batch: Batch) -> None:
        """Hand a batch over; it is settled later, durable or with an error. Never blocks."""
        with self._condition:
            if not self._stopped:
                self._queue.append(batch)
                self._condition.notify()
                return
        batch.error = JournalError("the journal is closed")
        self._settle([batch])

    @property
    def failed(self) -> bool:
        """Whether a commit failed and ``resume`` has not helped yet."""
        return self._failed is not None

    def stop(self) -> None:
        """Write what waits, end the thread, close the file."""
        self.finish()
        self.close()

    def finish(self) -> None:
        """Write what waits and end the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join()

    def close(self) -> None:
        """Close the file. The last to close it: SQLite then folds the write-ahead log into it."""
        self._connection.close()

    def resume(self) -> bool:
        """Try to write again after a failure. True when the journal can be written.

        Only while ``failed``: the writer's thread then leaves the connection alone.
        """
        with self._condition:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                # A real write, so that a disk that is still full says so now.
                self._connection.execute("CREATE TABLE IF NOT EXISTS probe (filler BLOB)")
                self._connection.execute("INSERT INTO probe VALUES (zeroblob(65536))")
                self._connection.execute("DELETE FROM probe")
                self._connection.execute("COMMIT")
                self.head = store.head(self._connection)
            except sqlite3.Error as error:
                log.warning("the journal still cannot be written: %s", error)
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                return False
            self._failed = None
            return True

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._stopping:
                    self._condition.wait()
                if not self._queue:
                    self._stopped = True
                    return
            if self._linger and not self._stopping:
                time.sleep(self._linger)
            with self._condition:
                group: list[Batch] = []
                size = 0
                while self._queue and (not group or size + len(self._queue[0].entries) <= MAX_GROUP):
                    group.append(self._queue.popleft())
                    size += len(group[-1].entries)
                failed = self._failed
            self._commit(group, failed)

    def _commit(self, group: list[Batch], failed: Exception | None) -> None:
        if failed is None:
            entries = [entry for batch in group for entry in batch.entries]
            statements = [statement for batch in group for statement in batch.statements]
            seq, digest = self.head
            try:
                hashes = store.write(self._connection, self.head, entries, statements)
            except Exception as error:
                log.error("the journal could not be written: %s", error)
                failed = JournalError(f"the journal could not be written ({error}). Free space or repair the disk.")
                with self._condition:
                    self._failed = failed
            else:
                done = 0
                for batch in group:
                    batch.first = seq + done + 1
                    done += len(batch.entries)
                    batch.head = hashes[done - 1] if done else digest
                self.head = (seq + done, hashes[-1] if hashes else digest)
        if failed is not None:
            for batch in group:
                batch.error = failed
        self._settle(group)
