"""NCMEC's Hash Sharing API, version 2: XML over HTTPS with Basic authentication, in windows of time.

Entries of a window come in no order of time, a thousand a page, so only a window that was read to its end counts as
read. Windows overlap, and end where the server's clock says, not ours: a clock that is wrong loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, tostring

import httpx
import msgspec

from upstander.captures.banks import Entry
from upstander.captures.errors import CaptureError
from upstander.captures.exchanges.base import Change, Http, Page, Refused, server_time
from upstander.captures.ncmec_xml import NAMESPACE, TYPES, page_of, root_of
from upstander.captures.ncmec_xml import Page as Answer

SERVER = "https://report.cybertip.org/hashsharing"
OVERLAP_S = 600
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class _Checkpoint(msgspec.Struct):
    """The window (epoch seconds) that is being read, and the path of its next page (empty: its first)."""

    start: int = 0
    end: int = 0
    next: str = ""


class Ncmec:
    """The API. ``reason``: the GUID of the reason that disputes give, where there are several to choose from."""

    def __init__(self, http: Http, reason: str = "") -> None:
        self._http, self._reason = http, reason

    def status(self) -> str:
        """Who this account is. Raises ``CaptureError`` when it may not sign in."""
        root = self._http.ask("GET", "/v2/status", read=lambda answer: root_of(answer.content))
        return str(root.findtext("member") or "")

    def members(self) -> list[tuple[str, str]]:
        """Who shares: (id, name)."""
        root = self._http.ask("GET", "/v2/members", read=lambda answer: root_of(answer.content))
        return [(member.get("id", ""), member.text or "") for member in root]

    def pages(self, checkpoint: bytes) -> Iterator[Page]:
        """Pages of changes; deletions are changes without values."""
        at = msgspec.json.decode(checkpoint, type=_Checkpoint) if checkpoint else _Checkpoint()
        if not at.end:
            at.end = int(self._http.ask("GET", "/v2/status", read=server_time))
        while True:
            try:
                answer = self._page(at)
            except Refused as error:
                if not at.next or error.status in (401, 403):
                    raise
                at.next = ""  # the server knows that page no more: the window is read from its beginning
                continue
            at.next = answer.next
            changes = tuple(Change(entry.reference, entry.values) for entry in answer.entries)
            if at.next:
                yield Page(changes, msgspec.json.encode(at), unread=answer.unread)
                continue
            done = _Checkpoint(start=max(at.start, at.end - OVERLAP_S))
            yield Page(changes, msgspec.json.encode(done), unread=answer.unread)
            return

    def _page(self, at: _Checkpoint) -> Answer:
        def read(answer: httpx.Response) -> Answer:
            return page_of(answer.content)

        if at.next:
            page: Answer = self._http.ask("GET", at.next, read=read)
            return page
        window = {"from": _text(at.start), "to": _text(at.end)}
        first: Answer = self._http.ask("GET", "/v2/entries", params=window, read=read)
        return first

    def vote(self, entry: Entry, references: list[str], *, confirm: bool) -> None:
        """Feedback on a fingerprint of an entry."""
        kind = TYPES.get(entry.kind)
        if kind is None:
            raise CaptureError(f"NCMEC takes no vote on {entry.kind} values. Withdraw the entry here instead.")
        root = Element("feedbackSubmission", xmlns=NAMESPACE)
        if confirm:
            SubElement(root, "affirmative")
        else:
            reasons = SubElement(SubElement(root, "negative"), "reasonIds")
            SubElement(reasons, "guid").text = self._reason or self._only_reason(kind)
        headers = {"Content-Type": "application/xml; charset=utf-8"}
        for reference in references:
            self._http.ask("PUT", f"/v2/entries/{reference}/{kind}/feedback", content=tostring(root), headers=headers)

    def _only_reason(self, kind: str) -> str:
        root = self._http.ask("GET", f"/v2/feedback/{kind}/reasons", read=lambda answer: root_of(answer.content))
        reasons: dict[str, str] = {reason.get("guid", ""): reason.get("name", "") for reason in root.iter("reason")}
        if len(reasons) != 1:
            known = "; ".join(f"{guid} ({name})" for guid, name in reasons.items())
            raise CaptureError(f"a dispute needs a reason. Set `reason` under [[exchanges]] to one of: {known}.")
        return str(next(iter(reasons)))


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_TIME)
