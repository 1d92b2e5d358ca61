"""StopNCII.org's hash API: what adults asked to have taken down. JSON, two keys, pages with a token.

A record is the whole present state of a hash; the token does not live long, the time to go on from does.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from upstander.captures.banks import Entry, Value
from upstander.captures.errors import CaptureError
from upstander.captures.exchanges.base import Change, Http, Page, Refused
from upstander.captures.values import Kind, checked

SERVER = "https://api.stopncii.org/v1"
#: The earliest time that the API takes.
BEGINNING = 10
PAGE = 800
_KINDS = {"ImagePDQ": Kind.PDQ, "VideoMD5": Kind.MD5}
_GONE = {"Withdrawn", "Deleted"}


class _Checkpoint(msgspec.Struct):
    """The time that pages are asked from, and the token of the next one (empty: the first)."""

    start: int = BEGINNING
    token: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    has_more_records: bool
    next_set_timestamp: int
    hash_records: list[dict[str, Any]]
    next_page_token: str | None = None


class StopNcii:
    """The API."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def pages(self, checkpoint: bytes) -> Iterator[Page]:
        """Pages of changes; a hash whose every case was withdrawn is gone."""
        at = msgspec.json.decode(checkpoint, type=_Checkpoint) if checkpoint else _Checkpoint()
        while True:
            try:
                answer = self._page(at)
            except Refused as error:
                if not at.token or error.status in (401, 403):
                    raise
                at.token = ""
                continue
            changes, unread = [], 0
            for record in answer.hash_records:
                kind = _KINDS.get(str(record.get("signalType")))
                if kind is None:
                    continue
                try:
                    value = Value(kind, checked(kind, str(record.get("hashValue", ""))))
                except CaptureError:
                    unread += 1
                    continue
                gone = record.get("hashStatus") in _GONE
                changes.append(Change("", gone=(value,)) if gone else Change("", (value,)))
            more = answer.has_more_records and bool(answer.next_page_token)
            at = _Checkpoint(at.start, answer.next_page_token or "") if more else _Checkpoint(answer.next_set_timestamp)
            yield Page(tuple(changes), msgspec.json.encode(at), unread=unread)
            if not more:
                return

    def _page(self, at: _Checkpoint) -> _Answer:
        asked: dict[str, str | int] = {"startTimestamp": at.start, "pageSize": PAGE}
        if at.token:
            asked["nextPageToken"] = at.token

        def read(answer: httpx.Response) -> _Answer:
            return msgspec.json.decode(answer.content, type=_Answer)

        page: _Answer = self._http.ask("GET", "/FetchHashes", params=asked, read=read)
        return page

    def vote(self, entry: Entry, references: list[str], *, confirm: bool) -> None:
        """Feedback on a hash."""
        if entry.kind not in _KINDS.values():
            raise CaptureError(f"StopNCII takes no vote on {entry.kind} values. Withdraw the entry here instead.")
        said: dict[str, Any] = {
            "hashValue": entry.value,
            "feedbackValue": "Blocked" if confirm else "NotBlocked",
            "tags": [],
        }
        self._http.ask("POST", "/SubmitFeedback", json={"count": 1, "hashFeedbacks": [said]})
