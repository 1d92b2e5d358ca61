"""Models in the data folder, and the ledger of what people decided about them: who proposed, approved, rolled back.

The ledger alone says which model is in force, so there is nothing else to keep in step with it. Each of its lines
holds the hash of the line before: a line that was changed or taken out is found.
"""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import msgspec

#: Words of the ledger.
TRAINED, PROPOSED, APPROVED, ROLLED_BACK = "trained", "proposed", "approved", "rolled_back"
GENESIS = "0" * 64


class RegistryError(ValueError):
    """What was asked for cannot be done, with the reason and the fix."""


class Gate(msgspec.Struct, frozen=True):
    """One thing a model must reach before people may put it in force."""

    name: str
    found: str
    needed: str
    met: bool


class Line(msgspec.Struct, frozen=True):
    """One line of the ledger. ``model`` is a file's SHA-256 (empty: the model that ships)."""

    at: int
    what: str
    model: str
    by: str = ""
    account: str = ""
    note: str = ""
    gates: tuple[Gate, ...] = ()
    previous: str = GENESIS


class Registry:
    """The models of one data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "models"
        self.ledger = self.folder / "ledger.jsonl"

    def lines(self) -> list[Line]:
        """The whole ledger. Raises ``RegistryError`` when it was tampered with."""
        if not self.ledger.exists():
            return []
        found: list[Line] = []
        previous = GENESIS
        for number, raw in enumerate(self.ledger.read_bytes().splitlines(), 1):
            try:
                line = msgspec.json.decode(raw, type=Line)
            except msgspec.DecodeError as error:
                raise RegistryError(f"{self.ledger}:{number}: no ledger line ({error}). Restore it.") from None
            if line.previous != previous:
                reason = "does not follow the line before it: the ledger was changed"
                raise RegistryError(f"{self.ledger}:{number}: {reason}. Restore it from a backup.")
            previous = hashlib.sha256(raw).hexdigest()
            found.append(line)
        return found

    def current(self) -> str:
        """The model in force (empty: the one that ships)."""
        decided = [line for line in self.lines() if line.what in (APPROVED, ROLLED_BACK)]
        return decided[-1].model if decided else ""

    def current_bytes(self) -> bytes:
        """The file of the model in force (empty: the one that ships)."""
        name = self.current()
        return self.read(name) if name else b""

    def read(self, name: str) -> bytes:
        """A model's file, checked against its name."""
        path = self.folder / f"{name}.safetensors"
        try:
            data = path.read_bytes()
        except OSError as error:
            raise RegistryError(
                f"the model {path} cannot be read ({error.strerror}). Restore it, or roll back."
            ) from None
        if hashlib.sha256(data).hexdigest() != name:
            raise RegistryError(f"the model {path} was changed after training. Restore it, or roll back.")
        return data

    def resolve(self, start: str) -> str:
        """A model's full name from its first digits."""
        names = sorted({line.model for line in self.lines() if line.what == TRAINED and line.model.startswith(start)})
        if len(names) == 1 and len(start) >= 4:
            return names[0]
        known = ", ".join(sorted({line.model[:12] for line in self.lines() if line.what == TRAINED})) or "none yet"
        raise RegistryError(f"no single model is named {start!r}. Known: {known}. Train one: upstander learn train.")

    def add(self, data: bytes, note: str, gates: tuple[Gate, ...]) -> str:
        """Keep a newly trained model; returns its name."""
        name = hashlib.sha256(data).hexdigest()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"{name}.safetensors"
        if not path.exists():
            _durable(path, data)
        self._append(Line(_now(), TRAINED, name, note=note, gates=gates))
        return name

    def propose(self, name: str, by: str) -> Line:
        """The first of two people asks for a model to be put in force. Its gates must be met."""
        trained = [line for line in self.lines() if line.what == TRAINED and line.model == name]
        failed = [gate.name for gate in trained[-1].gates if not gate.met]
        if failed:
            raise RegistryError(f"the model {name[:12]} fails its gates: {', '.join(failed)}. Collect more verdicts.")
        if self.current() == name:
            raise RegistryError(f"the model {name[:12]} is in force already.")
        return self._append(Line(_now(), PROPOSED, name, by=_person(by), account=_account()))

    def approve(self, name: str, by: str) -> Line:
        """The second person agrees: the model is in force from the service's next reload or start."""
        proposals = [line for line in self.lines() if line.what in (PROPOSED, APPROVED, ROLLED_BACK)]
        if not proposals or proposals[-1].what != PROPOSED or proposals[-1].model != name:
            raise RegistryError(f"the model {name[:12]} is not proposed. Run: upstander learn promote {name[:12]}")
        if proposals[-1].by.casefold() == _person(by).casefold():
            raise RegistryError(f"{by} proposed it: someone else must approve.")
        self.read(name)
        return self._append(Line(_now(), APPROVED, name, by=_person(by), account=_account()))

    def roll_back(self, by: str, reason: str) -> Line:
        """Back to the model before the one in force, at once: one person is enough to be careful."""
        decided = [line.model for line in self.lines() if line.what in (APPROVED, ROLLED_BACK)]
        if not decided or not decided[-1]:
            raise RegistryError("the model that ships is in force: there is nothing to roll back to.")
        stack: list[str] = []
        for line in self.lines():
            if line.what == APPROVED:
                stack.append(line.model)
            elif line.what == ROLLED_BACK and stack:
                stack.pop()
        before = stack[-2] if len(stack) > 1 else ""
        return self._append(Line(_now(), ROLLED_BACK, before, by=_person(by), account=_account(), note=reason))

    def _append(self, line: Line) -> Line:
        """Write one line, durable before this returns."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.lines()  # never add to a ledger that was tampered with
        raw = self.ledger.read_bytes().splitlines() if self.ledger.exists() else []
        previous = hashlib.sha256(raw[-1]).hexdigest() if raw else GENESIS
        line = msgspec.structs.replace(line, previous=previous)
        handle = os.open(self.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(handle, msgspec.json.encode(line) + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        return line


def _durable(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.chmod(0o600)
    part.replace(path)


def _person(name: str) -> str:
    if not name.strip():
        raise RegistryError("a person's name is needed. Give it with --by.")
    return name.strip()


def _account() -> str:
    """The operating system's account, beside the name that was given: a name alone proves little."""
    return f"uid {os.getuid()}"


def _now() -> int:
    return time.time_ns() // 1_000_000
