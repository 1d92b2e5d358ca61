"""The live wall's model: the broadcasts that need looking at, and the last decisions. Holds no chat text."""

from __future__ import annotations

import asyncio
from collections import deque

import msgspec

from upstander.gateway.hub import Hub, Overrun, Published
from upstander.model.vocabulary import Level
from upstander.runtime import Runtime

MAX_ROWS = 500
MAX_DECISIONS = 50


class WallRow(msgspec.Struct, gc=False):
    """A broadcast on the wall: the highest level reached, the latest decision and what it showed, live or ended."""

    platform: str
    broadcast: str
    level: str
    rank: int
    belief: float
    tactics: list[str]
    exposures: list[str]
    why: str
    at: int
    decisions: int
    state: str = "live"


class Shown(msgspec.Struct, frozen=True, gc=False):
    """A decision as the wall lists it."""

    seq: int
    platform: str
    broadcast: str
    actor: str
    level: str
    tactics: list[str]
    interventions: list[str]
    why: list[str]
    belief: float
    at: int


class Stats(msgspec.Struct, gc=False):
    """The numbers above the wall."""

    available: bool = False
    events: int = 0
    events_per_s: float = 0.0
    p99_ms: float = 0.0
    broadcasts: int = 0
    outbox_open: int = 0
    levels: dict[str, int] = {}


class Update(msgspec.Struct, gc=False):
    """One message of the live feed: to the page, and to the demo's terminal view."""

    stats: Stats
    rows: list[WallRow]
    decisions: list[Shown]


class Wall:
    """Follows the decisions of all platforms."""

    def __init__(self) -> None:
        self.rows: dict[tuple[str, str], WallRow] = {}
        self.decisions: deque[Shown] = deque(maxlen=MAX_DECISIONS)
        self.version = 0

    def fill(self, runtime: Runtime) -> None:
        """After a restart: the broadcasts that were above ``clear`` when the service stopped."""
        for platform, engine in runtime.engines.items():
            for broadcast in engine.state.broadcasts.values():
                if broadcast.level > Level.CLEAR and not broadcast.ended:
                    level = Level(broadcast.level)
                    row = WallRow(
                        platform, broadcast.id, level.word, level, broadcast.belief, [], list(broadcast.exposures),
                        "from before the restart", broadcast.now, 0,
                    )  # fmt: skip
                    self.rows[platform, broadcast.id] = row
        self._bound()

    async def follow(self, hub: Hub) -> None:
        """Take in every decision as it is published."""
        while True:
            with hub.listen("", limit=50_000) as listener:
                try:
                    while True:
                        self.take(await listener.next())
                except Overrun:
                    await asyncio.sleep(0)  # some were missed: the wall shows the next ones

    def take(self, published: Published) -> None:
        """Take in one decision."""
        decision = published.decision
        level = Level[decision.level.upper()]
        if level is Level.CLEAR:
            return
        self.version += 1
        why = [reason.why for reason in decision.reasons if reason.what not in decision.exposures]
        # What just happened comes before what happened earlier.
        why.sort(key=lambda text: text.startswith("earlier"))
        key = (published.platform, decision.broadcast)
        row = self.rows.get(key)
        if row is None:
            row = self.rows[key] = WallRow(published.platform, decision.broadcast, "", 0, 0.0, [], [], "", 0, 0)
        if level >= row.rank:
            row.level, row.rank = decision.level, level
        row.belief = decision.belief
        row.tactics = list(dict.fromkeys([*row.tactics, *decision.tactics]))[-6:]
        row.exposures = list(decision.exposures)
        if why and not (row.why and why[0].startswith("earlier")):
            row.why = why[0]
        row.at = decision.at
        row.decisions += 1
        self.decisions.append(
            Shown(
                published.seq, published.platform, decision.broadcast, decision.actor or "a voice", decision.level,
                list(decision.tactics), [str(asked.do) for asked in decision.interventions], why[:3],
                decision.belief, decision.at,
            )
        )  # fmt: skip
        self._bound()

    def ranked(self, platform: str | None = None) -> list[WallRow]:
        """The rows, live ones first, then gravest and latest first; of one platform, or of all."""
        rows = (row for row in self.rows.values() if platform in (None, row.platform))
        return sorted(rows, key=lambda row: (row.state == "ended", -row.rank, -row.at, row.broadcast))

    def mark_ended(self, runtime: Runtime) -> None:
        """Note which of the broadcasts have ended (or are live again)."""
        for row in self.rows.values():
            engine = runtime.engines.get(row.platform)
            broadcast = engine.state.broadcasts.get(row.broadcast) if engine else None
            state = "live" if broadcast is not None and not broadcast.ended else "ended"
            if state != row.state:
                row.state = state
                self.version += 1

    def _bound(self) -> None:
        if len(self.rows) > MAX_ROWS:
            for row in self.ranked()[MAX_ROWS * 3 // 4 :]:
                del self.rows[row.platform, row.broadcast]
