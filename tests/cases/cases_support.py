"""What the tests of cases share: a desk, what opens a case, and a journal with grave decisions in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from upstander import runtime
from upstander.cases.desk import Desk
from upstander.cases.model import Found
from upstander.cases.store import Store
from upstander.journal import store as journal
from upstander.journal.entries import Entry, Kind, reference
from upstander.model.decision import encode_decision
from upstander.model.vocabulary import AgeBand, Level
from upstander.model.wire import decode_event
from upstander.settings import CaseSettings, Settings

MINUTE = 60_000
#: A time on 2026-11-25.
T0 = 1_795_600_000_000
LIMITS = CaseSettings()
#: Mild words that together reach `urgent` when one viewer writes them to a child.
PRESSING = (
    "are your parents home", "add me on the other app", "dont tell your mom", "do a spin and ill send a gift",
)  # fmt: skip


def new_desk(folder: Path) -> Desk:
    return Desk(Store(folder / "cases.sqlite3"), LIMITS)


def found(number: int = 1, level: Level = Level.URGENT, viewer: str = "v1", **fields: Any) -> Found:
    values: dict[str, Any] = {"tactics": ("secrecy",), "belief": 5.0, "host": "host", "band": AgeBand.FROM_10_TO_12}
    return Found("mysite", f"b{number}", viewer, f"e{number}", number, T0, level, **(values | fields))


def settings_in(folder: Path, **cases: Any) -> Settings:
    return Settings(data=str(folder / "data"), cases=CaseSettings(**cases))


class Recorded:
    """A journal that is written as the service writes it: events, and what the engine decides on them."""

    def __init__(self, path: Path) -> None:
        self._connection = journal.open_store(path)
        self._runtime = runtime.Runtime(runtime.current())
        self.grave = 0

    def add(self, *events: dict[str, Any]) -> None:
        entries = []
        for each in events:
            raw = json.dumps(each).encode()
            event = decode_event(raw)
            key = reference("mysite", event.broadcast, event.id)
            entries.append(Entry(Kind.EVENT, raw, event.at_ms, "mysite", event.broadcast, key))
            decision = self._runtime.observe("mysite", event)
            if decision is not None:
                body = encode_decision(decision)
                entries.append(Entry(Kind.DECISION, body, event.at_ms, "mysite", event.broadcast, key))
                self.grave += decision.level in ("urgent", "emergency")
        journal.write(self._connection, journal.head(self._connection), entries, ())

    def broadcast(self, name: str, viewer: str = "v1", texts: tuple[str, ...] = PRESSING) -> None:
        """A child's broadcast in which one viewer presses."""
        start = {"type": "broadcast_started", "id": "s", "host": f"host-{name}", "host_age_band": "10_12"}
        self.add(start | {"at": T0, "broadcast": name})
        gift = {"type": "gift", "id": "g1", "actor": viewer, "gift": "rose", "value": 5, "currency": "EUR"}
        frame = {"type": "frame", "id": "f1", "pdq": "0" * 64, "quality": 90}
        self.add(gift | {"at": T0 + 500, "broadcast": name}, frame | {"at": T0 + 600, "broadcast": name})
        for number, text in enumerate(texts):
            at = T0 + 1_000 * (number + 1)
            event = {"type": "comment", "id": f"c{number}", "actor": viewer, "text": text}
            self.add(event | {"at": at, "broadcast": name})

    def close(self) -> None:
        self._connection.close()
