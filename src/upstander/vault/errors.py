"""What can go wrong with the vault, in one place, so that the command line can turn all of it into one line."""

from __future__ import annotations


class VaultError(RuntimeError):
    """The vault cannot do what was asked; the message names the item, the reason and the fix."""


class NoKey(VaultError):
    """The key-encryption key is not to be had here: nothing is wrong with the vault itself."""


class Damaged(VaultError):
    """Something in the vault is not what it was when it was sealed; the message names what."""
