"""From settings to open stores: where fingerprints, banks and sightings lie, and which key opens the banks."""

from __future__ import annotations

from pathlib import Path

from upstander.captures.banks import Banks
from upstander.captures.matching import Matcher
from upstander.captures.recorded import Recorded
from upstander.people.audit import Audit
from upstander.settings import Settings
from upstander.vault.keys import KeyEncryption, make_key_file
from upstander.vault.opening import key_file_of, key_of


def folder_of(settings: Settings) -> Path:
    """The folder of all that belongs to captures."""
    return settings.folder / "captures"


def open_recorded(settings: Settings, *, readonly: bool = False) -> Recorded:
    """The fingerprints of this installation's broadcasts; made when there are none. ``readonly``: the service may be
    running, and it alone writes."""
    return Recorded(folder_of(settings), readonly=readonly)


def banks_path(settings: Settings) -> Path:
    """The banks' file."""
    return folder_of(settings) / "banks.sqlite3"


def bank_key(settings: Settings) -> KeyEncryption:
    """The key that opens banks: the vault's. Made where it lies in a file and there is none yet."""
    path = key_file_of(settings)
    if settings.vault.key == "file" and not path.exists() and not banks_path(settings).exists():
        return make_key_file(path)
    return key_of(settings)


def open_banks(settings: Settings) -> Banks:
    """The banks; made when there are none. Raises ``VaultError`` when their key is not to be had."""
    audit = Audit(settings.audit_path, many=settings.console.many_broadcasts)
    return Banks(banks_path(settings), bank_key(settings), audit)


def open_matcher(settings: Settings) -> Matcher | None:
    """What searches the banks; ``None`` when there are no banks yet."""
    if not banks_path(settings).exists():
        return None
    return Matcher(open_banks(settings), settings.captures.quarantine)
