"""Time from events alone: late, out-of-order and far-off times must neither stop nor race a broadcast's clock."""

from __future__ import annotations

from upstander.engine.state import Broadcast, EngineState

#: An event further ahead of its broadcast than this is a clock error, unless so many in a row agree.
MAX_JUMP_MS = 6 * 3_600_000
AGREE_AHEAD = 8
#: Events later than this are out of time; so many in a row mean that the broadcast's clock had run ahead.
MAX_LATE_MS = 300_000
AGREE_BEHIND = 32
#: The engine's own clock gains at most this much an event, so one broken sender cannot age everybody else.
ENGINE_STEP_MS = 1_000
ENGINE_LATE_MS = 3_600_000
ENGINE_AGREE_BEHIND = 1_000


def tick(broadcast: Broadcast, at: int) -> None:
    """Move a broadcast's clock by an event that happened at ``at`` (epoch milliseconds)."""
    now = broadcast.now
    if at >= now:
        if now and at - now > MAX_JUMP_MS:
            broadcast.ahead += 1
            if broadcast.ahead < AGREE_AHEAD:
                return
        broadcast.now = at
        broadcast.ahead = broadcast.behind = 0
    elif now - at > MAX_LATE_MS:
        broadcast.behind += 1
        if broadcast.behind >= AGREE_BEHIND:
            broadcast.now = at
            broadcast.ahead = broadcast.behind = 0
    else:
        broadcast.ahead = broadcast.behind = 0


def tick_engine(state: EngineState, at: int) -> None:
    """Move the engine's clock, by which idle broadcasts are released."""
    clock = state.clock
    if at >= clock:
        state.clock = min(at, clock + ENGINE_STEP_MS) if clock else at
        state.behind = 0
    elif clock - at > ENGINE_LATE_MS:
        state.behind += 1
        if state.behind >= ENGINE_AGREE_BEHIND:
            # The clock had been set by an event from the future: start again from now.
            state.clock = at
            state.behind = 0
            state.minutes = {at // 60_000: list(state.broadcasts)}
            for broadcast in state.broadcasts.values():
                broadcast.minute = at // 60_000
    else:
        state.behind = 0
