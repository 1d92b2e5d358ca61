"""The adapter contract: capabilities, the nearest thing an adapter can do, and what performing an action returns."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import msgspec

from upstander.model.vocabulary import Intervention
from upstander.nudge.payload import Card


class Capability(StrEnum):
    """What an adapter can do on its platform."""

    PRE_HOLD = "pre_hold"
    POST_DELETE = "post_delete"
    PLATFORM_HOLD = "platform_hold"
    NUDGE_HOST = "nudge_host"
    WARN_VIEWER = "warn_viewer"
    MUTE_VIEWER = "mute_viewer"
    REMOVE_VIEWER = "remove_viewer"
    SLOW_MODE = "slow_mode"
    DISABLE_GIFTS = "disable_gifts"
    DISABLE_COMMENTS = "disable_comments"
    DISABLE_INVITES = "disable_invites"
    HIDE_COUNTS = "hide_counts"
    CALL_MODERATOR = "call_moderator"
    PAGE_OPERATOR = "page_operator"
    PAUSE = "pause"
    END = "end"


I = Intervention  # noqa: E741 - keeps the table readable
C = Capability

#: For each intervention, the capabilities that serve it, best first, with what is then done.
NEAREST: dict[Intervention, tuple[tuple[Capability, str], ...]] = {
    I.HOLD_COMMENT: ((C.PLATFORM_HOLD, "hold_comment"), (C.POST_DELETE, "delete_comment")),
    I.RELEASE_COMMENT: ((C.PLATFORM_HOLD, "release_comment"),),
    I.DELETE_COMMENT: ((C.POST_DELETE, "delete_comment"), (C.PLATFORM_HOLD, "hold_comment")),
    I.NUDGE_HOST: ((C.NUDGE_HOST, "nudge_host"),),
    I.WARN_VIEWER: ((C.WARN_VIEWER, "warn_viewer"),),
    I.MUTE_VIEWER: ((C.MUTE_VIEWER, "mute_viewer"), (C.SLOW_MODE, "slow_mode")),
    I.UNMUTE_VIEWER: ((C.MUTE_VIEWER, "unmute_viewer"), (C.SLOW_MODE, "slow_mode_off")),
    I.REMOVE_VIEWER: ((C.REMOVE_VIEWER, "remove_viewer"), (C.MUTE_VIEWER, "mute_viewer")),
    I.READMIT_VIEWER: ((C.REMOVE_VIEWER, "readmit_viewer"), (C.MUTE_VIEWER, "unmute_viewer")),
    I.SLOW_MODE: ((C.SLOW_MODE, "slow_mode"),),
    I.SLOW_MODE_OFF: ((C.SLOW_MODE, "slow_mode_off"),),
    I.DISABLE_GIFTS: ((C.DISABLE_GIFTS, "disable_gifts"),),
    I.ENABLE_GIFTS: ((C.DISABLE_GIFTS, "enable_gifts"),),
    I.DISABLE_COMMENTS: ((C.DISABLE_COMMENTS, "disable_comments"), (C.SLOW_MODE, "slow_mode")),
    I.ENABLE_COMMENTS: ((C.DISABLE_COMMENTS, "enable_comments"), (C.SLOW_MODE, "slow_mode_off")),
    I.DISABLE_INVITES: ((C.DISABLE_INVITES, "disable_invites"),),
    I.ENABLE_INVITES: ((C.DISABLE_INVITES, "enable_invites"),),
    I.HIDE_COUNTS: ((C.HIDE_COUNTS, "hide_counts"),),
    I.SHOW_COUNTS: ((C.HIDE_COUNTS, "show_counts"),),
    I.CALL_MODERATOR: ((C.CALL_MODERATOR, "call_moderator"),),
    I.PAGE_OPERATOR: ((C.PAGE_OPERATOR, "page_operator"), (C.CALL_MODERATOR, "call_moderator")),
    # An adapter that can end but not pause is never made to end a broadcast by the machine: ending is irreversible.
    I.PAUSE: ((C.PAUSE, "pause"),),
    I.RESUME: ((C.PAUSE, "resume"),),
    I.END: ((C.END, "end"), (C.PAUSE, "pause")),
}


def nearest(intervention: Intervention, capabilities: frozenset[Capability]) -> str | None:
    """What an adapter with these capabilities does when asked for an intervention; ``None``: nothing serves it."""
    for capability, doing in NEAREST[intervention]:
        if capability in capabilities:
            return doing
    return None


def doings(capabilities: frozenset[Capability]) -> frozenset[str]:
    """Everything that ``nearest`` may have an adapter with these capabilities do."""
    return frozenset(doing for options in NEAREST.values() for serves, doing in options if serves in capabilities)


class Action(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One action of the outbox. ``id`` is its idempotency key: the same broadcast, event, intervention and target
    always give the same id. ``asked`` is what policy wanted, ``doing`` the nearest thing the adapter can do.
    ``card`` comes with ``nudge_host``: what to show; none when every card that fits was shown minutes ago."""

    id: str
    platform: str
    broadcast: str
    event: str
    asked: str
    doing: str
    target: str
    adapter: str
    level: str
    created_at: int
    expires_at: int
    card: Card | None = None


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What came of performing an action: ``done``, or not and then whether trying again may help."""

    done: bool
    retry: bool = False
    note: str = ""
    retry_after_s: float = 0.0


def unserved(action: Action) -> Outcome:
    """What an adapter answers when it is asked for something that none of its capabilities serves."""
    return Outcome(False, note=f"this adapter does not do `{action.doing[:60]}`: see its `capabilities`")


class Adapter(Protocol):
    """Performs actions on a platform. Performing the same action twice must have the effect of once.

    ``conformance`` checks all of this; every adapter of this project passes it.
    """

    @property
    def name(self) -> str:
        """Its name in the configuration."""

    @property
    def platform(self) -> str:
        """The platform it serves."""

    @property
    def capabilities(self) -> frozenset[Capability]:
        """What it can do."""

    async def perform(self, action: Action) -> Outcome:
        """Do it. Raises nothing: what goes wrong is in the outcome."""

    async def close(self) -> None:
        """Let go of connections."""
