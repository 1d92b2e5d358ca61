"""Passwords: argon2id hashes, and what makes one good enough."""

from __future__ import annotations

import secrets

import argon2
from argon2.exceptions import InvalidHashError, VerificationError
from zxcvbn import zxcvbn

from upstander.people.model import PeopleError

MIN_LENGTH = 12
MAX_LENGTH = 200
#: zxcvbn's scale goes from 0 to 4; 3 means about 10^8 to 10^10 guesses.
GOOD_ENOUGH = 3
#: RFC 9106's second choice: 64 MiB, 3 passes, 4 lanes.
_HASHER = argon2.PasswordHasher(time_cost=3, memory_cost=65_536, parallelism=4, type=argon2.Type.ID)
#: Checked when there is no such account, so that the answer takes as long.
_NOBODY = _HASHER.hash(secrets.token_urlsafe(24))
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def hash_password(password: str, name: str) -> str:
    """The hash to keep of a password that this person chose. Raises ``PeopleError`` for one that is too easy."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise PeopleError(f"the password has {len(password)} characters. Use {MIN_LENGTH} to {MAX_LENGTH}.")
    found = zxcvbn(password[:72], user_inputs=[name, "upstander"])
    if found["score"] < GOOD_ENOUGH:
        why = found["feedback"]["warning"].rstrip(".").lower() or "it follows a common pattern"
        fix = "Use four or more words that do not belong together."
        raise PeopleError(f"the password is too easy to guess: {why}. {fix}")
    return _HASHER.hash(password)


def hash_temporary() -> tuple[str, str]:
    """A random password of 79 bits to hand over, and its hash. It must be changed at the first sign-in."""
    groups = ["".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4)]
    password = "-".join(groups)
    return password, _HASHER.hash(password)


def check_password(kept: str, password: str) -> bool:
    """Whether this is the password of a kept hash. Takes as long when nothing is kept (an empty ``kept``)."""
    try:
        _HASHER.verify(kept or _NOBODY, password[: MAX_LENGTH + 1])
    except (VerificationError, InvalidHashError):
        return False
    return bool(kept)
