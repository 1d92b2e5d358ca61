"""What reports ask of the vault: a case's evidence, a safe place for what is sent, and a hold on both once it was.

A report's own content is a sealed item of its case, too: the reports' file names nobody.
"""

from __future__ import annotations

from typing import Protocol

from upstander.reports.build import Piece
from upstander.reports.model import ReportError
from upstander.vault import package
from upstander.vault.entries import Kind
from upstander.vault.errors import NoKey, VaultError
from upstander.vault.ledger import Row
from upstander.vault.vault import MACHINE, Part, Vault

#: Parts that a report makes itself, and that are no evidence of what happened.
OWN = ("report", "receipt")
DAY_MS = 86_400_000


class Evidence(Protocol):
    """Where evidence and reports lie."""

    def pieces(self, case: str, by: str, why: str) -> list[Piece]:
        """A case's evidence, opened."""

    def seal(self, case: str, report: str, part: str, content: bytes, keep_until: int, by: str) -> str:
        """Keep a report (or its receipt); its address. The same source is sealed once."""

    def content(self, address: str, by: str, why: str, *, looks: bool = False) -> bytes:
        """The bytes of an item; ``looks``: a person sees them."""

    def hold(self, case: str, report: str, until: int, why: str) -> None:
        """Put a case's items under a report's hold, until then."""

    def release(self, report: str, case: str) -> None:
        """End a report's hold."""

    def proof(self, case: str, by: str, why: str, recipient: str) -> bytes:
        """The package of a case's evidence that can be checked anywhere."""


def reference(report: str) -> str:
    """What the hold of a report is called."""
    return f"report:{report}"


class VaultEvidence:
    """Evidence in the vault; each look, sending, hold and release is an entry of its ledger."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def pieces(self, case: str, by: str, why: str) -> list[Piece]:
        """A case's evidence, opened to be put into a report: that is no look of a person."""
        made = []
        for row in self._rows(case):
            if row.part not in OWN:
                content = self._vault.open(row, by, why, Kind.EXPORTED)[1]
                made.append(Piece(row.address, row.part, content, self._sealed_at(row), self._viewed(row)))
        return made

    def seal(self, case: str, report: str, part: str, content: bytes, keep_until: int, by: str) -> str:
        """Keep a report (or its receipt)."""
        piece = Part(part, f"report:{report}:{part}", content)
        return self._vault.seal([piece], case, keep_until, f"{part} {report}", by)[0]

    def content(self, address: str, by: str, why: str, *, looks: bool = False) -> bytes:
        """The bytes of an item."""
        try:
            return self._vault.open(self._vault.find(address), by, why, Kind.VIEWED if looks else Kind.EXPORTED)[1]
        except NoKey:
            raise  # nothing is wrong with this item: everything has to wait
        except VaultError as error:
            raise ReportError(f"what is to be sent cannot be opened: {error}") from None

    def hold(self, case: str, report: str, until: int, why: str) -> None:
        """Hold a case's items, and keep them as long."""
        name = reference(report)
        rows = [row for row in self._rows(case) if name not in self._vault.ledger.holds(row.address)]
        if rows:
            self._vault.hold(rows, name, MACHINE, why)
        self._vault.keep(self._rows(case), until, MACHINE, why)

    def release(self, report: str, case: str) -> None:
        """End a report's hold, if it is still there."""
        name = reference(report)
        rows = [row for row in self._rows(case) if name in self._vault.ledger.holds(row.address)]
        if rows:
            self._vault.release(rows, name, MACHINE, "the year of preservation is over")

    def proof(self, case: str, by: str, why: str, recipient: str) -> bytes:
        """The vault's package of the evidence itself, without drafts."""
        rows = [row for row in self._rows(case) if row.part not in OWN]
        if not rows:
            raise ReportError(f"case {case} has no evidence left to hand over. See `upstander vault list`.")
        return package.export(self._vault, rows, by, why, recipient)

    def _rows(self, case: str) -> list[Row]:
        return [row for row in self._vault.of_case(case) if not row.deleted]

    def _sealed_at(self, row: Row) -> int:
        return self._vault.ledger.entry(row.seq).at

    def _viewed(self, row: Row) -> bool:
        """Whether a person looked at the item itself. Nothing else makes a file "viewed"."""
        # A program with a key is nobody: `key …` is how the console names it.
        return any(each.kind is Kind.VIEWED and _person(each.by) for each in self._vault.ledger.about(row.address))


def _person(name: str) -> bool:
    """Whether a name in the ledger is a person's: not the machine's, nor that of a program with a key."""
    return name != MACHINE and not name.startswith("key ") and "(key " not in name
