"""Are the cases what their history says? Every step, row and anchor is looked at, and what was changed is named."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any

import msgspec

from upstander.cases.model import GENESIS, Step, decode_step, subject_of
from upstander.cases.states import Act
from upstander.cases.store import Store, fields, link

#: What the anchors in the vault's ledger are called.
ANCHOR = "cases"


class Checked(msgspec.Struct):
    """What a check found; every finding names what is wrong. ``head``: the hash of the last step."""

    steps: int = 0
    cases: int = 0
    anchors: int = 0
    head: str = GENESIS
    findings: list[str] = []

    @property
    def ok(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def check(store: Store, anchors: Iterable[tuple[str, int, str]] = ()) -> Checked:
    """Check the history and the rows. ``anchors``: ``(name, steps, hash)`` from the vault's ledger."""
    result = Checked()
    try:
        for row in store.connection.execute("PRAGMA integrity_check(5)"):
            if row[0] != "ok":
                result.findings.append(f"cases file: {row[0]}")
        known = {size: digest for name, size, digest in anchors if name == ANCHOR}
        rows = _steps(store, result, known)
        if rows is not None:
            _rows(store, result, rows)
        for size in known:
            if size > result.steps:
                result.findings.append(
                    f"history: has {result.steps:,} steps where {size:,} were known: its end is gone"
                )
    except (sqlite3.DatabaseError, msgspec.MsgspecError, ValueError) as error:
        result.findings.append(f"cases file: {error}")
    return result


def _steps(store: Store, result: Checked, known: dict[int, str]) -> dict[str, dict[str, Any]] | None:
    """The rows that follow from the history; ``None`` when it is broken."""
    rows: dict[str, dict[str, Any]] = {}
    previous = GENESIS
    for seq, case, body in store.connection.execute("SELECT seq, case_id, body FROM steps ORDER BY seq"):
        if seq != result.steps + 1:
            result.findings.append(f"step {result.steps + 1:,}: is missing")
            return None
        step = _decoded(body)
        if step is None or (step.seq, step.case, step.previous) != (seq, case, previous):
            before = f" (or step {seq - 1:,} was changed)" if step is not None and seq > 1 else ""
            result.findings.append(f"step {seq:,}: was changed{before}")
            return None
        previous, result.steps = link(body), seq
        if seq in known:
            result.anchors += 1
            if known[seq] != previous:
                result.findings.append(f"step {seq:,}: is not the one that the vault's ledger names: it was rewritten")
        if step.act == Act.ERASE:
            rows.pop(step.case, None)
        elif step.case and step.after:
            rows.setdefault(step.case, {}).update(step.after)
    result.head = previous
    return rows


def _decoded(body: bytes) -> Step | None:
    try:
        return decode_step(body)
    except (ValueError, msgspec.DecodeError):
        return None


def _rows(store: Store, result: Checked, rows: dict[str, dict[str, Any]]) -> None:
    found = {case.id: case for case in store.select("1")}
    result.cases = len(found)
    for identifier in sorted(found.keys() | rows.keys()):
        case = found.get(identifier)
        if case is None or rows.get(identifier) != fields(case):
            result.findings.append(f"case {identifier}: its row is not what its history says")
        elif subject_of(case.salt, case.platform, case.broadcast, case.viewer, case.host) != case.subject:
            result.findings.append(f"case {identifier}: whom it is about was changed")
