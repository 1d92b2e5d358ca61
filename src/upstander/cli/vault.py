"""``upstander vault``: sealed evidence. The commands that change what is kept are in ``vault_keep``."""

from __future__ import annotations

import click

from upstander.cli.lazy import lazy

EXAMPLES = """
\b
Examples:
  upstander vault init
  upstander vault list --case 8c439b6cfe6d2275 --why "looking for the gift ledger"
  upstander vault show 3f9a0c1d --why "first review"
  upstander vault hold --case 8c439b6cfe6d2275 --reference "warrant 12/26" --why "police request"
  upstander vault export --case 8c439b6cfe6d2275 --to case.zip --why "police request"
  upstander vault verify case.zip --signer 4514e793…
"""
_COMMANDS = {
    "init": ("vault_read", "make the vault and its key"),
    "list": ("vault_read", "list items, without their contents"),
    "show": ("vault_read", "show one item"),
    "export": ("vault_read", "write a package that can be checked anywhere"),
    "verify": ("vault_verify", "check a package, or the vault itself"),
    "hold": ("vault_keep", "put items under a legal hold"),
    "release": ("vault_keep", "end a legal hold"),
    "delete": ("vault_keep", "destroy an item's key; the tombstone stays"),
    "expire": ("vault_keep", "delete what need not be kept any longer"),
    "rewrap": ("vault_keep", "wrap all keys under a new key-encryption key"),
    "stamp": ("vault_keep", "have the ledger time-stamped (RFC 3161)"),
}


@click.command(cls=lazy(_COMMANDS, "console"), epilog=EXAMPLES)
def command() -> None:
    """Sealed evidence: encrypted, hash-chained, provable, deletable.

    Every look and every change is an entry in the vault's ledger, with name and reason.
    Exit status: 0, 1 when something was found changed (verify), 2 for a mistake that can be mended.
    """
