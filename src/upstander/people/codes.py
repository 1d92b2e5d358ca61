"""The second factor: time-based codes (RFC 6238) that serve once, and recovery codes."""

from __future__ import annotations

import base64
import hmac
import re
import secrets

import pyotp
import segno

from upstander.people.model import Person
from upstander.people.store import People

STEP_S = 30
#: A phone's clock may be one step off, either way.
DRIFT = 1
RECOVERY_CODES = 10
_SPACES = re.compile(r"[\s-]+")


def new_secret() -> str:
    """A shared secret of 160 bits, base32."""
    return pyotp.random_base32(32)


def uri(secret: str, name: str) -> str:
    """The ``otpauth:`` address that an authenticator app reads."""
    return pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name="Upstander")


def qr_svg(text: str) -> str:
    """A QR code as one inline SVG element without styles of its own: dark modules are its path."""
    code = segno.make(text, error="m")
    plain = {"omitsize": True, "svgclass": "qr", "lineclass": None}
    return str(code.svg_inline(scale=5, border=4, dark="#000", light="#fff", **plain))


def step_of(secret: str, code: str, now_ms: int) -> int | None:
    """The time step that a code belongs to, when it is right now (or one step off)."""
    wanted = _SPACES.sub("", code)
    if not re.fullmatch("[0-9]{6}", wanted):
        return None
    generator, now = pyotp.TOTP(secret), now_ms // 1000 // STEP_S
    for step in (now, *(now + sign * n for n in range(1, DRIFT + 1) for sign in (-1, 1))):
        if hmac.compare_digest(generator.generate_otp(step), wanted):
            return step
    return None


def use_code(people: People, person: Person, code: str) -> bool:
    """Whether a code is the person's, right and not used before; a recovery code is one, too. Uses it up."""
    if not person.totp:
        return False
    step = step_of(person.totp, code, people.clock())
    if step is not None:
        return people.use_step(person.name, step)
    return people.use_recovery(person.name, _SPACES.sub("", code).upper())


def new_recovery(people: People, name: str) -> list[str]:
    """Ten recovery codes of 80 bits in place of those before. They are shown once."""
    codes = [base64.b32encode(secrets.token_bytes(10)).decode() for _ in range(RECOVERY_CODES)]
    people.set_recovery(name, codes)
    return ["-".join(code[n : n + 4] for n in range(0, 16, 4)) for code in codes]
