"""When a stream is sampled, and what a packet's claimed time is worth. Pure: times are handed in."""

from __future__ import annotations

import math

import msgspec

#: A claimed time that lies further back than this, or further ahead than the wall clock allows, is not believed.
BACK_MS, AHEAD_MS = 500, 10_000
#: A live stream that claims to be this far ahead of the wall clock is not believed (HLS begins with a burst).
DRIFT_MS = 30_000
#: What a frame moves on where neither claim nor clock says anything.
STEP_MS = 40
#: Key frames come a little early now and then.
SLACK_MS = 200
#: Two samples are never closer than this, whatever changes.
CLOSEST_MS = 250
WIDEST_S = 8.0
#: So far behind the stream, sampling slows down; so close for so long, it speeds up again.
BEHIND_MS, CAUGHT_UP_MS, CALM_MS = 1_500, 500, 10_000
#: Delay is measured against the least in windows this long; after a change, wait this long for what it brings.
WINDOW_MS, SETTLE_MS = 10_000, 1_000
#: Key frames further apart than this leave too much unseen: then all frames are decoded.
LONG_GAP_MS = 4_000


class Timeline(msgspec.Struct):
    """Milliseconds since the start of a stream, never backwards. ``live``: held against the wall clock as well."""

    live: bool = True
    wrong: int = 0
    _offset: float = 0.0
    _base: float | None = None
    _claimed: float = 0.0
    _wall: float = 0.0
    _began: float = 0.0

    def at(self, claimed_ms: float | None, wall_ms: float) -> int:
        """The offset of what claims this time, seen at ``wall_ms``. A claim that cannot be is counted in ``wrong``."""
        if self._base is None:
            self._began = self._wall = wall_ms
            self._claimed = claimed_ms or 0.0
            self._base = self._claimed
            return 0
        passed = max(0.0, wall_ms - self._wall)
        if claimed_ms is None or not self._plausible(claimed_ms, passed, wall_ms):
            self.wrong += claimed_ms is not None
            self._offset += passed if self.live else STEP_MS
            claimed = claimed_ms if claimed_ms is not None else self._claimed + (passed if self.live else STEP_MS)
            self._claimed, self._base = claimed, claimed - self._offset
        else:
            self._offset = max(self._offset, claimed_ms - self._base)
            self._claimed = max(self._claimed, claimed_ms)
        self._wall = wall_ms
        return int(self._offset)

    def _plausible(self, claimed: float, passed: float, wall: float) -> bool:
        step = claimed - self._claimed
        if not -BACK_MS <= step <= AHEAD_MS + passed:
            return False
        drift = claimed - (self._base or 0.0) - (wall - self._began)
        return not self.live or drift <= DRIFT_MS


class Pace(msgspec.Struct):
    """Which key frames are looked at. ``interval_s`` grows under load and comes back to ``target_s``."""

    target_s: float = 1.0
    interval_s: float = 1.0
    #: the least interval that the other side of the pipe asked for, because models are behind
    floor_s: float = 0.0
    usual_gap_ms: float = 0.0
    _key: float | None = None
    _sampled: float | None = None
    _least: float = math.inf
    _earlier: float = math.inf
    _since: float = 0.0
    _calm: float = 0.0
    _widened: float = -math.inf

    def key(self, offset_ms: int) -> bool:
        """A key frame came. True when it came before its time: encoders put one where the scene changes."""
        if self._key is None:
            self._key = offset_ms
            return False
        gap = offset_ms - self._key
        self._key = offset_ms
        early = self.usual_gap_ms > 0 and CLOSEST_MS <= gap < 0.6 * self.usual_gap_ms
        if not early:
            self.usual_gap_ms = gap if not self.usual_gap_ms else 0.8 * self.usual_gap_ms + 0.2 * gap
        return early

    @property
    def every_frame(self) -> bool:
        """Whether key frames are too rare to go by, and there is time to decode the others."""
        return self.usual_gap_ms > LONG_GAP_MS and self.interval_s <= self.target_s

    def due(self, offset_ms: int, changed: bool = False) -> bool:
        """Whether the frame at this offset is looked at; it then counts as looked at."""
        since = None if self._sampled is None else offset_ms - self._sampled
        wait = CLOSEST_MS if changed else max(self.interval_s, self.floor_s) * 1000 - SLACK_MS
        if since is not None and 0 <= since < wait:
            return False
        self._sampled = offset_ms
        return True

    def behind(self, offset_ms: int, wall_ms: float) -> bool:
        """Take note of how far behind the stream we are. True when the interval changed.

        What counts is delay beyond the least of the last ten to twenty seconds: a source that paused is no load.
        """
        lag, before = wall_ms - offset_ms, self.interval_s
        if wall_ms - self._since >= WINDOW_MS:
            self._earlier, self._least, self._since = self._least, lag, wall_ms
        self._least = min(self._least, lag)
        late = lag - min(self._least, self._earlier)
        if late > BEHIND_MS:
            self._calm = wall_ms
            if self.interval_s < WIDEST_S and wall_ms - self._widened >= SETTLE_MS:
                self.interval_s, self._widened = min(WIDEST_S, self.interval_s * 2), wall_ms
        elif late < CAUGHT_UP_MS and wall_ms - self._calm > CALM_MS and self.interval_s > self.target_s:
            self._calm = wall_ms
            self.interval_s = max(self.target_s, self.interval_s / 2)
        return self.interval_s != before
