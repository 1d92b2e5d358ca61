"""Sightings: where and when a capture was seen, and from which sighting it went on to another place.

An address is kept as a keyed hash, never in clear unless somebody asks for that; who enters what stands beside it.
A sighting is never changed but for the time it was removed, or for a parent that was found out later.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from upstander.captures.errors import CaptureError
from upstander.journal.transactions import transaction

SCHEMA_VERSION = 1
#: Kinds of sites as INHOPE's hotlines name them, and the study's word for each.
SITE_TYPES = {
    "image_host": "image_host", "cyberlocker": "file_host", "forum": "forum", "image_board": "forum",
    "social": "social_network", "video_channel": "video_channel", "chat": "chat", "blog": "blog",
    "banner_site": "website", "link_site": "website", "website": "website", "hidden_service": "other",
    "other": "other", "unknown": "unknown",
}  # fmt: skip
YES_NO = ("yes", "no", "unknown")
_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE sightings (
  id TEXT PRIMARY KEY, capture TEXT NOT NULL, url_hash TEXT NOT NULL, domain_hash TEXT NOT NULL, url TEXT NOT NULL,
  site_type TEXT NOT NULL, country TEXT NOT NULL, dedicated TEXT NOT NULL, advert TEXT NOT NULL,
  seen_at INTEGER NOT NULL, removed_at INTEGER NOT NULL, parent TEXT NOT NULL, by TEXT NOT NULL,
  entered_at INTEGER NOT NULL,
  UNIQUE (capture, url_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_capture ON sightings(capture, seen_at);
"""
Yes = Annotated[str, msgspec.Meta(pattern="^(yes|no|unknown)$")]


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A capture at a place. ``capture``: the hotline's own number of it, a bank's entry, or what a trace named; never
    a file name. Times are epoch ms, 0: not known, or still up. ``dedicated``: whether the site is dedicated to such
    captures; ``advert``: whether it advertises paid downloads. ``parent``: the sighting that this one came from."""

    id: str
    capture: str
    url_hash: str
    domain_hash: str
    site_type: str
    country: str
    dedicated: str
    advert: str
    seen_at: int
    removed_at: int
    parent: str
    by: str
    entered_at: int
    url: str = ""


class Entered(msgspec.Struct, kw_only=True):
    """A sighting as somebody enters it: with its address."""

    capture: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9._-]{1,64}$")]
    url: str
    site_type: str = "unknown"
    country: Annotated[str, msgspec.Meta(pattern="^([A-Z]{2}|unknown)$")] = "unknown"
    dedicated: Yes = "unknown"
    advert: Yes = "unknown"
    seen_at: str = ""
    removed_at: str = ""
    parent: str = ""


class Sightings:
    """The sightings' file. Raises ``CaptureError`` when it cannot be opened."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.touch(mode=0o600)
            self.connection = sqlite3.connect(path, isolation_level=None)
            for pragma in ("busy_timeout = 10000", "journal_mode = WAL", "synchronous = FULL"):
                self.connection.execute(f"PRAGMA {pragma}")
            with self._transaction():
                version = self.connection.execute("PRAGMA user_version").fetchone()[0]
                if version == 0:
                    for statement in _SCHEMA.split(";\n"):
                        self.connection.execute(statement)
                    key = secrets.token_bytes(32)
                    self.connection.execute("INSERT INTO meta VALUES ('key', ?)", (key,))
                    self.connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except (sqlite3.Error, OSError) as error:
            fix = "Check the path, disk and rights."
            raise CaptureError(f"the sightings {path} cannot be opened ({error}). {fix}") from None
        if version not in (0, SCHEMA_VERSION):
            self.connection.close()
            raise CaptureError(f"{path} has schema {version}; this release reads {SCHEMA_VERSION}. Use the newer one.")
        self._secret: bytes = self.connection.execute("SELECT value FROM meta WHERE name = 'key'").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def _transaction(self) -> AbstractContextManager[None]:
        return transaction(self.connection)

    def _keyed(self, text: str) -> str:
        return hmac.digest(self._secret, text.encode(), hashlib.sha256).hex()

    def add(self, entered: Entered, by: str, *, keep_url: bool = False) -> tuple[Sighting, bool]:
        """Enter a sighting; whether it is new. The same capture at the same address is the same sighting: then only
        what was not known before is filled in. Raises ``CaptureError``."""
        url, domain = canonical(entered.url)
        if entered.site_type not in SITE_TYPES:
            raise CaptureError(f"{entered.site_type!r} is no type of site. Use one of: {', '.join(SITE_TYPES)}.")
        seen, removed = moment(entered.seen_at), moment(entered.removed_at)
        parent = self._parent(entered)
        with self._transaction():
            url_hash = self._keyed(url)
            known = self._select("capture = ? AND url_hash = ?", (entered.capture, url_hash))
            began = known[0].seen_at if known else seen or _now()
            if removed and removed < began:
                raise CaptureError(f"{entered.capture}: removed before it was seen. Check the two times.")
            if known:
                return self._filled(known[0], removed, parent), False
            made = Sighting(
                id=secrets.token_hex(6), capture=entered.capture, url_hash=url_hash, domain_hash=self._keyed(domain),
                site_type=entered.site_type, country=entered.country, dedicated=entered.dedicated,
                advert=entered.advert, seen_at=began, removed_at=removed, parent=parent, by=by, entered_at=_now(),
                url=url if keep_url else "",
            )  # fmt: skip
            values = msgspec.to_builtins(made)
            names, marks = ", ".join(values), ", ".join("?" * len(values))
            self.connection.execute(f"INSERT INTO sightings ({names}) VALUES ({marks})", tuple(values.values()))  # noqa: S608
        return made, True

    def _parent(self, entered: Entered) -> str:
        """A parent is named by its id, or by its address."""
        if not entered.parent:
            return ""
        if "://" in entered.parent:
            address = self._keyed(canonical(entered.parent)[0])
            found = self._select("capture = ? AND url_hash = ?", (entered.capture, address))
        else:
            found = self._select("id = ? AND capture = ?", (entered.parent, entered.capture))
        if not found:
            fix = "Enter that sighting first, or leave the parent out."
            raise CaptureError(f"{entered.capture}: no sighting of it is known as {entered.parent[:60]!r}. {fix}")
        return found[0].id

    def _filled(self, known: Sighting, removed: int, parent: str) -> Sighting:
        if parent and parent != known.parent:
            above = parent
            while above:
                if above == known.id:
                    raise CaptureError(f"sighting {known.id} cannot come from itself. Check the parents.")
                above = self.get(above).parent
        changed = msgspec.structs.replace(
            known, removed_at=removed or known.removed_at, parent=parent or known.parent
        )  # fmt: skip
        sql = "UPDATE sightings SET removed_at = ?, parent = ? WHERE id = ?"
        self.connection.execute(sql, (changed.removed_at, changed.parent, known.id))
        return changed

    def add_all(self, rows: Iterable[Entered], by: str, *, keep_url: bool = False) -> int:
        """Enter many, all or none; how many were new. Raises ``CaptureError`` that names the row."""
        new = 0
        with self._transaction():
            for number, entered in enumerate(rows, 1):
                try:
                    new += self.add(entered, by, keep_url=keep_url)[1]
                except CaptureError as error:
                    raise CaptureError(f"row {number}: {error} Nothing was taken in.") from None
        return new

    def get(self, identifier: str) -> Sighting:
        """A sighting by its id. Raises ``CaptureError``."""
        found = self._select("id = ?", (identifier,))
        if not found:
            raise CaptureError(f"there is no sighting {identifier}. See `upstander sightings list`.")
        return found[0]

    def all(self, capture: str = "", limit: int = -1) -> list[Sighting]:
        """Sightings by capture and time."""
        where, values = ("capture = ?", (capture,)) if capture else ("1", ())
        return self._select(where, values, limit)

    def _select(self, where: str, values: tuple[object, ...], limit: int = -1) -> list[Sighting]:
        names = ", ".join(Sighting.__struct_fields__)
        # S608: the conditions are written here, values are bound.
        sql = f"SELECT {names} FROM sightings WHERE {where} ORDER BY capture, seen_at, id LIMIT ?"  # noqa: S608
        rows = self.connection.execute(sql, (*values, limit)).fetchall()
        return [Sighting(**dict(zip(Sighting.__struct_fields__, row, strict=True))) for row in rows]


