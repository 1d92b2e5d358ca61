"""Signing in at an OpenID Connect provider: the authorization code flow with PKCE. The checks are Authlib's.

Tested against a faithful fake, not against the server of any vendor.
"""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import msgspec
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from upstander.people.model import PeopleError
from upstander.settings import ProviderSettings

TIMEOUT_S = 10.0
#: What ID tokens may be signed with: the provider's private key, never a secret that both sides hold, never nothing.
ALGORITHMS = ["RS256", "ES256", "PS256", "EdDSA"]
RETURN = "/sign-in/provider/return"


class Begun(msgspec.Struct, frozen=True):
    """A sign-in under way: where to send the browser, and what must come back or be proved."""

    address: str
    state: str
    nonce: str
    verifier: str


class _Metadata(msgspec.Struct):
    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class Provider:
    """One provider. ``transport`` stands in for the network in tests."""

    def __init__(
        self, settings: ProviderSettings, secret: str, url: str, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self.label = settings.label
        self._settings, self._secret, self._return = settings, secret, url + RETURN
        self.transport = transport

    async def begin(self) -> Begun:
        """Start a sign-in. Raises ``PeopleError`` when the provider cannot be reached."""
        metadata = await self._metadata()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        async with self._client() as client:
            address, _ = client.create_authorization_url(
                metadata.authorization_endpoint, state=state, nonce=nonce, code_verifier=verifier
            )
        return Begun(address, state, nonce, verifier)

    async def finish(self, begun: Begun, answer: dict[str, str]) -> str:
        """The subject that an account names, from what the provider sent back. Raises ``PeopleError``."""
        if answer.get("error"):
            raise PeopleError("the provider refused the sign-in. Try again, or ask who runs it.")
        if not secrets.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
            raise PeopleError("this sign-in was not begun here. Start again.")
        metadata = await self._metadata()
        try:
            async with self._client() as client:
                token = await client.fetch_token(
                    metadata.token_endpoint, code=answer.get("code", ""), code_verifier=begun.verifier
                )
                keys = KeySet.import_key_set((await client.get(metadata.jwks_uri, withhold_token=True)).json())
            decoded = jwt.decode(token["id_token"], keys, algorithms=ALGORITHMS)
            claims = CodeIDToken(
                decoded.claims,
                decoded.header,
                options={"iss": {"value": metadata.issuer}, "aud": {"value": self._settings.client_id}},
                params={"nonce": begun.nonce, "client_id": self._settings.client_id},
            )
            claims.validate(leeway=60)
        except (AuthlibBaseError, JoseError, httpx.HTTPError, KeyError, ValueError, TypeError) as error:
            raise PeopleError(f"the provider's answer was refused ({type(error).__name__}: {error}).") from None
        return self._subject(dict(claims))

    def _subject(self, claims: dict[str, Any]) -> str:
        claim = self._settings.claim
        value = claims.get(claim)
        if not isinstance(value, str) or not value:
            raise PeopleError(f"the provider sent no `{claim}`. Choose another `claim` in [console.provider].")
        if claim == "email" and claims.get("email_verified") is not True:
            raise PeopleError("the provider does not vouch for this e-mail address.")
        return value

    async def _metadata(self) -> _Metadata:
        """What the provider says of itself; it must be who the settings name."""
        address = self._settings.issuer.rstrip("/") + "/.well-known/openid-configuration"
        try:
            async with httpx.AsyncClient(transport=self.transport, timeout=TIMEOUT_S) as client:
                answer = await client.get(address)
                answer.raise_for_status()
            metadata = msgspec.json.decode(answer.content, type=_Metadata)
        except (httpx.HTTPError, msgspec.MsgspecError) as error:
            raise PeopleError(
                f"the provider cannot be reached ({error}). Try again, or sign in with a password."
            ) from None
        if metadata.issuer.rstrip("/") != self._settings.issuer.rstrip("/"):
            raise PeopleError(f"the provider says that it is {metadata.issuer!r}. Correct `issuer` in the settings.")
        return metadata

    def _client(self) -> AsyncOAuth2Client:
        more = {"transport": self.transport} if self.transport is not None else {}
        scope = "openid email profile"
        return AsyncOAuth2Client(
            self._settings.client_id,
            self._secret,
            scope=scope,
            redirect_uri=self._return,
            code_challenge_method="S256",
            timeout=TIMEOUT_S,
            **more,
        )
