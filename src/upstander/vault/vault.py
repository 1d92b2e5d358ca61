"""The vault: seal, read, hold, keep, delete. Each is an entry in the ledger, made before it takes effect."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from upstander.vault import sealing
from upstander.vault.entries import Entry, Head, Kind, Sealed
from upstander.vault.errors import Damaged, VaultError
from upstander.vault.keys import KeyEncryption, Signer
from upstander.vault.ledger import Ledger, Row
from upstander.vault.objects import Objects

#: Who acts where no person does.
MACHINE = "upstander"
DAY_MS = 86_400_000
LEDGER = "ledger.sqlite3"
#: Stored bytes that no entry names are somebody's sealing under way, unless they are this old.
_SIGNING = b"upstander vault signing key"


class Part(msgspec.Struct, frozen=True):
    """One piece of evidence to seal: what it is, where it came from (the key that keeps it from being sealed twice),
    and its bytes."""

    part: str
    source: str
    content: bytes


class Item(msgspec.Struct, frozen=True):
    """An item as it stands now. Times are epoch milliseconds; ``deleted_at`` 0 means it is there."""

    address: str
    part: str
    case: str
    source: str
    size: int
    sealed_at: int
    keep_until: int
    deleted_at: int
    holds: tuple[str, ...]


def now_ms() -> int:
    """This machine's clock, epoch milliseconds."""
    return time.time_ns() // 1_000_000


