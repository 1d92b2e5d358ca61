"""What adapters write when a platform has no card or notice of its own to show. Settings can put other words here."""

from __future__ import annotations

from typing import Final

NUDGE: Final = (
    "A note from the people who look after this chat: someone may be trying to get you to do or tell something that is "
    "yours to decide. You can say no, stop at any time, and talk to a grown-up you trust. None of this is your fault."
)
WARNING: Final = (
    "A note from the people who look after this chat: what you wrote does not fit a chat with young people. "
    "Please keep to what happens in the stream."
)
