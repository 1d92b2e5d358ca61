"""RFC 3161: ask an authority when a tree head existed, and check what it said. Offline unless one is configured."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path

import httpx
from cryptography import x509
from rfc3161_client import HashAlgorithm, TimestampRequestBuilder, VerifierBuilder, decode_timestamp_response
from rfc3161_client.errors import VerificationError

from upstander.vault.entries import Head
from upstander.vault.errors import VaultError
from upstander.vault.vault import Vault

TIMEOUT_S = 20
MAX_TOKEN_BYTES = 1_000_000


def roots_of(path: Path) -> list[x509.Certificate]:
    """The authorities' certificates in a PEM file that are trusted."""
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        fix = "Name a PEM file with the time-stamp authority's root certificate."
        raise VaultError(f"{path}: no certificates can be read ({error}). {fix}") from None


def stamp(vault: Vault, url: str, roots: list[x509.Certificate]) -> datetime:
    """Have the vault's head time-stamped, check the token and keep it; gives the time that the authority states."""
    head = vault.head()
    request = TimestampRequestBuilder(head.message, HashAlgorithm.SHA256).build()
    kind = {"content-type": "application/timestamp-query"}
    try:
        answer = httpx.post(url, content=request.as_bytes(), headers=kind, timeout=TIMEOUT_S)
        answer.raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VaultError(f"the time-stamp authority {url} did not answer ({error}). Try again later.") from None
    token = answer.content[:MAX_TOKEN_BYTES]
    at = checked(token, head, roots, request.nonce)
    vault.stamp(url, head.size, token, digest(token))
    return at


def checked(token: bytes, head: Head, roots: list[x509.Certificate], nonce: int | None = None) -> datetime:
    """The time that a token states for a head. Raises ``VaultError`` when the token is not by a trusted authority, is
    for something else, or answers another request."""
    try:
        response = decode_timestamp_response(token)
        builder = VerifierBuilder(roots=list(roots), nonce=nonce)
        builder.build().verify_message(response, head.message)
        return response.tst_info.gen_time
    except (ValueError, VerificationError, x509.ExtensionNotFound) as error:
        raise VaultError(f"the time-stamp token over {head.size:,} entries does not hold ({error}).") from None


def digest(token: bytes) -> str:
    """The token's SHA-256, hexadecimal, as the ledger keeps it."""
    return hashlib.sha256(token).hexdigest()
