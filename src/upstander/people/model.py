"""What a person, a session and a passkey are, as types. How they are stored is in ``store`` and ``sessions``."""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from upstander.people.permissions import GRANTS, Permission, Role

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")


class PeopleError(ValueError):
    """An account cannot be made, found or changed; the message says why and what to do."""


class Stage(StrEnum):
    """How far a session has come: ``code`` waits for the second factor, ``setup`` has to make one (or to choose a
    password) first, ``full`` is signed in."""

    CODE = "code"
    SETUP = "setup"
    FULL = "full"


class Person(msgspec.Struct, frozen=True, gc=False):
    """An account. ``platforms``: those whose broadcasts the person sees; empty: all. ``password``: an argon2id hash,
    empty for one that cannot sign in with a password. ``totp``: the shared secret (base32), empty before set-up;
    ``totp_last`` the time step of the last code used. ``subject``: who this is at the identity provider
    (``issuer subject``). Times are epoch milliseconds; ``disabled_at`` 0 means in force."""

    name: str
    roles: frozenset[Role]
    platforms: frozenset[str]
    password: str
    must_change: bool
    totp: str
    totp_last: int
    subject: str
    made_at: int
    disabled_at: int
    signed_in_at: int

    def may(self, permission: Permission) -> bool:
        """Whether one of the person's roles grants this."""
        return any(role in GRANTS[permission] for role in self.roles)

    def sees(self, platform: str) -> bool:
        """Whether broadcasts of this platform are for this person to see."""
        return not self.platforms or platform in self.platforms


class Session(msgspec.Struct, frozen=True, gc=False):
    """A session as it is kept: ``id`` names it to people and opens nothing. ``source``: the address it came from."""

    id: str
    person: str
    stage: Stage
    made_at: int
    seen_at: int
    source: str
    agent: str


class Passkey(msgspec.Struct, frozen=True, gc=False):
    """A WebAuthn credential: its id, the public key (COSE) and how often it signed, as far as it counts."""

    id: bytes
    person: str
    public_key: bytes
    sign_count: int
    label: str
    made_at: int
