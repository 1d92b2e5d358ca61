"""Packs read and compiled in a process of its own, so that a service that goes on does not feel it.

``python -m upstander.detect.prepare FOLDER`` is that process: sources in, patterns or what is wrong out, as JSON. The
compiled database goes into the cache folder, where whoever asked finds it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from upstander.detect import packs
from upstander.detect.matcher import Matcher
from upstander.detect.packs import PackError, PackSet, Pattern

#: Seconds after which packs are given up (2,000 patterns as large as those that ship take 20).
LIMIT_S = 300.0
MEMORY_LIMIT = 4 * 1024**3
#: What runs beside it is held comments: they come first.
NICE = 10


class Prepared(msgspec.Struct, frozen=True):
    """The patterns of sound packs, or ``wrong``: file, line, reason and fix."""

    patterns: tuple[Pattern, ...] = ()
    wrong: tuple[str, int, str, str] | None = None


async def prepare(sources: Sequence[tuple[str, str]], cache: Path) -> PackSet:
    """Read and compile packs elsewhere. Raises ``PackError`` when they are broken, or take too long or too much."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "upstander.detect.prepare", str(cache)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(LIMIT_S):
            output, _ = await process.communicate(msgspec.json.encode(sources))
    except TimeoutError:
        reason = f"the packs were not ready after {LIMIT_S:g} seconds"
        raise PackError("packs", 1, reason, "Find the pattern that takes long with `upstander packs check`.") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        reason = f"the process that compiles packs ended with status {process.returncode}"
        raise PackError("packs", 1, reason, "Find the pattern that needs too much with `upstander packs check`.")
    return await asyncio.to_thread(_taken, output)


def _taken(output: bytes) -> PackSet:
    prepared = msgspec.json.decode(output, type=Prepared)
    if prepared.wrong is not None:
        raise PackError(*prepared.wrong)
    return packs.set_of(prepared.patterns)


def main() -> None:
    """Read sources from standard input, compile them into the folder that is the argument, and answer."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    sources = msgspec.json.decode(sys.stdin.buffer.read(), type=list[tuple[str, str]])
    try:
        cache = Path(sys.argv[1])
        pack_set = packs.load_kept(sources, cache)
        Matcher(pack_set, cache)
        answer = Prepared(pack_set.patterns)
    except PackError as error:
        answer = Prepared(wrong=(error.file, error.line, error.reason, error.fix))
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