def canonical(url: str) -> tuple[str, str]:
    """An address in one way of being written, and its host. Raises ``CaptureError`` when it is none."""
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
        host, port = (parts.hostname or "").rstrip(".").lower(), parts.port
    except ValueError:
        host, port, parts = "", None, None
    if parts is None or not (set(host) & set(".:")) or re.search(r"[\s<>\"\\]", host):
        raise CaptureError("an address is no address. Give it whole, such as https://example.org/page.")
    usual = port is None or port in (80, 443)
    place = host if usual else f"{host}:{port}"
    # http and https are one place, and so are example.org and example.org/.
    return urlunsplit(("https", place, parts.path or "/", parts.query, "")), host.removeprefix("www.")


def moment(text: str) -> int:
    """A time (RFC 3339, or a day, UTC) as epoch ms; 0 for none. Raises ``CaptureError``."""
    if not text.strip():
        return 0
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        fix = "Write RFC 3339, such as 2026-11-24T18:30:00Z, or a day."
        raise CaptureError(f"{text[:40]!r} is no time. {fix}") from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def _now() -> int:
    return int(time.time() * 1000)


def study_rows(sightings: Iterable[Sighting]) -> list[dict[str, Any]]:
    """Sightings as rows of the study's items: the first of a capture is the item, the others are its duplicates.

    What a person must judge (age, category and so on) is left out: coders fill that in.
    """
    first: dict[str, str] = {}
    rows = []
    for one in sightings:
        item = f"s-{one.id}"
        forum = one.site_type in ("forum", "image_board") and one.dedicated == "yes"
        rows.append(
            {
                "item_id": item,
                "media_type": "video",
                "site_type": SITE_TYPES[one.site_type],
                "dedicated_forum_id": one.domain_hash[:12] if forum else "",
                "host_country": one.country,
                "domain_hash": one.domain_hash,
                "commercial": one.advert,
                "duplicate_of": first.get(one.capture, ""),
                "removed_at": _text(one.removed_at),
                "last_seen_at": "" if one.removed_at else _text(one.seen_at),
            }
        )
        first.setdefault(one.capture, item)
    return rows


def _text(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="seconds") if at else ""
