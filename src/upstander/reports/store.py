"""The reports' own SQLite file: where each stands and what became of it. It names nobody: what a report says is sealed
in the vault, and a person is a keyed hash here. What may be done is in ``office`` and ``sender``."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from upstander.journal.transactions import transaction
from upstander.reports.model import Changed, ReportError
from upstander.reports.states import FINAL, SENDING, TABLE, Act, State

SCHEMA_VERSION = 1


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A report as it stands. Times are epoch ms, 0 means never.

    ``content``: address of the sealed report; ``person``: keyed hash of who it is about; ``begun_at``: when the request
    was begun that opens it, until its answer is noted; ``reference``: the destination's number; ``opened_at`` and
    ``changed_at``: there; ``due_at``: when the clock of its state raises an alarm; ``wish``: ``retract`` or ``refuse``
    when it has to be taken back there first; ``retry``: what follows a retraction; ``paged``: somebody was
    called about the alarm; ``told``: the case knows;
    ``held_until``: how long its evidence is held, by the vault's hold of the same name.
    """

    id: str
    case: str
    destination: str
    person: str
    level: int
    content: str
    drafted_by: str
    drafted_at: int
    state: State = State.DRAFTED
    approved_by: str = ""
    approved_at: int = 0
    filed_by: str = ""
    queued_at: int = 0
    begun_at: int = 0
    reference: str = ""
    opened_at: int = 0
    changed_at: int = 0
    filed_at: int = 0
    attempts: int = 0
    next_at: int = 0
    due_at: int = 0
    alarm_at: int = 0
    alarm: str = ""
    paged: int = 0
    words: str = ""
    wish: str = ""
    told: int = 0
    held_until: int = 0
    follow_up_at: int = 0
    outcome: str = ""
    outcome_at: int = 0
    first_signal_at: int = 0
    version: int = 1


FIELDS = Row.__struct_fields__
_WHOLE = {field.name for field in msgspec.structs.fields(Row) if field.type is int}
_COLUMNS = ", ".join(f'"{name}" {"INTEGER" if name in _WHOLE else "TEXT"} NOT NULL' for name in FIELDS)
_NAMES = ", ".join(f'"{name}"' for name in FIELDS)
_SENDING = ", ".join(f"'{state}'" for state in SENDING)
_FINAL = ", ".join(f"'{state}'" for state in sorted(FINAL))
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE reports ({_COLUMNS}, PRIMARY KEY (id)) STRICT, WITHOUT ROWID;
CREATE INDEX reports_case ON reports("case");
CREATE INDEX reports_person ON reports(person, destination) WHERE state = 'filed';
CREATE INDEX reports_sending ON reports(destination, level DESC, queued_at, id) WHERE state IN ({_SENDING});
CREATE INDEX reports_due ON reports(due_at) WHERE due_at > 0 AND alarm_at = 0;
CREATE INDEX reports_unpaged ON reports(id) WHERE alarm_at > 0 AND paged = 0;
CREATE INDEX reports_untold ON reports(id) WHERE told = 0 AND state IN ({_FINAL});
CREATE INDEX reports_held ON reports(held_until) WHERE held_until > 0;
CREATE INDEX reports_state ON reports(state, drafted_at);
CREATE TABLE files (
  report TEXT NOT NULL, place INTEGER NOT NULL, address TEXT NOT NULL, file_id TEXT NOT NULL, md5 TEXT NOT NULL,
  damaged TEXT NOT NULL, described_at INTEGER NOT NULL, PRIMARY KEY (report, place)
) STRICT, WITHOUT ROWID;
CREATE TABLE steps (
  seq INTEGER PRIMARY KEY, report TEXT NOT NULL, at INTEGER NOT NULL, by TEXT NOT NULL, act TEXT NOT NULL,
  state TEXT NOT NULL, why TEXT NOT NULL, previous TEXT NOT NULL
) STRICT;
CREATE INDEX steps_report ON steps(report, seq);
CREATE TRIGGER steps_keep_update BEFORE UPDATE ON steps BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER steps_keep_delete BEFORE DELETE ON steps BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TABLE destinations (
  name TEXT PRIMARY KEY, down_since INTEGER NOT NULL, retry_at INTEGER NOT NULL, failures INTEGER NOT NULL,
  words TEXT NOT NULL
) STRICT, WITHOUT ROWID;
"""


class Sent(msgspec.Struct, frozen=True):
    """How far a file of a report is: the destination's id and MD5 of it, ids of copies that were damaged on the way
    (with spaces between), and when it was described."""

    place: int
    address: str
    file_id: str = ""
    md5: str = ""
    damaged: str = ""
    described_at: int = 0


class Step(msgspec.Struct, frozen=True):
    """A step of a report's history, in the file's chain: ``previous`` is the hash of the step before it."""

    seq: int
    report: str
    at: int
    by: str
    act: str
    state: str
    why: str
    previous: str

    @property
    def link(self) -> str:
        """The hash by which the next step names this one."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()


