"""One item: encrypted under a key of its own, named by the hash of what is stored, committed to by a salted hash."""

from __future__ import annotations

import hashlib
import secrets

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from upstander.vault.errors import Damaged
from upstander.vault.keys import KEY_BYTES, NONCE_BYTES

SALT_BYTES = 32


class Envelope(msgspec.Struct, frozen=True):
    """What sealing gives: the bytes to store, the item's data key, and the two hashes that the ledger keeps."""

    stored: bytes
    key: bytes
    address: str
    commitment: str


def seal(content: bytes) -> Envelope:
    """Encrypt content (AES-256-GCM) under a new key. Stored: nonce, then ciphertext of salt and content with tag."""
    key, nonce, salt = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(NONCE_BYTES), secrets.token_bytes(SALT_BYTES)
    commitment = commit(salt, content)
    stored = nonce + AESGCM(key).encrypt(nonce, salt + content, commitment.encode())
    return Envelope(stored, key, hashlib.sha256(stored).hexdigest(), commitment)


def unseal(stored: bytes, key: bytes, address: str, commitment: str) -> tuple[bytes, bytes]:
    """Salt and content. Raises ``Damaged`` when the bytes are not those that were sealed."""
    if hashlib.sha256(stored).hexdigest() != address:
        raise Damaged(f"item {address}: the stored bytes were changed")
    try:
        plain = AESGCM(key).decrypt(stored[:NONCE_BYTES], stored[NONCE_BYTES:], commitment.encode())
    except (InvalidTag, ValueError):
        raise Damaged(f"item {address}: its key or its ledger entry is not the one it was sealed with") from None
    salt, content = plain[:SALT_BYTES], plain[SALT_BYTES:]
    if commit(salt, content) != commitment:
        raise Damaged(f"item {address}: the content is not what the ledger committed to")
    return salt, content


def commit(salt: bytes, content: bytes) -> str:
    """SHA-256 over salt and content, hexadecimal. Without the salt nobody can try out what the content was."""
    return hashlib.sha256(salt + content).hexdigest()
