"""A study's folder: ``study.json`` (title, coders), ``items.parquet`` (facts), ``codings.parquet`` (imported codings),
``desk.jsonl`` (what was coded and decided at the desk, append-only) and ``domain.key``."""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec
import polars as pl

from upstander.study import codebook, files
from upstander.study.codebook import Codebook
from upstander.study.errors import StudyError
from upstander.study.validate import Fault, faults, typed

CoderName = Annotated[str, msgspec.Meta(pattern="^[a-z0-9_-]{1,32}$")]


class About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``study.json``. ``coders``: by name, the day an assessor was trained (``null``: not a trained assessor).
    ``threshold``: counts from 1 to one below it are withheld. ``double_share``: the share of items that two people
    code; which ones follows from ``seed``, so that no coder can tell."""

    title: str
    codebook: int
    created_on: date
    seed: str
    coders: dict[CoderName, date | None] = {}
    threshold: Annotated[int, msgspec.Meta(ge=2, le=100)] = 5
    double_share: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One line of ``desk.jsonl``: a coding (all judged fields), or a decision (the fields that coders differed on).
    ``consensus``: the decision was the coders' own, after they had talked."""

    kind: Literal["coding", "decision"]
    item_id: str
    by: str
    at: datetime
    values: dict[str, str | int]
    consensus: bool = False


class Study:
    """An open study. Raises ``StudyError`` when the folder is not one, or was made with another codebook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / "study.json"
        try:
            self.about = msgspec.json.decode(path.read_bytes(), type=About)
        except FileNotFoundError:
            raise StudyError(folder, "is not a study", f"Make one: upstander study new {folder}") from None
        except (OSError, msgspec.DecodeError) as error:
            raise StudyError(path, f"cannot be read ({error})", "Restore it from a copy") from None
        self.codebook: Codebook = codebook.shipped()
        if self.about.codebook != self.codebook.version:
            reason = f"was coded by codebook {self.about.codebook}, this version has {self.codebook.version}"
            raise StudyError(folder, reason, "Use the release that has that codebook")

    @property
    def trained(self) -> dict[str, bool]:
        """The coders, and whether each is a trained assessor."""
        return {name: day is not None for name, day in self.about.coders.items()}

    def items(self) -> pl.DataFrame:
        """The facts of all items, coded or not: a row an item."""
        return self._parquet("items.parquet", [field.name for field in self.codebook.facts])

    def codings(self) -> pl.DataFrame:
        """All codings: a row an item and coder, the judged fields with ``assessed_at`` and ``coder_id``."""
        names = ["item_id", *(field.name for field in self.codebook.fields if field.judged)]
        imported = self._parquet("codings.parquet", names)
        rows = [
            {"item_id": entry.item_id, "coder_id": entry.by, "assessed_at": entry.at, **entry.values}
            for entry in self.entries()
            if entry.kind == "coding"
        ]
        if not rows:
            return imported
        schema = {name: dtype for name, dtype in self.codebook.schema().items() if name in names}
        desk = pl.DataFrame(rows, schema_overrides={"assessed_at": pl.Datetime("ms", "UTC")})
        return pl.concat([imported, desk.select(pl.col(name).cast(schema[name]) for name in imported.columns)])

    def entries(self) -> list[Entry]:
        """What was coded and decided at the desk, in order. A last line that was cut off by a crash is left out."""
        path = self.folder / "desk.jsonl"
        if not path.exists():
            return []
        found = []
        lines = path.read_bytes().split(b"\n")
        for number, line in enumerate(lines[:-1], 1):
            try:
                found.append(msgspec.json.decode(line, type=Entry))
            except msgspec.DecodeError as error:
                raise StudyError(path, f"line {number} cannot be read ({error})", "Restore it from a copy") from None
        return found

    def append(self, entry: Entry) -> None:
        """Write one entry; it is on the disk when this returns."""
        with self.locked():
            path = self.folder / "desk.jsonl"
            with path.open("ab+") as file:
                file.seek(0, os.SEEK_END)
                if file.tell():
                    file.seek(-1, os.SEEK_END)
                    if file.read(1) != b"\n":
                        _cut_torn_line(path)
                file.write(msgspec.json.encode(entry) + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def add_coder(self, name: str, trained_on: date | None) -> None:
        """Add a coder, or record the day of training. Raises ``StudyError`` for a name that is none."""
        with self.locked():
            coders = {**self.about.coders, name: trained_on}
            self._save(msgspec.structs.replace(self.about, coders=coders))

    def check(self, frame: pl.DataFrame, first: int = 1) -> list[Fault]:
        """The faults of a frame of text columns, against the codebook and what the study holds."""
        return faults(frame, self.codebook, self.trained, self.items()["item_id"], first)

    def take_in(self, frame: pl.DataFrame) -> tuple[int, int]:
        """Add rows that have no fault; returns how many items and how many codings are new.

        When an item was last seen, or first found gone, may be told anew. Raises ``StudyError`` when other facts of an
        item differ from those in the study, or a coder has coded it before.
        """
        with self.locked():
            rows = typed(frame, self.codebook)
            before, codings = self.items(), self.codings()
            both = _merged(pl.concat([before, rows.select(before.columns)]))
            new = rows.filter(pl.col("coder_id").is_not_null()).select(codings.columns)
            once = ["item_id", "coder_id"]
            both_codings = pl.concat([codings, new]).select(once)
            _refuse_doubles(both_codings, once, "it was coded by this coder before", "Leave the row out")
            imported = self._parquet("codings.parquet", codings.columns)
            self._replace("codings.parquet", pl.concat([imported, new]))
            self._replace("items.parquet", both)
            return both.height - before.height, new.height

    @property
    def key(self) -> bytes:
        """The key that domains are hashed with. Raises ``StudyError`` when it is missing."""
        try:
            return bytes.fromhex((self.folder / "domain.key").read_text(encoding="ascii").strip())
        except (OSError, ValueError) as error:
            path = self.folder / "domain.key"
            raise StudyError(path, f"cannot be read ({error})", "Restore it from a copy") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time; others wait."""
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _parquet(self, name: str, columns: list[str]) -> pl.DataFrame:
        path = self.folder / name
        schema = {name: dtype for name, dtype in self.codebook.schema().items() if name in columns}
        if not path.exists():
            return pl.DataFrame(schema=schema).select(columns)
        try:
            return pl.read_parquet(path).select(pl.col(name).cast(schema[name]) for name in columns)
        except (OSError, pl.exceptions.PolarsError) as error:
            reason = str(error).splitlines()[0]
            raise StudyError(path, f"cannot be read ({reason})", "Restore it from a copy") from None

    def _replace(self, name: str, frame: pl.DataFrame) -> None:
        """Write the whole file, then put it in place: a crash leaves the old one."""
        path = self.folder / f".{name}.new"
        frame.write_parquet(path)
        path.replace(self.folder / name)

    def _save(self, about: About) -> None:
        path = self.folder / ".study.json.new"
        text = msgspec.json.format(msgspec.json.encode(about), indent=2)
        try:
            msgspec.json.decode(text, type=About)
        except msgspec.ValidationError as error:
            raise StudyError("study.json", str(error), "A coder's name is a-z, 0-9, _ and -, up to 32") from None
        path.write_bytes(text + b"\n")
        path.replace(self.folder / "study.json")
        self.about = about


