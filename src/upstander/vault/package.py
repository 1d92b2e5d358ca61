"""An export: items of a case with all that proves them, in one file that can be checked without the vault."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.resources import files as resource_files

import jinja2
import msgspec

from upstander import __version__
from upstander.vault import container, merkle, page
from upstander.vault.entries import Entry, Head, Kind, encode
from upstander.vault.errors import VaultError
from upstander.vault.keys import Signer
from upstander.vault.ledger import Ledger, Row
from upstander.vault.manifest import (
    FORMAT,
    MANIFEST,
    PAGE,
    PROOFS,
    SIGNATURE,
    File,
    Listed,
    Manifest,
    Proofs,
    Signature,
)
from upstander.vault.vault import Vault


def export(vault: Vault, rows: Sequence[Row], by: str, why: str, recipient: str = "") -> bytes:
    """The package of these items. The export itself is an entry of the ledger, and in the package.

    Raises ``VaultError`` when there is no item, or one that was deleted.
    """
    gone = [row.address for row in rows if row.deleted]
    if gone or not rows:
        what = f"item {gone[0]} was deleted" if gone else "there is no item to export"
        raise VaultError(f"{what}. See `upstander vault list`.")
    cases = {row.case for row in rows}
    if len(cases) > 1:
        raise VaultError(f"these items belong to {len(cases)} cases. Export one case at a time.")
    opened = [(row, vault.open(row, by, why, Kind.EXPORTED)) for row in rows]
    ledger, head = vault.ledger, vault.head()
    entries = _custody(ledger, rows, head.size)
    files: dict[str, bytes] = {f"ledger/{entry.seq:08}.json": encode(entry) for entry in entries}
    listed = []
    for row, (salt, content) in opened:
        name = f"items/{row.part}-{row.address[:16]}.{'mkv' if row.part == 'media' else 'json'}"
        files[name] = content
        listed.append(Listed(row.address, row.part, name, salt.hex(), row.seq))
    stamps = _stamps(ledger, min(row.seq for row in rows), head.size)
    files |= {f"timestamps/{size:08}.tsr": token for size, token in stamps.items()}
    files[PROOFS] = msgspec.json.encode(_proofs(ledger, entries, stamps, head), order="deterministic")
    at = entries[-1].at
    files[PAGE] = _page(by, why, recipient, cases.pop(), at, head, listed, entries, files, vault.signer.public, stamps)
    manifest = Manifest(
        FORMAT,
        f"upstander {__version__}",
        at,
        by,
        why,
        recipient,
        rows[0].case,
        head,
        tuple(listed),
        tuple(entry.seq for entry in entries),
        tuple(sorted(stamps)),
        {name: File(hashlib.sha256(data).hexdigest(), len(data)) for name, data in sorted(files.items())},
    )
    return container.pack(files | _signed(manifest, vault.signer))


def _custody(ledger: Ledger, rows: Sequence[Row], size: int) -> list[Entry]:
    """Every entry about these items, the first one (it names the vault and its key) and the last."""
    found = {entry.seq: entry for row in rows for entry in ledger.about(row.address) if entry.seq <= size}
    found[1] = ledger.entry(1)
    return [found[seq] for seq in sorted(found)]


def _stamps(ledger: Ledger, first: int, size: int) -> dict[int, bytes]:
    """The earliest and the latest token over a tree that holds the items."""
    sql = "SELECT size, token FROM stamps WHERE size BETWEEN ? AND ? ORDER BY size"
    rows = ledger.connection.execute(sql, (first, size)).fetchall()
    return {row[0]: bytes(row[1]) for row in (rows[:1] + rows[-1:])}


def _proofs(ledger: Ledger, entries: list[Entry], stamps: dict[int, bytes], head: Head) -> Proofs:
    def hexed(hashes: list[bytes]) -> tuple[str, ...]:
        return tuple(each.hex() for each in hashes)

    return Proofs(
        {str(e.seq): hexed(merkle.inclusion(e.seq - 1, head.size, ledger.node)) for e in entries},
        {str(size): ledger.head(size) for size in stamps},
        {str(size): hexed(merkle.consistency(size, head.size, ledger.node)) for size in stamps},
    )


def _signed(manifest: Manifest, signer: Signer) -> dict[str, bytes]:
    data = msgspec.json.encode(manifest)
    digest = hashlib.sha256(data).hexdigest()
    signature = Signature(signer.public, digest, signer.sign(Signature.message(digest)))
    return {MANIFEST: data, SIGNATURE: msgspec.json.encode(signature)}


def _page(
    by: str,
    why: str,
    recipient: str,
    case: str,
    at: int,
    head: Head,
    listed: list[Listed],
    entries: list[Entry],
    files: dict[str, bytes],
    public: str,
    stamps: dict[int, bytes],
) -> bytes:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    environment.filters["moment"] = page.moment
    template = environment.from_string((resource_files("upstander.vault") / "evidence.html.j2").read_text("utf-8"))
    text = template.render(
        by=by,
        why=why,
        recipient=recipient,
        case=case,
        at=at,
        head=head,
        public=public,
        stamps=sorted(stamps),
        items=[page.shown(item, files[item.file]) for item in listed],
        entries=[page.told(entry) for entry in entries],
    )
    return text.encode()
