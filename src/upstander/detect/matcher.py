"""All patterns as one Hyperscan database: a text's views in, the patterns that fire and their spans out."""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hyperscan
import msgspec

from upstander.detect.cache import alone, keep, kept
from upstander.detect.fragments import OWN_LEAST
from upstander.detect.normalise import Views, align
from upstander.detect.packs import PackError, PackSet, Pattern

log = logging.getLogger(__name__)

#: Each pattern is reported once; ``^`` and ``$`` are a view's ends, for views are scanned as lines of one text.
FLAGS = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_MULTILINE


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A pattern that fired: which, in which view, and where in the original text (character offsets)."""

    pattern: Pattern
    view: str
    start: int
    end: int
    groups: dict[str, str]


def _read(path: Path) -> hyperscan.Database | None:
    """A database from the cache, when it is there, whole, ours, and made for this machine."""
    data = kept(path)
    if data is None:
        return None
    try:
        database = hyperscan.loadb(data, hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)  # working memory, which only ``compile`` makes by itself
    except hyperscan.error:
        return None
    return database


@functools.lru_cache(maxsize=16_384)
def _compiled(expression: str, unless: tuple[str, ...]) -> tuple[re.Pattern[bytes], tuple[re.Pattern[bytes], ...]]:
    """Made when a pattern first fires, since most never do; kept for the next pack set, which has most of them too."""
    return re.compile(expression.encode(), re.MULTILINE), tuple(re.compile(each.encode()) for each in unless)


class Matcher:
    """Scans texts for every pattern of a pack set at once. Not for use from several threads at a time."""

    def __init__(self, packs: PackSet, cache: Path | None = None) -> None:
        """``cache``: a folder in which the compiled database is kept, so that it need not be compiled again."""
        self.packs = packs
        self._found: list[int] = []
        everything = list(range(len(packs.patterns)))
        #: Only what may be made of pieces: nearly every comment is read once more with what went before it.
        clear = [n for n, each in enumerate(packs.patterns) if each.strength >= OWN_LEAST and each.who != "host"]
        parts = {"": everything, f"-{OWN_LEAST}": clear}
        self._database, self._clear = self._load(parts, cache) if cache else map(self._compile, parts.values())

    def _load(self, parts: dict[str, list[int]], cache: Path) -> list[hyperscan.Database | None]:
        """The databases of the patterns with these numbers, from the cache or made; a part's key names it there."""
        # A database fits one Hyperscan build and one kind of processor; Hyperscan itself refuses any other.
        build = importlib.metadata.version("hyperscan")
        paths = {part: cache / f"{self.packs.hash[:32]}{part}-{build}.hsdb" for part in parts}
        found = {part: _read(paths[part]) for part, ids in parts.items() if ids}
        missing = [part for part, database in found.items() if database is None]
        if missing:
            with alone(cache), ThreadPoolExecutor(len(missing)) as pool:  # compiling lets go of the interpreter
                made = pool.map(lambda part: self._read_or_compile(paths[part], parts[part]), missing)
                found |= zip(missing, made, strict=True)
        return [found.get(part) for part in parts]

    def _read_or_compile(self, path: Path, ids: list[int]) -> hyperscan.Database | None:
        database = _read(path)  # another process may have compiled it meanwhile
        if database is None:
            log.info("%s patterns are compiled for this machine: once, it takes a minute or two", f"{len(ids):,}")
            database = self._compile(ids)
            if database is not None:
                keep(path, hyperscan.dumpb(database))
        return database

    def _compile(self, ids: list[int]) -> hyperscan.Database | None:
        if not ids:
            return None
        database = hyperscan.Database()
        expressions = [self.packs.patterns[number].expression.encode() for number in ids]
        try:
            database.compile(expressions=expressions, ids=ids, flags=[FLAGS] * len(ids))
        except hyperscan.error as error:
            raise self._blame(error) from None
        return database

    def _blame(self, error: Exception) -> PackError:
        """Find which pattern the compiler refused: Hyperscan only says that one of them is bad."""
        for pattern in self.packs.patterns:
            try:
                hyperscan.Database().compile(expressions=[pattern.expression.encode()], ids=[0], flags=[FLAGS])
            except hyperscan.error as single:
                reason = f"the pattern of `{pattern.name}` cannot be compiled ({single})"
                fix = "Write it with what Hyperscan knows: no look-around, no back-reference, anchors only at the ends."
                return PackError(pattern.file, pattern.line, reason, fix)
        return PackError("packs", 1, f"the packs cannot be compiled together ({error})", "Use fewer patterns.")

    def _on_match(self, identifier: int, start: int, end: int, flags: int, context: object) -> None:
        self._found.append(identifier)

    def scan(self, text: str, views: Views, who: str) -> list[Hit]:
        """The patterns for ``who`` (``viewer`` or ``host``) that fire on a text, in the packs' order."""
        hits = []
        lines = "\n".join((views.raw, *views.folded)) if views.folded else views.raw
        for identifier in self._fired(self._database, lines):
            pattern = self.packs.patterns[identifier]
            if pattern.who in (who, "anyone"):
                hit = self._locate(pattern, text, views)
                if hit is not None:
                    hits.append(hit)
        return hits

    def fires_in(self, lines: str) -> bool:
        """Whether a clear pattern (of at least ``OWN_LEAST``) fires in any of some lines: one scan for all of them."""
        return bool(self._fired(self._clear, lines))

    def scan_across(self, text: str, boundary: int, who: str) -> list[tuple[Pattern, int]]:
        """The clear patterns that fire across a boundary in one view of a joined text, each with its end there."""
        hits = []
        for identifier in self._fired(self._clear, text):
            pattern = self.packs.patterns[identifier]
            if pattern.who not in (who, "anyone"):
                continue
            expression, call_offs = _compiled(pattern.expression, pattern.unless)
            data = text.encode("utf-8", "replace")
            edge = len(text[:boundary].encode("utf-8", "replace"))
            spans = [match.span() for match in expression.finditer(data) if match.start() < edge < match.end()]
            if spans and not any(call_off.search(data) for call_off in call_offs):
                hits.append((pattern, len(data[: spans[0][1]].decode("utf-8", "replace"))))
        return hits

    def _fired(self, database: hyperscan.Database | None, data: str) -> list[int]:
        """The patterns that fire anywhere in some lines, by their number."""
        if database is None:
            return []
        found = self._found
        found.clear()
        database.scan(data.encode("utf-8", "replace"), match_event_handler=self._on_match)
        return sorted(found) if found else []

    def _locate(self, pattern: Pattern, text: str, views: Views) -> Hit | None:
        """Where the pattern fires. None when it only fired across two views, or an ``unless`` calls it off in any:
        for words with accents are written without them there, and plainly only in a folded one."""
        expression, call_offs = _compiled(pattern.expression, pattern.unless)
        written = [view.encode("utf-8", "replace") for view in (views.raw, *views.folded)]
        for index, (view, data) in enumerate(zip((views.raw, *views.folded), written, strict=True)):
            match = expression.search(data)
            if match is None:
                continue
            if any(call_off.search(each) for call_off in call_offs for each in written):
                return None
            first = len(data[: match.start()].decode("utf-8", "replace"))
            last = len(data[: match.end()].decode("utf-8", "replace"))
            offsets = align(text, view)
            start, end = (offsets[first], offsets[last - 1] + 1) if offsets else (0, len(text))
            groups = {name: value.decode("utf-8", "replace") for name, value in match.groupdict().items() if value}
            return Hit(pattern, "folded" if index else "raw", start, end, groups)
        return None
