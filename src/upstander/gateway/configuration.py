"""From settings to the configuration that decides: packs, policy and paraphrase model."""

from __future__ import annotations

from pathlib import Path

from upstander import runtime
from upstander.detect import packs
from upstander.detect.packs import PackError
from upstander.journal import store
from upstander.learn.registry import Registry, RegistryError
from upstander.policy import presets
from upstander.policy.document import PolicyError
from upstander.policy.presets import PresetError
from upstander.settings import Settings, SettingsError


def configuration_of(settings: Settings) -> runtime.Configuration:
    """The configuration that these settings ask for."""
    try:
        model = Registry(settings.folder).current_bytes()
    except RegistryError as error:
        raise SettingsError(str(error)) from None
    sources = packs.from_folder(Path(settings.packs)) if settings.packs else None
    return runtime.current(sources, model, policy_of(settings), presets_of(settings))


def policy_of(settings: Settings) -> tuple[str, str]:
    """The policy's file that the settings name, as ``(file, YAML)``; empty for the one that ships."""
    if not settings.policy:
        return "", ""
    path = Path(settings.policy)
    try:
        return path.name, path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"`policy`: {path} cannot be read ({error})"
        raise SettingsError(f"{reason}. Name a policy file, or leave `policy` out for the one that ships.") from None


def presets_of(settings: Settings) -> tuple[str, ...]:
    """The ids of the presets in force."""
    try:
        return tuple(preset.id for preset in presets.chosen(presets.shipped(), settings.presets.use))
    except PresetError as error:
        raise SettingsError(f"`use` under [presets]: {error}") from None


def configuration_to_start(settings: Settings) -> tuple[runtime.Configuration, str]:
    """The configuration to start with, and why it is not the one that the settings ask for (empty: it is).

    Packs or a policy that broke while the service ran must not keep it from starting again, and children unwatched:
    what decided last goes on. Raises ``PackError`` or ``PolicyError`` when there is nothing, and when the folder or
    file itself is not there.
    """
    try:
        wanted = configuration_of(settings)
        wanted.detector()
    except (PackError, PolicyError) as error:
        broken = Path(settings.packs).is_dir() if isinstance(error, PackError) else Path(settings.policy).is_file()
        last = _last_configuration(settings) if broken else None
        if last is None or not last.runs_here:
            raise
        before = last
        before.detector()
        return before, str(error)
    return wanted, ""


def _last_configuration(settings: Settings) -> runtime.Configuration | None:
    if not settings.journal_path.exists():
        return None
    connection = store.connect(settings.journal_path, readonly=True)
    try:
        placed = store.last_configuration(connection, store.head(connection)[0])
    finally:
        connection.close()
    return runtime.decode_configuration(placed.entry.body) if placed else None
