"""Power levels: whatever stood in a room, what is done to it can be undone, in any order."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from upstander.adapters.matrix import power
from upstander.adapters.matrix.words import BEFORE

USERS = ["@a:h", "@b:h", "@c:h"]
level = st.integers(-50, 100)
LEVELS = st.fixed_dictionaries(
    {},
    optional={
        "users": st.dictionaries(st.sampled_from(USERS), level, max_size=3),
        "users_default": level,
        "events": st.dictionaries(st.sampled_from(["m.room.message", "m.reaction", "m.room.name"]), level, max_size=3),
        "events_default": level,
        "state_default": level,
        "io.else": st.integers(),
    },
)


def normal(levels: dict[str, Any]) -> dict[str, Any]:
    """An empty map says the same as none."""
    return {name: value for name, value in levels.items() if value != {}}


def can_write(levels: dict[str, Any], user: str, kind: str) -> bool:
    mine = levels.get("users", {}).get(user, levels.get("users_default", 0))
    return bool(mine >= levels.get("events", {}).get(kind, levels.get("events_default", 0)))


@given(LEVELS, st.sampled_from(USERS))
def test_a_muted_user_can_write_nothing(levels: dict[str, Any], user: str) -> None:
    before = copy.deepcopy(levels)
    muted = power.mute(levels, user)
    assert levels == before
    for kind in ("m.room.message", "m.reaction", "m.sticker", "io.anything"):
        assert not can_write(muted, user, kind)
        for other in set(USERS) - {user}:
            assert can_write(muted, other, kind) == can_write(levels, other, kind)
    assert power.mute(muted, user) is muted
    assert normal(power.unmute(muted, user)) == normal(levels)


@given(LEVELS)
def test_in_a_closed_chat_only_moderators_write(levels: dict[str, Any]) -> None:
    closed = power.close(levels, "pause")
    for kind in ("m.room.message", "m.reaction", "m.sticker", "io.anything"):
        for user in USERS:
            mine = levels.get("users", {}).get(user, levels.get("users_default", 0))
            assert can_write(closed, user, kind) == (mine >= 50 and can_write(levels, user, kind))
    assert power.close(closed, "pause") is closed
    assert normal(power.reopen(closed, "pause")) == normal(levels)


WHAT = ["pause", "comments", *USERS]


@given(LEVELS, st.permutations(WHAT), st.permutations(WHAT))
def test_all_of_it_can_be_undone_in_any_order(levels: dict[str, Any], do: list[str], undo: list[str]) -> None:
    now = levels
    for what in do:
        now = power.mute(now, what) if what in USERS else power.close(now, what)
    for number, what in enumerate(undo):
        now = power.unmute(now, what) if what in USERS else power.reopen(now, what)
        for still in undo[number + 1 :]:
            who = still if still in USERS else "@nobody:h"
            assert not can_write(now | {"users_default": 0}, who, "m.sticker")
    assert BEFORE not in now
    assert normal(now) == normal(levels)


@given(LEVELS, st.sampled_from(USERS))
def test_undoing_what_was_not_done_changes_nothing(levels: dict[str, Any], user: str) -> None:
    assert power.unmute(levels, user) is levels
    assert power.reopen(levels, "pause") is levels
