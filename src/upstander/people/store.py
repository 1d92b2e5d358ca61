"""The accounts' file, ``people.sqlite3``: people, recovery codes, passkeys and one-time links.

Sessions lie in the same file and are in ``sessions``. A running service sees at once what the command line changed.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from upstander.people.model import NAME, Passkey, PeopleError, Person
from upstander.people.permissions import Role, conflict

LINK_MS = 5 * 60_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
  name TEXT PRIMARY KEY, roles TEXT NOT NULL, platforms TEXT NOT NULL, password TEXT NOT NULL,
  must_change INTEGER NOT NULL, totp TEXT NOT NULL, totp_last INTEGER NOT NULL, subject TEXT NOT NULL,
  made_at INTEGER NOT NULL, disabled_at INTEGER NOT NULL, signed_in_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS people_subject ON people(subject) WHERE subject != '';
CREATE TABLE IF NOT EXISTS recovery (
  person TEXT NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (person, hash)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS passkeys (
  id BLOB PRIMARY KEY, person TEXT NOT NULL, public_key BLOB NOT NULL, sign_count INTEGER NOT NULL,
  label TEXT NOT NULL, made_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS links (hash BLOB PRIMARY KEY, person TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS browsers (
  hash BLOB PRIMARY KEY, person TEXT NOT NULL, until INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sessions (
  hash BLOB PRIMARY KEY, id TEXT NOT NULL UNIQUE, person TEXT NOT NULL, stage TEXT NOT NULL, made_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL, source TEXT NOT NULL, agent TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_person ON sessions(person);
"""


