"""The cases' SQLite file: current rows, and the history that they follow from. Who may do what is in ``desk``."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import msgspec

from upstander.cases.model import GENESIS, NAMING, Case, CaseError, Step, decode_step, encode_step, plain
from upstander.journal.transactions import transaction

SCHEMA_VERSION = 1
#: The fields of a case as columns; what is not a whole number or text is kept as JSON.
FIELDS = Case.__struct_fields__
_REAL, _WHOLE = ("belief",), (
    "level", "opened_at", "updated_at", "version", "decisions", "sealed_to", "lease_until", "snooze_until", "due_at",
    "alarm", "looked_at", "waiting_since",
)  # fmt: skip
_COLUMNS = ", ".join(
    f"{name} {'REAL' if name in _REAL else 'INTEGER' if name in _WHOLE else 'TEXT'} NOT NULL" for name in FIELDS
)
_SCHEMA = f"""
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE cases ({_COLUMNS}, queued INTEGER NOT NULL, rank INTEGER NOT NULL, PRIMARY KEY (id)) STRICT, WITHOUT ROWID;
CREATE INDEX cases_queue ON cases(queued, rank, id);
CREATE INDEX cases_state ON cases(state, rank, id);
CREATE INDEX cases_viewer ON cases(platform, viewer);
CREATE INDEX cases_holder ON cases(holder, rank, id) WHERE holder <> '';
CREATE INDEX cases_due ON cases(due_at) WHERE due_at > 0 AND alarm = 0;
CREATE INDEX cases_lease ON cases(lease_until) WHERE lease_until > 0;
CREATE INDEX cases_snooze ON cases(snooze_until) WHERE snooze_until > 0;
CREATE TABLE steps (seq INTEGER PRIMARY KEY, case_id TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX steps_case ON steps(case_id, seq);
CREATE TRIGGER steps_keep_update BEFORE UPDATE ON steps BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TRIGGER steps_keep_delete BEFORE DELETE ON steps BEGIN SELECT RAISE(ABORT, 'the history only grows'); END;
CREATE TABLE decisions (
  case_id TEXT NOT NULL, seq INTEGER NOT NULL, event TEXT NOT NULL, level INTEGER NOT NULL, phrase TEXT NOT NULL,
  PRIMARY KEY (case_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX decisions_phrase ON decisions(phrase) WHERE phrase <> '';
CREATE TABLE looks (at INTEGER NOT NULL, case_id TEXT NOT NULL, level INTEGER NOT NULL, took INTEGER NOT NULL) STRICT;
CREATE INDEX looks_at ON looks(at);
CREATE TABLE outgoing (
  id TEXT PRIMARY KEY, platform TEXT NOT NULL, body BLOB NOT NULL, sent INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX outgoing_open ON outgoing(id) WHERE sent = 0;
CREATE TABLE batches (id TEXT PRIMARY KEY, body BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE positions (name TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT, WITHOUT ROWID;
"""
#: Made where they are missing: a file of an earlier release gets them, too.
_INDEXES = (
    "cases_opened ON cases(queued, opened_at, id)",
    "cases_updated ON cases(updated_at, id)",
    "cases_alarm ON cases(state) WHERE alarm > 0",
    "cases_waiting ON cases(waiting_since) WHERE waiting_since > 0",
)


class Store:
    """One connection to the file. One thread at a time may use it; several processes may."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)  # its side files (-wal, -shm) get the same mode
            self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
            for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL", "secure_delete = ON"):
                self.connection.execute(f"PRAGMA {pragma}")
            with self.transaction():
                version = self.connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    self._make()
                if version in (0, SCHEMA_VERSION):
                    for index in _INDEXES:
                        self.connection.execute(f"CREATE INDEX IF NOT EXISTS {index}")
        except (sqlite3.Error, OSError) as error:
            raise CaseError(f"the cases {path} cannot be opened ({error}). Check the path, disk and rights.") from None
        if version not in (0, SCHEMA_VERSION):
            self.connection.close()
            raise CaseError(
                f"{path} has schema {version}; this release reads {SCHEMA_VERSION}. Use the one that wrote it."
            )

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

    def secret(self) -> bytes:
        """What case ids are made with, so that nobody outside can tell whom one is about."""
        value: bytes = self.connection.execute("SELECT value FROM meta WHERE name = 'secret'").fetchone()[0]
        return value

    # -- cases ---------------------------------------------------------------------------------------------------

    def get(self, identifier: str) -> Case | None:
        """The case with exactly this id."""
        found = self.select("id = ?", (identifier,), 1)
        return found[0] if found else None

    def select(
        self, where: str, values: tuple[object, ...] = (), limit: int = -1, order: str = "rank, id"
    ) -> list[Case]:
        """Cases in the order of the queue (SQL of this package only)."""
        # S608: the conditions are written in this package, values are bound.
        sql = f"SELECT {', '.join(FIELDS)} FROM cases WHERE {where} ORDER BY {order} LIMIT ?"  # noqa: S608
        return [_case(row) for row in self.connection.execute(sql, (*values, limit))]

    def put(self, case: Case) -> None:
        """Write a case's row, within a transaction."""
        values = [_column(getattr(case, name)) for name in FIELDS]
        marks = ", ".join("?" * (len(FIELDS) + 2))
        names = f"{', '.join(FIELDS)}, queued, rank"
        self.connection.execute(
            f"INSERT OR REPLACE INTO cases ({names}) VALUES ({marks})",  # noqa: S608
            (*values, int(case.queued), case.rank),
        )

    # -- history -------------------------------------------------------------------------------------------------

    def last(self) -> tuple[int, str]:
        """The number of the last step (0: none) and its hash."""
        row = self.connection.execute("SELECT seq, body FROM steps ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], link(row[1])) if row else (0, GENESIS)

    def step(
        self,
        before: Case | None,
        after: Case | None,
        act: str,
        by: str,
        why: str,
        at: int,
        *,
        batch: str = "",
        to: str = "",
    ) -> Step:
        """Write a step and the row that it leads to, within a transaction. Both ``None``: it is about no one case."""
        if not by.strip():
            raise CaseError("a name is needed: the history keeps who did it.")
        old = {} if before is None else fields(before)
        new = {} if after is None else fields(after)
        changed = [name for name in new if name not in old or old[name] != new[name]]
        seq, previous = self.last()
        step = Step(
            seq + 1,
            at,
            after.id if after else "",
            act,
            by,
            why,
            after.version if after else 0,
            previous,
            {name: old[name] for name in changed if name in old},
            {name: new[name] for name in changed},
            batch,
            to,
        )
        values = (step.seq, step.case, encode_step(step))
        self.connection.execute("INSERT INTO steps VALUES (?, ?, ?)", values)
        if after is not None and after != before:
            self.put(after)
        return step

    def last_version(self, case: str) -> int:
        """The version that a case had at its last step (0: there was none): one that was erased goes on counting."""
        sql = "SELECT body FROM steps WHERE case_id = ? ORDER BY seq DESC LIMIT 1"
        row = self.connection.execute(sql, (case,)).fetchone()
        return decode_step(row[0]).version if row else 0

    def history(self, case: str) -> list[Step]:
        """Every step of a case, in order."""
        rows = self.connection.execute("SELECT body FROM steps WHERE case_id = ? ORDER BY seq", (case,))
        return [decode_step(row[0]) for row in rows]


def link(body: bytes) -> str:
    """The hash by which the next step names this one."""
    return hashlib.sha256(body).hexdigest()


def fields(case: Case) -> dict[str, Any]:
    """A case's fields as they stand in steps."""
    return {name: plain(getattr(case, name)) for name in FIELDS if name not in NAMING}


def _column(value: object) -> object:
    built = plain(value)
    return built if isinstance(built, int | float | str) else msgspec.json.encode(built).decode()


def _case(row: tuple[Any, ...]) -> Case:
    values = dict(zip(FIELDS, row, strict=True))
    values["tactics"] = msgspec.json.decode(values["tactics"])
    return msgspec.convert(values, Case)