class Vault:
    """One vault. Threads of this process take turns; several processes may share it."""

    def __init__(self, folder: Path, key: KeyEncryption, objects: Objects) -> None:
        """Open a vault. Raises ``VaultError`` when there is none, or when the key is not its."""
        self._key, self._objects = key, objects
        self.ledger = Ledger(folder / LEDGER)
        try:
            self.signer = Signer(key.unwrap(self.ledger.meta("signing"), _SIGNING))
            if self.signer.public != self.ledger.meta("public").decode():
                raise Damaged("the ledger's `public` is not the key that signs")
        except (VaultError, ValueError):
            self.ledger.close()
            raise
        self._lock = threading.RLock()

    @classmethod
    def create(cls, folder: Path, key: KeyEncryption, objects: Objects, by: str) -> Vault:
        """Make a vault. Raises ``VaultError`` when there is one."""
        signer, private = Signer.new()
        ledger = Ledger(folder / LEDGER, create=True)
        identifier = secrets.token_hex(8)
        try:
            with ledger.transaction():
                values = {
                    "id": identifier.encode(),
                    "public": signer.public.encode(),
                    "signing": key.wrap(private, _SIGNING),
                }
                ledger.connection.executemany("INSERT INTO meta VALUES (?, ?)", list(values.items()))
                what = _entry(Kind.CREATED, by, "a new vault", reference=identifier, digest=signer.public)
                ledger.append(what, signer)
        finally:
            ledger.close()
        return cls(folder, key, objects)

    def close(self) -> None:
        """Close the ledger."""
        self.ledger.close()

    @property
    def identifier(self) -> str:
        """The vault's id."""
        return self.ledger.meta("id").decode()

    # -- sealing and reading -------------------------------------------------------------------------------------

    def seal(self, parts: Sequence[Part], case: str, keep_until: int, why: str, by: str = MACHINE) -> list[str]:
        """Seal pieces of evidence; what was sealed before (by its source) is not sealed again.

        Durable, all of it or none, once it returns. Gives the addresses in the order of ``parts``.
        """
        with self._lock:
            known = self._known(parts)
            made = {part.source: sealing.seal(part.content) for part in parts if part.source not in known}
            for envelope in made.values():
                self._objects.put(envelope.address, envelope.stored)
            with self.ledger.transaction():
                # Another process may have sealed the same meanwhile; its entry stands, what we stored has no key.
                known = self._known(parts)
                for part in parts:
                    if part.source not in known:
                        known[part.source] = self._enter(part, made[part.source], case, keep_until, why, by)
            for envelope in made.values():
                if envelope.address not in known.values():
                    self._objects.remove(envelope.address)
            return [known[part.source] for part in parts]

    def _known(self, parts: Sequence[Part]) -> dict[str, str]:
        found = {part.source: self.ledger.items("source = ?", (part.source,)) for part in parts}
        return {source: rows[0].address for source, rows in found.items() if rows}

    def _enter(self, part: Part, envelope: sealing.Envelope, case: str, keep_until: int, why: str, by: str) -> str:
        address = envelope.address
        sealed = Sealed(address, envelope.commitment, len(part.content), part.part, case, part.source, keep_until)
        entry = self.ledger.append(_entry(Kind.SEALED, by, why, sealed=sealed), self.signer)
        row = (address, entry.seq, part.part, case, part.source, keep_until, 0)
        self.ledger.connection.execute("INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        wrapped = self._key.wrap(envelope.key, address.encode())
        self.ledger.connection.execute("INSERT INTO wrapped VALUES (?, ?)", (address, wrapped))
        return address

    def read(self, address: str, by: str, why: str) -> bytes:
        """An item's content. The look is in the ledger before anything is shown."""
        return self.open(self.find(address), by, why)[1]

    def open(self, row: Row, by: str, why: str, kind: Kind = Kind.VIEWED) -> tuple[bytes, bytes]:
        """Salt and content of an item; ``kind`` is what the ledger calls the look."""
        with self._lock:
            if row.deleted:
                gone = self.ledger.entry(row.deleted)
                raise VaultError(
                    f"item {row.address} was deleted by {gone.by} ({gone.why}): ledger entry {gone.seq:,}."
                )
            self.note(_entry(kind, by, _needed(why), items=(row.address,)))
            return self.unsealed(row)

    def unsealed(self, row: Row) -> tuple[bytes, bytes]:
        """Salt and content of an item, for a check by the machine that shows them to nobody: no entry is made."""
        sealed = self.ledger.entry(row.seq).sealed
        found = self.ledger.connection.execute("SELECT key FROM wrapped WHERE address = ?", (row.address,)).fetchone()
        if sealed is None or found is None:
            raise Damaged(f"item {row.address}: its {'ledger entry' if sealed is None else 'key'} is missing")
        key = self._key.unwrap(found[0], row.address.encode())
        return sealing.unseal(self._objects.get(row.address), key, row.address, sealed.commitment)

    def note(self, entry: Entry) -> Entry:
        """Add an entry of its own."""
        with self._lock, self.ledger.transaction():
            return self.ledger.append(entry, self.signer)

    def listing(self, by: str, why: str, case: str = "", limit: int = 100) -> list[Item]:
        """Items without their contents, the latest first; that someone looked is in the ledger."""
        rows = self.ledger.items("case_id = ?", (case,), limit) if case else self.ledger.items(limit=limit)
        self.note(_entry(Kind.LISTED, by, _needed(why), items=tuple(row.address for row in rows) if case else ()))
        return [self.item(row) for row in rows]

    def item(self, row: Row) -> Item:
        """An item as a person reads it."""
        sealed = self.ledger.entry(row.seq)
        deleted = self.ledger.entry(row.deleted).at if row.deleted else 0
        size = sealed.sealed.size if sealed.sealed else 0
        holds = tuple(self.ledger.holds(row.address))
        return Item(row.address, row.part, row.case, row.source, size, sealed.at, row.keep_until, deleted, holds)

    def find(self, address: str) -> Row:
        """The item whose address begins so. Raises ``VaultError`` when there is none, or more than one."""
        like = "".join(letter for letter in address.lower() if letter in "0123456789abcdef")
        rows = self.ledger.items("substr(address, 1, ?) = ?", (len(address), like), 2) if len(address) >= 8 else []
        if len(rows) != 1:
            what = "more than one item" if rows else "no item"
            raise VaultError(f"{what} has the address {address!r}. Give at least 8 digits: see `upstander vault list`.")
        return rows[0]

    def of_case(self, case: str) -> list[Row]:
        """A case's items, the oldest first."""
        return self.ledger.items("case_id = ?", (case,))[::-1]

    # -- keeping and deleting ------------------------------------------------------------------------------------

    def hold(self, rows: Iterable[Row], reference: str, by: str, why: str) -> Entry:
        """Put a legal hold on items: they are not deleted until it is released."""
        addresses = _addresses(rows)
        with self._lock, self.ledger.transaction():
            entry = _entry(Kind.HELD, by, _needed(why), items=addresses, reference=_needed(reference, "reference"))
            self.ledger.connection.executemany(
                "INSERT OR IGNORE INTO holds VALUES (?, ?)", [(reference, each) for each in addresses]
            )
            return self.ledger.append(entry, self.signer)

    def release(self, rows: Iterable[Row], reference: str, by: str, why: str) -> Entry:
        """End a hold. Raises ``VaultError`` when none of the items is under it."""
        with self._lock, self.ledger.transaction():
            held = [row.address for row in rows if reference in self.ledger.holds(row.address)]
            if not held:
                raise VaultError(f"none of these items is under the hold {reference!r}. See `upstander vault list`.")
            self.ledger.connection.executemany(
                "DELETE FROM holds WHERE reference = ? AND address = ?", [(reference, each) for each in held]
            )
            entry = _entry(Kind.RELEASED, by, _needed(why), items=tuple(held), reference=reference)
            return self.ledger.append(entry, self.signer)

    def keep(self, rows: Iterable[Row], until: int, by: str, why: str) -> Entry | None:
        """Keep items at least until then (epoch ms). Never shorter than before; ``None`` when nothing changed."""
        with self._lock, self.ledger.transaction():
            longer = tuple(row.address for row in rows if row.keep_until < until and not row.deleted)
            if not longer:
                return None
            self.ledger.connection.executemany(
                "UPDATE items SET keep_until = ? WHERE address = ?", [(until, each) for each in longer]
            )
            return self.ledger.append(_entry(Kind.KEPT, by, _needed(why), items=longer, until=until), self.signer)

    def delete(self, address: str, by: str, why: str, second: str = "", now: int = 0) -> Entry:
        """Destroy an item's key, then its bytes; the ledger keeps the tombstone.

        Refused under a hold, and before its time unless a ``second`` person stands by it.
        """
        with self._lock:
            with self.ledger.transaction():
                row = self.find(address)
                self._may_delete(row, by, second, now or now_ms())
                entry = _entry(Kind.DELETED, by, _needed(why), items=(row.address,), second=second)
                entry = self.ledger.append(entry, self.signer)
                self.ledger.connection.execute("DELETE FROM wrapped WHERE address = ?", (row.address,))
                self.ledger.connection.execute(
                    "UPDATE items SET deleted = ? WHERE address = ?", (entry.seq, row.address)
                )
            self.ledger.scrub()
            self._objects.remove(row.address)
            return entry

    def _may_delete(self, row: Row, by: str, second: str, now: int) -> None:
        if row.deleted:
            raise VaultError(f"item {row.address} is deleted already: ledger entry {row.deleted:,}.")
        holds = self.ledger.holds(row.address)
        if holds:
            fix = "Release the hold first: upstander vault release"
            raise VaultError(f"item {row.address} is under the legal hold {', '.join(holds)}. {fix}")
        if row.keep_until > now and (not second or second == by):
            days = -(-(row.keep_until - now) // DAY_MS)
            fix = "To delete it before its time, a second person has to stand by it (--second NAME)."
            raise VaultError(f"item {row.address} is to be kept for {days:,} more days. {fix}")

    def expire(self, by: str = MACHINE, now: int = 0, *, dry: bool = False) -> list[str]:
        """Delete what need not be kept any longer and is under no hold; ``dry``: only say what that is.

        Also finishes deletions that were cut short after the key was gone.
        """
        now = now or now_ms()
        held = "EXISTS (SELECT 1 FROM holds WHERE holds.address = items.address)"
        rows = self.ledger.items(f"deleted = 0 AND keep_until <= ? AND NOT {held}", (now,))
        if not dry:
            for row in rows:
                self.delete(row.address, by, "its time to be kept is over", now=now)
            self.finish_deletions()
        return [row.address for row in rows]

    def finish_deletions(self) -> list[str]:
        """Take away stored bytes of deleted items (killed between the key and the bytes)."""
        gone = {row.address for row in self.ledger.items("deleted > 0")}
        left = [address for address in self._objects.addresses() if address in gone]
        for address in left:
            self._objects.remove(address)
        return left

    def rewrap(self, key: KeyEncryption, by: str, why: str) -> int:
        """Wrap every data key under a new key-encryption key; how many. Copies of deleted keys that linger on a disk
        are worthless once the old one is destroyed."""
        with self._lock:
            with self.ledger.transaction():
                rows = self.ledger.connection.execute("SELECT address, key FROM wrapped").fetchall()
                again = [(key.wrap(self._key.unwrap(old, name.encode()), name.encode()), name) for name, old in rows]
                self.ledger.connection.executemany("UPDATE wrapped SET key = ? WHERE address = ?", again)
                private = self._key.unwrap(self.ledger.meta("signing"), _SIGNING)
                sql = "UPDATE meta SET value = ? WHERE name = 'signing'"
                self.ledger.connection.execute(sql, (key.wrap(private, _SIGNING),))
                self.ledger.append(_entry(Kind.REWRAPPED, by, _needed(why), size=len(rows)), self.signer)
            self._key = key
            self.ledger.scrub()
            return len(rows)

    # -- the tree ------------------------------------------------------------------------------------------------

    def head(self) -> Head:
        """The signed head of the whole ledger."""
        return self.ledger.head()

    def anchor(self, name: str, size: int, digest: str) -> Entry:
        """Write down how long another chain is and what its last hash is, so that it cannot be cut or rewritten."""
        return self.note(_entry(Kind.ANCHORED, MACHINE, "anchored", reference=name, size=size, digest=digest))

    def media(self, by: str, why: str, reference: str) -> Entry:
        """Write down on which legal basis (``why``) media may be kept from here on, or that it may no longer be."""
        return self.note(_entry(Kind.MEDIA, by, _needed(why), reference=reference))

    def stamp(self, authority: str, size: int, token: bytes, digest: str) -> Entry:
        """Keep a time-stamp token over the head of ``size`` entries; ``digest`` is the token's SHA-256."""
        with self._lock, self.ledger.transaction():
            sql = "INSERT OR REPLACE INTO stamps VALUES (?, ?, ?)"
            self.ledger.connection.execute(sql, (size, authority, token))
            what = _entry(Kind.STAMPED, MACHINE, "time-stamped", reference=authority, size=size, digest=digest)
            return self.ledger.append(what, self.signer)


def _entry(kind: Kind, by: str, why: str, **fields: object) -> Entry:
    draft = {"seq": 0, "at": now_ms(), "kind": kind, "by": _needed(by, "name"), "why": why, "previous": "", **fields}
    return Entry(**draft)  # type: ignore[arg-type]


def _needed(text: str, what: str = "reason") -> str:
    if not text.strip():
        raise VaultError(f"a {what} is needed: the ledger keeps it.")
    return text


def _addresses(rows: Iterable[Row]) -> tuple[str, ...]:
    found = tuple(row.address for row in rows if not row.deleted)
    if not found:
        raise VaultError("there is no item to act on. See `upstander vault list`.")
    return found
