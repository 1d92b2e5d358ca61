"""What can go wrong between a platform and Upstander."""

from __future__ import annotations


class UpstanderError(Exception):
    """Anything that the client raises."""


class Rejected(UpstanderError):
    """Upstander refused the request for good (a bad key, a bad event): sending it again will not help."""


class Unreachable(UpstanderError):
    """Upstander could not be reached, or was too busy, for as long as the client was told to try."""
