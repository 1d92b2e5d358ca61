"""Opening and releasing broadcasts and pairs, so that the engine's memory follows what is live."""

from __future__ import annotations

from upstander.engine.state import Broadcast, EngineState, Pair

#: A broadcast in which nothing happens for this long is released; an ended one after one more minute.
IDLE_MINUTES = 120
MAX_BROADCASTS = 1_000_000
MAX_PAIRS = 10_000
MAX_ENDED = 100_000


def open_broadcast(state: EngineState, identifier: str) -> Broadcast:
    """A new broadcast; past ``MAX_BROADCASTS`` the one opened first gives way."""
    state.ended.pop(identifier, None)
    while len(state.broadcasts) >= MAX_BROADCASTS:
        release(state, next(iter(state.broadcasts.values())))
    broadcast = Broadcast(identifier, minute=state.clock // 60_000)
    state.broadcasts[identifier] = broadcast
    state.minutes.setdefault(broadcast.minute, []).append(identifier)
    return broadcast


def touch(state: EngineState, broadcast: Broadcast, minute: int) -> None:
    """Note the engine minute a broadcast was last active in; at each new minute, release what has long been idle."""
    broadcast.minute = minute
    if minute in state.minutes:
        state.minutes[minute].append(broadcast.id)
        return
    state.minutes[minute] = [broadcast.id]
    for old in [m for m in state.minutes if m < minute - 1]:
        waiting = []
        for identifier in state.minutes.pop(old):
            idle = state.broadcasts.get(identifier)
            if idle is None or idle.minute != old:
                continue  # released already, or active since and noted under a later minute
            if idle.ended or minute - old > IDLE_MINUTES:
                release(state, idle)
            else:
                waiting.append(identifier)
        if waiting:
            state.minutes[old] = waiting


def release(state: EngineState, broadcast: Broadcast) -> None:
    """Forget a broadcast; of an ended one, only that it ended is kept for a while."""
    del state.broadcasts[broadcast.id]
    if broadcast.ended:
        state.ended[broadcast.id] = broadcast.ended
        while len(state.ended) > MAX_ENDED:
            del state.ended[next(iter(state.ended))]


def pair_of(broadcast: Broadcast, viewer: str) -> Pair:
    """The pair of a viewer and this broadcast's host, made when it is first needed."""
    pair = broadcast.pairs.get(viewer)
    if pair is None:
        if len(broadcast.pairs) >= MAX_PAIRS:
            _thin(broadcast)
        pair = broadcast.pairs[viewer] = Pair(broadcast.now)
    return pair


def _thin(broadcast: Broadcast) -> None:
    """Forget the quarter of the pairs with the least evidence, so that a flood of accounts stays bounded."""
    ranked = sorted(broadcast.pairs.items(), key=lambda item: (bool(item[1].muted), sum(item[1].evidence.values())))
    for viewer, _ in ranked[: MAX_PAIRS // 4]:
        del broadcast.pairs[viewer]
