"""The check of a package on another machine: no service, no key, no network. What was changed is named."""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec
from cryptography import x509

from upstander.vault import container, merkle, stamps
from upstander.vault.check import Finding
from upstander.vault.entries import Entry, Kind, decode
from upstander.vault.errors import Damaged, VaultError
from upstander.vault.keys import signed_by
from upstander.vault.manifest import FORMAT, MANIFEST, PROOFS, SIGNATURE, Manifest, Proofs, Signature
from upstander.vault.sealing import commit


class Inspected(msgspec.Struct):
    """What a package is and what is wrong with it. ``signer``: the vault's public key, which is to be compared with the
    one that the vault's operator gave by another way."""

    signer: str = ""
    case: str = ""
    at: int = 0
    by: str = ""
    items: int = 0
    entries: int = 0
    stamped: list[str] = []
    findings: list[Finding] = []
    notes: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def inspect(path: Path, signer: str = "", roots: list[x509.Certificate] | None = None) -> Inspected:
    """Check a package. ``signer``: the key that it must be signed by. Raises ``VaultError`` when it is not there."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise VaultError(f"the package {path} cannot be read ({error.strerror}). Check the path.") from None
    return _Inspection(data, signer, roots).result


class _Inspection:
    def __init__(self, data: bytes, signer: str, roots: list[x509.Certificate] | None) -> None:
        self.result = Inspected()
        self._roots = roots
        try:
            self._files, wrong = container.unpack(data)
        except Damaged as error:
            self._add("package file", str(error))
            return
        for what, why in wrong:
            self._add(what, why)
        manifest = self._manifest(signer)
        if manifest is None:
            return
        self._hashes(manifest)
        entries = self._entries(manifest)
        self._items(manifest, entries)
        self._stamped(manifest)

    def _add(self, what: str, wrong: str) -> None:
        self.result.findings.append(Finding(what, wrong))

    def _manifest(self, signer: str) -> Manifest | None:
        data, signed = self._files.get(MANIFEST), self._files.get(SIGNATURE)
        for name, found in ((MANIFEST, data), (SIGNATURE, signed)):
            if found is None and not any(finding.what == name for finding in self.result.findings):
                self._add(name, "is missing")
        if data is None or signed is None:
            return None
        try:
            signature = msgspec.json.decode(signed, type=Signature)
            canonical = msgspec.json.encode(signature) == signed
        except (msgspec.DecodeError, UnicodeDecodeError):
            canonical = False
        if not canonical or not signed_by(signature.public, Signature.message(signature.sha256), signature.signature):
            self._add(SIGNATURE, "was changed: it is no signature of the key that it names")
            return None
        self.result.signer = signature.public
        if signer and signature.public != signer.lower():
            self._add(SIGNATURE, f"is signed by another vault: {signature.public}")
        if hashlib.sha256(data).hexdigest() != signature.sha256:
            self._add(MANIFEST, "was changed: it is not what the vault signed")
            return None
        manifest = msgspec.json.decode(data, type=Manifest)
        if manifest.format != FORMAT:
            self._add(MANIFEST, f"has the format {manifest.format}; this release reads {FORMAT}")
            return None
        result = self.result
        result.case, result.at, result.by = manifest.case, manifest.at, manifest.by
        result.items, result.entries = len(manifest.items), len(manifest.entries)
        if not signed_by(signature.public, manifest.head.message, manifest.head.signature):
            self._add(MANIFEST, "the signature of the ledger's head does not hold")
        return manifest

    def _hashes(self, manifest: Manifest) -> None:
        named = {finding.what for finding in self.result.findings}
        for name in sorted(manifest.files.keys() | self._files.keys() - {MANIFEST, SIGNATURE}):
            listed, data = manifest.files.get(name), self._files.get(name)
            if listed is None:
                self._add(name, "is not in the manifest: it was added")
            elif data is None:
                if name not in named:
                    self._add(name, "is missing")
            elif hashlib.sha256(data).hexdigest() != listed.sha256 or len(data) != listed.size:
                self._add(name, "was changed")

    def _entries(self, manifest: Manifest) -> dict[int, Entry]:
        proofs = self._proofs()
        found: dict[int, Entry] = {}
        root = bytes.fromhex(manifest.head.root)
        for seq in manifest.entries:
            name = f"ledger/{seq:08}.json"
            data = self._files.get(name)
            if data is None:
                continue  # said already
            path = [bytes.fromhex(step) for step in proofs.inclusion.get(str(seq), ())] if proofs else []
            if proofs and not merkle.includes(seq - 1, manifest.head.size, merkle.leaf_hash(data), path, root):
                self._add(name, "the proof that it stands in the ledger does not hold")
            try:
                found[seq] = decode(data)
            except (ValueError, msgspec.DecodeError):
                self._add(name, "cannot be read as a ledger entry")
        first = found.get(1)
        if first is not None and (first.reference, first.digest) != (manifest.head.vault, self.result.signer):
            self._add("ledger/00000001.json", "names another vault or key than the one that signed")
        return found

    def _proofs(self) -> Proofs | None:
        try:
            return msgspec.json.decode(self._files.get(PROOFS, b""), type=Proofs)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None  # changed or missing: said already

    def _items(self, manifest: Manifest, entries: dict[int, Entry]) -> None:
        for item in manifest.items:
            entry, content = entries.get(item.entry), self._files.get(item.file)
            if entry is None or content is None:
                continue  # said already
            sealed = entry.sealed
            if entry.kind is not Kind.SEALED or sealed is None or sealed.address != item.address:
                self._add(item.file, "its ledger entry is not that of its sealing")
            elif commit(bytes.fromhex(item.salt), content) != sealed.commitment:
                self._add(item.file, "is not what the ledger committed to when it was sealed")

    def _stamped(self, manifest: Manifest) -> None:
        proofs = self._proofs()
        if not manifest.stamps:
            self.result.notes.append("no time-stamp token: the times are those of the vault's own machine")
        for size in manifest.stamps:
            name = f"timestamps/{size:08}.tsr"
            token = self._files.get(name)
            if token is None or proofs is None:
                continue  # said already
            head = proofs.stamped.get(str(size))
            if head is None or not signed_by(self.result.signer, head.message, head.signature):
                self._add(PROOFS, f"the head at {size:,} entries is not signed by the vault")
                continue
            path = [bytes.fromhex(step) for step in proofs.consistency.get(str(size), ())]
            roots = bytes.fromhex(head.root), bytes.fromhex(manifest.head.root)
            if not merkle.extends(size, manifest.head.size, *roots, path):
                self._add(PROOFS, f"the ledger at {size:,} entries is not the beginning of the exported one")
            if not self._roots:
                self.result.notes.append(f"{name}: its authority's signature is not checked (see --roots)")
                continue
            try:
                self.result.stamped.append(stamps.checked(token, head, self._roots).isoformat())
            except VaultError as error:
                self._add(name, str(error))
