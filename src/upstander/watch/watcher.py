"""Keeps one stream watched: starts its sandboxed process, holds it to its deadline, starts it again with back-off."""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable

import msgspec

from upstander.watch import whep_http
from upstander.watch.analyst import Analyst
from upstander.watch.errors import WatchError
from upstander.watch.messages import (
    Answer,
    Beat,
    Clip,
    Ease,
    Ended,
    Gone,
    Offer,
    Opened,
    Order,
    Picture,
    Ready,
    Silent,
    Sound,
)
from upstander.watch.nursery import Child, Nursery
from upstander.watch.relay import Relay
from upstander.watch.source import Feed, Source

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
#: A stream that ran so long was a good one: the next pause is short again.
GOOD_S = 30.0


class Limits(msgspec.Struct, frozen=True):
    """``deadline_s``: a process that says nothing for so long is killed; ``open_s``: the same until the stream is open;
    ``attempts`` 0: try until stopped."""

    deadline_s: float = 20.0
    open_s: float = 30.0
    attempts: int = 0


class State(msgspec.Struct):
    """How a watcher stands, for people. ``frame_ms``: epoch, the last frame."""

    broadcast: str
    source: str
    state: str = "waiting"
    opened: Opened = msgspec.field(default_factory=Opened)
    walls: list[str] = []
    beat: Beat = msgspec.field(default_factory=Beat)
    frames: int = 0
    frame_ms: int = 0
    tries: int = 0
    killed: int = 0
    fault: str = ""


class Watcher:
    """One stream. ``tell`` is called with lines for people; ``clip`` with what is kept of the stream, if anything."""

    def __init__(
        self,
        source: Source,
        order: Order,
        analyst: Analyst,
        nursery: Nursery,
        limits: Limits | None = None,
        tell: Callable[[str], None] = log.info,
        clip: Callable[[Clip], None] | None = None,
    ) -> None:
        self.source, self.order, self.analyst, self.nursery = source, order, analyst, nursery
        self.limits = limits or Limits()
        self.state = State(analyst.broadcast, source.shown)
        self._tell, self._clip = tell, clip
        self._stopping = threading.Event()
        self._child: Child | None = None
        self._relay: Relay | None = None
        self._lock = threading.Lock()
        self._said_interval = order.interval_s
        self._said_mode = "key frames"

    def run(self) -> str:
        """Watch until the stream ends for good or ``stop`` is called. The fault it ended with, or nothing."""
        pause = FIRST_PAUSE_S
        while not self._stopping.is_set():
            began = time.monotonic()
            self.state.tries += 1
            ended = self._once()
            self.analyst.lost()
            self.state.fault = ended.fault
            over = not ended.again and (not self.source.live or bool(ended.fault))
            if over or self._stopping.is_set() or self.state.tries == self.limits.attempts or not self.source.live:
                break
            if time.monotonic() - began > GOOD_S:
                pause = FIRST_PAUSE_S
            # With jitter, forty watchers do not come back in one moment. S311: it needs no secrecy.
            wait = pause * (0.75 + random.random() / 2)  # noqa: S311
            self._tell(f"{self.state.broadcast}: {ended.fault or 'the stream ended'}; again in {wait:.1f} s")
            self.state.state = "waiting"
            self._stopping.wait(wait)
            pause = min(LONGEST_PAUSE_S, pause * 2)
        self.state.state = "ended"
        return "" if self._stopping.is_set() else self.state.fault

    def stop(self) -> None:
        """Stop watching; ``run`` returns soon."""
        self._stopping.set()
        with self._lock:
            if self._child is not None:
                self._child.kill()

    def ease(self, interval_s: float) -> None:
        """Ask for no more samples than this: the models are behind."""
        with self._lock, contextlib.suppress(Gone):
            if self._child is not None:
                self._child.line.send(Ease(interval_s))

    # -- one process ---------------------------------------------------------------------------------------------

    def _once(self) -> Ended:
        """One process from its start to its end, whatever that is."""
        feed: Feed | None = None
        child: Child | None = None
        try:
            order = self.source.order(self.order)
            feed = Feed(self.source) if order.way == "fd" else None
            child = self.nursery.child()
            with self._lock:
                self._child = child
            child.line.send(order, [feed.fd] if feed else None)
            return self._listen(child)
        except WatchError as error:
            return Ended(fault=str(error))
        except Silent:
            self.state.killed += 1
            return Ended(fault="nothing came from the decoder within its deadline: it was ended", again=True)
        except Gone:
            return Ended(fault="the decoder ended without a word", again=True)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            self.state.killed += 1
            return Ended(fault=f"the decoder sent what it may not send ({error}): it was ended", again=True)
        finally:
            with self._lock:
                self._child = None
            for end in (child.kill if child else None, feed.close if feed else None, self._close_relay):
                if end is not None:
                    end()

    def _close_relay(self) -> None:
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def _listen(self, child: Child) -> Ended:
        self.state.state, patience = "opening", self.limits.open_s
        until = time.monotonic() + patience
        while True:
            report, fds = child.line.report(max(0.01, min(patience, until - time.monotonic())))
            match report:
                case Ready():
                    self._ready(report, fds)
                case Offer():
                    child.line.send(Answer(whep_http.answer(self.source, report.sdp)))
                case Opened():
                    self._opened(report)
                case Picture():
                    self.state.frames += 1
                    self.state.frame_ms = self.analyst.picture(report).at_ms
                case Sound():
                    self.analyst.sound(report)
                case Clip():
                    if self._clip is not None:
                        self._clip(report)
                case Beat():
                    self._beat(report)
                case Ended():
                    self._beat(report.beat)
                    if self._relay is not None and self._relay.refused:
                        return Ended(fault=self._relay.refused[-1], beat=report.beat)
                    return report
            if self.state.state == "open":
                patience = self.limits.deadline_s
                until = time.monotonic() + patience

    def _ready(self, ready: Ready, fds: list[int]) -> None:
        self.state.walls = ready.walls
        if ready.port and fds:
            listener = socket.socket(fileno=fds[0])
            listener.settimeout(None)
            self._relay = self.source.relay(listener)
            fds = fds[1:]
        for descriptor in fds:
            os.close(descriptor)

    def _opened(self, opened: Opened) -> None:
        self.state.state, self.state.opened = "open", opened
        self.analyst.opened(opened.sounds)
        video, sounds = opened.video or "no video", f"{len(opened.sounds)} audio" if opened.sounds else "no audio"
        walls = ", ".join(self.state.walls) or "none"
        self._tell(f"{self.state.broadcast}: open ({opened.format}: {video}, {sounds}; sandbox: {walls})")

    def _beat(self, beat: Beat) -> None:
        self.state.beat = beat
        if beat.interval_s != self._said_interval:
            slower = "behind: " if beat.interval_s > self._said_interval else ""
            self._said_interval = beat.interval_s
            self._tell(f"{self.state.broadcast}: {slower}a sample every {beat.interval_s:g} s from here on")
        if beat.mode != self._said_mode:
            self._said_mode = beat.mode
            why = " (key frames are too rare)" if beat.mode == "every frame" else ""
            self._tell(f"{self.state.broadcast}: decoding {beat.mode}{why}")
