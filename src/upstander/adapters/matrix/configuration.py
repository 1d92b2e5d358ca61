"""The module's section of ``homeserver.yaml``, checked. Nothing but the standard library."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENCRYPTED = ("refuse", "allow")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where Upstander is and what the module does.

    ``trusted`` are the user ids whose word about broadcasts counts, and whose own messages are not asked about.
    ``deadline_ms`` is how long a message waits; ``encrypted`` what becomes of encrypted messages in a broadcast;
    ``members`` whether Upstander is told who comes and goes.
    """

    url: str
    key: str
    trusted: frozenset[str]
    deadline_ms: int = 250
    encrypted: str = "refuse"
    members: bool = True

    def __repr__(self) -> str:
        """Without the key: Synapse may log its configuration."""
        return f"Configuration({self.url!r}, trusted={sorted(self.trusted)})"


_KEYS = ("url", "key_file", "trusted", "deadline_ms", "encrypted", "members")


def parse(section: Mapping[str, Any]) -> Configuration:
    """The configuration. Raises ``ValueError``, which names the key, the reason and the fix."""
    for name in section:
        if name not in _KEYS:
            near = difflib.get_close_matches(str(name), _KEYS, 1)
            hint = f"Did you mean `{near[0]}`?" if near else f"Known: {', '.join(_KEYS)}."
            raise ValueError(f"unknown key `{name}`. {hint}")
    url = section.get("url")
    if not isinstance(url, str) or not re.fullmatch(r"https?://\S+", url):
        raise ValueError(f"`url` is {url!r}. Give Upstander's address, such as `http://127.0.0.1:8787`.")
    trusted = section.get("trusted")
    listed = trusted if isinstance(trusted, list) else []
    if not listed or not all(isinstance(user, str) and re.fullmatch(r"@[^:\s]+:\S+", user) for user in listed):
        fix = 'List the user ids of the platform\'s own accounts, such as `["@platform:example.org"]`.'
        raise ValueError(f"`trusted` is {trusted!r}. {fix}")
    deadline = section.get("deadline_ms", 250)
    if isinstance(deadline, bool) or not isinstance(deadline, int) or not 1 <= deadline <= 10_000:
        raise ValueError(f"`deadline_ms` is {deadline!r}. Give whole milliseconds from 1 to 10000.")
    encrypted = section.get("encrypted", "refuse")
    if encrypted not in ENCRYPTED:
        raise ValueError(f"`encrypted` is {encrypted!r}. Use one of: {', '.join(ENCRYPTED)}.")
    members = section.get("members", True)
    if not isinstance(members, bool):
        raise ValueError(f"`members` is {members!r}. Use true or false.")
    return Configuration(url, _key(section.get("key_file")), frozenset(listed), deadline, encrypted, members)


def _key(path: object) -> str:
    if not isinstance(path, str) or not path:
        raise ValueError("`key_file` is missing. Name the file with the API key (scope events:write), mode 600.")
    try:
        mode = Path(path).stat().st_mode & 0o077
        key = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ValueError(f"`key_file` {path} cannot be read ({reason}). Give it to Synapse's user.") from None
    if mode:
        raise ValueError(f"`key_file` {path} can be read by others. Run: chmod 600 {path}")
    if not re.fullmatch(r"ups_[0-9a-f]{12}_[0-9A-Za-z_-]{43}", key):
        raise ValueError(f"`key_file` {path} holds no API key. Make one with `upstander keys create`.")
    return key
