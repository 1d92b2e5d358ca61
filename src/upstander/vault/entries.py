"""What stands in the vault's ledger, and how an entry becomes bytes, a link of the chain and a leaf of the tree.

Entries name items, cases and the people who acted; never a host, a viewer or a broadcast: tombstones stay for good.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum

import msgspec

#: What the first entry names as the one before it.
GENESIS = "0" * 64


class Kind(StrEnum):
    """What an entry records."""

    CREATED = "created"
    SEALED = "sealed"
    VIEWED = "viewed"
    LISTED = "listed"
    HELD = "held"
    RELEASED = "released"
    KEPT = "kept"
    DELETED = "deleted"
    EXPORTED = "exported"
    STAMPED = "stamped"
    ANCHORED = "anchored"
    REWRAPPED = "rewrapped"
    MEDIA = "media"


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item as it was sealed.

    ``address`` is the SHA-256 of the stored (encrypted) bytes and names the item; ``commitment`` the SHA-256 of salt
    and content: it proves the content to whoever is given both, and tells nothing once they are gone. ``size``: bytes
    of content. ``part`` says what it is (``decision``, ``chat``, ``gifts``, ``frames``,
    ``media``, ``transcript``); ``source`` where it is from,
    so that nothing is sealed twice. ``keep_until``: epoch milliseconds before which it is not deleted.
    """

    address: str
    commitment: str
    size: int
    part: str
    case: str
    source: str
    keep_until: int


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One entry. ``at``: epoch milliseconds by this machine; ``by``, ``why``: the person (or ``upstander``) and reason;
    ``previous``: SHA-256 of the entry before, hexadecimal.

    ``items``: addresses of the items that it is about; ``sealed``: the item, where one is sealed; ``reference``: of the
    hold, the vault, the authority or the anchored chain; ``until``: a time (epoch ms); ``size`` and ``digest``: a tree
    or chain and its hash; ``second``: the second person where two are needed.
    """

    seq: int
    at: int
    kind: Kind
    by: str
    why: str
    previous: str
    items: tuple[str, ...] = ()
    sealed: Sealed | None = None
    reference: str = ""
    until: int = 0
    size: int = 0
    digest: str = ""
    second: str = ""


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The entry's bytes: the same entry always gives the same."""
    return _ENCODER.encode(entry)


def decode(data: bytes) -> Entry:
    """The entry in its bytes. Raises ``ValueError`` when they are not exactly what ``encode`` writes."""
    entry = _DECODER.decode(data)
    if encode(entry) != data:
        raise ValueError("not in its canonical form")
    return entry


def link(data: bytes) -> str:
    """The hash by which the next entry names this one."""
    return hashlib.sha256(data).hexdigest()


class Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signed tree head: how many entries, their root, and the vault's Ed25519 signature (both hexadecimal)."""

    vault: str
    size: int
    root: str
    signature: str = ""

    @property
    def message(self) -> bytes:
        """What is signed."""
        return f"upstander vault head 1\n{self.vault}\n{self.size}\n{self.root}\n".encode()
