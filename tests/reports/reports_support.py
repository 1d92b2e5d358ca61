"""What the tests of reports share: a case with sealed evidence, an office, a fake hotline and a sender with a clock."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any

import msgspec

from upstander.cases.desk import Desk
from upstander.cases.model import Case, Found
from upstander.cases.states import Act as CaseAct
from upstander.cases.store import Store as CaseStore
from upstander.model.vocabulary import AgeBand, Level
from upstander.reports.build import Piece
from upstander.reports.cybertip import CyberTip
from upstander.reports.evidence import VaultEvidence
from upstander.reports.facts import Facts
from upstander.reports.fake.hotline import Hotline
from upstander.reports.model import Account, Email, IpEvent, Law, Phone, Place, Target
from upstander.reports.office import Office
from upstander.reports.sender import Sender
from upstander.reports.settings import NcmecSettings, ReporterSettings, ReportSettings
from upstander.reports.settle import Settler
from upstander.reports.store import Row, Store
from upstander.settings import Settings
from upstander.vault import opening
from upstander.vault.vault import Part, Vault

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
#: A time on 2026-11-25.
T0 = 1_795_600_000_000
REPORTER = ReporterSettings(
    company="Example Streams", service="Example Live", first_name="Robin", last_name="Canarybird",
    email="safety@example.org", phone="+441632960000", city="Leeds", country="GB", company_template="Serve by e-mail.",
)  # fmt: skip
#: Invented, and found in no other test: the scanner of logs looks for them.
REPORTED = Account(
    screen_name="zz_quillcanary", first_name="Quillon", last_name="Canaryson",
    emails=(Email("quillon@canary.example", verified=True, verified_at=T0),), phones=(Phone("+441632960777"),),
    ips=(IpEvent("203.0.113.77", T0 - MINUTE, "Login", 50_123),), place=Place("Leeds", "England", "GB"), age=41,
)  # fmt: skip
VICTIM = Account(first_name="Ada", last_name="Canarychild", age=11, ips=(IpEvent("198.51.100.42", T0, "Login"),))
FACTS = Facts(reported=REPORTED, victim=VICTIM, urls=("https://live.example/b1",))
FULL = msgspec.structs.replace(
    FACTS,
    law=Law("Example Police", "W-1", "Sam", "Officer", "sam@police.example", True, "warrant"),
    target=Target("host.example", "abuse@host.example", ("https://host.example/x",)),
)


class Clock:
    """A clock that stands until it is moved (epoch ms)."""

    def __init__(self, at: int = T0 + HOUR) -> None:
        self.at = at

    def __call__(self) -> int:
        return self.at

    def on(self, **by: float) -> None:
        """Move it on: ``minutes=5``."""
        units = {"ms": 1, "seconds": 1_000, "minutes": MINUTE, "hours": HOUR, "days": DAY}
        self.at += int(sum(units[name] * value for name, value in by.items()))


def settings_in(folder: Path, **reports: Any) -> Settings:
    made = ReportSettings(reporter=REPORTER, ncmec=NcmecSettings(username="fake", url="http://127.0.0.1:1/ispws"))
    return Settings(data=str(folder / "data"), reports=msgspec.structs.replace(made, **reports))


def evidence_of(case: str, gifts: bool = True, text: str = "are your parents home") -> list[Part]:
    """What the follower seals for a decision, in its form."""
    said = [
        {"type": "comment", "id": "c1", "at": T0, "broadcast": "b1", "actor": "v1", "text": text, "seq": 3},
        {"type": "speech", "id": "s1", "at": T0 + 500, "broadcast": "b1", "speaker": "host", "text": "no", "seq": 4},
        {"type": "comment", "id": "c2", "at": T0 + 900, "broadcast": "b1", "actor": "w", "text": "leave", "seq": 5},
    ]
    head = {"broadcast": "b1", "first": 1, "last": 9, "left_out": ""}
    decision = {
        "event": "c1", "broadcast": "b1", "actor": "v1", "at": T0 + 1_000, "level": "urgent",
        "tactics": ["supervision_probe"], "exposures": ["distress"], "interventions": [], "belief": 5.1,
        "broadcast_belief": 5.1, "versions": {"packs": "ab", "policy": "cd"},
        "reasons": [{"what": "supervision_probe", "why": "asks whether somebody is there", "weight": 2.5}],
    }  # fmt: skip
    started = {"type": "broadcast_started", "id": "s", "at": T0 - MINUTE, "broadcast": "b1", "host": "h1",
               "host_age_band": "10_12", "title": "drawing"}  # fmt: skip
    about = {"format": "upstander-decision-1", "platform": "mysite", "broadcast": "b1", "decision": decision,
             "journal": {"seq": 9, "hash": "00", "at": T0}, "started": started, "event": None}  # fmt: skip
    made = {"decision": about, "chat": {"format": "upstander-chat-1", **head, "events": said}}
    if gifts:
        gift = {"type": "gift", "id": "g1", "at": T0 + 700, "broadcast": "b1", "actor": "v1", "gift": "rose",
                "value": 5.0, "currency": "EUR", "seq": 6}  # fmt: skip
        made["gifts"] = {"format": "upstander-gifts-1", **head, "events": [gift]}
    frame = {"type": "frame", "id": "f1", "at": T0, "broadcast": "b1", "pdq": "0" * 64, "quality": 90, "seq": 7}
    made["frames"] = {"format": "upstander-frames-1", **head, "events": [frame]}
    return [Part(part, f"{case}:{part}", json.dumps(value).encode()) for part, value in made.items()]


def pieces_of(gifts: bool = True, viewed: bool = False, text: str = "are your parents home") -> list[Piece]:
    parts = evidence_of("case", gifts, text)
    return [Piece(hashlib.sha256(p.content).hexdigest(), p.part, p.content, T0, viewed) for p in parts]


class Bench:
    """Everything together, in one folder, with a clock of its own."""

    def __init__(self, folder: Path, *, durable: bool = False, **reports: Any) -> None:
        self.clock = Clock()
        self.settings = settings_in(folder, **reports)
        self.vault: Vault = opening.create_vault(self.settings, "ann")
        self.desk = Desk(CaseStore(self.settings.folder / "cases.sqlite3"))
        self.store = Store(self.settings.folder / "reports.sqlite3")
        if not durable:  # nobody is killed here: waiting for the disk would only cost time
            for connection in (self.vault.ledger.connection, self.desk.store.connection, self.store.connection):
                connection.execute("PRAGMA synchronous = OFF")
        self.evidence = VaultEvidence(self.vault)
        self.office = Office(self.store, self.evidence, self.desk, self.settings)
        self.hotline = Hotline(clock=self.clock)
        self.client = CyberTip("http://127.0.0.1:1/ispws", "fake", "fake", 5, self.hotline.transport())
        self.sender = self.new_sender()
        self.paged: list[bytes] = []
        self.settler = Settler(
            self.store, self.evidence, self.desk, self.settings.reports, self.clock,
            lambda _, data: self.paged.append(data) is None,
        )  # fmt: skip

    def new_sender(self) -> Sender:
        reports, folder = self.settings.reports, self.settings.folder
        return Sender(self.store, self.evidence, self.client, reports, folder, self.clock, random.Random(1))

    def close(self) -> None:
        self.client.close()
        self.store.close()
        self.desk.store.close()
        self.vault.close()

    def case(self, number: int = 1, level: Level = Level.URGENT, viewer: str = "v1", claim: str = "ann") -> Case:
        """A case with evidence, that a person holds."""
        found = Found(
            "mysite", f"b{number}", viewer, "c1", number, T0, level, ("supervision_probe",), 5.0, "h1",
            AgeBand.FROM_10_TO_12,
        )  # fmt: skip
        case = self.desk.decide(found, now=T0)
        self.vault.seal(evidence_of(case.id), case.id, T0 + 90 * DAY, "a test")
        return self.desk.act(case.id, CaseAct.CLAIM, claim, now=self.clock()) if claim else case

    def drafted(self, number: int = 1, destination: str = "ncmec", facts: Facts = FACTS, **case: Any) -> Row:
        held = self.case(number, **case)
        return self.office.draft(held.id, destination, facts, "ann", "asks a child to be alone", self.clock())

    def filed(self, number: int = 1, **more: Any) -> Row:
        """Drafted by ann, approved by dana, filed: it waits to be sent."""
        row = self.drafted(number, **more)
        self.office.approve(row.id, "dana", "agreed", self.clock())
        return self.office.file(row.id, "dana", self.clock())

    def row(self, row: Row) -> Row:
        return self.store.find(row.id)

    def work(self, hours: float = 0.0, step: float = 60.0) -> None:
        """Send and sweep, every so many seconds of the clock, for so long."""
        end = self.clock() + int(hours * HOUR)
        while True:
            self.sender.run()
            self.settler.sweep()
            if self.clock() >= end:
                return
            self.clock.on(seconds=step)
