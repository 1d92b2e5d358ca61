"""The HTTP side of WHEP (RFC 9725 draft): the offer goes out, the answer comes back, by the rules for addresses.

Runs outside the sandbox, and takes from the answer every candidate that the rules do not allow.
"""

from __future__ import annotations

import ipaddress

import httpx

from upstander.watch import address
from upstander.watch.errors import Lost, WatchError
from upstander.watch.source import Source

MAX_ANSWER = 100_000
TIMEOUT_S = 10.0


def answer(source: Source, offer: str) -> str:
    """The server's answer to an offer. Raises ``WatchError``; ``Lost`` when another try may help."""
    parts = source.parts
    assert parts is not None
    scheme = "http" if parts.scheme == "whep+http" else "https"
    port = address.port_of(parts)
    found = address.resolve(parts.hostname or "", port, source.rules)
    host = f"[{found[0]}]" if ":" in found[0] else found[0]
    url = parts._replace(scheme=scheme, netloc=f"{host}:{port}").geturl()
    headers = {"content-type": "application/sdp", "accept": "application/sdp", "host": parts.netloc.rsplit("@", 1)[-1]}
    if parts.password:
        headers["authorization"] = f"Bearer {parts.password}"
    try:
        with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
            extensions = {"sni_hostname": parts.hostname} if scheme == "https" else {}
            request = client.build_request("POST", url, content=offer, headers=headers, extensions=extensions)
            response = client.send(request)
    except httpx.HTTPError as error:
        raise Lost(f"{source.shown}: no answer ({type(error).__name__})") from None
    if response.status_code != 201 or len(response.content) > MAX_ANSWER:
        again = Lost if response.status_code >= 500 or response.status_code in (404, 429) else WatchError
        raise again(f"{source.shown}: the WHEP server answered {response.status_code}")
    return checked(response.text, source, found)


def checked(sdp: str, source: Source, server: list[str]) -> str:
    """The answer without candidates in places that the rules do not allow. What stays: the server's own address, public
    ones, and private ones that are listed."""
    kept = []
    for line in sdp.splitlines():
        if line.startswith("a=candidate:"):
            fields = line.split()
            if len(fields) < 6 or not _allowed(fields[4], (*server, *source.rules.private)):
                continue
        kept.append(line)
    if not any(line.startswith("a=candidate:") for line in kept):
        raise WatchError(f"{source.shown}: the answer names no address that may be reached")
    return "\r\n".join(kept) + "\r\n"


def _allowed(host: str, listed: tuple[str, ...]) -> bool:
    try:
        ipaddress.ip_address(host.split("%", 1)[0])
    except ValueError:
        return False  # a name (mDNS): nobody knows where it leads
    return host in listed or address.public(host)