class Down(msgspec.Struct, frozen=True):
    """How a destination is: ``down_since`` 0 means that it answers; it is tried again at ``retry_at``."""

    name: str
    down_since: int = 0
    retry_at: int = 0
    failures: int = 0
    words: str = ""


class Store:
    """One connection to the file. One thread at a time may use it; several processes may."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)  # its side files (-wal, -shm) get the same mode
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL"):
                self.connection.execute(f"PRAGMA {pragma}")
            with self.transaction():
                version = self.connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    self._make()
        except (sqlite3.Error, OSError) as error:
            reason = f"the reports {path} cannot be opened ({error})"
            raise ReportError(f"{reason}. Check the path, disk and rights.") from None
        if version not in (0, SCHEMA_VERSION):
            self.connection.close()
            reason = f"{path} has schema {version}; this release reads {SCHEMA_VERSION}"
            raise ReportError(f"{reason}. Use the release that wrote it.")

    def _make(self) -> None:
        statement = ""
        for line in _SCHEMA.splitlines():
            statement += line + "\n"
            if sqlite3.complete_statement(statement):
                self.connection.execute(statement)
                statement = ""
        self.connection.execute("INSERT INTO meta VALUES ('secret', ?)", (secrets.token_bytes(32),))
        self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def transaction(self) -> AbstractContextManager[None]:
        """All of it is durable, or none; no other process writes meanwhile. Within another one: part of it."""
        return transaction(self.connection)

    def person(self, platform: str, viewer: str) -> str:
        """What stands for a person here: the same each time, and telling nobody whom it is about."""
        secret: bytes = self.connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()[0]
        return hmac.new(secret, f"{platform}\0{viewer}".encode(), hashlib.sha256).hexdigest()[:32]

    # -- reports -------------------------------------------------------------------------------------------------

    def get(self, identifier: str) -> Row | None:
        """The report with exactly this id."""
        found = self.select("id = ?", (identifier,), 1)
        return found[0] if found else None

    def find(self, identifier: str) -> Row:
        """The report whose id begins so. Raises ``ReportError`` when there is none, or more than one."""
        known = len(identifier) >= 4 and identifier.replace("-", "").isalnum() and identifier.isascii()
        found = self.select("substr(id, 1, ?) = ?", (len(identifier), identifier.lower()), 2) if known else []
        if len(found) != 1:
            what = "more than one report" if found else "no report"
            raise ReportError(f"{what} has the id {identifier!r}. Give at least 4 digits: see `upstander report list`.")
        return found[0]

    def select(
        self, where: str, values: tuple[object, ...] = (), limit: int = -1, order: str = "drafted_at, id"
    ) -> list[Row]:
        """Reports (SQL of this package only)."""
        # S608: the conditions are written in this package, values are bound.
        sql = f"SELECT {_NAMES} FROM reports WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        return [_row(values) for values in self.connection.execute(sql, (*values, limit))]

    def waiting(self, destination: str, now: int, limit: int = 100) -> list[Row]:
        """Reports that can be worked on now: the gravest first, then those that wait longest."""
        where = f"destination = ? AND state IN ({_SENDING}) AND next_at <= ?"
        return self.select(where, (destination, now), limit, "level DESC, queued_at, id")

    def prior(self, row: Row) -> tuple[str, ...]:
        """The destination's numbers of reports about the same person that were filed before, oldest first."""
        if not row.person:
            return ()
        where = "person = ? AND destination = ? AND state = 'filed' AND id <> ?"
        found = self.select(where, (row.person, row.destination, row.id), order="filed_at, id")
        return tuple(each.reference for each in found if each.reference)

    def add(self, row: Row, addresses: tuple[str, ...], by: str, why: str) -> None:
        """A new report, with the files that go with it; within a transaction."""
        marks = ", ".join("?" * len(FIELDS))
        values = [_column(getattr(row, name)) for name in FIELDS]
        self.connection.execute(f"INSERT INTO reports ({_NAMES}) VALUES ({marks})", values)  # noqa: S608
        self.connection.executemany(
            "INSERT INTO files VALUES (?, ?, ?, '', '', '', 0)",
            [(row.id, place, address) for place, address in enumerate(addresses)],
        )
        self._step(row.id, row.drafted_at, by, Act.DRAFT, row.state, why)

    def change(self, row: Row, act: Act, by: str, why: str, at: int, **fields: Any) -> Row:
        """Change a report by an act, and note the step: both or neither. Raises ``ReportError`` when the act leads not
        there, ``Changed`` when somebody has moved the report since it was read. That somebody looked at it, or wished
        it back, in the meantime is no hindrance, and stays."""
        with self.transaction():
            row = self._still(row)
            after = msgspec.structs.replace(row, **fields, version=row.version + 1)
            if after.state not in TABLE[act].get(row.state, ()):
                can = ", ".join(each for each in Act if row.state in TABLE.get(each, {}))
                raise ReportError(f"report {row.id} is {row.state}: `{act}` cannot be done. What can: {can}.")
            changed = [name for name in FIELDS if getattr(row, name) != getattr(after, name)]
            sets = ", ".join(f'"{name}" = ?' for name in changed)
            values = [_column(getattr(after, name)) for name in changed]
            self.connection.execute(f"UPDATE reports SET {sets} WHERE id = ?", (*values, row.id))  # noqa: S608
            self._step(row.id, at, by, act, after.state, why)
        return after

    def set(self, row: Row, **fields: Any) -> Row:
        """Change what is no step: when it is tried again, that the case was told, until when evidence is held."""
        with self.transaction():
            row = self._still(row)
            after = msgspec.structs.replace(row, **fields, version=row.version + 1)
            sets = ", ".join(f'"{name}" = ?' for name in (*fields, "version"))
            values = [_column(getattr(after, name)) for name in (*fields, "version")]
            self.connection.execute(f"UPDATE reports SET {sets} WHERE id = ?", (*values, row.id))  # noqa: S608
        return after

    def _still(self, row: Row) -> Row:
        """The report as it stands now, when it is where it was."""
        now = self.get(row.id)
        if now is None or (now.state, now.reference, now.begun_at) != (row.state, row.reference, row.begun_at):
            raise Changed(f"report {row.id} has changed meanwhile. Look at it again.")
        return now

    # -- files, history, destinations ----------------------------------------------------------------------------

    def files(self, report: str) -> list[Sent]:
        """A report's files, in order."""
        sql = "SELECT place, address, file_id, md5, damaged, described_at FROM files WHERE report = ? ORDER BY place"
        return [Sent(*values) for values in self.connection.execute(sql, (report,))]

    def put_file(self, report: str, file: Sent) -> None:
        """How far a file is, within the transaction of the step that says so."""
        sql = (
            "UPDATE files SET address = ?, file_id = ?, md5 = ?, damaged = ?, described_at = ? "
            "WHERE report = ? AND place = ?"
        )
        values = (file.address, file.file_id, file.md5, file.damaged, file.described_at, report, file.place)
        self.connection.execute(sql, values)

    def forget_files(self, report: str) -> None:
        """Nothing of the files is there any more: the report expired at its destination."""
        sql = "UPDATE files SET file_id = '', md5 = '', damaged = '', described_at = 0 WHERE report = ?"
        self.connection.execute(sql, (report,))

    def history(self, report: str) -> list[Step]:
        """Every step of a report, in order."""
        return [
            Step(*values) for values in self.connection.execute(_STEPS + "WHERE report = ? ORDER BY seq", (report,))
        ]

    def check(self) -> list[str]:
        """What is wrong with the history's chain, and with rows that do not stand where their last step led."""
        previous, found, last = "", [], {}
        for values in self.connection.execute(_STEPS + "ORDER BY seq"):
            step = Step(*values)
            if step.previous != previous:
                found.append(f"step {step.seq:,}: it, or the one before it, was changed")
            previous, last[step.report] = step.link, step.state
        lost = [row.id for row in self.select("1") if last.get(row.id) != row.state]
        return found + [f"report {each}: its row is not where its history leads" for each in lost]

    def _step(self, report: str, at: int, by: str, act: Act, state: State, why: str) -> None:
        if not by.strip():
            raise ReportError("a name is needed: the history keeps who did it.")
        row = self.connection.execute(_STEPS + "ORDER BY seq DESC LIMIT 1").fetchone()
        before = Step(*row) if row else None
        step = Step(
            before.seq + 1 if before else 1, report, at, by, str(act), str(state), why, before.link if before else ""
        )
        self.connection.execute("INSERT INTO steps VALUES (?, ?, ?, ?, ?, ?, ?, ?)", msgspec.structs.astuple(step))

    def down(self, name: str) -> Down:
        """How a destination is."""
        sql = "SELECT name, down_since, retry_at, failures, words FROM destinations WHERE name = ?"
        row = self.connection.execute(sql, (name,)).fetchone()
        return Down(*row) if row else Down(name)

    def put_down(self, down: Down) -> None:
        """Note how a destination is."""
        values = msgspec.structs.astuple(down)
        self.connection.execute("INSERT OR REPLACE INTO destinations VALUES (?, ?, ?, ?, ?)", values)


_STEPS = "SELECT seq, report, at, by, act, state, why, previous FROM steps "


def _column(value: object) -> object:
    return str(value) if isinstance(value, State) else value


def _row(values: tuple[Any, ...]) -> Row:
    fields = dict(zip(FIELDS, values, strict=True))
    return Row(**fields | {"state": State(fields["state"])})
