"""What can go wrong between a platform and Upstander."""

from __future__ import annotations


class UpstanderError(Exception):
    """Anything that the client raises."""


class Rejected(UpstanderError):
    """Upstander refused the request for good (a bad key, a bad event): sending it again will not help.

    ``status`` is the HTTP status it was refused with, 0 when it was not sent.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Unreachable(UpstanderError):
    """Upstander could not be reached, or was too busy, for as long as the client was told to try."""
