"""What a package says of itself, as types: its manifest, the signature over that, and the proofs."""

from __future__ import annotations

import msgspec

from upstander.vault.entries import Head

FORMAT = "upstander-evidence-1"
MANIFEST, SIGNATURE, PAGE, PROOFS = "manifest.json", "manifest.sig.json", "evidence.html", "proofs.json"


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the package: its SHA-256 (hexadecimal) and its size in bytes."""

    sha256: str
    size: int


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item of the package: where its content lies, the salt of its commitment, and the entry that sealed it."""

    address: str
    part: str
    file: str
    salt: str
    entry: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is in the package and where it comes from. ``at``: epoch milliseconds."""

    format: str
    made_with: str
    at: int
    by: str
    why: str
    recipient: str
    case: str
    head: Head
    items: tuple[Listed, ...]
    #: entries of the ledger that are in the package, in order
    entries: tuple[int, ...]
    #: sizes of the tree that time-stamp tokens are in the package for
    stamps: tuple[int, ...]
    files: dict[str, File]


class Signature(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vault's signature over the manifest."""

    public: str
    sha256: str
    signature: str

    @staticmethod
    def message(digest: str) -> bytes:
        """What is signed."""
        return f"upstander package manifest 1\n{digest}\n".encode()


class Proofs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Audit paths of the entries in the tree of the manifest's head, by entry; and, by size of a time-stamped tree, the
    head it had and the proof that it is the beginning of the manifest's. Hashes are hexadecimal, lowest first."""

    inclusion: dict[str, tuple[str, ...]]
    stamped: dict[str, Head]
    consistency: dict[str, tuple[str, ...]]
