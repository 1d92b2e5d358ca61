"""A policy as types. How its file is read is in ``reader``."""

from __future__ import annotations

import msgspec

from upstander.engine.assessment import CAPTURES, HOST_REPORT
from upstander.model.vocabulary import Intervention

#: Changes whenever the same file could be judged otherwise; part of a policy's hash.
POLICY_VERSION = "2"

MODES = ("live", "shadow", "off")
BY = ("viewer", "broadcast")
DEADLINES = ("allow", "hold", "block")
#: What counters and sequences can be about, besides tactics.
ACTS = ("gift", "invite", "user_report", HOST_REPORT, *CAPTURES)
MAX_WINDOW_MS = 1_800_000
MAX_RULES = 500
MAX_STEPS = 5

#: What a rule or a step may ask for: nothing that only a person may order, nothing that undoes, no comment by name.
ASKABLE: tuple[Intervention, ...] = (
    Intervention.NUDGE_HOST,
    Intervention.WARN_VIEWER,
    Intervention.MUTE_VIEWER,
    Intervention.REMOVE_VIEWER,
    Intervention.SLOW_MODE,
    Intervention.DISABLE_GIFTS,
    Intervention.DISABLE_COMMENTS,
    Intervention.DISABLE_INVITES,
    Intervention.HIDE_COUNTS,
    Intervention.CALL_MODERATOR,
    Intervention.PAUSE,
)
#: What concerns a person's account: never asked for, only proposed to a human.
PROPOSALS = ("ban_account", "suspend_account", "report_account")


class Budget(msgspec.Struct, frozen=True):
    """How often something may be asked for on one platform, within a minute and within a day."""

    minute: int
    day: int


class Counter(msgspec.Struct, frozen=True):
    """How often any of ``of`` happened within ``within`` milliseconds, by this viewer or in this broadcast."""

    of: frozenset[str]
    within: int
    by: str


class Sequence(msgspec.Struct, frozen=True):
    """Whether one of each step happened, in this order, within ``within`` milliseconds of the last."""

    steps: tuple[frozenset[str], ...]
    within: int
    by: str


class Rule(msgspec.Struct, frozen=True):
    """One rule: when it holds, what it makes of it. ``level``: at least this one (0: as it is)."""

    id: str
    mode: str
    when: str
    why: str
    level: int = 0
    hold: bool = False
    ask: tuple[Intervention, ...] = ()
    propose: tuple[str, ...] = ()
    cooldown: int = 0
    budget: Budget | None = None
    line: int = 1


class Tables(msgspec.Struct, frozen=True):
    """A policy. Durations in milliseconds, thresholds in nats; ``steps`` by protection and level's word."""

    name: str
    protection: dict[str, str]
    levels: dict[str, tuple[float, float, float, float]]
    seen: float
    severe_seen: float
    emergency_events: int
    directive: frozenset[str]
    crowd: int
    crowd_factor: float
    hold_at_notice: dict[str, frozenset[str]]
    steps: dict[str, dict[str, tuple[Intervention, ...]]]
    cooldown: dict[str, int]
    on_deadline: dict[str, str]
    budgets: dict[str, Budget]
    counters: dict[str, Counter]
    sequences: dict[str, Sequence]
    rules: tuple[Rule, ...]
    hash: str = ""
