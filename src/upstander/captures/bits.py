"""PDQ fingerprints as bits: text to words and back, distances, the mirrored picture's fingerprint.

A PDQ is 256 bits: 64 hexadecimal digits outside, four 64-bit words in the order of its bytes inside. No files here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from upstander.captures.errors import CaptureError

Words = NDArray[np.uint64]

BITS = 256
WORDS = 4
#: The distance up to which two fingerprints count as the same picture, as ThreatExchange recommends.
RADIUS = 31
#: PDQ's own measure of how much there is in a picture, 0 to 100: below this a fingerprint says little.
QUALITY = 50
_HEX = re.compile(r"[0-9a-fA-F]{64}")
#: The mirrored picture's cosine transform has the sign of every second column turned, and so have its bits.
_MIRROR = np.uint64(0x5555555555555555)


def is_pdq(text: str) -> bool:
    """Whether a text is a PDQ in hexadecimal."""
    return _HEX.fullmatch(text) is not None


def words_of(texts: Iterable[str]) -> Words:
    """PDQs in hexadecimal as an array (n, 4) of words. Raises ``CaptureError`` for what is no PDQ."""
    raw = []
    for text in texts:
        if not is_pdq(text):
            raise CaptureError(f"{text[:70]!r} is no PDQ fingerprint. It must be 64 hexadecimal digits.")
        raw.append(bytes.fromhex(text))
    return from_bytes(b"".join(raw))


def from_bytes(raw: bytes) -> Words:
    """Fingerprints of 32 bytes each, one after the other, as an array (n, 4)."""
    return np.frombuffer(raw, dtype="<u8").astype(np.uint64).reshape(-1, WORDS)


def to_bytes(words: Words) -> bytes:
    """The bytes of fingerprints, one after the other."""
    return np.ascontiguousarray(words, dtype="<u8").tobytes()


def hex_of(words: Words) -> str:
    """One fingerprint (four words) in hexadecimal."""
    return to_bytes(words).hex()


def mirrored(words: Words) -> Words:
    """What PDQ would give for the pictures mirrored left to right; up to about ten bits off at fine detail."""
    return words ^ _MIRROR


def distance(left: str, right: str) -> int:
    """In how many of 256 bits two PDQs in hexadecimal differ."""
    return (int(left, 16) ^ int(right, 16)).bit_count()


def distances(words: Words, one: Words) -> NDArray[np.uint16]:
    """In how many bits each fingerprint (n, 4) differs from one (4,), or from its own in an array (n, 4)."""
    apart: NDArray[np.uint16] = np.bitwise_count(words ^ one).sum(axis=-1, dtype=np.uint16)
    return apart


def distinct(words: Words, apart: int) -> int:
    """How many fingerprints, in order, differ by at least ``apart`` bits from every one counted before."""
    kept: list[Words] = []
    for one in words:
        if all(int(np.bitwise_count(one ^ other).sum()) >= apart for other in kept):
            kept.append(one)
    return len(kept)


def stacked(parts: Sequence[Words]) -> Words:
    """Arrays (n, 4) one below the other; none gives an empty one."""
    return np.concatenate(parts) if parts else np.empty((0, WORDS), np.uint64)
