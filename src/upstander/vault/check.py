"""Is the vault whole? Every entry, node, signature, item, key and token is looked at, and what was changed is named."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from cryptography import x509

from upstander.vault import merkle, stamps
from upstander.vault.entries import GENESIS, Entry, Head, Kind, decode, link
from upstander.vault.errors import VaultError
from upstander.vault.keys import signed_by
from upstander.vault.ledger import Ledger, Row
from upstander.vault.objects import Objects
from upstander.vault.vault import LEDGER, Vault


class Finding(msgspec.Struct, frozen=True):
    """Something that is not as it was: what it is, and what is wrong with it."""

    what: str
    wrong: str


class Checked(msgspec.Struct):
    """What a check found. ``notes``: nothing is wrong with these, but somebody may want to know."""

    entries: int = 0
    items: int = 0
    deleted: int = 0
    opened: int = 0
    root: str = ""
    findings: list[Finding] = []
    notes: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


class Folded(msgspec.Struct):
    """What the tables must hold, by the entries alone."""

    items: dict[str, Row] = {}
    holds: set[tuple[str, str]] = set()
    about: set[tuple[str, int]] = set()
    stamps: dict[int, tuple[str, str]] = {}
    anchors: list[tuple[str, int, str]] = []
    created: Entry | None = None

    def take(self, entry: Entry) -> None:
        """Take up the next entry."""
        self.about |= {(each, entry.seq) for each in ((entry.sealed.address,) if entry.sealed else entry.items)}
        if entry.kind is Kind.CREATED:
            self.created = entry
        elif entry.kind is Kind.SEALED and entry.sealed is not None:
            s = entry.sealed
            self.items[s.address] = Row(s.address, entry.seq, s.part, s.case, s.source, s.keep_until, 0)
        elif entry.kind is Kind.HELD:
            self.holds |= {(entry.reference, address) for address in entry.items}
        elif entry.kind is Kind.RELEASED:
            self.holds -= {(entry.reference, address) for address in entry.items}
        elif entry.kind is Kind.STAMPED:
            self.stamps[entry.size] = entry.reference, entry.digest
        elif entry.kind is Kind.ANCHORED:
            self.anchors.append((entry.reference, entry.size, entry.digest))
        elif entry.kind in (Kind.KEPT, Kind.DELETED):
            change = {"keep_until": entry.until} if entry.kind is Kind.KEPT else {"deleted": entry.seq}
            for address in entry.items:
                if address in self.items:
                    self.items[address] = msgspec.structs.replace(self.items[address], **change)


class Check:
    """One check of one vault. ``vault`` is the same one opened with its key, or ``None``: contents are then not opened.

    ``expect`` is a head known from elsewhere: ``(size, root)``. ``step`` is called now and then.
    """

    def __init__(
        self,
        folder: Path,
        objects: Objects,
        vault: Vault | None = None,
        roots: list[x509.Certificate] | None = None,
        expect: tuple[int, str] | None = None,
        step: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._objects, self._vault, self._roots = folder / LEDGER, objects, vault, roots
        self._expect, self._step = expect, step
        self.result = Checked()
        self.folded = Folded()

    def run(self) -> Checked:
        """Look at everything."""
        try:
            ledger = Ledger(self._path)
        except VaultError as error:
            if not self._path.exists():
                raise
            self._add("ledger file", str(error))
            return self.result
        try:
            self._file(ledger)
            self._entries(ledger)
            self._tables(ledger)
            self._stored(ledger)
            self._tokens(ledger)
        except (sqlite3.DatabaseError, VaultError, ValueError) as error:
            self._add("ledger file", str(error))
        finally:
            ledger.close()
        return self.result

    def _add(self, what: str, wrong: str) -> None:
        self.result.findings.append(Finding(what, wrong))

    def _file(self, ledger: Ledger) -> None:
        for row in ledger.connection.execute("PRAGMA integrity_check(5)"):
            if row[0] != "ok":
                self._add("ledger file", str(row[0]))

    # -- entries, chain, tree, signatures ------------------------------------------------------------------------

    def _entries(self, ledger: Ledger) -> None:
        public, vault = ledger.meta("public").decode(), ledger.meta("id").decode()
        leaves: list[bytes] = []
        nodes: dict[tuple[int, int], bytes] = {}
        previous, expected = GENESIS, 1
        for seq, body, root, signature in ledger.bodies():
            self._step()
            if seq != expected:
                self._add(f"ledger entry {expected:,}", "is missing")
                return
            whole = self._entry(seq, body, previous)
            head = Head(vault, seq, root.hex(), signature)
            if not signed_by(public, head.message, signature):
                self._add(f"signature of ledger entry {seq:,}", "does not fit the root and the vault's public key")
            for level, place, digest in merkle.added(seq - 1, merkle.leaf_hash(body), lambda a, b: nodes[a, b]):
                nodes[level, place] = digest
            if merkle.root(seq, lambda a, b: nodes[a, b]) != root:
                # Everything after it would look changed too: say where it begins, and stop.
                self._add(f"ledger entry {seq:,}", "was changed: the signed root does not cover what stands there")
                return
            previous, expected = link(body), seq + 1
            leaves.append(root)
            if whole is not None:
                self.folded.take(whole)
        self.result.entries, self.result.root = len(leaves), leaves[-1].hex() if leaves else ""
        self._expected(leaves)
        self._nodes(ledger, nodes)
        names = sorted(row[0] for row in ledger.connection.execute("SELECT name FROM meta"))
        if names != ["id", "public", "signing"]:
            self._add("ledger meta", f"holds {', '.join(names)} in place of id, public, signing")
        created = self.folded.created
        if created is None or (created.reference, created.digest) != (vault, public):
            self._add("ledger meta", "`id` or `public` is not what the first entry says")

    def _entry(self, seq: int, body: bytes, previous: str) -> Entry | None:
        try:
            entry = decode(body)
        except (ValueError, msgspec.DecodeError):
            self._add(f"ledger entry {seq:,}", "cannot be read")
            return None
        if entry.seq != seq or entry.previous != previous:
            self._add(f"ledger entry {seq:,}", "does not follow the entry before it")
        return entry

    def _expected(self, roots: list[bytes]) -> None:
        if self._expect is None:
            return
        size, root = self._expect
        if size > len(roots):
            self._add("ledger", f"has {len(roots):,} entries where {size:,} were known: its end was cut off")
        elif size and roots[size - 1].hex() != root:
            self._add("ledger", f"is another one: its root at {size:,} entries is not the known one")

    def _nodes(self, ledger: Ledger, nodes: dict[tuple[int, int], bytes]) -> None:
        stored = {(row[0], row[1]): row[2] for row in ledger.connection.execute("SELECT * FROM nodes")}
        for level, place in sorted(stored.keys() | nodes.keys()):
            if stored.get((level, place)) != nodes.get((level, place)):
                self._add(f"tree node {level}/{place}", "is not the hash of what is below it")

    # -- tables, items, tokens -----------------------------------------------------------------------------------

    def _tables(self, ledger: Ledger) -> None:
        stored = {row.address: row for row in ledger.items()}
        for address in sorted(stored.keys() | self.folded.items.keys()):
            if stored.get(address) != self.folded.items.get(address):
                self._add(f"item {address}", "its row in the table is not what the ledger says")
        holds = {(row[0], row[1]) for row in ledger.connection.execute("SELECT reference, address FROM holds")}
        for reference, address in sorted(holds ^ self.folded.holds):
            self._add(f"hold {reference} on item {address}", "the table is not what the ledger says")
        about = {(row[0], row[1]) for row in ledger.connection.execute("SELECT address, seq FROM about")}
        for address, seq in sorted(about ^ self.folded.about):
            self._add(f"item {address}", f"its list of entries is wrong about entry {seq:,}")

    def _stored(self, ledger: Ledger) -> None:
        keys = {row[0] for row in ledger.connection.execute("SELECT address FROM wrapped")}
        lying = set(self._objects.addresses())
        for address, row in self.folded.items.items():
            self._step()
            self.result.items += 1
            if row.deleted:
                self.result.deleted += 1
                if address in keys:
                    self._add(f"key of item {address}", "is still there although the item was deleted")
                if address in lying:
                    self.result.notes.append(f"item {address}: key destroyed, bytes still there (run: vault expire)")
            else:
                self._item(ledger, row, address in keys)
        for address in sorted(keys - self.folded.items.keys()):
            self._add(f"key of item {address}", "belongs to no item of the ledger")
        loose = len(lying - self.folded.items.keys())
        if loose:
            self.result.notes.append(f"{loose:,} stored objects belong to no item (a sealing that was cut short)")
        if self._vault is None:
            self.result.notes.append("without the key no item was opened: wrapped keys and contents are not checked")

    def _item(self, ledger: Ledger, row: Row, has_key: bool) -> None:
        if not has_key:
            self._add(f"key of item {row.address}", "is missing")
        try:
            if hashlib.sha256(self._objects.get(row.address)).hexdigest() != row.address:
                self._add(f"item {row.address}", "its stored bytes were changed")
            elif self._vault is not None and has_key:
                content = self._vault.unsealed(row)[1]
                sealed = ledger.entry(row.seq).sealed
                if sealed is not None and sealed.size != len(content):
                    self._add(f"item {row.address}", "its size is not the one in the ledger")
                self.result.opened += 1
        except VaultError as error:
            self._add(f"item {row.address}", str(error))

    def _tokens(self, ledger: Ledger) -> None:
        stored = {}
        for size, authority, token in ledger.connection.execute("SELECT * FROM stamps"):
            # A changed byte of the file can make one type of value another.
            if isinstance(size, int) and isinstance(authority, str) and isinstance(token, bytes):
                stored[size] = authority, token
            else:
                self._add(f"time-stamp at {size} entries", "was changed: it is not of the kind that is stored")
        for size, (authority, token) in stored.items():
            if self.folded.stamps.get(size) != (authority, stamps.digest(token)):
                self._add(f"time-stamp at {size:,} entries", "is not the one that the ledger names")
            elif self._roots:
                try:
                    stamps.checked(token, ledger.head(size), self._roots)
                except VaultError as error:
                    self._add(f"time-stamp at {size:,} entries", str(error))
        for size in sorted(self.folded.stamps.keys() - stored.keys()):
            self._add(f"time-stamp at {size:,} entries", "is missing")
        if stored and not self._roots:
            self.result.notes.append(f"{len(stored):,} time-stamps: only their hashes are checked (see --roots)")


def anchors(ledger: Ledger) -> Iterator[tuple[str, int, str]]:
    """Anchors of other chains in the ledger: ``(name, size, digest)`` in order."""
    for _, body, _, _ in ledger.bodies():
        entry = decode(body)
        if entry.kind is Kind.ANCHORED:
            yield entry.reference, entry.size, entry.digest
