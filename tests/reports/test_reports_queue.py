"""10,000 reports wait while the destination is down for a day (by the clock): when it returns, all are filed once, the
gravest first, and of one level the oldest first; memory stays bounded."""

from __future__ import annotations

import hashlib
import random
import tracemalloc
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
from reports_support import FACTS, REPORTER, T0, Clock, pieces_of

from upstander.cases.model import Case
from upstander.model.vocabulary import AgeBand
from upstander.reports.build import Piece, report_of
from upstander.reports.cybertip import Call, CyberTip
from upstander.reports.fake.hotline import Hotline
from upstander.reports.model import encode
from upstander.reports.sender import Sender
from upstander.reports.settings import ReportSettings
from upstander.reports.states import State
from upstander.reports.store import Row, Store

REPORTS = 10_000
#: Of so many reports one has a file: uploading is the same for each.
FILES = 20


#: While so many are sent, memory is looked at: at the beginning, and at the end.
LOOKED_AT = 200


class Direct(CyberTip):
    """The client without httpx between it and the fake, but for files: 20,000 requests would only measure that."""

    def __init__(self, hotline: Hotline) -> None:
        super().__init__("http://127.0.0.1:1/ispws", "fake", "fake", 5, hotline.transport())
        self._hotline = hotline

    def _send(self, method: str, call: Call, limit: int, **sent: Any) -> tuple[int, httpx.Headers, bytes]:
        if "files" in sent or self._hotline.is_down:
            return super()._send(method, call, limit, **sent)
        body = sent.get("content") or urlencode(sent.get("data", {})).encode()
        kind = "text/xml" if "content" in sent else "application/x-www-form-urlencoded"
        headers = {"authorization": "Basic ZmFrZTpmYWtl", "content-type": kind}
        reply = self._hotline.handle(method, str(call), headers, body)
        return reply.status, httpx.Headers(reply.headers), reply.body


class Plain:
    """Evidence without a vault, made when it is asked for: nothing of it stays in memory."""

    def __init__(self, report: bytes, chat: bytes, address: str) -> None:
        self._report, self._chat, self._address = report, chat, address
        self.held = 0

    def pieces(self, case: str, by: str, why: str) -> list[Piece]:
        return []

    def seal(self, case: str, report: str, part: str, content: bytes, keep_until: int, by: str) -> str:
        return f"{part}:{report}"

    def content(self, address: str, by: str, why: str, *, looks: bool = False) -> bytes:
        if address == self._address:
            return self._chat
        kind, _, name = address.partition(":")
        found = msgspec.json.decode(self._report)
        found["id"] = name
        if kind == "bare":
            del found["files"]
        return msgspec.json.encode(found)

    def hold(self, case: str, report: str, until: int, why: str) -> None:
        self.held += 1

    def release(self, report: str, case: str) -> None:
        raise AssertionError

    def proof(self, case: str, by: str, why: str, recipient: str) -> bytes:
        raise AssertionError


def test_ten_thousand_reports_over_a_day_without_the_destination(tmp_path: Path) -> None:
    clock, chance = Clock(), random.Random(7)
    case = Case(
        id="0123456789abcdef", platform="mysite", broadcast="b1", viewer="v1", host="h1", event="c1", salt="",
        subject="", band=AgeBand.UNKNOWN, state="approved", level=3, tactics=("secrecy",), belief=5.0, opened_at=T0,  # type: ignore[arg-type]
        updated_at=T0, version=1, decisions=1, sealed_to=1,
    )  # fmt: skip
    known = msgspec.structs.replace(FACTS, parts=("chat",))
    report = report_of("r-0", "ncmec", case, pieces_of(), known, REPORTER, T0)
    chat = next(piece for piece in pieces_of() if piece.part == "chat")
    evidence = Plain(encode(report), chat.content, chat.address)
    store = Store(tmp_path / "reports.sqlite3")
    store.connection.execute("PRAGMA synchronous = OFF")  # nobody is killed here
    with store.transaction():
        for number in range(REPORTS):
            name = f"r-{hashlib.sha256(str(number).encode()).hexdigest()[:12]}"
            files = (chat.address,) if number % FILES == 0 else ()
            row = Row(
                id=name, case=f"case-{number}", destination="ncmec", person="", level=chance.choice((2, 3, 4)),
                content=f"{'full' if files else 'bare'}:{name}", drafted_by="ann", drafted_at=T0, queued_at=T0 + number,
                state=State.SUBMITTING, filed_by="dana",
            )  # fmt: skip
            store.add(row, files, "ann", "a test")
    hotline = Hotline(clock=clock)
    client = Direct(hotline)
    sender = Sender(store, evidence, client, ReportSettings(), tmp_path, clock, random.Random(1))

    hotline.is_down = True
    asked = 0
    for _ in range(24 * 60):  # the sender looks once a minute of the clock, for a day
        before = store.down("ncmec").failures
        sender.run()
        asked += store.down("ncmec").failures - before
        clock.on(minutes=1)
    assert not hotline.calls and store.down("ncmec").down_since
    # One question at a time, ever more rarely: not 10,000 at once.
    assert asked <= 24 * 60 * 60 / (300 / 2) + 20

    hotline.is_down = False
    clock.on(minutes=6)
    first = traced(sender, hotline)
    sender.run(lambda: len(hotline.reports) > REPORTS - LOOKED_AT)
    last = traced(sender, hotline)
    sender.run()
    assert {state for (state,) in store.connection.execute("SELECT DISTINCT state FROM reports")} == {"filed"}
    order = [row.id for row in store.select("1", order="level DESC, queued_at, id")]
    places = {row.reference: row.id for row in store.select("1")}
    finished = [places[each.id] for each in hotline.reports.values() if each.finished_at]
    assert len(finished) == REPORTS and not hotline.unfinished
    assert finished == order
    # Bounded: little, and no more at the end than at the start.
    assert max(first, last) < 8 * 1024 * 1024 and last < 2 * first + 1024 * 1024, (first, last)
    assert store.check() == []


def traced(sender: Sender, hotline: Hotline) -> int:
    """Bytes that sending some reports takes at its peak, without what the fake keeps of them."""
    before = len(hotline.reports)
    tracemalloc.start()
    sender.run(lambda: len(hotline.reports) >= before + LOOKED_AT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak - sum(len(each.xml) + 2_000 for each in list(hotline.reports.values())[before:])
