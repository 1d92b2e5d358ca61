"""Banks to and from files: CSV, JSON Lines, JSON of ThreatExchange and HMA, XML of NCMEC's hash sharing.

A file is taken in whole or not at all; every fault names its row. Withdrawn entries are never written out.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from upstander.captures import ncmec_xml
from upstander.captures.banks import Entry, Value
from upstander.captures.errors import CaptureError
from upstander.captures.values import Kind, checked

FORMATS = ("csv", "json", "threatexchange", "ncmec")
#: ThreatExchange's names of kinds, and ours.
_THEIRS = {
    "pdq": Kind.PDQ, "vpdq": Kind.VPDQ, "video_md5": Kind.MD5, "md5": Kind.MD5, "sha256": Kind.SHA256,
    "sha1": Kind.SHA1, "photodna": Kind.PHOTODNA, "hash_pdq": Kind.PDQ, "hash_md5": Kind.MD5,
    "hash_sha1": Kind.SHA1, "hash_sha256": Kind.SHA256,
}  # fmt: skip
_OURS = {Kind.MD5: "video_md5"}
SHOWN = 10


def read(path: Path, form: str = "") -> list[Value]:
    """The values in a file. ``form``: one of FORMATS; empty: by the file's name.

    Raises ``CaptureError`` that names the first faulty rows and says how many more there are.
    """
    form = form or {".csv": "csv", ".xml": "ncmec"}.get(path.suffix.lower(), "json")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CaptureError(f"{path} cannot be read ({error.strerror}). Check the path and its rights.") from None
    readers = {"csv": _csv, "json": _json, "threatexchange": _json, "ncmec": _ncmec}
    found, faults = [], []
    try:
        for row, fields in readers[form](raw):
            try:
                found.append(_value(fields))
            except CaptureError as error:
                faults.append(f"row {row}: {error}")
    except (ValueError, UnicodeDecodeError, csv.Error, msgspec.MsgspecError) as error:
        raise CaptureError(f"{path}: not {form} ({error}). Name the format with --format.") from None
    if faults:
        more = f"\n… and {len(faults) - SHOWN:,} more" if len(faults) > SHOWN else ""
        raise CaptureError(f"{path}: nothing was taken in.\n" + "\n".join(faults[:SHOWN]) + more)
    if not found:
        raise CaptureError(f"{path} holds no value. Check that it is the right file, and --format.")
    return found


def _value(fields: dict[str, Any]) -> Value:
    name = str(fields.get("kind", "")).lower()
    kind = _THEIRS.get(name)
    if kind is None:
        raise CaptureError(f"{name[:30]!r} is no kind of value. Use one of {', '.join(map(str, Kind))}.")
    labels = fields.get("labels") or ()
    labels = tuple(part for part in labels.split(";") if part) if isinstance(labels, str) else tuple(map(str, labels))
    return Value(kind, checked(kind, str(fields.get("value", ""))), str(fields.get("reference") or ""), labels)


def _csv(raw: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    names = {name.strip().lower() for name in reader.fieldnames or ()}
    if not {"kind", "value"} <= names:
        raise ValueError("its first line must name the columns `kind` and `value` (also `reference`, `labels`)")
    for row in reader:
        yield reader.line_num, {(name or "").strip().lower(): text for name, text in row.items()}


def _json(raw: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """A list, or an object a line; ours, ThreatExchange's (`signal_type`, `signal_str`) or HMA's (`signals`)."""
    text = raw.strip()
    rows: list[Any] = (
        msgspec.json.decode(text) if text[:1] == b"[" else list(map(msgspec.json.decode, text.splitlines()))
    )
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number} is no object")
        if isinstance(row.get("signals"), dict):
            for name, value in row["signals"].items():
                yield number, {"kind": name, "value": value, "reference": row.get("id") or ""}
        else:
            labels = row.get("labels") or row.get("tags") or ()
            kind, value = row.get("kind") or row.get("signal_type"), row.get("value") or row.get("signal_str")
            yield number, {"kind": kind, "value": value, "reference": row.get("reference"), "labels": labels}


def _ncmec(raw: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    page = ncmec_xml.page_of(raw)
    if page.unread:
        raise ValueError(f"{page.unread} values in it are none of their kind")
    for number, entry in enumerate(page.entries, 1):
        for value in entry.values:
            yield number, msgspec.to_builtins(value)


def write(entries: Iterable[Entry], form: str) -> bytes:
    """Entries as a file's bytes."""
    if form == "csv":
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["kind", "value", "reference", "labels"])
        writer.writerows([str(e.kind), e.value, e.id, ";".join(e.labels)] for e in entries)
        return out.getvalue().encode()
    if form == "json":
        return b"".join(
            msgspec.json.encode({"kind": e.kind, "value": e.value, "reference": e.id, "labels": e.labels}) + b"\n"
            for e in entries
        )
    if form == "threatexchange":
        rows = [
            {"id": e.id, "signals": {_OURS.get(e.kind, str(e.kind)): e.value}, "tags": list(e.labels)} for e in entries
        ]
        return msgspec.json.format(msgspec.json.encode(rows), indent=1) + b"\n"
    return ncmec_xml.written((e.id, e.labels[0] if e.labels else "", [(e.kind, e.value)]) for e in entries)
