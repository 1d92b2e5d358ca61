"""The follower: reads the journal from where it stopped, seals evidence and opens cases, each exactly once.

Evidence is sealed first (twice the same is once); then the case, and where the follower stands, in one transaction.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from upstander.cases import evidence, retention
from upstander.cases.check import ANCHOR
from upstander.cases.desk import Desk, now_ms
from upstander.cases.model import Case, CaseError, Found
from upstander.cases.related import phrase_of
from upstander.cases.states import Act
from upstander.cases.store import Store
from upstander.journal import store as journal
from upstander.journal.entries import GENESIS, Kind, Placed
from upstander.journal.following import in_thread
from upstander.model.decision import Decision
from upstander.model.vocabulary import AgeBand, Intervention, Level, Tactic
from upstander.settings import Settings
from upstander.vault import opening, stamps
from upstander.vault.errors import VaultError
from upstander.vault.vault import Vault

log = logging.getLogger(__name__)

POSITION = "journal"
#: So many entries are read between two notes of where the follower stands.
STRIDE = 20_000
POLL_S = 0.5
SWEEP_S = 5.0
ERASE_S = 3_600.0
_TRIES_S = 5.0
#: Passes a verdict on to the journal; true when it is there.
Deliver = Callable[[str, bytes], Awaitable[bool]]


def cases_path(settings: Settings) -> Path:
    """The cases' file."""
    return settings.folder / "cases.sqlite3"


def open_desk(settings: Settings) -> Desk:
    """The cases of these settings; made when there are none."""
    return Desk(Store(cases_path(settings)), settings.cases)


class Follower:
    """Follows one journal. ``vault`` may be ``None``: cases are opened, nothing is sealed."""

    def __init__(self, settings: Settings, desk: Desk, vault: Vault | None) -> None:
        self.settings, self.desk, self.vault = settings, desk, vault
        self._journal = journal.connect(settings.journal_path, readonly=True)
        self._level = Level[settings.cases.level.upper()]

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    def position(self) -> int:
        """The last entry that was taken up. Raises ``CaseError`` when the journal is not the one that was followed."""
        sql = "SELECT seq, hash FROM positions WHERE name = ?"
        row = self.desk.store.connection.execute(sql, (POSITION,)).fetchone()
        if row is None:
            return 0
        if self._hash(row[0]) != row[1]:
            fix = "Put the right journal back, or move cases.sqlite3 away to begin anew."
            raise CaseError(f"the journal is not the one that was followed up to entry {row[0]:,}. {fix}")
        seq: int = row[0]
        return seq

    def catch_up(self, stop: Callable[[], bool] = lambda: False) -> int:
        """Take up all there is; how many decisions led to a case. Safe to be killed at any point."""
        taken, after = 0, self.position()
        end = journal.head(self._journal)[0]
        while after < end and not stop():
            upper = min(end, after + STRIDE)
            where = "seq <= ? AND kind = 'decision'"
            for placed in journal.read(self._journal, after, where, (upper,)):
                decision = evidence.decision_of(placed)
                if self._calls(decision):
                    self._take(placed, decision)
                    taken += 1
            with self.desk.lock, self.desk.store.transaction():
                self._stand(upper)
            after = upper
        return taken

    def _calls(self, decision: Decision) -> bool:
        """Whether a decision is a case: it is grave enough, or a rule calls for a person."""
        if Level[decision.level.upper()] >= self._level:
            return True
        return any(asked.do is Intervention.CALL_MODERATOR for asked in decision.interventions)

    def _take(self, placed: Placed, decision: Decision) -> None:
        found = self._sealed(placed, decision, "at the moment of the decision")
        with self.desk.lock, self.desk.store.transaction():
            self.desk.decide(found, sealed_to=placed.seq)
            self._stand(placed.seq)

    def _sealed(self, placed: Placed, decision: Decision, why: str) -> Found:
        """Seal what a decision rests on, from where the case's last evidence ended; what then opens the case."""
        entry = placed.entry
        identifier = self.desk.case_id(entry.platform, entry.broadcast, decision.actor or "")
        known = self.desk.store.get(identifier)
        found = evidence.slice_before(self._journal, placed, known.sealed_to if known else 0)
        if self.vault is not None:
            band = found.started.host_age_band if found.started else AgeBand.UNKNOWN
            # By the journal's clock, so that sealing again after a crash asks for the same.
            until = opening.keep_until(self.settings, band, entry.at)
            self.vault.seal(evidence.parts_of(placed, found), identifier, until, why)
        return self._found(placed, decision, found)

    def _found(self, placed: Placed, decision: Decision, found: evidence.Slice) -> Found:
        started = found.started
        words = evidence.text_of(self._journal, placed)
        return Found(
            placed.entry.platform,
            placed.entry.broadcast,
            decision.actor or "",
            decision.event,
            placed.seq,
            placed.entry.at,
            Level[decision.level.upper()],
            tuple(sorted({str(t) for t in decision.tactics} | _earlier(decision))),
            decision.belief,
            started.host if started else "",
            started.host_age_band if started else AgeBand.UNKNOWN,
            phrase_of(self.desk.store.secret(), words) if words else "",
        )

    def _stand(self, seq: int) -> None:
        """Note where the follower stands, within a transaction. Never backwards: another process may be ahead."""
        sql = (
            "INSERT INTO positions VALUES (?, ?, ?) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq, "
            "hash = excluded.hash WHERE excluded.seq > seq"
        )
        self.desk.store.connection.execute(sql, (POSITION, seq, self._hash(seq)))

    def _hash(self, seq: int) -> bytes:
        row = self._journal.execute("SELECT hash FROM entries WHERE seq = ?", (seq,)).fetchone()
        return bytes(row[0]) if row else GENESIS if not seq else b""

    def ask(self, seq: int, by: str, why: str) -> Case:
        """A person asks for a case about the event or decision at this entry of the journal."""
        placed = next(journal.read(self._journal, seq - 1, "seq = ?", (seq,)), None)
        if placed is None or placed.entry.kind is not Kind.DECISION:
            fix = "Name an event that something was decided on: see `upstander explain`."
            raise CaseError(f"entry {seq:,} of the journal is no decision. {fix}")
        if not why.strip():
            raise CaseError("asking for a case needs a reason: the history keeps it.")
        found = self._sealed(placed, evidence.decision_of(placed), "a person asked for a case")
        return self.desk.decide(found, by, why, sealed_to=placed.seq)

    def anchor(self) -> bool:
        """Write the history's head into the vault's ledger when it has grown, so that its end cannot be cut off."""
        if self.vault is None:
            return False
        steps, digest = self.desk.store.last()
        sql = "SELECT seq FROM positions WHERE name = ?"
        row = self.desk.store.connection.execute(sql, (ANCHOR,)).fetchone()
        if steps <= (row[0] if row else 0):
            return False
        self.vault.anchor(ANCHOR, steps, digest)
        with self.desk.lock, self.desk.store.transaction():
            sql = "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)"
            self.desk.store.connection.execute(sql, (ANCHOR, steps, bytes.fromhex(digest)))
        return True


