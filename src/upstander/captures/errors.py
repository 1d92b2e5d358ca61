"""What can go wrong with captures, as one error that a command turns into one line. No logic lives here."""

from __future__ import annotations


class CaptureError(ValueError):
    """Something about captures cannot be done; the message names the input, the reason and the fix."""
