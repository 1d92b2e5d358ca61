"""A moderation account's connection to its XMPP server: one question, one answer. slixmpp (MIT) speaks the protocol.

Reference: RFC 6120 (https://www.rfc-editor.org/rfc/rfc6120).
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
from collections.abc import Awaitable
from typing import Any, TypeVar
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element

from upstander.adapters.base import Outcome

T = TypeVar("T")

#: An action takes this long at most, connecting included.
TIMEOUT_S = 10.0

#: What to do about the server's error conditions.
_FIXES = {
    "forbidden": "name this account in `upstander_trusted` of the chat's component",
    "service-unavailable": "load mod_upstander on the chat's component",
    "feature-not-implemented": "load this version's mod_upstander on the chat's component",
    "remote-server-not-found": "the broadcast's id must be the address of a room on this server",
}
#: Characters that may not stand in XML.
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Failed(Exception):
    """A question failed; ``outcome`` is what that means for the action, ``condition`` the server's error condition."""

    def __init__(self, outcome: Outcome, condition: str = "") -> None:
        super().__init__(outcome.note)
        self.outcome, self.condition = outcome, condition


def plain(text: str) -> str:
    """The text without what may not stand in XML: the server would end the connection."""
    return _NOT_XML.sub("", text)


class XmppLink:
    """One account on one server. ``url`` is ``xmpp://host:port`` (STARTTLS) or ``xmpps://host:port`` (TLS at once).

    Without one, the server is looked up in the DNS. TLS is needed, and the certificate must be that of the account's
    domain; on loopback it also goes without, when the server offers none. Connects when it is first needed, and again
    after every break. Raises ``ImportError`` without slixmpp, ``ValueError`` for an address that is none.
    """

    def __init__(self, jid: str, password: str, url: str = "") -> None:
        from slixmpp import JID, ClientXMPP
        from slixmpp.exceptions import IqError, IqTimeout, XMPPError
        from slixmpp.jid import InvalidJID

        # Below it, slixmpp writes down what it sends: passwords, and people's words.
        logging.getLogger("slixmpp").setLevel(logging.WARNING)
        self._client_of, self._error, self._xmpp_error = ClientXMPP, (IqError, IqTimeout), XMPPError
        self._jid_of, self._invalid = JID, InvalidJID
        self._jid, self._password = jid, password
        parts = urlsplit(url)
        self._at = (parts.hostname, parts.port or 5222) if parts.hostname else None
        self._tls_at_once = parts.scheme == "xmpps"
        self._local = _is_loopback(parts.hostname or "")
        self._client: Any = None
        self._connecting = asyncio.Lock()
        if not self.bare(jid):
            raise ValueError(f"{jid!r} is no account's address: give one such as `upstander@chat.example.org`")

    def bare(self, address: str) -> str:
        """The bare address that this is; empty when it is none, or one without a name before the ``@``."""
        try:
            found = self._jid_of(address)
        except (self._invalid, ValueError):
            return ""
        return str(found.bare) if found.local and found.domain else ""

    async def log_in(self) -> None:
        """Connect, unless that was done. Raises ``Failed`` and nothing else."""
        await self._in_time(self._connected())

    async def ask(self, room: str, question: Element) -> Element | None:
        """Send a question to a room; what its answer holds, if anything. Raises ``Failed`` and nothing else."""
        to = self.bare(room)
        if not to:
            raise Failed(Outcome(False, note="the broadcast's id is no room's address"))
        return await self._in_time(self._answer(to, question))

    async def _in_time(self, doing: Awaitable[T]) -> T:
        try:
            # Everything has an end, also a server that trickles.
            async with asyncio.timeout(TIMEOUT_S):
                return await doing
        except TimeoutError:
            self._drop()
            raise Failed(Outcome(False, retry=True, note="no answer from the server (TimeoutError)")) from None

    async def _answer(self, to: str, question: Element) -> Element | None:
        client = await self._connected()
        stanza = client.make_iq_set(ito=to)
        stanza.append(question)
        answer, gone = stanza.send(timeout=TIMEOUT_S), client.disconnected
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not answer.done():
            answer.cancel()
            raise Failed(Outcome(False, retry=True, note="the connection broke before the answer came"))
        try:
            found = answer.result().xml
        except self._error as error:
            raise _failed(error) from None
        return next(iter(found), None)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None or not self._client.is_connected():
                self._drop()
                self._client = self._make()
                try:
                    await self._begin(self._client)
                except BaseException:
                    self._drop()
                    raise
            return self._client

    def _make(self) -> Any:
        # Only a password that never leaves this machine may go without TLS.
        plugins = {"feature_mechanisms": {"unencrypted_scram": self._local, "unencrypted_plain": self._local}}
        client = self._client_of(f"{self._jid}/upstander", self._password, plugin_config=plugins)
        client.enable_direct_tls = self._tls_at_once or self._at is None
        client.enable_starttls = not self._tls_at_once
        return client

    async def _begin(self, client: Any) -> None:
        """Connect and log in."""
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def settle(failed: Failed | None = None) -> None:
            if begun.done():
                return
            if failed is None:
                begun.set_result(None)
            else:
                begun.set_exception(failed)

        def refused(_: Any) -> None:
            settle(Failed(Outcome(False, note="the server refused the login: check `jid` and `secret_file`")))

        def broken(_: Any) -> None:
            settle(Failed(Outcome(False, retry=True, note="no connection to the server: check `url`, and its TLS")))

        client.add_event_handler("session_start", lambda _: settle())
        for event in ("failed_all_auth", "no_auth"):
            client.add_event_handler(event, refused)
        for event in ("connection_failed", "disconnected", "ssl_invalid_chain"):
            client.add_event_handler(event, broken)
        client.connect(*(self._at or (None, None)))
        await begun

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.cancel_connection_attempt()
            client.abort()
            # slixmpp leaves the task that sends running for the next connection, which here is another object's.
            if client._run_out_filters is not None:
                client._run_out_filters.cancel()

    async def close(self) -> None:
        """Say goodbye and close the connection."""
        if self._client is not None and self._client.is_connected():
            await self._client.disconnect(wait=1.0)
        self._drop()


def _failed(error: Any) -> Failed:
    condition = str(error.condition)
    if condition == "remote-server-timeout" and not error.text:
        return Failed(Outcome(False, retry=True, note="no answer from the server"), condition)
    # The module's own words name no person and repeat nothing that was sent.
    note = f"the server answered {condition}" + (f" ({error.text[:200]})" if error.text else "")
    fix = _FIXES.get(condition, "")
    return Failed(Outcome(False, error.etype == "wait", f"{note}: {fix}" if fix else note), condition)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
