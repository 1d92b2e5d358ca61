"""Which addresses may be watched: schemes, hosts, and no way into a private network. Connecting is in ``relay``."""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import SplitResult, urlsplit

import msgspec

from upstander.watch.errors import Lost, WatchError

PORTS = {"rtmp": 1935, "rtmps": 443, "rtsp": 554, "http": 80, "https": 443, "srt": 9710, "whep": 443, "whep+http": 80}
SCHEMES = tuple(PORTS)
_IP = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9a-f]{0,4}:){2,7}[0-9a-f.]*", re.I)


class Rules(msgspec.Struct, frozen=True):
    """``hosts``: those that may be reached (``.example.org`` means all below it; ``*`` any that is public).
    ``private``: hosts among them that may lie in a private network, this machine included; with ``:port``, that port of
    them only. ``schemes``: those allowed."""

    hosts: tuple[str, ...] = ()
    private: tuple[str, ...] = ()
    schemes: tuple[str, ...] = SCHEMES

    def with_host(self, host: str, port: int) -> Rules:
        """The same, and this port of this host, wherever it lies: a person typed it."""
        return msgspec.structs.replace(self, hosts=(*self.hosts, host), private=(*self.private, f"{host}:{port}"))


def split(url: str) -> SplitResult:
    """The parts of an address. Raises ``WatchError`` when it is none."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise WatchError(f"{shown(url)}: not an address ({error}).") from None
    if not parts.scheme or not parts.hostname:
        raise WatchError(f"{shown(url)}: not an address. Give one such as rtmp://host/app/name.")
    return parts


def port_of(parts: SplitResult) -> int:
    """Its port."""
    return parts.port or PORTS[parts.scheme.lower()]


def shown(url: str) -> str:
    """An address without the secrets that may stand in it: no user, no query."""
    head = url.split("?", 1)[0].split("#", 1)[0]
    scheme, mark, rest = head.partition("://")
    return f"{scheme}{mark}{rest.rsplit('@', 1)[-1]}"[:300] if mark else head[:300]


def for_logs(text: str) -> str:
    """A message without IP addresses: people on the spot may read them, logs may not keep them."""
    return _IP.sub("an address", text)


def check(url: str, rules: Rules) -> SplitResult:
    """The parts of an address whose scheme and host may be watched. Raises ``WatchError``."""
    parts = split(url)
    if parts.scheme.lower() not in rules.schemes:
        known = ", ".join(rules.schemes)
        raise WatchError(f"{shown(url)}: the scheme `{parts.scheme}` is not allowed. Allowed are: {known}.")
    allowed(parts.hostname or "", rules)
    return parts


def allowed(host: str, rules: Rules) -> None:
    """Raise ``WatchError`` unless the host is on the list."""
    if not any(_matches(host, entry) for entry in rules.hosts):
        fix = "Add it to `hosts` under [watch] if its streams are to be watched."
        raise WatchError(f"the host {host!r} is not on the list of those that may be watched. {fix}")


def _matches(host: str, entry: str) -> bool:
    host, entry = host.lower().rstrip("."), entry.lower()
    return entry in ("*", host) or (entry.startswith(".") and host.endswith(entry))


def public(address: str) -> bool:
    """Whether an IP address is one of the public internet."""
    found = ipaddress.ip_address(address.split("%", 1)[0])
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo[1] if found.teredo else None)
        if inner is not None:
            return public(str(inner))
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


def resolve(host: str, port: int, rules: Rules, kind: socket.SocketKind = socket.SOCK_STREAM) -> list[str]:
    """The IP addresses behind a host on the list, all of which are allowed. Raises ``WatchError``; ``Lost`` when the
    DNS does not know the host.

    Whoever connects uses these addresses and not the name, so that a second answer of the DNS changes nothing.
    """
    allowed(host, rules)
    try:
        found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=kind)]
    except (OSError, UnicodeError) as error:
        raise Lost(f"the host {host!r} is not known just now ({error}).") from None
    if not any(entry.lower() in (host.lower(), f"{host.lower()}:{port}") for entry in rules.private):
        inside = [address for address in found if not public(address)]
        if inside:
            fix = "Add it to `private_hosts` under [watch] if that is meant."
            raise WatchError(f"the host {host!r} lies in a private network ({inside[0]}). {fix}")
    return list(dict.fromkeys(found))
