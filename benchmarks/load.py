"""A light load generator in a process of its own: POSTs on a fixed schedule (open loop) or as fast as answered.

Latency is counted from the instant a request was *due*, so that a server that stalls cannot hide it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

import uvloop

from common import percentile


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request under way."""

    def __init__(self) -> None:
        self.transport: Any = None  # uvloop's transports are none of asyncio's classes
        self._buffer = b""
        self._waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        lower = head.lower()
        start = lower.index(b"content-length:") + 15
        length = int(lower[start:].split(b"\r\n", 1)[0])
        if len(body) >= length and self._waiting is not None:
            self._buffer = b""
            waiting, self._waiting = self._waiting, None
            waiting.set_result(head[9:12] + body)

    async def request(self, data: bytes) -> bytes:
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(data)
        return await self._waiting


async def run(plan: dict[str, object]) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    port, path, key = int(str(plan["port"])), plan["path"], plan["key"]
    rate, seconds, connections = float(str(plan["rate"])), float(str(plan["seconds"])), int(str(plan["connections"]))
    texts: list[str] = plan["texts"]  # type: ignore[assignment]
    head = f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
    idle: asyncio.Queue[Connection] = asyncio.Queue()
    for _ in range(connections):
        _, made = await loop.create_connection(Connection, "127.0.0.1", port)
        idle.put_nowait(made)
    took: list[float] = []
    statuses: dict[str, int] = {}

    async def one(number: int, due: float) -> None:
        connection = await idle.get()
        event = {
            "type": "comment", "id": f"{plan['tag']}-{number}", "at": int(time.time() * 1000),
            "broadcast": f"b{number % 50}", "actor": f"v{number % 997}", "text": texts[number % len(texts)],
        }  # fmt: skip
        body = json.dumps(event).encode()
        answer = await connection.request(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        took.append(time.perf_counter() - due)
        status = answer[:3].decode()
        if b'"decided":false' in answer:
            status += " undecided"
        statuses[status] = statuses.get(status, 0) + 1
        idle.put_nowait(connection)

    began = time.perf_counter()
    number = 0
    if rate:
        tasks = set()
        while number < rate * seconds:
            due = began + number / rate
            wait = due - time.perf_counter()
            if wait > 0.0002:
                await asyncio.sleep(wait)
            task = asyncio.create_task(one(number, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            number += 1
        await asyncio.gather(*tasks)
    else:

        async def worker(start: int) -> None:
            mine = start
            while time.perf_counter() - began < seconds:
                await one(mine, time.perf_counter())
                mine += connections

        await asyncio.gather(*(worker(n) for n in range(connections)))
    elapsed = time.perf_counter() - began
    ordered = sorted(t * 1000 for t in took)
    return {
        "requests": len(took),
        "requests_per_s": round(len(took) / elapsed, 1),
        "p50_ms": round(percentile(ordered, 0.5), 3),
        "p99_ms": round(percentile(ordered, 0.99), 3),
        "p999_ms": round(percentile(ordered, 0.999), 3),
        "max_ms": round(ordered[-1], 2),
        "statuses": statuses,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.stdin.read())))))
