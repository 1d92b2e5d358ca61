"""The kinds of values that a bank may hold, and how each is written. What matches what is in ``matching``."""

from __future__ import annotations

import base64
import binascii
import re
from enum import StrEnum

import msgspec

from upstander.captures.bits import is_pdq
from upstander.captures.errors import CaptureError


class Kind(StrEnum):
    """A kind of fingerprint. PhotoDNA's are kept and passed on; they are never computed here, nor compared."""

    PDQ = "pdq"
    VPDQ = "vpdq"
    MD5 = "md5"
    SHA1 = "sha1"
    SHA256 = "sha256"
    PHOTODNA = "photodna"


_DIGITS = {Kind.MD5: 32, Kind.SHA1: 40, Kind.SHA256: 64}
#: A PhotoDNA value has 144 bytes, in Base64 or as numbers with commas.
_PHOTODNA = 144


class Feature(msgspec.Struct, frozen=True, gc=False):
    """One picture of a vPDQ sequence: PDQ, quality (0 to 100), time in seconds."""

    pdq: str
    quality: int
    seconds: float


def checked(kind: Kind, value: str) -> str:
    """The value in its one way of being written. Raises ``CaptureError`` when it is none of that kind."""
    text = value.strip()
    if kind is Kind.PDQ:
        if is_pdq(text):
            return text.lower()
    elif kind in _DIGITS:
        if re.fullmatch(rf"[0-9a-fA-F]{{{_DIGITS[kind]}}}", text):
            return text.lower()
    elif kind is Kind.VPDQ:
        return written(features(text))
    elif _is_photodna(text):
        return text
    shown = text[:40] + ("…" if len(text) > 40 else "")
    raise CaptureError(f"{shown!r} is no {kind} value. Check the kind, and that nothing was cut off.")


def features(text: str) -> list[Feature]:
    """A vPDQ sequence: JSON, a list of "PDQ,quality,seconds" as ThreatExchange writes it. Raises ``CaptureError``."""
    try:
        lines = msgspec.json.decode(text, type=list[str])
        found = []
        for line in lines:
            pdq, quality, seconds = line.split(",")
            if not is_pdq(pdq) or not 0 <= int(quality) <= 100 or not 0 <= float(seconds) < 1e6:
                raise ValueError(line)
            found.append(Feature(pdq.lower(), int(quality), round(float(seconds), 3)))
    except (ValueError, msgspec.MsgspecError):
        fix = 'It must be a JSON list of "PDQ,quality,seconds".'
        raise CaptureError(f"{text[:40]!r}… is no vPDQ sequence. {fix}") from None
    if not found:
        raise CaptureError("a vPDQ sequence has no picture in it. Leave it out.")
    return found


def written(sequence: list[Feature]) -> str:
    """The sequence as text."""
    return msgspec.json.encode([f"{one.pdq},{one.quality},{one.seconds:.3f}" for one in sequence]).decode()


def _is_photodna(text: str) -> bool:
    if re.fullmatch(r"\d{1,3}(,\d{1,3})*", text):
        numbers = [int(part) for part in text.split(",")]
        return len(numbers) == _PHOTODNA and max(numbers) < 256
    try:
        return len(base64.b64decode(text, validate=True)) == _PHOTODNA
    except (binascii.Error, ValueError):
        return False
