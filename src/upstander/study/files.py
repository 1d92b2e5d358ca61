"""Studies in and out: CSV, Parquet and JSON Lines, read as text so that validation sees what the file says."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from pathlib import Path

import polars as pl

from upstander.study.errors import StudyError

#: Suffixes by format.
FORMATS = {".csv": "CSV", ".parquet": "Parquet", ".jsonl": "JSON Lines", ".ndjson": "JSON Lines"}
STAMP = "%Y-%m-%dT%H:%M:%S%.3fZ"


def format_of(path: Path) -> str:
    """``CSV``, ``Parquet`` or ``JSON Lines``, by the file's suffix. Raises ``StudyError``."""
    found = FORMATS.get(path.suffix.lower())
    if found is None:
        raise StudyError(path, f"{path.suffix or 'no suffix'!r} is no format of studies", f"Use {', '.join(FORMATS)}")
    return found


def read_text(path: Path) -> pl.DataFrame:
    """All columns as text; null where a value is empty. Raises ``StudyError`` when the file cannot be read."""
    readers: dict[str, Callable[[Path], pl.DataFrame]] = {
        "CSV": lambda path: pl.read_csv(path, infer_schema=False),
        "Parquet": pl.read_parquet,
        "JSON Lines": lambda path: pl.read_ndjson(path, infer_schema_length=None),
    }
    kind = format_of(path)
    try:
        frame = readers[kind](path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0]
        raise StudyError(path, f"cannot be read as {kind} ({reason})", "Export it again in that format") from None
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    if nested:
        raise StudyError(path, f"column {nested[0]!r} holds lists or objects", "Give each value a column of its own")
    return as_text(frame)


def as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame whose columns are all text, times in RFC 3339; null where empty."""
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if isinstance(dtype, pl.Datetime):
            zoned = column if dtype.time_zone else column.dt.replace_time_zone("UTC")
            column = zoned.dt.convert_time_zone("UTC").dt.strftime(STAMP)
        text = column.cast(pl.String)
        columns.append(pl.when(text != "").then(text).alias(name))
    return frame.select(columns)


def write(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame in the format that the suffix names; Parquet keeps types. Raises ``StudyError``."""
    kind = format_of(path)
    try:
        if kind == "Parquet":
            frame.write_parquet(path)
        elif kind == "CSV":
            as_text(frame).write_csv(path)
        else:
            as_text(frame).write_ndjson(path)
    except OSError as error:
        raise StudyError(path, f"cannot be written ({error.strerror})", "Name another file") from None


def hash_domains(frame: pl.DataFrame, key: bytes) -> pl.DataFrame:
    """Replace a column ``domain`` by ``domain_hash``: HMAC-SHA-256 under the study's key, of the name in lower case
    without a dot at its end. A value that is no bare domain becomes one that validation refuses."""
    if "domain" not in frame.columns:
        return frame
    if "domain_hash" in frame.columns:
        raise StudyError("domain", "there is a column `domain_hash` too", "Keep one of the two")
    names = frame["domain"].drop_nulls().unique().to_list()
    bare = [name for name in names if "/" not in name and ":" not in name and "@" not in name]
    hashes = {name: hmac.new(key, name.rstrip(".").lower().encode(), hashlib.sha256).hexdigest() for name in bare}
    hashed = pl.col("domain").replace_strict(hashes, default="not-a-domain", return_dtype=pl.String)
    return frame.with_columns(pl.when(pl.col("domain").is_not_null()).then(hashed).alias("domain_hash")).drop("domain")
