"""The journal for the event loop: ``await append`` returns when what was appended is durable."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from upstander.journal import store
from upstander.journal.entries import Entry
from upstander.journal.store import Statement
from upstander.journal.writer import Batch, Writer


class AsyncJournal:
    """Bridges the writer's thread and the event loop. ``reader`` is a connection for look-ups from the loop;
    ``on_failure`` is called on the loop when a commit failed."""

    def __init__(self, path: Path, linger_ms: float = 1.0, on_failure: Callable[[], None] = lambda: None) -> None:
        self._on_failure = on_failure
        self._loop = asyncio.get_running_loop()
        self.writer = Writer(path, self._from_writer, linger_ms)
        self.reader: sqlite3.Connection = store.connect(path, readonly=True)

    def start(self) -> None:
        """Start the writer's thread."""
        self.writer.start()

    def submit(self, entries: Sequence[Entry], statements: Sequence[Statement], done: Callable[[Batch], None]) -> None:
        """Hand over a batch; ``done`` is called on the loop once it is durable or has failed, in commit order."""
        self.writer.submit(Batch(entries, statements, done))

    async def append(self, entries: Sequence[Entry] = (), statements: Sequence[Statement] = ()) -> int:
        """Make entries and statements durable; returns the sequence number of the first entry."""
        future: asyncio.Future[int] = self._loop.create_future()

        def done(batch: Batch) -> None:
            if future.done():
                return  # the one who waited has gone; what was written stays written
            if batch.error is not None:
                future.set_exception(batch.error)
            else:
                future.set_result(batch.first)

        self.submit(entries, statements, done)
        return await future

    async def close(self) -> None:
        """Write what waits and close the file."""
        await asyncio.to_thread(self.writer.finish)
        await asyncio.sleep(0)  # let the last batches be settled on the loop
        self.reader.close()
        self.writer.close()

    def _from_writer(self, batches: list[Batch]) -> None:
        self._loop.call_soon_threadsafe(self._settle, batches)

    def _settle(self, batches: list[Batch]) -> None:
        if any(batch.error is not None for batch in batches):
            self._on_failure()
        for batch in batches:
            if batch.done is not None:
                batch.done(batch)
