"""Tech Against Terrorism's hash list: JSON, a token for name and password, pages by the last entry's time and id."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import msgspec

from upstander.captures.banks import Entry, Value
from upstander.captures.errors import CaptureError
from upstander.captures.exchanges.base import Change, Http, Page, Refused
from upstander.captures.exchanges.fetch import no_votes
from upstander.captures.values import Kind, checked

SERVER = "https://app.terrorismanalytics.org"
_KINDS = {"pdq": Kind.PDQ, "md5": Kind.MD5, "sha1": Kind.SHA1, "sha256": Kind.SHA256}


class _Answer(msgspec.Struct):
    checkpoint: str
    results: list[dict[str, Any]]
    next: str | None = None


class TechAgainstTerrorism:
    """The API."""

    def __init__(self, http: Http, user: str, password: str) -> None:
        self._http, self._user, self._password = http, user, password
        self._token = ""

    def pages(self, checkpoint: bytes) -> Iterator[Page]:
        """Pages of changes, oldest first; what is marked as deleted is gone."""
        after = checkpoint.decode()
        while True:
            answer = self._page(after)
            changes, unread = [], 0
            for row in answer.results:
                kind = _KINDS.get(str(row.get("algorithm", "")).lower().replace("-", ""))
                if kind is None:
                    continue
                try:
                    value = Value(kind, checked(kind, str(row.get("hash_digest", ""))), f"{row['id']}")
                except CaptureError:
                    unread += 1
                    continue
                changes.append(Change(value.reference, () if row.get("deleted") else (value,)))
            moved = bool(answer.checkpoint) and answer.checkpoint != after
            after = answer.checkpoint or after
            yield Page(tuple(changes), after.encode(), unread=unread)
            if not answer.next or not moved:
                return

    def _page(self, after: str) -> _Answer:
        def read(answer: httpx.Response) -> _Answer:
            return msgspec.json.decode(answer.content, type=_Answer)

        for again in (True, False):
            if not self._token:
                self._sign_in()
            headers = {"Authorization": f"Bearer {self._token}"}
            try:
                asked = {"order": "asc", "after": after}
                page: _Answer = self._http.ask("GET", "/api/hash-list/v2/all", params=asked, headers=headers, read=read)
            except Refused as error:
                if error.status != 401 or not again:
                    raise
                self._token = ""  # it ran out
                continue
            return page
        raise AssertionError("a loop that always returns or raises")

    def _sign_in(self) -> None:
        form = {"username": self._user, "password": self._password, "resend": "false"}
        token = self._http.ask("POST", "/token-auth/tcap/", data=form, read=lambda answer: answer.json()["token"])
        self._token = str(token)

    def vote(self, entry: Entry, references: list[str], *, confirm: bool) -> None:
        """It takes none."""
        raise no_votes("Tech Against Terrorism")