def _earlier(decision: Decision) -> set[str]:
    """Tactics that the decision rests on and that earlier events showed."""
    return {reason.what for reason in decision.reasons} & {str(tactic) for tactic in Tactic}


async def deliver_verdicts(desk: Desk, deliver: Deliver) -> int:
    """Pass on verdicts that wait, in order; how many went. One that fails waits on, and those behind it."""
    # By time: ids end in a version, and as text 12 comes before 9. The last verdict is the one that counts.
    sql = (
        "SELECT id, platform, body FROM outgoing WHERE sent = 0 "
        "ORDER BY json_extract(CAST(body AS TEXT), '$.at'), length(id), id LIMIT 100"
    )
    sent = 0
    for name, platform, body in desk.store.connection.execute(sql).fetchall():
        if not await deliver(platform, body):
            break
        desk.store.connection.execute("UPDATE outgoing SET sent = ? WHERE id = ?", (now_ms(), name))
        sent += 1
    return sent


def ready(settings: Settings) -> bool:
    """Whether the vault was made."""
    return opening.exists(settings)


async def run(settings: Settings, deliver: Deliver) -> None:
    """Follow the journal until cancelled: the service's task. A fault is logged and tried again: events go on."""
    while True:
        try:
            await _follow(settings, deliver)
        except (CaseError, VaultError, sqlite3.Error, OSError, msgspec.MsgspecError) as error:
            log.error("cases: %s (tried again in %g s)", error, _TRIES_S)
            await asyncio.sleep(_TRIES_S)


async def _follow(settings: Settings, deliver: Deliver) -> None:
    desk = open_desk(settings)
    vault: Vault | None = None
    follower: Follower | None = None
    try:
        vault = await in_thread(lambda _: opening.open_vault(settings))
        follower = Follower(settings, desk, vault)
        swept = stamped = erased = 0.0
        while True:
            await in_thread(follower.catch_up)
            if time.monotonic() - swept >= SWEEP_S:
                for step in await in_thread(lambda _: desk.sweep()):
                    if step.act == Act.ALARM:
                        log.warning("case %s: %s", step.case, step.why)
                await in_thread(lambda _: retention.extend(desk, vault, settings))
                await in_thread(lambda _: follower.anchor())
                swept = time.monotonic()
            if time.monotonic() - erased >= ERASE_S:
                erased = time.monotonic()
                for name in await in_thread(lambda _: retention.erase_due(desk, settings, vault)):
                    log.info("case %s was erased: its time to be kept is over", name)
            if settings.vault.timestamp_url and time.monotonic() - stamped >= settings.vault.timestamp_minutes * 60:
                stamped = time.monotonic()
                await in_thread(lambda _: _stamp(settings, vault))
            await deliver_verdicts(desk, deliver)
            await asyncio.sleep(POLL_S)
    finally:
        if follower is not None:
            follower.close()
        if vault is not None:
            vault.close()
        desk.store.close()


def _stamp(settings: Settings, vault: Vault) -> None:
    try:
        stamps.stamp(vault, settings.vault.timestamp_url, stamps.roots_of(Path(settings.vault.timestamp_roots)))
    except VaultError as error:
        log.warning("%s", error)