def digest(secret: str) -> bytes:
    """What is kept of a random secret: it has 80 bits or more, so a plain hash cannot be guessed back."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def now_ms() -> int:
    """The time now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class People:
    """The accounts. ``clock`` gives epoch milliseconds. Threads may share it. ``close`` when done."""

    def __init__(self, path: Path, clock: Callable[[], int] = now_ms) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made with its mode, so that SQLite gives its side files (-wal, -shm) the same one.
        path.touch(mode=0o600)
        path.chmod(0o600)
        self.clock = clock
        self.lock = threading.RLock()
        self.connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self.connection.execute("PRAGMA busy_timeout = 5000")
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def run(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """The rows of one statement of this package."""
        with self.lock:
            return self.connection.execute(sql, values).fetchall()

    def changed(self, sql: str, values: tuple[object, ...]) -> int:
        """How many rows one statement of this package changed."""
        with self.lock:
            return self.connection.execute(sql, values).rowcount

    # -- people --------------------------------------------------------------------------------------------------

    def add(
        self,
        name: str,
        roles: Iterable[Role],
        password: str = "",
        platforms: Iterable[str] = (),
        *,
        must_change: bool = False,
        subject: str = "",
    ) -> Person:
        """A new account. ``password`` is a hash (see ``passwords``)."""
        if not NAME.fullmatch(name):
            raise PeopleError(
                f"{name!r} is no account name. Use 2 to 32 lower case letters, digits, dots, - and _, beginning with "
                "a letter or digit."
            )
        held = _checked(roles)
        row = (name, _words(held), _words(platforms), password, int(must_change), "", 0, subject, self.clock(), 0, 0)
        try:
            self.run("INSERT INTO people VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)
        except sqlite3.IntegrityError:
            raise PeopleError(f"there is an account {name!r} already. Choose another name.") from None
        return self.get(name)

    def find(self, name: str) -> Person | None:
        """The account with this name, disabled or not."""
        rows = self.run("SELECT * FROM people WHERE name = ?", (name,))
        return _person(rows[0]) if rows else None

    def by_subject(self, subject: str) -> Person | None:
        """The account of this subject of an identity provider."""
        rows = self.run("SELECT * FROM people WHERE subject = ? AND subject != ''", (subject,))
        return _person(rows[0]) if rows else None

    def get(self, name: str) -> Person:
        """``find``, or ``PeopleError``."""
        person = self.find(name)
        if person is None:
            raise PeopleError(f"there is no account {name!r}. See `upstander people list`.")
        return person

    def everyone(self) -> list[Person]:
        """All accounts by name, disabled ones included."""
        return [_person(row) for row in self.run("SELECT * FROM people ORDER BY name")]

    def set_roles(self, name: str, roles: Iterable[Role], platforms: Iterable[str] | None = None) -> Person:
        """Give the account these roles (and platforms) in place of those it has; its sessions end."""
        person, held = self.get(name), _checked(roles)
        if Role.ADMINISTRATOR not in held:
            self._keep_an_administrator(person)
        seen = person.platforms if platforms is None else platforms
        self.run("UPDATE people SET roles = ?, platforms = ? WHERE name = ?", (_words(held), _words(seen), name))
        self.end_sessions(name)
        return self.get(name)

    def disable(self, name: str) -> None:
        """Take the account out of force; its sessions end at once."""
        person = self.get(name)
        if person.disabled_at:
            raise PeopleError(f"the account {name!r} is disabled already.")
        self._keep_an_administrator(person)
        self.run("UPDATE people SET disabled_at = ? WHERE name = ?", (self.clock(), name))
        self.end_sessions(name)

    def enable(self, name: str) -> None:
        """Put the account in force again."""
        if not self.get(name).disabled_at:
            raise PeopleError(f"the account {name!r} is not disabled.")
        self.run("UPDATE people SET disabled_at = 0 WHERE name = ?", (name,))

    def reset(self, name: str, password: str, *, must_change: bool) -> None:
        """A new password, and no second factor until one is set up again: for somebody who lost theirs."""
        self.get(name)
        sql = "UPDATE people SET password = ?, must_change = ?, totp = '', totp_last = 0 WHERE name = ?"
        with self.lock:
            self.run(sql, (password, int(must_change), name))
            for table in ("recovery", "passkeys", "browsers", "links"):
                self.run(f"DELETE FROM {table} WHERE person = ?", (name,))  # noqa: S608 (the names above)
            self.end_sessions(name)

    def set_password(self, name: str, password: str) -> None:
        """A password (its hash) that the person chose."""
        self.run("UPDATE people SET password = ?, must_change = 0 WHERE name = ?", (password, name))

    def set_totp(self, name: str, secret: str, step: int) -> None:
        """The secret of the second factor; ``step`` is the time step of the code that showed that it works."""
        self.run("UPDATE people SET totp = ?, totp_last = ? WHERE name = ?", (secret, step, name))

    def use_step(self, name: str, step: int) -> bool:
        """Use up a time step: false when it, or a later one, was used before."""
        return self.changed("UPDATE people SET totp_last = ? WHERE name = ? AND totp_last < ?", (step, name, step)) == 1

    def signed_in(self, name: str) -> None:
        """Note that the person is signed in now."""
        self.run("UPDATE people SET signed_in_at = ? WHERE name = ?", (self.clock(), name))

    def end_sessions(self, name: str) -> None:
        """End every session of the person."""
        self.run("DELETE FROM sessions WHERE person = ?", (name,))

    def _keep_an_administrator(self, person: Person) -> None:
        administrators = [p.name for p in self.everyone() if Role.ADMINISTRATOR in p.roles and not p.disabled_at]
        if administrators == [person.name]:
            raise PeopleError(f"{person.name!r} is the only administrator in force. Make another one first.")

    # -- recovery codes, passkeys, links -------------------------------------------------------------------------

    def set_recovery(self, name: str, codes: Iterable[str]) -> None:
        """These recovery codes in place of all before."""
        with self.lock:
            self.run("DELETE FROM recovery WHERE person = ?", (name,))
            for code in codes:
                self.run("INSERT INTO recovery VALUES (?, ?)", (name, digest(code)))

    def use_recovery(self, name: str, code: str) -> bool:
        """Use up a recovery code: each serves once."""
        return self.changed("DELETE FROM recovery WHERE person = ? AND hash = ?", (name, digest(code))) == 1

    def recovery_left(self, name: str) -> int:
        """How many recovery codes are left."""
        return len(self.run("SELECT 1 FROM recovery WHERE person = ?", (name,)))

    def add_passkey(self, passkey: Passkey) -> None:
        """Keep a passkey."""
        row = (passkey.id, passkey.person, passkey.public_key, passkey.sign_count, passkey.label, passkey.made_at)
        try:
            self.run("INSERT INTO passkeys VALUES (?,?,?,?,?,?)", row)
        except sqlite3.IntegrityError:
            raise PeopleError("this passkey is registered already. Use another one.") from None

    def passkeys(self, name: str) -> list[Passkey]:
        """The person's passkeys, oldest first."""
        rows = self.run("SELECT * FROM passkeys WHERE person = ? ORDER BY made_at, id", (name,))
        return [Passkey(*row) for row in rows]  # type: ignore[arg-type]

    def passkey(self, identifier: bytes) -> Passkey | None:
        """The passkey with this credential id."""
        rows = self.run("SELECT * FROM passkeys WHERE id = ?", (identifier,))
        return Passkey(*rows[0]) if rows else None  # type: ignore[arg-type]

    def count_passkey(self, identifier: bytes, sign_count: int) -> None:
        """Note how often a passkey has signed by now."""
        self.run("UPDATE passkeys SET sign_count = ? WHERE id = ?", (sign_count, identifier))

    def remove_passkey(self, name: str, identifier: bytes) -> bool:
        """Forget one of the person's passkeys; false when there is none such."""
        return self.changed("DELETE FROM passkeys WHERE person = ? AND id = ?", (name, identifier)) == 1

    def make_link(self, name: str) -> str:
        """A one-time secret that signs this person in within five minutes (the demo's; made on this machine only)."""
        self.get(name)
        secret = secrets.token_urlsafe(24)
        with self.lock:
            self.run("DELETE FROM links WHERE until < ?", (self.clock(),))
            self.run("INSERT INTO links VALUES (?,?,?)", (digest(secret), name, self.clock() + LINK_MS))
        return secret

    def redeem_link(self, secret: str) -> str | None:
        """Whom a link signs in, once."""
        sql = "DELETE FROM links WHERE hash = ? AND until >= ? RETURNING person"
        rows = self.run(sql, (digest(secret), self.clock()))
        return str(rows[0][0]) if rows else None


def _words(names: Iterable[str]) -> str:
    return " ".join(sorted(names))


def _checked(roles: Iterable[Role]) -> frozenset[Role]:
    held = frozenset(roles)
    why = conflict(held)
    if why:
        raise PeopleError(f"{why}. The roles are: {', '.join(Role)}.")
    return held


def _person(row: tuple[object, ...]) -> Person:
    name, roles, platforms, password, must_change, totp, last, subject, made, disabled, signed_in = row
    return Person(
        str(name), frozenset(map(Role, str(roles).split())), frozenset(str(platforms).split()), str(password),
        bool(must_change), str(totp), int(str(last)), str(subject), int(str(made)), int(str(disabled)),
        int(str(signed_in)),
    )  # fmt: skip
