"""Keys of the vault: the key-encryption key and where it comes from, and the key that signs tree heads.

Data keys are wrapped here and never stored in the clear. A key management service stands behind one small interface.
"""

from __future__ import annotations

import base64
import binascii
import os
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from upstander.vault.errors import NoKey, VaultError

KEY_BYTES = 32
NONCE_BYTES = 12
#: The variable that holds the key where the settings say `environment`.
VARIABLE = "UPSTANDER_VAULT_KEY"
COMMAND_TIMEOUT_S = 30


class KeyEncryption(Protocol):
    """Wraps data keys. ``context`` is bound to the wrapped key: another context does not unwrap it.

    Both raise ``VaultError`` when they cannot.
    """

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """The key, encrypted."""

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again."""


class LocalKey:
    """A key-encryption key in this process's memory: AES-256-GCM, a random nonce each time. ``name`` says whence."""

    def __init__(self, key: bytes, name: str) -> None:
        if len(key) != KEY_BYTES:
            fix = "It must be 32 bytes in Base64: `upstander vault init` makes one."
            raise VaultError(f"the vault's key in {name} has {len(key)} bytes. {fix}")
        self._cipher = AESGCM(key)
        self._name = name

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Nonce, then ciphertext and tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Raises ``VaultError`` when it was wrapped by another key, for another context, or changed since."""
        try:
            return self._cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            reason = f"a wrapped key does not open with the key in {self._name}"
            raise VaultError(f"{reason}: it is another vault's key, or the wrapped key was changed.") from None


class CommandKey:
    """A key management service behind a command: it is run as ``COMMAND wrap|unwrap CONTEXT`` (CONTEXT hexadecimal),
    reads Base64 from standard input and writes Base64 to standard output."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """What the command makes of the key."""
        return self._run("wrap", key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """The key again."""
        return self._run("unwrap", wrapped, context)

    def _run(self, verb: str, data: bytes, context: bytes) -> bytes:
        command = [*self._command, verb, context.hex()]
        try:
            done = subprocess.run(
                command, input=base64.b64encode(data), capture_output=True, timeout=COMMAND_TIMEOUT_S, check=True
            )
            return base64.b64decode(done.stdout.strip(), validate=True)
        except (OSError, subprocess.SubprocessError, binascii.Error) as error:
            # Never what it read or wrote: that may be a key.
            reason = f"`key_command` {self._command[0]} {verb} failed ({type(error).__name__})"
            raise VaultError(f"{reason}. Run it by hand to see why.") from None


def make_key_file(path: Path) -> LocalKey:
    """A new key in a new file of mode 600. Raises ``VaultError`` when there is a file already, or none can be made."""
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise VaultError(f"the key file {path} cannot be made ({error.strerror}). Name another `key_file`.") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return LocalKey(key, str(path))


def key_from_file(path: Path) -> LocalKey:
    """The key in a file that nobody else may read."""
    try:
        mode, text = path.stat().st_mode & 0o077, path.read_bytes()
    except OSError as error:
        fix = "Put the key back from its safe copy, or name it as `key_file` under [vault]."
        raise NoKey(f"the vault's key file {path} cannot be read ({error.strerror}). {fix}") from None
    if mode:
        raise VaultError(f"the vault's key file {path} can be read by others. Run: chmod 600 {path}")
    return LocalKey(_decoded(text, str(path)), str(path))


def key_from_environment() -> LocalKey:
    """The key in ``UPSTANDER_VAULT_KEY``."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        raise NoKey(f"{VARIABLE} is not set. Set it to the vault's key (32 bytes in Base64).")
    return LocalKey(_decoded(text.encode(), VARIABLE), VARIABLE)


def _decoded(text: bytes, name: str) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        raise VaultError(f"the vault's key in {name} is not Base64. Put the key back from its safe copy.") from None


class Signer:
    """Signs tree heads and manifests: Ed25519. Its private key lies in the vault, wrapped."""

    def __init__(self, private: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(private)

    @classmethod
    def new(cls) -> tuple[Signer, bytes]:
        """A new signer and its private key."""
        private = secrets.token_bytes(KEY_BYTES)
        return cls(private), private

    @property
    def public(self) -> str:
        """The public key, hexadecimal: what others know the vault by."""
        raw = serialization.Encoding.Raw, serialization.PublicFormat.Raw
        return self._key.public_key().public_bytes(*raw).hex()

    def sign(self, message: bytes) -> str:
        """The signature, hexadecimal."""
        return self._key.sign(message).hex()


def signed_by(public: str, message: bytes, signature: str) -> bool:
    """Whether the signature (hexadecimal, lower case) is that of the key over the message."""
    try:
        key, raw = bytes.fromhex(public), bytes.fromhex(signature)
        if key.hex() != public or raw.hex() != signature:
            return False  # upper case or spaces: the same number, other bytes
        Ed25519PublicKey.from_public_bytes(key).verify(raw, message)
    except (ValueError, InvalidSignature):
        return False
    return True
