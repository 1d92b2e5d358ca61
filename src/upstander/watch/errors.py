"""What can go wrong with a watcher, in words that name the input, the reason and the fix."""

from __future__ import annotations


class WatchError(Exception):
    """Something a person can mend: an address that is refused, a package that is missing."""


class Lost(WatchError):
    """A stream that cannot be read (any more); trying again may help."""
