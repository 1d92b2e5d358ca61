"""Many files at once: found, hashed in several processes, matched in one. What was done already is not done again.

Only the process that was started opens the banks; the others hash files and know no bank.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import msgspec

from upstander.captures.bits import QUALITY, words_of
from upstander.captures.errors import CaptureError
from upstander.captures.matching import Limiter, Matcher
from upstander.captures.pictures import Print, digests, prints

#: Pictures of a video that are hashed, a second.
RATE = 1.0


class Hashed(msgspec.Struct, frozen=True):
    """A file, hashed. ``error``: why there are no pictures; digests are there all the same."""

    path: str
    size: int
    digests: dict[str, str]
    prints: list[Print] = []
    error: str = ""


class Said(msgspec.Struct, frozen=True):
    """One bank's entry that a file matches: ``exact`` or ``near``, by how many pictures, the first at ``offset_ms``."""

    bank: str
    entry: str
    how: str
    pictures: int
    offset_ms: int


class Result(msgspec.Struct, frozen=True):
    """What became of a file. ``stamp`` changes when the file does."""

    path: str
    stamp: str
    matches: list[Said] = []
    pictures: int = 0
    error: str = ""


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files that paths name, folders with all that is in them, in order. Raises ``CaptureError`` for what is not
    there."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(inner for inner in path.rglob("*") if inner.is_file() and not inner.name.startswith("."))
        elif path.is_file():
            found.append(path)
        else:
            raise CaptureError(f"{path} is not there. Name files or folders.")
    return list(dict.fromkeys(found))


def stamp_of(path: Path) -> str:
    """Stands for a file as it is now: its path, size and time of change."""
    status = path.stat()
    return hashlib.sha256(f"{path.resolve()} {status.st_size} {status.st_mtime_ns}".encode()).hexdigest()[:16]


def hashed(path: Path) -> Hashed:
    """Hash a file: its bytes, and its pictures when it has any."""
    try:
        made = digests(path)
        size = path.stat().st_size
    except OSError as error:
        return Hashed(str(path), 0, {}, error=f"{path} cannot be read ({error.strerror}). Check its rights.")
    try:
        return Hashed(str(path), size, made, prints(path, RATE))
    except CaptureError as error:
        return Hashed(str(path), size, made, error=str(error))


def matched(matcher: Matcher, one: Hashed, stamp: str, now_ms: int) -> Result:
    """Match a hashed file. A near match of a video names the entry once, with how many pictures matched."""
    exact = matcher.digests(one.digests.values())
    found: dict[tuple[str, str], Said] = {(m.bank, m.entry): Said(m.bank, m.entry, "exact", 0, 0) for m in exact}
    usable = [shown for shown in one.prints if shown.quality >= QUALITY]
    by_picture = matcher.frames(words_of(shown.pdq for shown in usable)) if usable else []
    counts: Counter[tuple[str, str]] = Counter()
    for shown, matches in zip(usable, by_picture, strict=True):
        for place in {(match.bank, match.entry) for match in matches}:
            counts[place] += 1
            found.setdefault(place, Said(*place, "near", 0, shown.offset_ms))
    said = [msgspec.structs.replace(one, pictures=counts[place]) for place, one in found.items()]
    matcher.seen([one.entry for one in said if one.how == "near"], f"file {stamp}", now_ms)
    said.sort(key=lambda one: (one.how != "exact", -one.pictures, one.bank, one.entry))
    return Result(one.path, stamp, said, len(one.prints), one.error)


class Notebook:
    """What was matched already, a line a file (JSON Lines, mode 600): a run that was cut off goes on from there."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.done: dict[str, Result] = {}
        if path is not None and path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    result = msgspec.json.decode(line, type=Result)
                except msgspec.MsgspecError:
                    continue  # the last line may be half a line
                self.done[result.stamp] = result
            # Half a line is ended, so that the next one stands by itself.
            if not path.read_bytes().endswith(b"\n"):
                with path.open("ab") as file:
                    file.write(b"\n")

    def add(self, result: Result) -> None:
        """Note a result, durably enough to go on after a crash of this process."""
        self.done[result.stamp] = result
        if self._path is not None:
            self._path.touch(mode=0o600)
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(result) + b"\n")


def run(
    matcher: Matcher, limiter: Limiter, files: list[Path], notebook: Notebook, by: str, jobs: int, now_ms: int
) -> Iterator[Result]:
    """Match files, in order; those that the notebook has come from there."""
    stamps = {path: stamp_of(path) for path in files}
    waiting = [path for path in files if stamps[path] not in notebook.done]
    made = _made(waiting, jobs)
    try:
        for path in files:
            known = notebook.done.get(stamps[path])
            if known is None:
                one = next(made)
                limiter.wait(by)
                known = matched(matcher, one, stamps[path], now_ms)
                notebook.add(known)
            yield known
    finally:
        made.close()


def _made(paths: list[Path], jobs: int) -> Generator[Hashed, None, None]:
    if jobs <= 1 or len(paths) < 2:
        yield from map(hashed, paths)
        return
    # Spawned, not forked: the banks' key and connections must not be in the processes that read strangers' files.
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        ahead: list[Future[Hashed]] = []
        rest = iter(paths)
        try:
            for path in rest:
                ahead.append(pool.submit(hashed, path))
                if len(ahead) >= 4 * jobs:
                    yield ahead.pop(0).result()
            while ahead:
                yield ahead.pop(0).result()
        finally:
            for future in ahead:
                future.cancel()
