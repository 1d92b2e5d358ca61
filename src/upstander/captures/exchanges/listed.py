"""A list behind an address, fetched whole: for members' lists whose form is not public, such as the IWF's hash list.

What its columns are called is set by the member (``columns``); nothing here claims to know it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec

from upstander.captures.banks import Entry, Value
from upstander.captures.errors import CaptureError
from upstander.captures.exchanges.base import Change, Http, Page
from upstander.captures.exchanges.fetch import no_votes
from upstander.captures.values import Kind, checked


class Listed:
    """The list. ``columns``: name of a column (CSV with a header) or field (JSON), and the kind of value it holds.

    A value that cannot be read has the whole list refused: half a list would withdraw the other half.
    """

    def __init__(self, http: Http, path: str, columns: Mapping[str, str]) -> None:
        self._http, self._path = http, path
        try:
            self._columns = {name: Kind(kind) for name, kind in columns.items()}
        except ValueError as error:
            raise CaptureError(f"`columns` under [[exchanges]]: {error}. Use one of {', '.join(Kind)}.") from None
        if not self._columns:
            fix = 'Say which column holds what, such as columns = {MD5 = "md5", PDQ = "pdq"}.'
            raise CaptureError(f"`columns` under [[exchanges]] is empty. {fix}")

    def pages(self, checkpoint: bytes) -> Iterator[Page]:
        """One page with all of it; none when the server says that nothing changed."""
        headers = {"If-None-Match": checkpoint.decode()} if checkpoint else {}
        found = self._http.ask("GET", self._path, headers=headers, read=self._read)
        if found is not None:
            values, mark = found
            yield Page((Change("", tuple(values)),), mark.encode(), whole=True)

    def _read(self, answer: httpx.Response) -> tuple[list[Value], str] | None:
        if answer.status_code == 304:
            return None
        values = []
        for number, row in enumerate(_rows(answer.content), 1):
            for name, kind in self._columns.items():
                text = str(row.get(name) or "").strip()
                if not text:
                    continue
                try:
                    values.append(Value(kind, checked(kind, text)))
                except CaptureError as error:
                    raise CaptureError(f"row {number}, column {name}: {error}") from None
        if not values:
            raise CaptureError(f"no value in the columns {', '.join(self._columns)}")
        said = answer.headers.get("content-length")
        if said is not None and "content-encoding" not in answer.headers and int(said) != len(answer.content):
            raise CaptureError("a part of the list is missing")
        return values, answer.headers.get("etag", "")

    def vote(self, entry: Entry, references: list[str], *, confirm: bool) -> None:
        """It takes none."""
        raise no_votes("a list")


def _rows(body: bytes) -> list[dict[str, Any]]:
    if body.lstrip()[:1] in (b"[", b"{"):
        text = body.strip()
        parts = [text] if text[:1] == b"[" else text.splitlines()
        decoded: list[Any] = [msgspec.json.decode(part) for part in parts]
        rows = decoded[0] if text[:1] == b"[" else decoded
        if not all(isinstance(row, dict) for row in rows):
            raise CaptureError("it is no list of objects")
        return list(rows)
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True))
