"""What those share who follow the journal beside the intake."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def in_thread(work: Callable[[Callable[[], bool]], T]) -> T:
    """Work in a thread. When cancelled, its ``stop`` says so and it is waited for: it still uses the connections."""
    halted = threading.Event()
    working = asyncio.ensure_future(asyncio.to_thread(work, halted.is_set))
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        halted.set()
        await asyncio.wait([working])
        raise
