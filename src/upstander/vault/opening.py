"""From settings to a vault: where its key and its items are, and how long evidence is kept."""

from __future__ import annotations

from pathlib import Path

from upstander.model.vocabulary import AgeBand
from upstander.policy import presets
from upstander.policy.effective import strictest
from upstander.policy.presets import PresetError
from upstander.settings import Settings
from upstander.vault.errors import VaultError
from upstander.vault.keys import CommandKey, KeyEncryption, key_from_environment, key_from_file, make_key_file
from upstander.vault.objects import Objects, objects_of
from upstander.vault.vault import DAY_MS, LEDGER, Vault


def folder_of(settings: Settings) -> Path:
    """The vault's folder."""
    return settings.folder / "vault"


def exists(settings: Settings) -> bool:
    """Whether there is a vault."""
    return (folder_of(settings) / LEDGER).exists()


def key_file_of(settings: Settings) -> Path:
    """The file of the key-encryption key."""
    return Path(settings.vault.key_file) if settings.vault.key_file else settings.folder / "vault.key"


def key_of(settings: Settings) -> KeyEncryption:
    """The key-encryption key that the settings name. Raises ``VaultError`` when it cannot be had."""
    if settings.vault.key == "environment":
        return key_from_environment()
    if settings.vault.key == "command":
        if not settings.vault.key_command:
            fix = "Name the program that wraps keys, as a list: program and arguments."
            raise VaultError(f"`key_command` under [vault] is missing. {fix}")
        return CommandKey(settings.vault.key_command)
    return key_from_file(key_file_of(settings))


def objects_in(settings: Settings) -> Objects:
    """Where items lie."""
    return objects_of(settings.vault.storage, folder_of(settings) / "objects", settings.vault.storage_options)


def open_vault(settings: Settings) -> Vault:
    """The vault of these settings. Raises ``VaultError`` when there is none, or its key is not to be had."""
    if not exists(settings):
        raise VaultError(f"there is no vault at {folder_of(settings)}. Make one with: upstander vault init")
    return Vault(folder_of(settings), key_of(settings), objects_in(settings))


def create_vault(settings: Settings, by: str) -> Vault:
    """Make the vault, and its key where that lies in a file that is not there yet."""
    if exists(settings):
        raise VaultError(f"there is a vault at {folder_of(settings)}. It is ready to use.")
    path = key_file_of(settings)
    key = make_key_file(path) if settings.vault.key == "file" and not path.exists() else key_of(settings)
    return Vault.create(folder_of(settings), key, objects_in(settings), by)


def keep_days(settings: Settings, band: AgeBand) -> int:
    """How many days evidence about a host of this band is kept: as the settings say, or a preset if that is longer."""
    try:
        rules = strictest(presets.chosen(presets.shipped(), settings.presets.use)).of(band)
    except PresetError as error:
        raise VaultError(f"`use` under [presets]: {error}") from None
    return max(settings.vault.keep_days, rules.preservation_days)


def keep_until(settings: Settings, band: AgeBand, now: int) -> int:
    """Until when (epoch ms) evidence that is sealed now is kept."""
    return now + keep_days(settings, band) * DAY_MS
