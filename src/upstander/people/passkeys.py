"""Passkeys (WebAuthn): a browser's authenticator signs a challenge. The protocol's checks are the library's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import webauthn
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from upstander.people.model import Passkey, PeopleError
from upstander.people.store import People

CHALLENGE_MS = 5 * 60_000
MOST = 10
_KEPT = 10_000


class Passkeys:
    """Registration and sign-in at ``url``, the address that people open. A challenge serves once, for five minutes."""

    def __init__(self, people: People, url: str, clock: Callable[[], int]) -> None:
        parts = urlsplit(url)
        self._people, self._clock = people, clock
        self._origin, self._domain = f"{parts.scheme}://{parts.netloc}", parts.hostname or ""
        self._challenges: dict[str, tuple[bytes, int]] = {}

    def offer_registration(self, person: str, asker: str) -> dict[str, Any]:
        """What a browser needs to make a passkey. ``asker``: the secret of the session that asks."""
        held = self._people.passkeys(person)
        if len(held) >= MOST:
            raise PeopleError(f"there are {MOST} passkeys already. Remove one first.")
        options = webauthn.generate_registration_options(
            rp_id=self._domain,
            rp_name="Upstander",
            user_name=person,
            user_id=hashlib.sha256(person.encode()).digest(),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=[PublicKeyCredentialDescriptor(id=key.id) for key in held],
        )
        self._remember(asker, options.challenge)
        return dict(json.loads(webauthn.options_to_json(options)))

    def register(self, person: str, asker: str, credential: dict[str, Any], label: str) -> Passkey:
        """Keep the passkey that the browser made. Raises ``PeopleError``."""
        try:
            verified = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=self._challenge(asker),
                expected_rp_id=self._domain,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise PeopleError(f"the passkey was refused ({error}). Try again.") from None
        made = Passkey(
            verified.credential_id,
            person,
            verified.credential_public_key,
            verified.sign_count,
            label.strip()[:40] or "passkey",
            self._clock(),
        )
        self._people.add_passkey(made)
        return made

    def offer_sign_in(self, asker: str) -> dict[str, Any]:
        """What a browser needs to sign in with any passkey of this site. ``asker``: the secret of its form cookie."""
        options = webauthn.generate_authentication_options(
            rp_id=self._domain, user_verification=UserVerificationRequirement.REQUIRED
        )
        self._remember(asker, options.challenge)
        return dict(json.loads(webauthn.options_to_json(options)))

    def sign_in(self, asker: str, credential: dict[str, Any]) -> str:
        """Whom a signed challenge signs in. Raises ``PeopleError``."""
        challenge = self._challenge(asker)
        try:
            found = self._people.passkey(base64url_to_bytes(credential["id"]))
            if found is None:
                raise PeopleError("this passkey is not registered here. Sign in with a password, or another passkey.")
            verified = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=self._domain,
                expected_origin=self._origin,
                credential_public_key=found.public_key,
                credential_current_sign_count=found.sign_count,
                require_user_verification=True,
            )
        except PeopleError:
            raise
        except (WebAuthnException, ValueError, KeyError, TypeError) as error:
            raise PeopleError(f"the passkey was refused ({error}). Try again.") from None
        self._people.count_passkey(found.id, verified.new_sign_count)
        return found.person

    def _remember(self, asker: str, challenge: bytes) -> None:
        now = self._clock()
        if len(self._challenges) >= _KEPT:
            self._challenges = {key: value for key, value in self._challenges.items() if value[1] > now}
        if len(self._challenges) >= _KEPT:
            raise PeopleError("too many sign-ins are under way. Try again in a minute.")
        self._challenges[asker] = (challenge, now + CHALLENGE_MS)

    def _challenge(self, asker: str) -> bytes:
        challenge, until = self._challenges.pop(asker, (b"", 0))
        if until <= self._clock():
            raise PeopleError("the challenge was used already, or is older than five minutes. Try again.")
        return challenge
