"""Patterns tried one by one in processes of their own, so that none can hold anything up for longer than its limit.

``python -m upstander.detect.probe`` is such a process: requests in and answers out, one JSON line each.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import resource
import selectors
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import hyperscan
import msgspec

from upstander.detect import backtracking
from upstander.detect.matcher import FLAGS

#: Seconds of processor time to compile one pattern alone (shipped: up to 0.2).
COMPILE_LIMIT_S = 2.0
#: Bytes of a pattern's database (shipped: up to 0.6 MB).
DATABASE_LIMIT = 4 * 1024 * 1024
#: Seconds of processor time to look for a span in the hardest text (shipped: up to 0.0005); a held comment waits 0.25.
SEARCH_LIMIT_S = 0.1
#: The hardest text is repeated to this many characters: the longest comment.
TEXT_LENGTH = 4_000
#: A process that has not answered after so many seconds of processor time is ended (on a busy machine seconds by the
#: clock say little), and in any case after ``ASLEEP`` times as many by the clock.
PATIENCE_S = 5.0
ASLEEP = 24
MEMORY_LIMIT = 4 * 1024**3


class Question(msgspec.Struct, frozen=True):
    """One pattern (``scanned`` by Hyperscan too, or only by ``re``) and texts that show it."""

    expression: str
    scanned: bool
    texts: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True):
    """Seconds to compile, bytes of the database, seconds of the slowest search and its text, or what went wrong."""

    compile_s: float = 0.0
    database: int = 0
    search_s: float = 0.0
    text: str = ""
    failed: str = ""


def measure(
    questions: Sequence[Question], workers: int = 2, progress: Callable[[int], None] = lambda _: None
) -> list[Answer]:
    """Try all patterns, ``workers`` at a time, each for ``PATIENCE_S`` at most; ``progress``: how many are done."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for index in range(len(questions)):
        waiting.put(index)
    answers = [Answer(failed="not tried")] * len(questions)
    done = [0]

    def work() -> None:
        with _Process() as process:
            while True:
                try:
                    index = waiting.get_nowait()
                except queue.Empty:
                    return
                answers[index] = process.ask(questions[index])
                done[0] += 1
                progress(done[0])

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(workers, len(questions)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


class _Process:
    """One process that tries patterns; a new one is started after one that had to be ended."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> _Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, question: Question) -> Answer:
        """Try one pattern."""
        if self._child is None:
            command = [sys.executable, "-m", "upstander.detect.probe"]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        child = self._child
        assert child.stdin is not None and child.stdout is not None
        try:
            child.stdin.write(msgspec.json.encode(question) + b"\n")
            child.stdin.flush()
            line = _line(child.stdout, child.pid)
        except OSError:
            line = b""
        if line is None:
            self._end()
            return Answer(failed=f"gives no answer in {PATIENCE_S:g} seconds")
        if not line:
            self._end()
            return Answer(failed="needs more memory or time than a pattern may have")
        return msgspec.json.decode(line, type=Answer)

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _line(pipe: IO[bytes], pid: int) -> bytes | None:
    """A line from a process; ``None`` when its time is up, empty when it is gone."""
    parts: list[bytes] = []
    began, worked = time.monotonic(), _worked_s(pid)
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if selector.select(0.2):
                part = os.read(pipe.fileno(), 65_536)
                parts.append(part)
                if not part:
                    return b""
                if part.endswith(b"\n"):
                    return b"".join(parts)
            elif _worked_s(pid) - worked > PATIENCE_S or time.monotonic() - began > ASLEEP * PATIENCE_S:
                return None


def _worked_s(pid: int) -> float:
    """Processor time of a process so far, in seconds; where the system does not tell, as if it worked all the time."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rsplit(b")", 1)[1].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# -- in the process ----------------------------------------------------------------------------------------------


def try_one(question: Question) -> Answer:
    """Compile a pattern, and look for it in texts that make it work hard."""
    began = time.process_time()
    database = hyperscan.Database()
    size = 0
    if question.scanned:
        try:
            database.compile(expressions=[question.expression.encode()], ids=[0], flags=[FLAGS])
        except hyperscan.error as error:
            return Answer(failed=f"cannot be compiled ({error})")
        size = database.size()
    compile_s = time.process_time() - began
    slowest, slowest_text = 0.0, ""
    expression = re.compile(question.expression.encode(), re.MULTILINE)
    for text in _hard_texts(question):
        began = time.process_time()
        expression.search(text)
        took = time.process_time() - began
        if took > slowest:
            slowest, slowest_text = took, text[:60].decode(errors="replace")
        if slowest > SEARCH_LIMIT_S:
            break
    return Answer(compile_s, size, slowest, slowest_text)


def _hard_texts(question: Question) -> list[bytes]:
    """Long texts made from the hardest one that is found, from the examples, and from single letters."""
    tree = backtracking.parse(question.expression)
    seeds: list[bytes] = []
    with contextlib.suppress(OverflowError):
        parts = (tree, *backtracking.look_arounds(tree))
        seeds += [backtracking.worst(part, 1_000_000, 12).text for part in parts]
    seeds += [seed[: len(seed) * 2 // 3] for seed in seeds]
    seeds += [text.lower().encode()[:-1] for text in question.texts]
    seeds += [b"a", b"a ", b"0", b" "]
    # Without its last byte a text just fails to match, which is when every way is tried.
    return [(seed[:-1] or seed) * (TEXT_LENGTH // max(1, len(seed) - 1)) for seed in dict.fromkeys(seeds) if seed]


def main() -> None:
    """Answer questions until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))
    for line in sys.stdin.buffer:
        answer = try_one(msgspec.json.decode(line, type=Question))
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