def create(folder: Path, title: str, today: date, settings: Mapping[str, float | int]) -> Study:
    """Make a study's folder with a key and a seed of its own. Raises ``StudyError`` when there is one already."""
    if (folder / "study.json").exists():
        raise StudyError(folder, "is a study already", "Name another folder")
    about = About(title, codebook.shipped().version, today, secrets.token_hex(16), **settings)  # type: ignore[arg-type]
    try:
        msgspec.json.decode(msgspec.json.encode(about), type=About)
    except msgspec.ValidationError as error:
        raise StudyError("settings", str(error), "threshold: 2 to 100; double share: 0 to 1") from None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        key = os.open(folder / "domain.key", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(key, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
        text = msgspec.json.format(msgspec.json.encode(about), indent=2)
        (folder / "study.json").write_bytes(text + b"\n")
    except OSError as error:
        raise StudyError(folder, f"cannot be written ({error.strerror})", "Name another folder") from None
    return Study(folder)


def _merged(facts: pl.DataFrame) -> pl.DataFrame:
    """One row an item: the latest time it was seen, and the earliest it was found gone."""
    later = ("removed_at", "last_seen_at")
    fixed = [name for name in facts.columns if name not in later]
    merged = facts.group_by(fixed, maintain_order=True).agg(pl.col("removed_at").min(), pl.col("last_seen_at").max())
    _refuse_doubles(merged, ["item_id"], "its facts differ between rows", "Give each item one set of facts")
    return merged.select(facts.columns)


def _refuse_doubles(frame: pl.DataFrame, names: list[str], reason: str, fix: str) -> None:
    doubled = frame.filter(pl.struct(names).is_duplicated())
    if doubled.height:
        raise StudyError(f"item {doubled['item_id'][0]!r}", reason, fix)


def _cut_torn_line(path: Path) -> None:
    """Take off a line that a crash cut short; the one that wrote it was never told that it is kept."""
    content = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(content.rfind(b"\n") + 1)


def read_rows(path: Path, study: Study) -> tuple[pl.DataFrame, int]:
    """A file's rows as text, domains hashed, and the number that its first row has in it."""
    frame = files.hash_domains(files.read_text(path), study.key)
    return frame, 2 if files.format_of(path) == "CSV" else 1
