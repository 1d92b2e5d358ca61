"""Reads every log line of the whole suite, in this process and of services that tests start, and finds what must never
be in one: credentials, addresses of people, names and words of reports. ``conftest`` fails the test that logged it."""

from __future__ import annotations

import ipaddress
import logging
import re
import threading

#: Parts of names, handles and e-mail addresses that tests give to invented people.
NAMES = re.compile(r"\w*canary\w*|Hill School", re.I)
#: What people write in tests: a log has no use for chat.
WORDS = re.compile(r"are your parents home|add me on the other app|do a spin and|dont tell your mom", re.I)
CREDENTIALS = (
    re.compile(r"\b(?:Basic|Bearer)\s+[A-Za-z0-9+/=_.-]{8,}"),
    re.compile(r"\bwhsec_[A-Za-z0-9+/=]{8,}"),
    re.compile(r"\bups_[A-Za-z0-9_-]{16,}"),
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    re.compile(r"\b(?:password|passwd|secret|api_key|access_token)\s*[=:]\s*['\"]?[^\s'\"]{4,}", re.I),
    re.compile(r"https?://[^\s/@:]+:[^\s/@]+@"),
)
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4})(?![\w.]*\.\d|\w)"
)
#: Files of virtual environments and packages name versions that look like addresses.
_PATHS = re.compile(r"\S*/site-packages/\S*")


def scan(text: str) -> list[str]:
    """What is in a line that must not be: the kind of each finding, and where; never the finding itself."""
    found = []
    for kind, patterns in (("a credential", CREDENTIALS), ("a name", (NAMES,)), ("chat", (WORDS,))):
        found += [f"{kind} at {match.start()}" for pattern in patterns for match in pattern.finditer(text)]
    for match in _ADDRESS.finditer(_PATHS.sub("", text)):
        if _of_somebody(match[0]):
            found.append(f"an IP address at {match.start()}")
    return found


def _of_somebody(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


class Scanner(logging.Handler):
    """Looks at each record, with its traceback. ``take`` gives what was found since it was last asked."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self._format = logging.Formatter("%(name)s %(levelname)s %(message)s")
        self._guard = threading.Lock()
        self._found: list[str] = []
        self.lines = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.read(self._format.format(record), record.name)

    def read(self, text: str, source: str) -> None:
        """Look at a line that came from elsewhere."""
        self.lines += 1
        found = scan(text)
        if found:
            with self._guard:
                self._found.append(f"{source}: {', '.join(found)}")

    def take(self) -> list[str]:
        with self._guard:
            found, self._found = self._found, []
        return found


#: The one of this process.
SCANNER = Scanner()
