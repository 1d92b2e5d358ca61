"""What the vault's tests share: a vault in a folder, and parts to seal."""

from __future__ import annotations

import json
from pathlib import Path

from upstander.settings import Settings
from upstander.vault import opening
from upstander.vault.check import Check, Checked
from upstander.vault.vault import Part, Vault

DAY = 86_400_000
#: A time on 2026-11-25.
NOW = 1_795_600_000_000


def settings_in(folder: Path) -> Settings:
    return Settings(data=str(folder / "data"))


def new_vault(folder: Path) -> Vault:
    return opening.create_vault(settings_in(folder), "ann")


def chat(number: int = 1, text: str = "are your parents home") -> Part:
    events = [
        {"type": "comment", "id": f"c{number}", "at": NOW, "broadcast": "b1", "actor": "v1", "text": text, "seq": 7}
    ]
    content = {"format": "upstander-chat-1", "broadcast": "b1", "first": 1, "last": 7, "left_out": "", "events": events}
    return Part("chat", f"journal:{number}:chat", json.dumps(content).encode())


def sealed(vault: Vault, count: int = 3, case: str = "case-1", keep_until: int = 0) -> list[str]:
    """So many items of a case; their addresses."""
    return [vault.seal([chat(n)], case, keep_until, "a test")[0] for n in range(1, count + 1)]


def checked(folder: Path, vault: Vault | None) -> Checked:
    settings = settings_in(folder)
    return Check(opening.folder_of(settings), opening.objects_in(settings), vault).run()


def objects(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "data" / "vault" / "objects").rglob("*") if path.is_file())
