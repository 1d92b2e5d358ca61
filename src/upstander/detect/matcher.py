"""All patterns as one Hyperscan database: a text's views in, the patterns that fire and their spans out."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import os
import re
import tempfile
from pathlib import Path

import hyperscan
import msgspec

from upstander.detect.normalise import Views, align
from upstander.detect.packs import PackError, PackSet, Pattern

log = logging.getLogger(__name__)


#: Each pattern is reported once; ``^`` and ``$`` are a view's ends, for views are scanned as lines of one text.
_FLAGS = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_MULTILINE


class Hit(msgspec.Struct, frozen=True, gc=False):
    """A pattern that fired: which, in which view, and where in the original text (character offsets)."""

    pattern: Pattern
    view: str
    start: int
    end: int
    groups: dict[str, str]


def _read(path: Path) -> hyperscan.Database | None:
    """A database from the cache, when it is there, whole, ours, and made for this machine."""
    try:
        if path.stat().st_uid != os.getuid():
            return None
        data = path.read_bytes()
        if hashlib.sha256(data[32:]).digest() != data[:32]:
            return None
        database = hyperscan.loadb(data[32:], hyperscan.HS_MODE_BLOCK)
        database.scratch = hyperscan.Scratch(database)  # working memory, which only ``compile`` makes by itself
        return database
    except (OSError, hyperscan.error):
        return None


def _write(path: Path, database: hyperscan.Database) -> None:
    """Keep a database. A cache that cannot be written only costs time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        body = hyperscan.dumpb(database)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(body).digest() + body)
        Path(file.name).replace(path)
    except OSError as error:
        log.debug("the compiled packs could not be kept: %s", error)


class Matcher:
    """Scans texts for every pattern of a pack set at once. Not for use from several threads at a time."""

    def __init__(self, packs: PackSet, cache: Path | None = None) -> None:
        """``cache``: a folder in which the compiled database is kept, so that it need not be compiled again."""
        self.packs = packs
        self._found: list[int] = []
        self._spans = [re.compile(pattern.expression.encode(), re.MULTILINE) for pattern in packs.patterns]
        self._unless = [tuple(re.compile(u.encode()) for u in pattern.unless) for pattern in packs.patterns]
        self._database = self._load(cache) if packs.patterns else None

    def _load(self, cache: Path | None) -> hyperscan.Database:
        if cache is None:
            return self._compile()
        # A database fits one Hyperscan build and one kind of processor; Hyperscan itself refuses any other.
        path = cache / f"{self.packs.hash[:32]}-{importlib.metadata.version('hyperscan')}.hsdb"
        database = _read(path)
        if database is None:
            database = self._compile()
            _write(path, database)
        return database

    def _compile(self) -> hyperscan.Database:
        database = hyperscan.Database()
        expressions = [pattern.expression.encode() for pattern in self.packs.patterns]
        ids = list(range(len(expressions)))
        try:
            database.compile(expressions=expressions, ids=ids, flags=[_FLAGS] * len(ids))
        except hyperscan.error as error:
            raise self._blame(error) from None
        return database

    def _blame(self, error: Exception) -> PackError:
        """Find which pattern the compiler refused: Hyperscan only says that one of them is bad."""
        for pattern in self.packs.patterns:
            try:
                hyperscan.Database().compile(expressions=[pattern.expression.encode()], ids=[0], flags=[_FLAGS])
            except hyperscan.error as single:
                reason = f"the pattern of `{pattern.name}` cannot be compiled ({single})"
                fix = "Write it with what Hyperscan knows: no look-around, no back-reference, anchors only at the ends."
                return PackError(pattern.file, pattern.line, reason, fix)
        return PackError("packs", 1, f"the packs cannot be compiled together ({error})", "Use fewer patterns.")

    def _on_match(self, identifier: int, start: int, end: int, flags: int, context: object) -> None:
        self._found.append(identifier)

    def scan(self, text: str, views: Views, who: str) -> list[Hit]:
        """The patterns for ``who`` (``viewer`` or ``host``) that fire on a text, in the packs' order."""
        if self._database is None:
            return []
        found = self._found
        found.clear()
        data = "\n".join((views.raw, *views.folded)) if views.folded else views.raw
        self._database.scan(data.encode("utf-8", "replace"), match_event_handler=self._on_match)
        if not found:
            return []
        hits = []
        for identifier in sorted(found):
            pattern = self.packs.patterns[identifier]
            if pattern.who in (who, "anyone"):
                hit = self._locate(identifier, pattern, text, views)
                if hit is not None:
                    hits.append(hit)
        return hits

    def _locate(self, identifier: int, pattern: Pattern, text: str, views: Views) -> Hit | None:
        """Where the pattern fires. None when it only fired across two views, or an ``unless`` calls it off."""
        expression = self._spans[identifier]
        for index, view in enumerate((views.raw, *views.folded)):
            data = view.encode("utf-8", "replace")
            match = expression.search(data)
            if match is None:
                continue
            if any(unless.search(data) for unless in self._unless[identifier]):
                return None
            first = len(data[: match.start()].decode("utf-8", "replace"))
            last = len(data[: match.end()].decode("utf-8", "replace"))
            offsets = align(text, view)
            start, end = (offsets[first], offsets[last - 1] + 1) if offsets else (0, len(text))
            groups = {name: value.decode("utf-8", "replace") for name, value in match.groupdict().items() if value}
            return Hit(pattern, "folded" if index else "raw", start, end, groups)
        return None
