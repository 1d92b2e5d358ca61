"""Sessions on the server's side, known browsers, and form tokens. A cookie holds a random secret and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import secrets

from upstander.people.model import Session, Stage
from upstander.people.store import People, digest

#: A session that is not full yet ends after so long.
WAITING_MS = 10 * 60_000
#: A browser that somebody once signed in with is known for so long.
BROWSER_MS = 90 * 24 * 3_600_000
#: How exactly it is noted when a session was last used: a write for every request would be too many.
GRAIN_MS = 15_000
_COLUMNS = "id, person, stage, made_at, seen_at, source, agent"


class Sessions:
    """Sessions of a ``People`` file. ``idle_ms`` after the last use, and ``absolute_ms`` after it began, one ends."""

    def __init__(self, people: People, idle_ms: int, absolute_ms: int) -> None:
        self._people, self._idle_ms, self._absolute_ms = people, idle_ms, absolute_ms

    def open(self, person: str, stage: Stage, source: str = "", agent: str = "", replaces: str = "") -> str:
        """A new session's secret; the session ``replaces`` (a secret) ends, so that none lives through a sign-in."""
        token, now = secrets.token_urlsafe(32), self._people.clock()
        row = (digest(token), secrets.token_hex(6), person, stage, now, now, source[:64], agent[:120])
        with self._people.lock:
            self.close(replaces)
            self._people.run("DELETE FROM sessions WHERE made_at < ?", (now - self._absolute_ms,))
            self._people.run("INSERT INTO sessions VALUES (?,?,?,?,?,?,?,?)", row)
        return token

    def find(self, token: str, *, used: bool = True) -> Session | None:
        """The session with this secret, when it is in force and so is its person. ``used``: it counts as use."""
        if not token:
            return None
        sql = f"SELECT {_COLUMNS} FROM sessions WHERE hash = ?"  # noqa: S608
        rows = self._people.run(sql, (digest(token),))
        if not rows:
            return None
        session, now = _session(rows[0]), self._people.clock()
        person = self._people.find(session.person)
        if person is None or person.disabled_at or not self._in_time(session, now):
            self.close(token)
            return None
        if used and now - session.seen_at >= GRAIN_MS:
            self._people.run("UPDATE sessions SET seen_at = ? WHERE hash = ?", (now, digest(token)))
        return session

    def _in_time(self, session: Session, now: int) -> bool:
        if session.stage is not Stage.FULL:
            return now < session.made_at + WAITING_MS
        return now < min(session.made_at + self._absolute_ms, session.seen_at + self._idle_ms)

    def of(self, person: str) -> list[Session]:
        """The person's full sessions that are in time, latest first."""
        sql = f"SELECT {_COLUMNS} FROM sessions WHERE person = ? AND stage = 'full' ORDER BY made_at DESC"  # noqa: S608
        now = self._people.clock()
        return [found for found in map(_session, self._people.run(sql, (person,))) if self._in_time(found, now)]

    def close(self, token: str) -> None:
        """End a session."""
        if token:
            self._people.run("DELETE FROM sessions WHERE hash = ?", (digest(token),))

    def close_others(self, person: str, token: str) -> int:
        """End the person's sessions but this one; how many ended."""
        return self._people.changed("DELETE FROM sessions WHERE person = ? AND hash != ?", (person, digest(token)))

    def know_browser(self, person: str) -> str:
        """A secret by which a browser is known again to be this person's."""
        token, now = secrets.token_urlsafe(24), self._people.clock()
        with self._people.lock:
            self._people.run("DELETE FROM browsers WHERE until < ?", (now,))
            self._people.run("INSERT INTO browsers VALUES (?,?,?)", (digest(token), person, now + BROWSER_MS))
        return token

    def knows_browser(self, person: str, token: str) -> bool:
        """Whether this is a browser that the person signed in with before."""
        sql = "SELECT 1 FROM browsers WHERE hash = ? AND person = ? AND until >= ?"
        return bool(token) and bool(self._people.run(sql, (digest(token), person, self._people.clock())))


def form_token(cookie: str) -> str:
    """What a form must carry: it follows from the cookie, which no other site can read."""
    return hashlib.sha256(b"upstander form\0" + cookie.encode("utf-8", "replace")).hexdigest()


def form_token_fits(cookie: str, sent: str) -> bool:
    """Whether a form was made for this cookie."""
    return bool(cookie) and hmac.compare_digest(form_token(cookie).encode(), sent.encode("utf-8", "replace"))


def _session(row: tuple[object, ...]) -> Session:
    identifier, person, stage, made_at, seen_at, source, agent = row
    return Session(
        str(identifier), str(person), Stage(str(stage)), int(str(made_at)), int(str(seen_at)), str(source), str(agent)
    )
