"""The one error of this package: something a user can mend. The command line turns it into one line."""

from __future__ import annotations


class StudyError(ValueError):
    """Input that cannot be used. The message names the input, the reason and the fix."""

    def __init__(self, where: object, reason: str, fix: str) -> None:
        super().__init__(f"{where}: {reason}. {fix}")
